"""What the parts of a control plane answer, as plain data. Pure: bytes and text in.

Nothing here is trusted: what has another type, size or spelling than it should
is left out, and no answer makes a parser fail.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.utils.dateparse import parse_datetime

MOST_MEMBERS = 32
MOST_CHECKS = 20
# etcd counts up from 1 by one for each write: no real store comes near this, and a
# JSON reader in a browser can still hold it.
MOST_REVISION = 2**53
_UNSIGNED = 2**64
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_FAILING = re.compile(r"^\[-\]([\x21-\x7e]{1,100}) ", re.MULTILINE)
_PEER = re.compile(r"https?://([0-9A-Za-z._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")
_ALARM = re.compile(r"memberID:(\d{1,20}) alarm:(NOSPACE|CORRUPT)\b")


@dataclass(frozen=True)
class BackEnd:
    """One server of HAProxy's back end: state "up", "down" or "out" (taken out by a person)."""

    name: str
    state: str
    check: str  # unless it is up, HAProxy's own word for its last check: "L7STS/500", "L4CON"


@dataclass(frozen=True)
class EtcdStatus:
    """One member's own view: ids in hexadecimal, sizes in bytes, leader "" when there is none.

    alarms: (member id, "NOSPACE" or "CORRUPT"); errors: the member's own words.
    """

    member: str
    cluster: str
    version: str
    db_size: int
    db_used: int
    leader: str
    term: int
    index: int
    revision: int
    learner: bool
    alarms: tuple[tuple[str, str], ...]
    errors: tuple[str, ...]


@dataclass(frozen=True)
class EtcdMember:
    """One entry of the member list; a member that never started has no name yet."""

    id: str
    name: str
    hosts: tuple[str, ...]  # of its peer URLs
    learner: bool
    started: bool


@dataclass(frozen=True)
class LeaderLease:
    """Who leads (the part of holderIdentity before "_") and when it last said so."""

    holder: str
    renewed: datetime | None
    acquired: datetime | None
    seconds: int


def failing_checks(body: str) -> list[str]:
    """The failing checks of /readyz?verbose: lines such as "[-]etcd failed: reason withheld"."""
    return _FAILING.findall(body)[:MOST_CHECKS]


def holder(body: str) -> str:
    """The host name that /holder answers; "" when it is none."""
    name = body.strip()
    return name if _NAME.fullmatch(name) else ""


def back_ends(body: str) -> list[BackEnd] | None:
    """The servers in HAProxy's statistics; None when that is not what came.

    Columns are found by their names in the first line ("CSV format", chapter
    9.1 of HAProxy's management guide). All servers are API servers: this
    HAProxy has one back end.
    """
    lines = body.replace("\x00", "").lstrip("# ").splitlines()
    try:
        rows = list(csv.DictReader(lines[:1000]))
    except csv.Error:
        return None
    if not rows or not {"pxname", "svname", "status"} <= set(rows[0]):
        return None
    found = []
    for row in rows:
        name = row["svname"] or ""
        if name not in ("FRONTEND", "BACKEND") and _NAME.fullmatch(name):
            state = _state(row["status"])
            found.append(BackEnd(name, state, "" if state == "up" else _check(row)))
    return found[:MOST_MEMBERS]


def _state(word: str | None) -> str:
    # "UP", "UP 1/2" (going down), "no check"; "DOWN", "DOWN 1/2" (coming up); "MAINT", "DRAIN".
    text = word or ""
    if text.startswith("UP") or text == "no check":
        return "up"
    return "down" if text.startswith("DOWN") else "out"


def _check(row: Mapping[str, Any]) -> str:
    # "* " marks a check that runs at this moment.
    status, code = (_line(row.get(k), 16).lstrip("* ") for k in ("check_status", "check_code"))
    return f"{status}/{code}" if status and code else status


def etcd_status(body: bytes) -> EtcdStatus | None:
    """The answer of POST /v3/maintenance/status; None when it is none.

    The gateway writes 64-bit numbers as strings and leaves out what is zero
    ("JSON mapping" of protocol buffers). `errors` carries the alarms (etcd
    3.4+), so that no alarm request, which every member would have to log, is needed.
    """
    answer = _object(body)
    header = _map(answer.get("header"))
    member = _integer(header.get("member_id"))
    if not member:
        return None
    told = [_line(e, 200) for e in _list(answer.get("errors"))]
    alarms = [(f"{int(m):x}", kind) for text in told for m, kind in _ALARM.findall(text)]
    leader = _integer(answer.get("leader"))
    revision = _integer(header.get("revision"))
    return EtcdStatus(
        member=f"{member:x}",
        cluster=f"{_integer(header.get('cluster_id')):x}",
        version=_line(answer.get("version"), 32),
        db_size=_integer(answer.get("dbSize")),
        db_used=_integer(answer.get("dbSizeInUse")),
        leader=f"{leader:x}" if leader else "",
        term=_integer(answer.get("raftTerm")),
        index=_integer(answer.get("raftIndex")),
        revision=revision if revision < MOST_REVISION else 0,
        learner=answer.get("isLearner") is True,
        alarms=tuple(dict.fromkeys(alarms)),
        errors=tuple(text for text in told if text and not _ALARM.search(text)),
    )


def etcd_members(body: bytes) -> list[EtcdMember] | None:
    """The answer of POST /v3/cluster/member/list; None when it is none."""
    entries = _object(body).get("members")
    if not isinstance(entries, list):
        return None
    found = []
    for entry in map(_map, entries[:MOST_MEMBERS]):
        member = _integer(entry.get("ID"))
        if not member:
            continue
        name = entry.get("name")
        name = name if isinstance(name, str) and _NAME.fullmatch(name) else ""
        hosts = [_host(url) for url in _list(entry.get("peerURLs"))]
        started = bool(name) and bool(_list(entry.get("clientURLs")))
        learner = entry.get("isLearner") is True
        found.append(EtcdMember(f"{member:x}", name, tuple(filter(None, hosts)), learner, started))
    return found or None


def leader_lease(body: bytes) -> LeaderLease | None:
    """A Lease of coordination.k8s.io/v1; None when it is none."""
    spec = _map(_object(body).get("spec"))
    identity = _line(spec.get("holderIdentity"), 300)
    if not spec:
        return None
    who = identity.partition("_")[0]
    return LeaderLease(
        holder=who if _NAME.fullmatch(who) else "",
        renewed=_time(spec.get("renewTime")),
        acquired=_time(spec.get("acquireTime")),
        seconds=min(_integer(spec.get("leaseDurationSeconds")) or 15, 3600),
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        return _map(orjson.loads(body))
    except orjson.JSONDecodeError:
        return {}


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[str]:
    found = value if isinstance(value, list) else []
    return [text for text in found[:MOST_MEMBERS] if isinstance(text, str)]


def _integer(value: Any) -> int:
    """0 for everything that is no unsigned 64-bit number."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _UNSIGNED:
        return value
    return 0


def _host(url: str) -> str:
    match = _PEER.fullmatch(url)
    return match[1].strip("[]") if match else ""


def _line(value: Any, limit: int) -> str:
    """One printable line of what somebody sent."""
    if not isinstance(value, str):
        return ""
    words = "".join(c if c.isprintable() else " " for c in value[: limit * 4])
    return " ".join(words.split())[:limit]


def _time(value: Any) -> datetime | None:
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None
