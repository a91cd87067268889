"""Drain a node as `kubectl drain --ignore-daemonsets --delete-emptydir-data` does, and say live
what it waits for.

Pods leave by the Eviction API, so PodDisruptionBudgets hold. Mirror pods and
the pods of DaemonSets stay. A pod that no controller makes anew goes only with
`force`. Running a drain again goes on where the last one ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clusters.kube.connection import JSON, READ_SECONDS, Connection
from clusters.kube.disruption import Budget, budgets_in, budgets_of, evict, policy_version
from clusters.kube.drain_events import (
    DrainEvent,
    DrainResult,
    Kind,
    Outcome,
    Reason,
    Wait,
)
from clusters.kube.drain_pods import Fate, fate_of, is_orphan, local_volumes, named
from clusters.kube.errors import (
    CertificateRefused,
    ClusterUnreachable,
    Conflict,
    Forbidden,
    KubeError,
    NotFound,
    ServerNotReady,
    TooManyRequests,
    UnexpectedAnswer,
)
from clusters.kube.nodes_api import cordon, node_path, state_of

OnEvent = Callable[[DrainEvent], None]


@dataclass(frozen=True)
class Pace:
    """Seconds: between two looks at the node, two attempts to evict a pod, two looks at `stopped`;
    how much later than its grace period a pod may end; how long a dead node may count as Ready.
    """

    look: float = 1.0
    retry: float = 2.0
    stop: float = 0.2
    overdue: float = 5.0
    # node-monitor-grace-period is 40 s, 50 s since 1.32; the rest is for a busy controller manager.
    dead: float = 90.0


def drain(
    conn: Connection,
    node: str,
    *,
    timeout: float,
    force: bool = False,
    dead: bool = False,
    local_data: bool = True,
    grace: int | None = None,
    on_event: OnEvent = lambda _event: None,
    stopped: Callable[[], bool] = lambda: False,
    pace: Pace | None = None,
) -> DrainResult:
    """Cordon a node, evict its pods and wait until they are gone.

    timeout: seconds for the whole drain. force: also evict pods without a
    controller. local_data: also evict pods with emptyDir volumes, whose data is
    lost with them. grace: seconds for every pod instead of its own. dead: the
    machine is off for good, so its kubelet will never end a pod: pods are deleted
    without a grace period, and budgets do not matter, for these pods run no
    more; refused while the node is Ready (two pods with one identity could run).
    on_event gets every event in this thread; stopped is asked several times a
    second (not during a call, which has its own limit of 10 s) and ends the drain.

    An API server that is away for a while is waited for within the timeout.
    Raises KubeError for what waiting does not mend: refused access, a refused
    certificate.
    """
    return _Drain(
        conn, node, timeout, force, dead, local_data, grace, on_event, stopped, pace or Pace()
    ).run()


class _Ended(Exception):
    """The drain is over before its pods are gone."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass
class _Pod:
    """A pod that is to leave."""

    item: JSON
    asked: bool = False  # its eviction was accepted
    next_try: float = 0.0
    ending_since: float | None = None
    grace: int = 0
    wait: Wait | None = None


