"""A look at a control plane as the JSON that is kept: every layer with its state since when.

    {"vip": null or {"api": LAYER, "holder": {"name", "fault", "since"}},
     "members": [{"name", "address", "met", "api": LAYER, "proxy": LAYER or null, "etcd": LAYER}],
     "etcd": {"voters", "healthy", "needed", "leader", "cluster", "extra": [name or id]},
     "leases": [{"name", "holder", "since", "fresh"}]}
    LAYER: {"state", "fault", "status", "since"}; api also "failing"; proxy also "back_ends":
    null or {server: {"state", "check", "since"}}; etcd also its own figures.

Times are ISO 8601 in UTC; "met" is when anything of the member answered first ("": never).
Pure: a Sight and what was kept before go in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from clusters.kube.members import (
    DOWN,
    UP,
    ApiSeen,
    EtcdSeen,
    LeaseSeen,
    MemberSeen,
    ProxySeen,
    Seen,
    Sight,
    VipSeen,
)

Data = dict[str, Any]
# A leader renews every 2 s; with a missed renewal and a busy host it is still well below this.
LEASE_STALE_SECONDS = 30.0
# Figures that move all the time and mean nothing to a reader by themselves.
RESTLESS = frozenset({"db_size", "db_used", "index", "revision"})


def merged(sight: Sight, before: Mapping[str, Any], now: datetime) -> Data:
    """What is kept of a look; what is as it was keeps its `since`."""
    at = now.isoformat()
    older = {m["name"]: m for m in before.get("members", [])}
    members = [_member(m, older.get(m.member.name, {}), at) for m in sight.members]
    for kept, seen in zip(members, sight.members, strict=True):
        kept["etcd"] |= _membership(seen, sight)
    return {
        "vip": _vip(sight.vip, before.get("vip") or {}, at) if sight.vip else None,
        "members": members,
        "etcd": _quorum(sight, members),
        "leases": [_lease(lease) for lease in sight.leases],
    }


def shape(data: Any) -> Any:
    """The data without the figures that never rest: another shape is news for a reader."""
    if isinstance(data, dict):
        return {key: shape(value) for key, value in data.items() if key not in RESTLESS}
    return [shape(value) for value in data] if isinstance(data, list) else data


def revision(sight: Sight) -> int:
    """The highest store revision that a member told; 0 when none did."""
    return max((m.etcd.status.revision for m in sight.members if m.etcd.status), default=0)


def _layer(seen: Seen, before: Mapping[str, Any], at: str) -> Data:
    since = before.get("since", at) if before.get("state") == seen.state else at
    return {"state": seen.state, "fault": seen.fault, "status": seen.status, "since": since}


def _api(api: ApiSeen, before: Mapping[str, Any], at: str) -> Data:
    return {**_layer(api.seen, before, at), "failing": list(api.failing)}


def _member(member: MemberSeen, before: Mapping[str, Any], at: str) -> Data:
    layers = [member.api.seen, member.etcd.seen, *([member.proxy.seen] if member.proxy else [])]
    met = before.get("met", "")
    if not met and any(layer.state == UP for layer in layers):
        met = at
    return {
        "name": member.member.name,
        "address": member.member.address,
        "met": met,
        "api": _api(member.api, before.get("api") or {}, at),
        "proxy": _proxy(member.proxy, before.get("proxy") or {}, at),
        "etcd": _etcd(member.etcd, before.get("etcd") or {}, at),
    }


def _proxy(proxy: ProxySeen | None, before: Mapping[str, Any], at: str) -> Data | None:
    if proxy is None:
        return None
    kept: Data | None = None
    if proxy.back_ends is not None:
        older = before.get("back_ends") or {}
        kept = {}
        for end in proxy.back_ends:
            was = older.get(end.name, {})
            since = was.get("since", at) if was.get("state") == end.state else at
            kept[end.name] = {"state": end.state, "check": end.check, "since": since}
    return {**_layer(proxy.seen, before, at), "back_ends": kept}


def _etcd(etcd: EtcdSeen, before: Mapping[str, Any], at: str) -> Data:
    kept = _layer(etcd.seen, before, at)
    status = etcd.status
    if status is None:
        return kept
    figures = asdict(status)
    figures["alarms"] = [list(alarm) for alarm in status.alarms]
    figures["errors"] = list(status.errors)
    # 64-bit figures as text: a reader in a browser would round them.
    for name in ("term", "index"):
        figures[name] = str(figures[name])
    return {**kept, **figures, "leads": bool(status.leader) and status.leader == status.member}


def _membership(seen: MemberSeen, sight: Sight) -> Data:
    """What the member list of etcd says of this host: started or not, learner, or not in it."""
    entries = _list_of(sight)
    status = seen.etcd.status
    for entry in entries:
        mine = status is not None and entry.id == status.member
        if mine or seen.member.address in entry.hosts or entry.name == seen.member.name:
            learner = entry.learner or (status is not None and status.learner)
            return {"listed": True, "started": entry.started or mine, "learner": learner}
    return {"listed": False if entries else None, "started": None, "learner": False}


def _list_of(sight: Sight) -> tuple[Any, ...]:
    """The member list, from a member with a leader if there is one, the newest term first."""
    told = [m.etcd for m in sight.members if m.etcd.status and m.etcd.members]
    told.sort(key=lambda e: (bool(e.status and e.status.leader), e.status and e.status.term))
    return told[-1].members if told else ()


def _quorum(sight: Sight, members: list[Data]) -> Data:
    """How many members vote, how many of them are well, and how many are needed.

    "Fault tolerance" in etcd's FAQ: N voters need N // 2 + 1.
    """
    entries = _list_of(sight)
    voters = [entry for entry in entries if not entry.learner]
    # One without a leader is well too: it waits for the others, which are what is missing.
    well = {m.etcd.status.member for m in sight.members if m.etcd.status}
    here = {m.member.name for m in sight.members}, {m.member.address for m in sight.members}
    extra = [
        entry.name or entry.id
        for entry in entries
        if entry.name not in here[0] and not here[1] & set(entry.hosts)
    ]
    clusters = Counter(m.etcd.status.cluster for m in sight.members if m.etcd.status)
    usual = clusters.most_common(1)[0][0] if clusters else ""
    leaders = Counter(m["etcd"]["leader"] for m in members if m["etcd"].get("leader"))
    leader = leaders.most_common(1)[0][0] if leaders else ""
    return {
        "voters": len(voters) or None,
        "healthy": len([entry for entry in voters if entry.id in well]),
        "needed": len(voters) // 2 + 1 if voters else None,
        "leader": next((m["name"] for m in members if m["etcd"].get("member") == leader), ""),
        "cluster": usual,
        "extra": extra,
    }


def _vip(vip: VipSeen, before: Mapping[str, Any], at: str) -> Data:
    was = before.get("holder") or {}
    same = was.get("name") == vip.holder
    holder = {"name": vip.holder, "fault": vip.fault, "since": was.get("since", at)}
    if not same:
        holder["since"] = at
    return {"api": _api(vip.api, before.get("api") or {}, at), "holder": holder}


def _lease(seen: LeaseSeen) -> Data:
    acquired = seen.lease.acquired
    fresh = None if seen.age is None else seen.age < max(LEASE_STALE_SECONDS, seen.lease.seconds)
    return {
        "name": seen.name,
        "holder": seen.lease.holder,
        "since": acquired.isoformat() if acquired else "",
        "fresh": fresh,
    }


def away(member: Mapping[str, Any]) -> bool:
    """Whether nothing of a member answers at all: the host itself is off or cut off."""
    layers = [member[name] for name in ("api", "proxy", "etcd") if member.get(name)]
    asked = [layer for layer in layers if layer["state"] != "unknown"]
    return all(
        layer["state"] == DOWN and layer["fault"] in ("timeout", "unreachable") for layer in asked
    )
