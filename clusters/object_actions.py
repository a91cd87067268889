"""What can be done to an object with one click: for which, what it means, and the call.

Each is a page that says what will happen, a bulk action or a REST call; all of
them take what it is from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from clusters import access
from clusters.bulk import BulkAction, bulk_actions
from clusters.kube import workloads_api
from clusters.kube.acting import Acting
from clusters.kube.nodes_api import set_unschedulable
from clusters.kube.workloads_api import Effect
from clusters.models import Object
from clusters.operate import path_of

ROLLED = ("deployments.apps", "statefulsets.apps", "daemonsets.apps")
SCALED = ("deployments.apps", "statefulsets.apps", "replicasets.apps")
NODES, SECRETS = "nodes", "secrets"
DEPLOYMENTS, CRON_JOBS = "deployments.apps", "cronjobs.batch"


@dataclass(frozen=True)
class Simple:
    """One action that needs no more than a yes.

    says: what will happen; done: what the message says, with %(name)s; creates:
    the resource that it creates instead of changing the object itself.
    """

    id: str
    label: Any
    icon: str
    says: Any
    done: Any
    audit: str
    resources: tuple[str, ...]
    call: Callable[[Acting, Object], Effect]
    suits: Callable[[dict[str, Any]], bool] = lambda _summary: True
    tone: str = ""
    order: int = 30
    creates: str = ""

    @property
    def right(self) -> tuple[str, str]:
        """Verb and resource of the role; the resource is empty for the object's own."""
        return ("create", self.creates) if self.creates else ("patch", "")

    def fits(self, row: Object) -> bool:
        """Whether this can be done to the object as it was last seen."""
        return row.resource in self.resources and self.suits(row.summary or {})


def _cordon(cordoned: bool) -> Callable[[Acting, Object], Effect]:
    def call(conn: Acting, row: Object) -> Effect:
        before, after = set_unschedulable(conn, row.name, cordoned)
        return Effect({"unschedulable": before}, {"unschedulable": after})

    return call


SIMPLE = {
    action.id: action
    for action in (
        Simple(
            "restart", _("Restart"), icon="refresh", audit="object.restarted",
            says=_(
                "Every pod is made anew by the workload's own strategy: with a rolling update "
                "some serve while others start."
            ),
            done=_("%(name)s restarts."), resources=ROLLED, order=20,
            call=lambda conn, row: workloads_api.restart(conn, path_of(row)),
            suits=lambda summary: not summary.get("paused"),
        ),
        Simple(
            "pause", _("Pause rollouts"), icon="player-pause", audit="object.paused",
            says=_("Changes of the pod template are kept and not rolled out until you resume."),
            done=_("Rollouts of %(name)s are paused."), resources=(DEPLOYMENTS,),
            call=lambda conn, row: workloads_api.pause(conn, path_of(row), True),
            suits=lambda summary: not summary.get("paused"),
        ),
        Simple(
            "resume", _("Resume rollouts"), icon="player-play", audit="object.resumed",
            says=_("What was changed meanwhile is rolled out now."),
            done=_("Rollouts of %(name)s go on."), resources=(DEPLOYMENTS,), tone="primary",
            call=lambda conn, row: workloads_api.pause(conn, path_of(row), False),
            suits=lambda summary: bool(summary.get("paused")),
        ),
        Simple(
            "suspend", _("Suspend"), icon="player-pause", audit="object.suspended",
            says=_("No further Jobs start. Those that run are left alone."),
            done=_("%(name)s is suspended."), resources=(CRON_JOBS,),
            call=lambda conn, row: workloads_api.suspend(conn, path_of(row), True),
            suits=lambda summary: not summary.get("suspended"),
        ),
        Simple(
            "unsuspend", _("Let it run again"), icon="player-play", audit="object.unsuspended",
            says=_(
                "Jobs start by the schedule again. Runs that were missed may start at once, by "
                "startingDeadlineSeconds."
            ),
            done=_("%(name)s runs by its schedule again."), resources=(CRON_JOBS,), tone="primary",
            call=lambda conn, row: workloads_api.suspend(conn, path_of(row), False),
            suits=lambda summary: bool(summary.get("suspended")),
        ),
        Simple(
            "run", _("Run now"), icon="bolt", audit="object.run", creates="jobs.batch",
            says=_("A Job is created from its template, beside those of the schedule."),
            done=_("The Job %(made)s was created."), resources=(CRON_JOBS,), order=20,
            call=lambda conn, row: workloads_api.run_now(conn, path_of(row)),
        ),
        Simple(
            "cordon", _("Cordon"), icon="ban", audit="node.cordoned",
            says=_("No further pods are placed on it. Those that run there stay."),
            done=_("%(name)s takes no further pods."), resources=(NODES,),
            call=_cordon(True), suits=lambda summary: not summary.get("unschedulable"),
        ),
        Simple(
            "uncordon", _("Uncordon"), icon="circle-check", audit="node.uncordoned",
            says=_("Pods are placed on it again."),
            done=_("%(name)s takes pods again."), resources=(NODES,), tone="primary",
            call=_cordon(False), suits=lambda summary: bool(summary.get("unschedulable")),
        ),
    )
}  # fmt: skip


