"""Which part of a log somebody wants: parsed from an address, given to the API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.kube.logs import LogQuery

PAGE_LINES = 500
MOST_LINES = 20_000
MOST_SECONDS = 366 * 24 * 3600
# The choices of the page: the key in its address, the label, seconds back, lines from the end.
WINDOWS = {
    "500": (gettext_lazy("Last 500 lines"), None, 500),
    "5000": (gettext_lazy("Last 5,000 lines"), None, 5000),
    "5m": (gettext_lazy("Last 5 minutes"), 300, MOST_LINES),
    "1h": (gettext_lazy("Last hour"), 3600, MOST_LINES),
    "all": (gettext_lazy("All (20,000 lines at most)"), None, MOST_LINES),
}


class BadOption(ValueError):
    """A parameter that cannot be: its name, and a sentence on what it may be."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name, self.problem = name, problem


@dataclass(frozen=True)
class LogOptions:
    """container: "" for all; since: seconds back; tail: lines from the end of each container."""

    container: str = ""
    previous: bool = False
    since: int | None = None
    tail: int | None = PAGE_LINES

    def query(self, container: str, *, follow: bool = False, timestamps: bool = True) -> LogQuery:
        """What to ask the API server for one container."""
        return LogQuery(
            container,
            previous=self.previous,
            follow=follow,
            since_seconds=self.since,
            tail=self.tail,
            timestamps=timestamps,
        )


def options_of(parameters: Mapping[str, str]) -> LogOptions:
    """From ?container=&previous=&show= of pages, or &since=&tail= of scripts. Raises BadOption."""
    container = parameters.get("container", "")
    if len(container) > 63 or (not container.replace("-", "").isalnum() and container):
        raise BadOption("container", _("The name of a container: letters, digits and dashes."))
    previous = parameters.get("previous", "").lower()
    if previous not in ("", "0", "1", "true", "false", "on"):
        raise BadOption("previous", _("true or false."))
    since = _number(parameters, "since", MOST_SECONDS)
    tail = _number(parameters, "tail", MOST_LINES)
    if since is None and tail is None:
        window = parameters.get("show", "500")
        if window not in WINDOWS:
            raise BadOption("show", _("One of %(choices)s.") % {"choices": ", ".join(WINDOWS)})
        _label, since, tail = WINDOWS[window]
    return LogOptions(container, previous in ("1", "true", "on"), since, tail)


def _number(parameters: Mapping[str, str], name: str, most: int) -> int | None:
    text = parameters.get(name, "")
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 12 and 0 < int(text) <= most:
        return int(text)
    raise BadOption(name, _("A whole number from 1 to %(most)s.") % {"most": most})
