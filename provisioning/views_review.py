"""How every operation is launched from its page: what is asked for, its plan, then just that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.db.models import Model
from django.http import HttpRequest

from clusters.models import Cluster
from console.accounts.models import User
from provisioning import cluster_operations
from provisioning.cluster_plan import PlanView
from provisioning.forms_clusters import digest
from provisioning.forms_operations import OperationForm
from provisioning.membership import members
from provisioning.models import Task
from provisioning.operations import Refused
from provisioning.releases_layout import ReleaseError
from provisioning.steps.base import Problem


class Review:
    """One round of such a page: the form's state, the plan, or the task that was launched."""

    def __init__(
        self, request: HttpRequest, cluster: Cluster, kind: str, form: OperationForm
    ) -> None:
        self.request, self.cluster, self.kind, self.form = request, cluster, kind, form
        self.plan: PlanView | None = None
        self.task: Task | None = None
        self.digest, self.changed = "", False
        if form.is_bound:
            form.is_valid()
            self._answer(request.GET.get("step") == "launch")

    def _answer(self, launch: bool) -> None:
        values = self.form.values()
        self.digest = _digest(self.cluster, self.kind, values)
        same = self.request.POST.get("reviewed", "") == self.digest
        self.changed = launch and not same
        try:
            # Looked at in any case: a wrong name must not hide the plan.
            found = cluster_operations.preview(self.cluster, self.kind, values)
            self.form.show(found.problems)
            if self.form.has_problems:
                return
            self.plan = found.plan
            if launch and same and self.form.confirmed():
                user = cast(User, self.request.user)
                self.task = cluster_operations.launch(
                    self.cluster, self.kind, values, user, self.request
                )
        except Refused as refused:
            self.form.show(refused.problems)
            self.plan = None
        except ReleaseError as error:
            self.form.show([Problem("release", str(error), error.hint)])

    def context(self) -> dict[str, Any]:
        """What every one of these pages shows."""
        return {
            "cluster": self.cluster,
            "form": self.form,
            "plan": self.plan,
            "digest": self.digest,
            "changed": self.changed,
            "has_problems": self.form.is_bound and self.form.has_problems,
        }


def _digest(cluster: Cluster, kind: str, values: Mapping[str, Any]) -> str:
    """Changes with what is asked for, and with the cluster's members and version."""
    plain = {name: _plain(value) for name, value in values.items()}
    now = [[host.pk, host.cluster_role, host.cluster_index] for host in members(cluster)]
    return digest(kind, cluster.pk, cluster.version, now, plain)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.pk if isinstance(value, Model) else value
