"""The control plane tab: the last look at every layer, as the page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from clusters.inventory.control_plane_words import WORDS, words
from clusters.models import Cluster, ClusterStatus, ControlPlaneHealth

# Whose problems are worth a notice on every tab: one that is away says itself why.
ANSWERING = (ClusterStatus.ACTIVE, ClusterStatus.DEGRADED)
STRANGERS = ("stranger", "vip_stranger")


@dataclass(frozen=True)
class Box:
    """One box of the picture: a part with its state, since when, and notes in words."""

    title: str
    state: str
    since: datetime | None
    notes: tuple[str, ...] = ()
    leads: bool = False
    size: int = 0  # bytes of etcd's store


@dataclass(frozen=True)
class Column:
    """One control plane: its layers from the outside in."""

    name: str
    address: str
    holds: bool
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Sees:
    """One row of the matrix: a HAProxy and its cells (state, its check, since) by server."""

    name: str
    cells: tuple[tuple[str, str, str, datetime | None], ...]


@dataclass(frozen=True)
class ControlPlanePage:
    """Everything that control_plane_layers.html shows."""

    vip: Box | None
    address: str
    holder: str
    holder_since: datetime | None
    columns: tuple[Column, ...]
    servers: tuple[str, ...]
    matrix: tuple[Sees, ...]
    leases: tuple[dict[str, Any], ...]
    quorum: str
    problems: tuple[dict[str, Any], ...]
    through_member: bool
    coming: bool


def tab_context(_request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """What the control plane tab shows. It asks for news often: a failover takes a second."""
    said = cluster.status == ClusterStatus.DEGRADED
    return {"health": health_of(cluster), "moving": True, "said_below": said}


def health_of(cluster: Cluster) -> ControlPlaneHealth | None:
    """The row of a cluster, or None before the watcher's first look."""
    return ControlPlaneHealth.objects.select_related("cluster").filter(cluster=cluster).first()


