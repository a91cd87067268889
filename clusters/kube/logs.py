"""The log of one container, line by line, as long as somebody reads it (pods/log of the API)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from clusters.inventory.kinds import object_path
from clusters.kube.connection import READ_SECONDS
from clusters.kube.streams import ByteStream, Doer

# What a line may have; kubelets split longer ones at 16 KiB and put them together again.
LINE_LIMIT = 64 * 1024
# How long a log is followed at most; the load balancer of standard clusters cuts then, too.
FOLLOW_SECONDS = 4 * 3600.0
STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class LogQuery:
    """What of a container's log is wanted (PodLogOptions).

    container: "" where the pod has one alone. previous: of the container before
    its last restart. since_seconds and since_time (RFC 3339, to the second)
    exclude each other. tail: lines from the end; None for all. limit: bytes.
    """

    container: str = ""
    previous: bool = False
    follow: bool = False
    since_seconds: int | None = None
    since_time: str = ""
    tail: int | None = None
    limit: int | None = None
    timestamps: bool = True

    def parameters(self) -> dict[str, str]:
        """The parameters of the request; what is not wanted is left out."""
        wanted = {
            "container": self.container,
            "previous": "true" if self.previous else "",
            "follow": "true" if self.follow else "",
            "sinceTime": self.since_time,
            "timestamps": "true" if self.timestamps else "",
        }
        if self.since_seconds is not None and not self.since_time:
            wanted["sinceSeconds"] = str(self.since_seconds)
        if self.tail is not None:
            wanted["tailLines"] = str(self.tail)
        if self.limit is not None:
            wanted["limitBytes"] = str(self.limit)
        return {name: value for name, value in wanted.items() if value}

    def after(self, stamp: str) -> LogQuery:
        """The same log from the second of a line's timestamp on."""
        return replace(self, since_time=stamp, since_seconds=None, tail=None)


@dataclass(frozen=True)
class LogLine:
    """One line: when it was written ("" where the server does not say) and its text.

    cut: the line was longer than LINE_LIMIT; its rest is lost.
    """

    time: str
    text: str
    cut: bool = False


def moment(stamp: str) -> int:
    """Nanoseconds since 1970 of a timestamp, 0 for what is none: to compare exactly."""
    found = STAMP.fullmatch(stamp.encode())
    if not found:
        return 0
    try:
        whole = datetime.fromisoformat((found[1] + found[3]).decode())
        return int(whole.timestamp()) * 10**9 + int((found[2] or b"0").ljust(9, b"0"))
    except (ValueError, OverflowError):
        return 0


class LineSplitter:
    """Bytes as they come -> whole lines; a character or a line may be split anywhere.

    Never holds more than one line of LINE_LIMIT bytes.
    """

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._rest = b""
        self._skipping = False  # the rest of a line that was too long

    def feed(self, part: bytes) -> Iterator[LogLine]:
        """The lines that end in this part."""
        *ends, rest = part.split(b"\n")
        for end in ends:
            if not self._skipping:
                yield self._line(self._rest + end)
            self._rest, self._skipping = b"", False
        if self._skipping:
            return
        self._rest += rest
        if len(self._rest) > self._limit:
            yield self._line(self._rest)
            self._rest, self._skipping = b"", True

    def end(self) -> Iterator[LogLine]:
        """The last line where it has no end."""
        if self._rest:
            yield self._line(self._rest)
        self._rest = b""

    def _line(self, raw: bytes) -> LogLine:
        cut = len(raw) > self._limit
        if cut:
            raw = _whole_characters(raw[: self._limit])
        # Only the end of line is taken off: a carriage return is what a program printed.
        stamp, _space, text = raw.partition(b" ")
        if not STAMP.fullmatch(stamp):
            stamp, text = b"", raw
        return LogLine(stamp.decode(), text.decode("utf-8", "replace"), cut)


def _whole_characters(raw: bytes) -> bytes:
    """Without the bytes of a character at the end that was cut apart."""
    for back in range(1, min(4, len(raw)) + 1):
        byte = raw[-back]
        if byte & 0xC0 != 0x80:
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return raw[:-back] if length > back else raw
    return raw


class LogStream(ByteStream):
    """Iterate for LogLines in a thread of your own; stop() from any other ends it at once.

    The connection is made when the iteration begins. seconds limits the whole
    (READ_SECONDS by default, FOLLOW_SECONDS when following). Iterating raises
    KubeError: NotFound when the pod is gone, UnexpectedAnswer with status 400
    while the container has not started.
    """

    def __init__(
        self, doer: Doer, namespace: str, pod: str, query: LogQuery, seconds: float | None = None
    ) -> None:
        path = object_path("v1", "pods", namespace, pod) + "/log"
        limit = seconds or (FOLLOW_SECONDS if query.follow else READ_SECONDS)
        super().__init__(doer, path, urlencode(query.parameters()), limit, endless=query.follow)

    def __iter__(self) -> Iterator[LogLine]:
        """The lines as they come, until the log ends, the time is up or stop() is called."""
        splitter = LineSplitter()
        for part in self.parts():
            yield from splitter.feed(part)
        yield from splitter.end()
