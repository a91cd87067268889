"""One look at a whole control plane: every API server, HAProxy and etcd member at the same time.

The layers of a standard cluster, from the outside in: virtual IP, HAProxy on
every control plane, API servers, etcd. A lightweight cluster has one member and
neither virtual IP nor HAProxy; those parts are None then.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from clusters.kube import member_answers as answers
from clusters.kube.member_answers import BackEnd, EtcdMember, EtcdStatus, LeaderLease
from clusters.kube.probe import CLIENT_REFUSED, OK, STRANGER, TIMEOUT, Caller, Reply

# For everything together. An API server gives its own check of etcd up to two seconds
# (--etcd-readycheck-timeout): with less, one without quorum could not say what it misses.
LOOK_SECONDS = 2.5
SERVICE = "kubernetes"  # every API server's certificate names its Service
LEADERS = ("kube-controller-manager", "kube-scheduler")

UP, NOT_READY, DOWN, UNKNOWN = "up", "not_ready", "down", "unknown"


@dataclass(frozen=True)
class Member:
    """One control plane host: its name and the address that the console reaches it by."""

    name: str
    address: str


@dataclass(frozen=True)
class Ports:
    """Where the parts of a member listen."""

    api: int = 6443
    stats: int = 8444
    etcd: int = 2379


STANDARD_PORTS = Ports()


@dataclass(frozen=True)
class Layout:
    """What there is to ask. vip: "" for a cluster without virtual IP and HAProxy.

    endpoint: the cluster's API entry, "https://host:port"; its port is also
    where every member's HAProxy listens.
    """

    members: tuple[Member, ...]
    endpoint: str
    vip: str = ""
    ports: Ports = STANDARD_PORTS

    @property
    def entry_port(self) -> int:
        """The port of the API entry."""
        return urlsplit(self.endpoint).port or 443


@dataclass(frozen=True)
class Seen:
    """How one part answered: state is one of UP, NOT_READY, DOWN, STRANGER, UNKNOWN.

    fault: the word of clusters.kube.probe; status: the HTTP status, if any.
    """

    state: str
    fault: str = OK
    status: int = 0


@dataclass(frozen=True)
class ApiSeen:
    """An API server, and which of its /readyz checks fail."""

    seen: Seen
    failing: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProxySeen:
    """A HAProxy; back_ends is None when it did not tell what it sees."""

    seen: Seen
    back_ends: tuple[BackEnd, ...] | None = None


@dataclass(frozen=True)
class EtcdSeen:
    """An etcd member's own view, and the member list as it knows it."""

    seen: Seen
    status: EtcdStatus | None = None
    members: tuple[EtcdMember, ...] = ()


@dataclass(frozen=True)
class MemberSeen:
    """All layers of one member."""

    member: Member
    api: ApiSeen
    proxy: ProxySeen | None
    etcd: EtcdSeen


@dataclass(frozen=True)
class VipSeen:
    """The virtual IP: the API through it, and the name of the host that holds it ("": nobody)."""

    api: ApiSeen
    holder: str
    fault: str


@dataclass(frozen=True)
class LeaseSeen:
    """Who leads one component; age in seconds by the API server's own clock, None if unknown."""

    name: str
    lease: LeaderLease
    age: float | None


@dataclass(frozen=True)
class Sight:
    """Everything that one look saw."""

    members: tuple[MemberSeen, ...]
    vip: VipSeen | None
    leases: tuple[LeaseSeen, ...] = ()


