"""Who still uses an API version that the next Kubernetes serves no more.

Two kinds of evidence, and neither is complete alone. Every API server counts
the deprecated APIs that were requested since it started (the metric
apiserver_requested_deprecated_apis, 1.19 and later), without saying by whom.
And an object's managedFields say which program wrote it under which version,
and when.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
from django.utils.translation import gettext as _

from clusters.kube.connection import JSON, Connection
from clusters.kube.errors import NotFound, UnexpectedAnswer
from clusters.kube.listing import METADATA_ONLY
from clusters.kube.removed_apis import REMOVED, RemovedApi
from clusters.kube.skew import minor_of

METRIC = "apiserver_requested_deprecated_apis"
STARTED = "process_start_time_seconds"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Kubernetes' own programs: their next version comes with the upgrade itself.
OWN_PROGRAMS = ("kube-", "kubelet", "api-priority-and-fairness-")

_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*")
_LABEL = re.compile(r'[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(?:,|\Z)')
_ESCAPE = re.compile(r"\\(.)")


class Evidence(StrEnum):
    """What shows that an API version is in use."""

    REQUESTED = "requested"  # somebody asked an API server for it since that started
    WRITTEN = "written"  # a program wrote this object under that version
    EXISTS = "exists"  # the object has no place in the next version at all


@dataclass(frozen=True)
class Requested:
    """A deprecated API that was requested; removed_release such as "1.25", empty if undecided."""

    group: str
    version: str
    resource: str
    subresource: str
    removed_release: str


@dataclass(frozen=True)
class Metrics:
    """What an API server's /metrics says: what was requested since it started (UTC)."""

    requested: tuple[Requested, ...]
    started: datetime | None


@dataclass(frozen=True)
class Use:
    """One use of an API version that the target serves no more.

    resource and group_version: such as "ingresses", "extensions/v1beta1";
    instead: the version to use, empty when there is none; namespace, name: the
    object, for WRITTEN and EXISTS; by: the program that wrote it; last: when it
    wrote last, or since when requests are counted (ISO 8601, UTC), empty if unknown.
    """

    evidence: Evidence
    resource: str
    group_version: str
    removed_in: str
    instead: str
    namespace: str = ""
    name: str = ""
    by: str = ""
    last: str = ""

    @property
    def text(self) -> str:
        """One sentence for a log or a page, in the reader's language."""
        sentence = {
            Evidence.REQUESTED: _(
                "%(api)s was requested since %(last)s and is gone in %(removed_in)s."
            ),
            Evidence.WRITTEN: _(
                "%(by)s writes %(object)s as %(api)s (last %(last)s), which is gone in "
                "%(removed_in)s."
            ),
            Evidence.EXISTS: _("%(object)s is there, and %(api)s is gone in %(removed_in)s."),
        }[self.evidence]
        mend = _("Use %(instead)s.") if self.instead else _("Nothing takes its place.")
        path = f"{self.namespace}/{self.name}" if self.namespace else self.name
        facts = {
            "api": f"{self.resource} ({self.group_version})",
            "object": f"{self.resource} {path}",
            "by": self.by or "?",
            "last": self.last or "?",
            "removed_in": self.removed_in,
            "instead": self.instead,
        }
        return f"{sentence % facts} {mend % facts}"

    def as_json(self) -> dict[str, Any]:
        """The use in plain JSON types."""
        return asdict(self)


def in_use(connections: Sequence[Connection], target: str) -> list[Use]:
    """Every use of an API version that the target version serves no more.

    connections: one to each of the cluster's API servers, for each counts its
    own requests alone; objects are read through the first. target: such as
    "v1.22.0". What Kubernetes' own programs do is left out. Raises KubeError,
    and ValueError when target is no version.
    """
    minor = minor_of(target)
    found: list[Use] = []
    for connection in connections:
        uses = requests_removed(metrics(connection), minor)
        known = {(use.resource, use.group_version) for use in found}
        found += [use for use in uses if (use.resource, use.group_version) not in known]
    if connections:
        found += objects(connections[0], minor)
    return found


def metrics(connection: Connection) -> Metrics:
    """What an API server's /metrics says of deprecated APIs. Raises KubeError."""
    try:
        return parse(connection.lines("/metrics"))
    except ValueError as error:
        raise UnexpectedAnswer(
            f"{connection.endpoint}/metrics cannot be read: {error}.",
            "Check that the endpoint belongs to a Kubernetes API server.",
        ) from None


