"""What a drain says of itself: its events, what it waits for, its result."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from clusters.kube.disruption import Budget


class Reason(StrEnum):
    """Why a pod is still there."""

    NOT_TRIED = "not_tried"
    BUDGET = "budget"
    SEVERAL_BUDGETS = "several_budgets"
    GRACE_PERIOD = "grace_period"
    FINALIZER = "finalizer"
    OVERDUE = "overdue"
    NAMESPACE = "namespace_terminating"
    SERVER = "server"


@dataclass(frozen=True)
class Wait:
    """A pod that is still on the node, and why.

    budgets: the PodDisruptionBudgets that select it, for the reasons about
    budgets; detail: the finalizers or one line of what the server said;
    seconds: the grace period.
    """

    namespace: str
    pod: str
    reason: Reason
    budgets: tuple[Budget, ...] = ()
    detail: str = ""
    seconds: int = 0

    @property
    def text(self) -> str:
        """One sentence for a log or a page, in the reader's language."""
        sentence = {
            Reason.NOT_TRIED: _("its eviction was not asked for yet"),
            Reason.BUDGET: _("the PodDisruptionBudget %(budgets)s does not allow its eviction now"),
            Reason.SEVERAL_BUDGETS: _(
                "several PodDisruptionBudgets select it, and such a pod cannot be evicted: "
                "%(budgets)s. Change them so that one selects it, or delete the pod"
            ),
            Reason.GRACE_PERIOD: _("it ends, its grace period is %(seconds)s s"),
            Reason.FINALIZER: _("it has ended, and finalizers keep it: %(detail)s"),
            Reason.OVERDUE: _(
                "its grace period of %(seconds)s s is over, and the kubelet does not say that "
                "it has ended"
            ),
            Reason.NAMESPACE: _("its namespace is being deleted, which removes it too"),
            Reason.SERVER: _("the API server does not evict it: %(detail)s"),
        }[self.reason]
        facts = {
            "budgets": ", ".join(budget.text for budget in self.budgets) or "?",
            "detail": self.detail,
            "seconds": self.seconds,
        }
        return f"{self.namespace}/{self.pod}: {sentence % facts}"


class Kind(StrEnum):
    """What an event tells."""

    CORDONED = "cordoned"  # count: the pods to evict
    SKIPPED = "skipped"  # the pod stays: detail is "mirror" or "daemonset"
    LOCAL_DATA = "local_data"  # detail: the emptyDir volumes that are lost with the pod
    UNMANAGED = "unmanaged"  # no controller makes the pod anew; evicted because of `force`
    EVICTED = "evicted"  # the server accepted the eviction
    DELETED = "deleted"  # a dead node's pod was deleted without a grace period
    WAITING = "waiting"  # `wait` is new or has changed
    GONE = "gone"  # the pod has left the node
    NODE_READY = "node_ready"  # the node that is to be dead still counts as Ready
    SERVER_AWAY = "server_away"  # detail: what the last call failed of; it is tried again


@dataclass(frozen=True)
class DrainEvent:
    """One thing that happened; namespace and pod are empty when it is about the node."""

    kind: Kind
    node: str
    namespace: str = ""
    pod: str = ""
    detail: str = ""
    count: int = 0
    wait: Wait | None = None

    @property
    def text(self) -> str:
        """One sentence for a log or a page, in the reader's language."""
        if self.wait is not None:
            return self.wait.text
        sentence = {
            Kind.CORDONED: _("%(node)s is cordoned, %(count)s pods are to leave it"),
            Kind.SKIPPED: _("%(pod)s stays (%(detail)s)"),
            Kind.LOCAL_DATA: _("%(pod)s loses the data of its emptyDir volumes: %(detail)s"),
            Kind.UNMANAGED: _("%(pod)s has no controller and will not come back"),
            Kind.EVICTED: _("%(pod)s is being evicted"),
            Kind.DELETED: _("%(pod)s is deleted, for its node is dead"),
            Kind.WAITING: _("%(pod)s is waited for"),
            Kind.GONE: _("%(pod)s is gone"),
            Kind.NODE_READY: _(
                "%(node)s still counts as Ready; waiting until the cluster notices that it is dead"
            ),
            Kind.SERVER_AWAY: _("the API server does not answer as it should: %(detail)s"),
        }[self.kind]
        facts = {"node": self.node, "detail": self.detail, "count": self.count}
        return sentence % {**facts, "pod": f"{self.namespace}/{self.pod}"}


class Outcome(StrEnum):
    """How a drain ended."""

    DRAINED = "drained"
    GONE = "gone"  # there is no such node, so nothing runs on it
    REFUSED = "refused"  # pods without a controller, and no `force`
    LOCAL_DATA = "local_data"  # pods with emptyDir volumes, and `local_data` is off
    NOT_DEAD = "not_dead"  # `dead` was claimed, and the node is Ready
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"


@dataclass(frozen=True)
class DrainResult:
    """How a drain ended. Pods are named "namespace/name".

    left: those that went; skipped: those that stay by rule; refused: those
    without a controller; remaining: those that are still there, and why;
    cordoned: whether the drain has cordoned the node and left it so (a refusal
    at the start leaves the node as it was); seconds: how long it took;
    keeping: pods with emptyDir volumes that were not to be lost.
    """

    node: str
    outcome: Outcome
    left: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    remaining: tuple[Wait, ...] = ()
    cordoned: bool = False
    seconds: float = 0.0
    keeping: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether nothing that a drain removes runs on the node any more."""
        return self.outcome in (Outcome.DRAINED, Outcome.GONE)

    @property
    def text(self) -> str:
        """What a person reads: how it ended, the cause and what to do."""
        sentence = {
            Outcome.DRAINED: _("%(node)s is drained: %(left)s pods left in %(seconds)s s."),
            Outcome.GONE: _("There is no node %(node)s: nothing to drain."),
            Outcome.REFUSED: _(
                "%(node)s is not drained: no controller would make these pods anew elsewhere: "
                "%(refused)s. Delete or move them, or drain with force, which loses them."
            ),
            Outcome.LOCAL_DATA: _(
                "%(node)s is not drained: these pods have data in emptyDir volumes, which ends "
                "with them: %(keeping)s. Allow it to be deleted, or move it first."
            ),
            Outcome.NOT_DEAD: _(
                "%(node)s is Ready, so it is not dead and its pods run. Drain it without `dead`."
            ),
            Outcome.TIMED_OUT: _(
                "%(node)s was not drained in %(seconds)s s and stays cordoned. Still there: "
                "%(remaining)s."
            ),
            Outcome.CANCELED: _(
                "The drain of %(node)s was canceled after %(seconds)s s, and the node stays "
                "cordoned. Still there: %(remaining)s."
            ),
        }[self.outcome]
        return sentence % {
            "node": self.node,
            "left": len(self.left),
            "seconds": round(self.seconds, 1),
            "refused": ", ".join(self.refused),
            "keeping": ", ".join(self.keeping),
            "remaining": "; ".join(wait.text for wait in self.remaining) or _("no pod"),
        }

    def as_json(self) -> dict[str, Any]:
        """The result in plain JSON types."""
        return asdict(self)