@dataclass
class ControlPlaneProbe:
    """Looks at one control plane, again and again; close() when it is no longer wanted.

    kubernetes, etcd: TLS contexts with the right CA and the console's client
    certificate; etcd is None as long as the console has none.
    """

    layout: Layout
    kubernetes: ssl.SSLContext
    etcd: ssl.SSLContext | None
    _running: dict[Hashable, Future[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._kube = Caller(self.kubernetes)
        self._etcd = Caller(self.etcd) if self.etcd else None
        most = 3 * len(self.layout.members) + 3
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="control-plane")

    def close(self) -> None:
        """Let go of threads and connections; what still waits ends by its own limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._kube.close()
        if self._etcd:
            self._etcd.close()

    def look(self, seconds: float = LOOK_SECONDS) -> Sight:
        """One look, over after about `seconds`; what has not answered by then counts as down."""
        ends = time.monotonic() + seconds
        # Of the whole time a part stays for the leases, which need to know who answers.
        asked = ends - min(0.2, seconds / 4)
        jobs: dict[Hashable, Callable[[], Any]] = {}
        for member in self.layout.members:
            jobs["api", member] = partial(self._api, member, asked)
            if self.layout.vip:
                jobs["proxy", member] = partial(self._proxy, member, asked)
            if self._etcd:
                jobs["etcd", member] = partial(self._member, member, asked)
        if self.layout.vip:
            jobs["vip", "api"] = lambda: self._entry(asked)
            jobs["vip", "holder"] = lambda: self._holder(asked)
        found = self._all(jobs, asked)
        members = tuple(self._seen(member, found) for member in self.layout.members)
        vip = self._vip(found) if self.layout.vip else None
        ready = next((m.member for m in members if m.api.seen.state == UP), None)
        leases: tuple[LeaseSeen, ...] = ()
        if ready is not None:
            limit = max(ends, time.monotonic() + 0.2)
            kept = self._all({"leases": lambda: self._leases(ready, limit)}, limit)
            leases = kept.get("leases", ())
        return Sight(members, vip, leases)

    def _all(self, jobs: dict[Hashable, Callable[[], Any]], ends: float) -> dict[Hashable, Any]:
        """Every job at once; only what came back in time is in the answer."""
        # A job of an earlier look that still hangs is not asked a second time: an address
        # that swallows questions must not take up more than one thread.
        free = {k: job for k, job in jobs.items() if k not in self._running}
        started = {key: self._threads.submit(job) for key, job in free.items()}
        self._running.update(started)
        wait(started.values(), timeout=max(0.0, ends + 0.1 - time.monotonic()))
        self._running = {k: f for k, f in self._running.items() if not f.done()}
        return {key: f.result() for key, f in started.items() if f.done() and not f.cancelled()}

    def _seen(self, member: Member, found: dict[Hashable, Any]) -> MemberSeen:
        late = Seen(DOWN, TIMEOUT)
        proxy = found.get(("proxy", member), ProxySeen(late)) if self.layout.vip else None
        etcd = EtcdSeen(Seen(UNKNOWN))
        if self._etcd:
            etcd = found.get(("etcd", member), EtcdSeen(late))
        return MemberSeen(member, found.get(("api", member), ApiSeen(late)), proxy, etcd)

    def _vip(self, found: dict[Hashable, Any]) -> VipSeen:
        holder, fault = found.get(("vip", "holder"), ("", TIMEOUT))
        return VipSeen(found.get(("vip", "api"), ApiSeen(Seen(DOWN, TIMEOUT))), holder, fault)

    def _api(self, member: Member, ends: float) -> ApiSeen:
        url = f"https://{_at(member.address, self.layout.ports.api)}/readyz?verbose"
        return _api_seen(self._kube.ask(url, seconds=_left(ends)))

    def _entry(self, ends: float) -> ApiSeen:
        url = f"{self.layout.endpoint}/readyz?verbose"
        return _api_seen(self._kube.ask_anew(url, seconds=_left(ends)))

    def _holder(self, ends: float) -> tuple[str, str]:
        url = f"https://{_at(self.layout.vip, self.layout.ports.stats)}/holder"
        reply = self._kube.ask_anew(url, seconds=_left(ends))
        return answers.holder(reply.text) if reply.good else "", reply.fault

    def _proxy(self, member: Member, ends: float) -> ProxySeen:
        stats = self._kube.ask(
            f"https://{_at(member.address, self.layout.ports.stats)}/stats;csv",
            seconds=min(1.2, _left(ends)),
        )
        table = answers.back_ends(stats.text) if stats.good else None
        url = f"https://{_at(member.address, self.layout.entry_port)}/readyz"
        # HAProxy passes TLS on: any of the API servers may answer, with its own certificate.
        through = self._kube.ask_anew(url, seconds=_left(ends), name=SERVICE)
        seen = _seen_of(through)
        if seen.state == DOWN and stats.fault == OK:
            # It runs and passes nothing on: all its back ends are down, say.
            seen = Seen(NOT_READY, through.fault, through.status)
        return ProxySeen(seen, None if table is None else tuple(table))

    def _member(self, member: Member, ends: float) -> EtcdSeen:
        if self._etcd is None:
            return EtcdSeen(Seen(UNKNOWN))
        at = f"https://{_at(member.address, self.layout.ports.etcd)}/v3"
        reply = self._etcd.ask(f"{at}/maintenance/status", body=b"{}", seconds=_left(ends))
        status = answers.etcd_status(reply.body) if reply.good else None
        seen = _seen_of(reply)
        if status is None:
            # It answered 200, and with something else than a status.
            return EtcdSeen(Seen(NOT_READY, OK, reply.status) if seen.state == UP else seen)
        listed = self._etcd.ask(f"{at}/cluster/member/list", body=b"{}", seconds=_left(ends))
        members = answers.etcd_members(listed.body) if listed.good else None
        state = UP if status.leader else NOT_READY
        return EtcdSeen(Seen(state), status, tuple(members or ()))

    def _leases(self, member: Member, ends: float) -> tuple[LeaseSeen, ...]:
        at = f"https://{_at(member.address, self.layout.ports.api)}"
        found = []
        for name in LEADERS:
            path = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{name}"
            reply = self._kube.ask(at + path, seconds=_left(ends))
            lease = answers.leader_lease(reply.body) if reply.good else None
            if lease is not None:
                found.append(LeaseSeen(name, lease, _age(reply.date, lease.renewed)))
        return tuple(found)


def _api_seen(reply: Reply) -> ApiSeen:
    failing = () if reply.good else tuple(answers.failing_checks(reply.text))
    return ApiSeen(_seen_of(reply), failing)


def _seen_of(reply: Reply) -> Seen:
    if reply.fault == STRANGER:
        return Seen(STRANGER, reply.fault)
    if reply.fault == CLIENT_REFUSED:
        return Seen(NOT_READY, reply.fault)
    if reply.fault != OK:
        return Seen(DOWN, reply.fault, reply.status)
    return Seen(UP if reply.status == 200 else NOT_READY, OK, reply.status)


def _age(now: datetime | None, renewed: datetime | None) -> float | None:
    """Seconds since the renewal by the clock of the machine that answered, never below 0."""
    if now is None or renewed is None:
        return None
    return max(0.0, (now - renewed).total_seconds())


def _at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _left(ends: float) -> float:
    return max(0.05, ends - time.monotonic())
