"""What is wrong with a control plane, from the data of a look. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from clusters.inventory.control_plane_data import away
from clusters.inventory.control_plane_words import words

BAD, WARN, INFO = "bad", "warn", "info"
# Longer than any restart of a host: from now on somebody has to do something.
GONE_AFTER = timedelta(minutes=5)
LAYERS = {"api": ("API server", "kube-apiserver"), "proxy": ("HAProxy", "haproxy")}
ETCD = ("etcd", "etcd")

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """One problem. level: BAD, WARN or INFO; INFO says nothing against the cluster.

    member: the host it is about ("": the whole); values: what its words need.
    """

    code: str
    level: str
    member: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """What is wrong, one sentence."""
        return words(self.code, self.values)[0]

    @property
    def mend(self) -> str:
        """What to do about it."""
        return words(self.code, self.values)[1]

    def as_json(self) -> dict[str, Any]:
        """As it is kept: the words are made again for each reader, these are for the record."""
        return {
            "code": self.code,
            "level": self.level,
            "member": self.member,
            "values": dict(self.values),
            "what": self.what,
            "mend": self.mend,
        }


def problems_of(data: Data, vip: str, now: datetime, busy: bool) -> list[Problem]:
    """Every problem, the worst first. busy: a task of the cluster is running.

    What follows from another problem is not said again: of a host that is off
    there is one problem and not one for each of its layers.
    """
    members = data["members"]
    if members and all(away(member) for member in members):
        return [Problem("all_away", BAD)]
    found = [*_vip(data, vip), *_quorum(data, busy)]
    for member in members:
        found += _member(member, data, now, busy)
    found += _leases(data)
    order = {BAD: 0, WARN: 1, INFO: 2}
    return sorted(found, key=lambda problem: order[problem.level])


def degrading(problems: list[Problem]) -> list[Problem]:
    """Those that make a cluster whose API answers DEGRADED."""
    return [problem for problem in problems if problem.level != INFO]


def _vip(data: Data, vip: str) -> Iterator[Problem]:
    if not data["vip"]:
        return
    api, holder = data["vip"]["api"], data["vip"]["holder"]
    up = sum(member["api"]["state"] == "up" for member in data["members"])
    values = {"vip": vip, "up": up, "all": len(data["members"])}
    if api["state"] == "stranger":
        yield Problem("vip_stranger", BAD, "", values)
    elif api["fault"] == "client_refused":
        yield Problem("vip_client_refused", BAD, "", values)
    elif api["state"] == "not_ready" or (api["state"] == "down" and not up):
        yield Problem("vip_not_ready", BAD, "", values)
    elif api["state"] == "down":
        # A refused connection comes from a host that has the address; silence from nobody.
        nobody = holder["fault"] in ("timeout", "unreachable")
        yield Problem("vip_unheld" if nobody else "vip_down", BAD, "", values)
    elif not holder["name"]:
        yield Problem("holder_unknown", INFO)
    elif holder["name"] not in {member["name"] for member in data["members"]}:
        yield Problem("holder_foreign", WARN, "", {"holder": holder["name"]})


def _member(member: Data, data: Data, now: datetime, busy: bool) -> Iterator[Problem]:
    name = member["name"]
    if busy and not member["met"]:
        yield Problem("member_coming", INFO, name, {"member": name})
        return
    if away(member):
        yield _away(member, now)
        return
    for layer, (part, unit) in LAYERS.items():
        if member[layer]:
            yield from _layer(layer, member, {"member": name, "part": part, "unit": unit})
    yield from _unseen(member, data)
    yield from _etcd(member, data, busy)


def _away(member: Data, now: datetime) -> Problem:
    name = member["name"]
    layers = [member[layer] for layer in ("api", "proxy", "etcd") if member[layer]]
    since = max(datetime.fromisoformat(layer["since"]) for layer in layers)
    if now - since < GONE_AFTER:
        return Problem("member_away", BAD, name, {"member": name})
    values = {"member": name, "minutes": int(GONE_AFTER.total_seconds() // 60)}
    return Problem("member_gone", BAD, name, values)


def _layer(layer: str, member: Data, values: dict[str, Any]) -> Iterator[Problem]:
    """Of an API server or a HAProxy; a host's HAProxy has no fault of its own behind a stranger."""
    found, name = member[layer], member["name"]
    if found["state"] == "stranger":
        yield Problem("stranger", BAD, name, values)
    elif found["fault"] == "client_refused":
        yield Problem("client_refused", BAD, name, values)
    elif found["state"] == "down":
        yield Problem(f"{layer}_down", BAD, name, values)
    elif found["state"] == "not_ready" and layer == "api":
        values |= {"status": found["status"], "failing": ", ".join(found["failing"]) or "?"}
        yield Problem("api_not_ready", BAD, name, values)
    elif found["state"] == "not_ready":
        yield Problem("proxy_blocked", BAD, name, values)


