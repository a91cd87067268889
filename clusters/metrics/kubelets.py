"""Asks the kubelets of one cluster, a few at a time; one that hangs holds up nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from clusters.kube import Connection, Forbidden, KubeError, NotFound
from clusters.kube.metrics_api import NodeCounters, kubelet_counters
from clusters.metrics.rates import NodeUse, Rates
from clusters.metrics.timing import MetricsTiming

# Of the whole process. Only nodes that answered last time are asked in here.
WORKERS = 16

_lock = threading.Lock()
_pools: list[ThreadPoolExecutor] = []


def _pool() -> ThreadPoolExecutor:
    with _lock:
        if not _pools:
            _pools.append(ThreadPoolExecutor(WORKERS, thread_name_prefix="kubelet"))
        return _pools[0]


@dataclass(frozen=True)
class Problem:
    """Why there are no figures; node "" for the whole cluster. detail: a cluster's own words."""

    code: str
    node: str = ""
    detail: str = ""

    def as_json(self) -> dict[str, str]:
        """As MetricState keeps it."""
        return {"code": self.code, "node": self.node, "detail": self.detail}


@dataclass
class _Kubelet:
    rates: Rates = field(default_factory=Rates)
    path: str = ""
    failures: int = 0
    not_before: float = 0.0
    problem: Problem | None = None


@dataclass(frozen=True)
class Answers:
    """One round: what each node that answered uses, and what the others said."""

    nodes: dict[str, NodeUse]
    problems: list[Problem]


class Kubelets:
    """The kubelets of one cluster, and what is known of each."""

    def __init__(self, timing: MetricsTiming) -> None:
        self._timing = timing
        self._known: dict[str, _Kubelet] = {}

    def ask(self, conn: Connection, nodes: Iterable[str], stopped: Callable[[], bool]) -> Answers:
        """Ask every node that is due. Returns within the time of a round and one answer."""
        names = sorted(set(nodes))
        self._known = {name: self._known.get(name) or _Kubelet() for name in names}
        ends = time.monotonic() + self._timing.round
        well = [name for name in names if not self._known[name].failures]
        found = self._at_once(conn, well, ends, stopped)
        # Those that did not answer last time are asked by this cluster's own thread, one by
        # one: however long they take, no other cluster waits for a place in the pool.
        for name in names:
            kubelet, now = self._known[name], time.monotonic()
            if not kubelet.failures or name in found or kubelet.not_before > now:
                continue
            if stopped() or now + self._timing.answer > ends:
                break
            self._take(name, _fetched(conn, name, kubelet.path, self._timing.answer), found)
        problems = [k.problem for k in self._known.values() if k.problem is not None]
        return Answers(found, problems)

    def _at_once(
        self, conn: Connection, names: list[str], ends: float, stopped: Callable[[], bool]
    ) -> dict[str, NodeUse]:
        found: dict[str, NodeUse] = {}
        waiting, asked = list(reversed(names)), dict[Future[_Fetched], str]()
        while (waiting or asked) and not stopped():
            while waiting and len(asked) < self._timing.parallel:
                name = waiting.pop()
                path = self._known[name].path
                asked[_pool().submit(_fetched, conn, name, path, self._timing.answer)] = name
            done, _still = wait(asked, max(ends - time.monotonic(), 0), FIRST_COMPLETED)
            if not done:
                break
            for future in done:
                self._take(asked.pop(future), future.result(), found)
        for future, name in asked.items():
            if not future.cancel():
                self._failed(name, Problem("slow", name))
        return found

    def _take(self, name: str, fetched: _Fetched, found: dict[str, NodeUse]) -> None:
        if isinstance(fetched, Problem):
            self._failed(name, fetched)
            return
        kubelet = self._known[name]
        kubelet.failures, kubelet.problem = 0, None
        counters, kubelet.path, at = fetched
        found[name] = kubelet.rates.take(counters, at)

    def _failed(self, name: str, problem: Problem) -> None:
        kubelet = self._known[name]
        kubelet.failures, kubelet.problem, kubelet.path = kubelet.failures + 1, problem, ""
        pause = self._timing.period * 2.0 ** min(kubelet.failures - 1, 10)
        # Half a period less: the round that comes then finds it due.
        pause = min(pause, self._timing.longest_pause) - self._timing.period / 2
        kubelet.not_before = time.monotonic() + pause


_Fetched = tuple[NodeCounters, str, float] | Problem


def _fetched(conn: Connection, node: str, path: str, seconds: float) -> _Fetched:
    """The counters, their path and when (monotonic); or why not."""
    try:
        counters, found = kubelet_counters(conn, node, seconds, path)
    except KubeError as error:
        return problem_of(error, node)
    return counters, found, time.monotonic()


def problem_of(error: KubeError, node: str) -> Problem:
    """What stood in the way of asking a node's kubelet."""
    if isinstance(error, Forbidden):
        # The API server refuses with a Status and its message; a kubelet that refuses the API
        # server answers plain text, which does not come this far.
        code = "forbidden" if " It says: " in error.cause else "kubelet-forbids"
    elif isinstance(error, NotFound):
        code = "not-served"
    elif error.status >= 500:
        code = "kubelet-away"
    elif error.status:
        code = "refused"
    else:
        code = "slow"
    return Problem(code, node, error.cause[:500])