def notice(request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """On every other tab: the worst problem in the reader's language, and where the rest is."""
    match = request.resolver_match
    if cluster.status not in ANSWERING or (match and match.kwargs.get("tab") == "control-plane"):
        return None
    row = health_of(cluster)
    if row is None or not row.fresh:
        return None
    found = [p for p in worded(row.problems) if p["level"] != "info"]
    if not found:
        return None
    return {"control_plane": {"first": found[0], "more": len(found) - 1}}


def worded(problems: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Kept problems with their words in the language of the reader."""
    found = []
    for problem in problems:
        told = dict(problem)
        # A row of an older console may have a code that is not known any more.
        if problem["code"] in WORDS:
            told["what"], told["mend"] = words(problem["code"], problem["values"])
        found.append(told)
    return found


def page_of(row: ControlPlaneHealth) -> ControlPlanePage:
    """The page of a row."""
    data, cluster = row.data, row.cluster
    coming = cluster.status == ClusterStatus.PROVISIONING
    vip, members = data.get("vip"), data.get("members", [])
    holder: dict[str, Any] = vip["holder"] if vip else {"name": "", "since": None}
    # What is not there yet is no problem of a cluster that is being made.
    problems = [p for p in worded(row.problems) if not coming or p["code"] in STRANGERS]
    up = any(member["api"]["state"] == "up" for member in members)
    return ControlPlanePage(
        vip=_box(cluster.vip or "", vip["api"], coming, api=True) if vip else None,
        address=cluster.vip or "",
        holder=holder["name"],
        holder_since=_time(holder["since"]),
        columns=tuple(_column(member, holder["name"], coming) for member in members),
        servers=_servers(members),
        matrix=_matrix(members),
        leases=tuple({**lease, "since": _time(lease["since"])} for lease in data.get("leases", [])),
        quorum="" if coming else _quorum(data.get("etcd") or {}),
        problems=tuple(problems),
        through_member=bool(vip) and vip["api"]["state"] != "up" and up and not coming,
        coming=coming,
    )


def _column(member: Mapping[str, Any], holder: str, coming: bool) -> Column:
    boxes = []
    coming = coming or not member["met"]
    if member["proxy"]:
        boxes.append(_proxy(member["proxy"], coming))
    boxes.append(_box(_("API server"), member["api"], coming, api=True))
    boxes.append(_etcd(member["etcd"], coming))
    return Column(member["name"], member["address"], member["name"] == holder, tuple(boxes))


def _box(title: str, layer: Mapping[str, Any], coming: bool, api: bool = False) -> Box:
    state = layer["state"]
    waiting = coming and state in ("down", "not_ready")
    notes = [] if waiting or state in ("up", "unknown") else [_fault(layer)]
    if api and layer.get("failing"):
        notes.append(_("fails: %(checks)s") % {"checks": ", ".join(layer["failing"])})
    shown = "pending" if waiting else state
    return Box(title, shown, _time(layer["since"]), tuple(filter(None, notes)))


def _proxy(layer: Mapping[str, Any], coming: bool) -> Box:
    box = _box("HAProxy", layer, coming)
    ends = layer["back_ends"]
    notes = list(box.notes)
    if ends:
        up = sum(end["state"] == "up" for end in ends.values())
        values = {"up": up, "all": len(ends)}
        notes.append(_("sees %(up)s of %(all)s API servers up") % values)
    return Box(box.title, box.state, box.since, tuple(notes))


def _etcd(layer: Mapping[str, Any], coming: bool) -> Box:
    box = _box("etcd", layer, coming)
    notes = list(box.notes)
    if layer.get("started") is False:
        notes = [_("has never started")]
    if layer["state"] == "unknown":
        notes.append(_("the console has no certificate for it"))
    if "member" in layer:
        if not layer["leader"]:
            notes = [_("no leader")]
        if layer["learner"]:
            notes.append(_("learner"))
        notes += [kind for who, kind in layer["alarms"] if who == layer["member"]]
        if layer["version"]:
            notes.append(layer["version"])
    leads, size = bool(layer.get("leads")), _shown_size(layer.get("db_size", 0))
    return Box(box.title, box.state, box.since, tuple(notes), leads, size)


def _shown_size(size: int) -> int:
    """Two digits are enough, and a page that stands still can be read."""
    return round(size, min(0, 2 - len(str(size))))


def _fault(layer: Mapping[str, Any]) -> str:
    """Why a part is not up, in a few words."""
    return {
        "refused": _("nobody listens there"),
        "timeout": _("no answer in time"),
        "unreachable": _("no way to the host"),
        "stranger": _("somebody else's certificate"),
        "client_refused": _("refuses the console's certificate"),
        "cut": _("closes the connection"),
        "too_large": _("answers too much"),
    }.get(layer["fault"], _("answers %(status)s") % {"status": layer["status"]})


def _servers(members: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The columns of the matrix: every server that any HAProxy names, in its own order."""
    names: dict[str, None] = {}
    for member in members:
        names |= dict.fromkeys((member["proxy"] or {}).get("back_ends") or ())
    return tuple(names)


def _matrix(members: list[Mapping[str, Any]]) -> tuple[Sees, ...]:
    servers = _servers(members)
    rows = []
    for member in members:
        ends = (member["proxy"] or {}).get("back_ends")
        if ends is None:
            continue
        cells = []
        for server in servers:
            end = ends.get(server) or {"state": "unknown", "check": "", "since": None}
            state = "disabled" if end["state"] == "out" else end["state"]
            cells.append((server, state, end["check"], _time(end["since"])))
        rows.append(Sees(member["name"], tuple(cells)))
    return tuple(rows)


def _quorum(etcd: Mapping[str, Any]) -> str:
    """How many etcd members are up, and how many more may fail."""
    voters, healthy, needed = (etcd.get(key) for key in ("voters", "healthy", "needed"))
    if not voters or not needed or healthy is None:
        return ""
    told = _("%(healthy)s of %(voters)s voting members are up, %(needed)s are needed.") % etcd
    if healthy < needed:
        more = _("The quorum is lost: nothing can be written.")
    elif voters == 1:
        more = _("The cluster has one etcd member: nothing may fail.")
    elif healthy == needed:
        more = _("One more failure stops the cluster.")
    else:
        more = _("So many more may fail: %(n)s.") % {"n": healthy - needed}
    return f"{told} {more}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