@dataclass
class _Drain:
    conn: Connection
    node: str
    timeout: float
    force: bool
    dead: bool
    local_data: bool
    grace: int | None
    on_event: OnEvent
    stopped: Callable[[], bool]
    pace: Pace
    began: float = field(default_factory=time.monotonic)
    pods: dict[str, _Pod] = field(default_factory=dict)  # by UID
    known: set[str] = field(default_factory=set)  # UIDs that were sorted
    left: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    keeping: list[str] = field(default_factory=list)
    cordoned: bool = False
    told_ready: bool = False
    last_fault: str = ""
    policy: str = ""

    def run(self) -> DrainResult:
        try:
            outcome = self._steps()
        except _Ended as ended:
            outcome = ended.outcome
        return DrainResult(
            self.node,
            outcome,
            tuple(self.left),
            tuple(self.skipped),
            tuple(self.refused),
            tuple(self._wait_of(pod) for pod in self.pods.values()),
            self.cordoned,
            time.monotonic() - self.began,
            tuple(self.keeping),
        )

    def _steps(self) -> Outcome:
        try:
            self._patiently(self._prepare)
            # A refusal comes before anything is changed.
            self._patiently(lambda: self._sort(self._list()))
            if held := self._held():
                return held
            self._patiently(lambda: cordon(self.conn, self.node))
        except NotFound:
            return Outcome.GONE
        self.cordoned = True
        self._say(Kind.CORDONED, count=len(self.pods))
        while not self._patiently(self._round):
            self._sleep(self.pace.look)
        return self._held() or Outcome.DRAINED

    def _held(self) -> Outcome | None:
        """Why it cannot come to its end: pods that this drain must not remove."""
        if self.refused:
            return Outcome.REFUSED
        return Outcome.LOCAL_DATA if self.keeping else None

    def _prepare(self) -> None:
        """Raises NotFound when there is no such node."""
        ends = self.began + self.pace.dead
        while state_of(self._get(node_path(self.node))).ready and self.dead:
            if time.monotonic() > ends:
                raise _Ended(Outcome.NOT_DEAD)
            if not self.told_ready:
                self._say(Kind.NODE_READY)
                self.told_ready = True
            self._sleep(self.pace.look)
        self.policy = policy_version(self.conn)

    def _round(self) -> bool:
        """Look at the node once and ask for what is to go; True when all of it is gone."""
        there = self._list()
        self._sort(there)
        for uid in [uid for uid in self.pods if uid not in there]:
            pod = self.pods.pop(uid)
            self.left.append(named(pod.item))
            self._say(Kind.GONE, pod.item)
        budgets: dict[str, list[JSON]] = {}
        for uid, pod in self.pods.items():
            pod.item = there[uid]
            self._check()
            wait = self._attend(pod, budgets)
            if wait is not None and wait != pod.wait:
                self._say(Kind.WAITING, pod.item, wait=wait)
            pod.wait = wait
        return not self.pods

    def _list(self) -> dict[str, JSON]:
        query = {"fieldSelector": f"spec.nodeName={self.node}"}
        items = self.conn.listing("/api/v1/pods", query, self._limit()).items
        return {item["metadata"]["uid"]: item for item in items}

    def _sort(self, there: dict[str, JSON]) -> None:
        """Decide once for each pod whether it goes, stays or stands in the way."""
        for uid, item in there.items():
            if uid in self.known:
                continue
            fate = fate_of(item)
            if fate is Fate.DAEMONSET and is_orphan(self.conn, item, self._limit()):
                fate = Fate.UNMANAGED
            self.known.add(uid)
            if fate in (Fate.MIRROR, Fate.DAEMONSET):
                self.skipped.append(named(item))
                self._say(Kind.SKIPPED, item, detail=fate.value)
                continue
            if fate is Fate.UNMANAGED:
                if not self.force:
                    self.refused.append(named(item))
                    continue
                self._say(Kind.UNMANAGED, item)
            if volumes := local_volumes(item):
                if not self.local_data:
                    self.keeping.append(named(item))
                    continue
                self._say(Kind.LOCAL_DATA, item, detail=", ".join(volumes))
            self.pods[uid] = _Pod(item)

    def _attend(self, pod: _Pod, budgets: dict[str, list[JSON]]) -> Wait | None:
        """Do for a pod what can be done now, and say what it is waited for."""
        ending = bool(pod.item["metadata"].get("deletionTimestamp"))
        if ending and (pod.asked or not self.dead):
            return self._ending(pod)
        now = time.monotonic()
        if pod.asked or now < pod.next_try:
            return pod.wait
        pod.next_try = now + self.pace.retry
        try:
            self._delete(pod) if self.dead else self._evict(pod)
        except (NotFound, Conflict):
            return pod.wait  # gone, or another pod has its name: the next look says so
        except (Forbidden, UnexpectedAnswer) as error:
            return self._denied(pod, error, budgets)
        pod.asked = True
        self._say(Kind.DELETED if self.dead else Kind.EVICTED, pod.item)
        return None

    def _denied(
        self, pod: _Pod, error: Forbidden | UnexpectedAnswer, kept: dict[str, list[JSON]]
    ) -> Wait:
        """Why the server does not evict a pod now. Raises a refusal that is about our rights."""
        reasons = {cause.reason for cause in error.causes}
        if isinstance(error, Forbidden):
            # An eviction in such a namespace is refused for ever, and the pod deleted anyway.
            if "NamespaceTerminating" not in reasons:
                raise error
            return self._wait(pod, Reason.NAMESPACE)
        found = self._budgets(pod, kept)
        if "DisruptionBudget" in reasons:
            return Wait(*_name(pod.item), Reason.BUDGET, found)
        if error.status == 500 and len(found) > 1:
            return Wait(*_name(pod.item), Reason.SEVERAL_BUDGETS, found)
        # Too much to do (API Priority and Fairness), or a webhook that fails.
        pod.next_try += error.retry_after
        return self._wait(pod, Reason.SERVER, error.cause)

    def _evict(self, pod: _Pod) -> None:
        evict(self.conn, pod.item, self.policy, self._limit(), self.grace)

    def _delete(self, pod: _Pod) -> None:
        namespace, name = _name(pod.item)
        uid = pod.item["metadata"]["uid"]
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        self.conn.delete(path, options, timeout=self._limit())

    def _budgets(self, pod: _Pod, kept: dict[str, list[JSON]]) -> tuple[Budget, ...]:
        namespace, _pod = _name(pod.item)
        if namespace not in kept:
            kept[namespace] = budgets_in(self.conn, namespace, self.policy, self._limit())
        return budgets_of(pod.item, kept[namespace], self.policy)

    def _ending(self, pod: _Pod) -> Wait:
        metadata = pod.item["metadata"]
        now = time.monotonic()
        if pod.ending_since is None:
            pod.ending_since = now
            pod.grace = int(metadata.get("deletionGracePeriodSeconds") or 0)
        finalizers = metadata.get("finalizers")
        over = now - pod.ending_since > pod.grace + self.pace.overdue
        # The kubelet ends the grace period with 0 when the containers are gone.
        if finalizers and (over or metadata.get("deletionGracePeriodSeconds") == 0):
            return self._wait(pod, Reason.FINALIZER, ", ".join(map(str, finalizers)))
        reason = Reason.OVERDUE if over else Reason.GRACE_PERIOD
        return Wait(*_name(pod.item), reason, seconds=pod.grace)

    def _wait(self, pod: _Pod, reason: Reason, detail: str = "") -> Wait:
        return Wait(*_name(pod.item), reason, detail=detail)

    def _wait_of(self, pod: _Pod) -> Wait:
        """Why a pod is still there at the end."""
        if pod.wait is not None:
            return pod.wait
        return self._wait(pod, Reason.OVERDUE if pod.asked else Reason.NOT_TRIED)

    def _say(
        self,
        kind: Kind,
        item: JSON | None = None,
        *,
        detail: str = "",
        count: int = 0,
        wait: Wait | None = None,
    ) -> None:
        namespace, pod = _name(item) if item else ("", "")
        self.on_event(DrainEvent(kind, self.node, namespace, pod, detail, count, wait))

    def _get(self, path: str) -> JSON:
        return self.conn.get_json(path, timeout=self._limit())

    def _limit(self) -> float:
        """The time limit of one call in seconds: no call outlives the drain by much."""
        return min(READ_SECONDS, max(1.0, self.began + self.timeout - time.monotonic()))

    def _check(self) -> None:
        if self.stopped():
            raise _Ended(Outcome.CANCELED)
        if time.monotonic() - self.began > self.timeout:
            raise _Ended(Outcome.TIMED_OUT)

    def _sleep(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        self._check()
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, self.pace.stop))
            self._check()

    def _patiently(self, call: Callable[[], object]) -> object:
        """The call's answer; while the API server is away it is made again."""
        while True:
            self._check()
            try:
                answer = call()
            except KubeError as error:
                if not _passes(error):
                    raise
                if error.cause != self.last_fault:
                    self._say(Kind.SERVER_AWAY, detail=error.cause)
                self.last_fault = error.cause
                self._sleep(max(self.pace.look, float(error.retry_after)))
            else:
                self.last_fault = ""
                return answer


def _passes(error: KubeError) -> bool:
    """Whether waiting may mend it: no connection, an API server or its etcd that starts."""
    if isinstance(error, CertificateRefused):
        return False
    if isinstance(error, (ClusterUnreachable, ServerNotReady, TooManyRequests)):
        return True
    return isinstance(error, UnexpectedAnswer) and error.status >= 500


def _name(item: JSON) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata["namespace"], metadata["name"]