def _unseen(member: Data, data: Data) -> Iterator[Problem]:
    """Back ends that this HAProxy sees down although their API server answers the console."""
    ends = (member["proxy"] or {}).get("back_ends") or {}
    up = {other["name"] for other in data["members"] if other["api"]["state"] == "up"}
    for server, end in ends.items():
        if end["state"] != "up" and server in up:
            values = {"member": member["name"], "server": server, "check": end["check"] or "?"}
            yield Problem("back_end_unseen", WARN, member["name"], values)


def _etcd(member: Data, data: Data, busy: bool) -> Iterator[Problem]:
    found, name = member["etcd"], member["name"]
    values = {"member": name, "part": ETCD[0], "unit": ETCD[1], "status": found["status"]}
    if found["state"] == "unknown":
        return
    if found["state"] == "stranger":
        yield Problem("stranger", BAD, name, values)
    elif found["fault"] == "client_refused":
        yield Problem("client_refused", BAD, name, values)
    elif found.get("started") is False:
        yield Problem("etcd_not_started", INFO if busy else BAD, name, values)
    elif found["state"] == "down":
        yield Problem("etcd_down", BAD, name, values)
    elif "member" not in found:
        yield Problem("etcd_odd", BAD, name, values)
    else:
        yield from _etcd_answers(member, data, busy, values)


def _etcd_answers(
    member: Data, data: Data, busy: bool, values: dict[str, Any]
) -> Iterator[Problem]:
    found, name = member["etcd"], member["name"]
    if found["cluster"] != data["etcd"]["cluster"]:
        yield Problem("etcd_other_cluster", BAD, name, values)
        return
    if found.get("listed") is False:
        yield Problem("etcd_not_listed", BAD, name, values)
    if found["state"] == "not_ready":
        yield Problem("etcd_no_leader", BAD, name, values)
    if found["learner"]:
        yield Problem("etcd_learner", INFO if busy else WARN, name, values)
    for who, alarm in found["alarms"]:
        # Every member tells every alarm; each is said once, of the one that has it.
        if who == found["member"]:
            yield Problem(f"etcd_{alarm.lower()}", BAD, name, values)
    for error in found["errors"] if found["state"] == "up" else ():
        yield Problem("etcd_error", WARN, name, {**values, "error": error})


def _quorum(data: Data, busy: bool) -> Iterator[Problem]:
    etcd = data["etcd"]
    if data["members"] and all(m["etcd"]["state"] == "unknown" for m in data["members"]):
        yield Problem("etcd_no_certificate", INFO)
    for extra in etcd["extra"]:
        yield Problem("etcd_extra", INFO if busy else WARN, "", {"extra": extra})
    voters, healthy, needed = etcd["voters"], etcd["healthy"], etcd["needed"]
    if not voters:
        return
    values = {"voters": voters, "healthy": healthy, "needed": needed}
    if healthy < needed and voters > 1:
        yield Problem("quorum_lost", BAD, "", values)
    elif healthy == needed and voters > 1 and (healthy < voters or not busy):
        yield Problem("quorum_edge", WARN, "", values)
    if voters % 2 == 0:
        yield Problem("quorum_even", INFO, "", values)


def _leases(data: Data) -> Iterator[Problem]:
    for lease in data["leases"]:
        if lease["fresh"] is False:
            values = {"name": lease["name"], "holder": lease["holder"] or "?"}
            yield Problem("lease_stale", WARN, "", values)