def parse(lines: Iterable[str]) -> Metrics:
    """Read Prometheus' text format, one line after the other.

    Only two metrics matter, and every other line is passed over unread. Raises
    ValueError for a line of theirs that is not in the format.
    """
    found: dict[Requested, None] = {}
    started = None
    for line in lines:
        if not line.startswith((METRIC, STARTED)):
            continue
        match = _SAMPLE.fullmatch(line.rstrip("\r"))
        if match is None:
            raise ValueError(f"no sample: {line[:80]!r}")
        name, labels, value = match[1], match[2], float(match[3])
        if name == METRIC and value > 0:
            found[_requested(dict(_labels(labels or "")))] = None
        elif name == STARTED and 0 < value < 1e11:
            started = datetime.fromtimestamp(value, UTC)
    return Metrics(tuple(found), started)


def _labels(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None:
            raise ValueError(f"no label: {text[at : at + 80]!r}")
        yield match[1], _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], match[2])
        at = match.end()


def _requested(labels: dict[str, str]) -> Requested:
    names = ("group", "version", "resource", "subresource", "removed_release")
    return Requested(*(labels.get(name, "") for name in names))


def requests_removed(read: Metrics, minor: int) -> list[Use]:
    """The requests for what 1.<minor> serves no more; Kubernetes' own for want of a choice not."""
    sole = {(api.group, api.version, api.resource) for api in REMOVED if api.sole}
    since = read.started.isoformat(timespec="seconds") if read.started else ""
    uses = []
    for one in read.requested:
        key = (one.group, one.version, one.resource)
        if not one.removed_release or minor_of(one.removed_release) > minor or key in sole:
            continue
        instead = next((a.instead for a in REMOVED if (a.group, a.version, a.resource) == key), "")
        group_version = f"{one.group}/{one.version}".lstrip("/")
        release = one.removed_release
        uses.append(
            Use(Evidence.REQUESTED, one.resource, group_version, release, instead, last=since)
        )
    return uses


def objects(connection: Connection, minor: int) -> list[Use]:
    """The objects that are written under a version that 1.<minor> serves no more.

    Only versions that this server still serves are looked at. Raises KubeError.
    """
    served = _served(connection)
    found: list[Use] = []
    for api in REMOVED:
        if not api.kept or api.minor > minor or api.group_version not in served:
            continue
        # Through the version to come: our own request must not look like somebody's use.
        through = api.instead if api.instead in served else api.group_version
        path = f"/apis/{through}/{api.resource}"
        try:
            items = connection.listing(path, timeout=30.0, accept=METADATA_ONLY).items
        except NotFound:
            continue  # this resource of the version is turned off
        for item in items:
            use = use_of(item.get("metadata") or {}, api)
            if use is not None:
                found.append(use)
    return found


def use_of(metadata: JSON, api: RemovedApi) -> Use | None:
    """Whether an object, by its metadata, is written under a removed version: the last writer."""
    writers = [
        (str(field.get("time") or ""), str(field.get("manager") or ""))
        for field in metadata.get("managedFields") or ()
        if field.get("apiVersion") == api.group_version
        and not str(field.get("manager") or "").startswith(OWN_PROGRAMS)
    ]
    applied = (metadata.get("annotations") or {}).get(LAST_APPLIED)
    if applied and _api_version(applied) == api.group_version:
        writers.append(("", "kubectl"))
    evidence = Evidence.WRITTEN if api.instead else Evidence.EXISTS
    if not writers and api.instead:
        return None
    last, manager = max(writers, default=("", ""))
    return Use(
        evidence,
        api.resource,
        api.group_version,
        f"1.{api.minor}",
        api.instead,
        str(metadata.get("namespace") or ""),
        str(metadata.get("name") or ""),
        manager,
        last,
    )


def _api_version(manifest: str) -> str:
    """The apiVersion of the manifest that kubectl applied last; anybody can write that text."""
    try:
        content = orjson.loads(manifest)
    except orjson.JSONDecodeError:
        return ""
    return str(content.get("apiVersion", "")) if isinstance(content, dict) else ""


def _served(connection: Connection) -> set[str]:
    groups = connection.get_json("/apis").get("groups") or ()
    return {
        str(version.get("groupVersion"))
        for group in groups
        for version in group.get("versions") or ()
    }