def possible(row: Object) -> bool:
    """Whether the console can act on the object's cluster for people at all."""
    return not access.problem(row.cluster)


def register() -> None:
    """Add the buttons of operations to the pages of objects."""
    from clusters.object_tabs import ObjectAction, object_registry

    def shown(fits: Callable[[Object], bool]) -> Callable[[Object], bool]:
        return lambda row: fits(row) and possible(row)

    for one in SIMPLE.values():
        object_registry.add_action(
            ObjectAction(
                one.id, one.label, f"clusters:object-{one.id}", "clusters.operate", one.icon,
                shown(one.fits), one.tone, one.order, one.right,
                in_namespaces=one.resources != (NODES,),
            )
        )  # fmt: skip
    for action in (
        ObjectAction(
            "rollout", _("Rollout"), "clusters:object-rollout", "clusters.view", icon="history",
            shown=shown(lambda row: row.resource in ROLLED), order=10, in_namespaces=True,
        ),
        ObjectAction(
            "scale", _("Scale"), "clusters:object-scale", "clusters.operate",
            icon="arrows-diagonal", shown=shown(lambda row: row.resource in SCALED), order=15,
            in_namespaces=True,
        ),
        ObjectAction(
            "marks", _("Labels and taints"), "clusters:object-marks", "clusters.operate",
            icon="tags", shown=shown(lambda row: row.resource == NODES), order=40,
        ),
        ObjectAction(
            "edit", _("Edit YAML"), "clusters:object-edit", "clusters.operate", icon="code",
            shown=shown(lambda row: row.resource != SECRETS), order=80, right=("update", ""),
            in_namespaces=True,
        ),
        ObjectAction(
            "delete", _("Delete"), "clusters:object-delete", "clusters.operate", icon="trash",
            shown=shown(lambda row: row.resource != NODES), tone="danger", order=99,
            right=("delete", ""), in_namespaces=True,
        ),
        ObjectAction(
            "access", _("Why nothing can be done here"), "clusters:object-access",
            "clusters.operate", icon="lock", shown=lambda row: not possible(row), order=1,
        ),
    ):  # fmt: skip
        object_registry.add_action(action)
    for bulk in (
        BulkAction(
            "restart", _("Restart"), "clusters:bulk-restart", "clusters.operate", "refresh",
            lambda resource: resource in ROLLED, order=10,
        ),
        BulkAction(
            "scale", _("Scale"), "clusters:bulk-scale", "clusters.operate", "arrows-diagonal",
            lambda resource: resource in SCALED, order=20,
        ),
        BulkAction(
            "delete", _("Delete"), "clusters:bulk-delete", "clusters.operate", "trash",
            lambda resource: resource != NODES, tone="outline-danger", order=90,
        ),
    ):  # fmt: skip
        bulk_actions.add(bulk)
