"""What is done with a running cluster: one way for pages and the API, from the wish to the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from clusters.models import Cluster, ClusterStatus
from console.accounts.models import User
from console.audit.record import record
from provisioning import operations
from provisioning.cluster_plan import plan_view
from provisioning.cluster_spec import facts_of
from provisioning.clusters import Preview, refuse_unless_ours
from provisioning.facts import Facts
from provisioning.material import ClusterMaterial
from provisioning.membership import Parties, reserve
from provisioning.models import Host, Task
from provisioning.operation_spec import operation_spec
from provisioning.operations import Refused
from provisioning.recipes.registry import RECIPES
from provisioning.releases_layout import ReleaseError
from provisioning.snapshots import stale_problem
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Problem
from provisioning.upgrading import EVEN_UPGRADING, upgrade_problem


@dataclass(frozen=True)
class Wanted:
    """An operation as it is asked for: what speaks against it, and its task's parameters.

    title: of the task, with the cluster's name; told: what the audit event says;
    queue: which workers may take it ("": those of the operation).
    """

    title: str
    problems: list[Problem]
    parameters: dict[str, Any]
    told: Mapping[str, Any]
    queue: str = ""


@dataclass(frozen=True)
class Kind:
    """One operation: its recipe's id, its audit action, and what it makes of what was sent.

    resolve gets the cluster and the request's plain values (rows for hosts and
    releases); even_unhealthy: also while the cluster does not answer; begun: what
    the cluster's row (locked) keeps from the launch on.
    """

    id: str
    audit: str
    resolve: Callable[[Cluster, Mapping[str, Any]], Wanted]
    even_unhealthy: bool = False
    begun: Callable[[Cluster, Wanted], None] = lambda _cluster, _wanted: None


KINDS: dict[str, Kind] = {}
# They run on every control plane: one that holds data from before a restore must not take part.
EVERYWHERE = ("upgrade", "renew_certificates", "add_nodes")


def register(kind: Kind) -> None:
    """Add an operation. Raises ValueError for an id that is taken or has no recipe."""
    if kind.id in KINDS or kind.id not in RECIPES:
        raise ValueError(f"the operation {kind.id} is taken or has no recipe")
    KINDS[kind.id] = kind


def preview(cluster: Cluster, kind: str, values: Mapping[str, Any]) -> Preview:
    """Everything that speaks against an operation, and its plan; changes nothing.

    Raises Refused when the cluster is not ours or busy.
    """
    judged = _judged(cluster, kind, values)
    if judged.problems or judged.spec is None:
        return Preview(judged.problems, None)
    material = dict(ClusterMaterial(cluster))
    return Preview([], plan_view(RECIPES[kind], judged.spec, judged.facts, material))


def launch(
    cluster: Cluster,
    kind: str,
    values: Mapping[str, Any],
    user: User | None,
    http: HttpRequest | None = None,
) -> Task:
    """Launch an operation's task, with what it reserves, in one transaction.

    Raises Refused with every problem; then nothing is changed.
    """
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update().get(pk=cluster.pk)
        judged = _judged(cluster, kind, values)
        if judged.problems:
            raise Refused(judged.problems)
        wanted = judged.wanted
        reserve(cluster, Parties.from_json(wanted.parameters))
        KINDS[kind].begun(cluster, wanted)
        record(KINDS[kind].audit, cluster, request=http, actor=user, after=dict(wanted.told))
        return operations.launch(
            kind,
            title=wanted.title,
            user=user,
            parameters={"cluster": cluster.pk, **wanted.parameters},
            cluster=cluster,
            request=http,
            queue=wanted.queue,
        )


@dataclass(frozen=True)
class _Judged:
    """What was asked for, everything against it, and what its plan is made of (None: nothing)."""

    wanted: Wanted
    problems: list[Problem]
    spec: ClusterSpec | None = None
    facts: Mapping[int, Facts] = field(default_factory=dict)


def _judged(cluster: Cluster, kind: str, values: Mapping[str, Any]) -> _Judged:
    refuse_unless_ours(cluster)
    wanted = KINDS[kind].resolve(cluster, values)
    problems = [*_state_problems(cluster, KINDS[kind]), *wanted.problems]
    if problems:
        return _Judged(wanted, problems)
    try:
        spec = operation_spec(cluster, kind, wanted.parameters)
    except ReleaseError as error:
        problem = Problem("release", str(error), error.hint, field="release")
        return _Judged(wanted, [problem])
    facts = _facts(spec)
    return _Judged(wanted, RECIPES[kind].preflight(spec, facts), spec, facts)


def _facts(spec: ClusterSpec) -> dict[int, Facts]:
    rows = Host.objects.filter(pk__in=[host.id for host in spec.touched])
    return {row.pk: facts for row in rows if (facts := facts_of(row))}


def _state_problems(cluster: Cluster, kind: Kind) -> list[Problem]:
    if kind.id in EVERYWHERE and (stale := stale_problem(cluster)) is not None:
        return [stale]
    if kind.id not in EVEN_UPGRADING and (problem := upgrade_problem(cluster)) is not None:
        return [problem]
    if cluster.status in (ClusterStatus.PROVISIONING, ClusterStatus.DELETING) or not cluster.seen:
        what = _("%(cluster)s is not finished: %(status)s.") % {
            "cluster": cluster.name,
            "status": cluster.get_status_display(),
        }
        return [Problem("not_ready", what, _("Finish its creation or deletion first."))]
    if cluster.status == ClusterStatus.UNREACHABLE and not kind.even_unhealthy:
        what = _("%(cluster)s does not answer: %(reason)s") % {
            "cluster": cluster.name,
            "reason": cluster.status_reason,
        }
        return [Problem("unreachable", what, _("Repair it, or restore a snapshot."))]
    return []
