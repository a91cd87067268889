"""What the routes about clusters share: fields, refusals, answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from clusters.api import ClusterSerializer
from clusters.models import Cluster
from clusters.tables import clusters_with_nodes
from console.accounts.models import User
from console.ui.api_problems import Conflict
from provisioning.api_tasks import TaskSerializer
from provisioning.cluster_request import ClusterRequest
from provisioning.cluster_spec import facts_of
from provisioning.models import Host, Release, ReleaseState, Task
from provisioning.steps.base import Problem

# The cluster is in a state in which this cannot be done; what was sent is right.
STATE_CODES = {"stale_members", "busy", "deleting", "not_ours", "no_authority", "upgrading"}


class HostsField(serializers.ListField):
    """Hosts by number or by name."""

    child = serializers.CharField()

    def to_internal_value(self, data: Any) -> list[Host]:
        """The hosts in the order given. Invalid naming each that does not exist."""
        words = [str(word) for word in super().to_internal_value(data)]
        found = Host.objects.select_related("cluster")
        by_name = {host.name: host for host in found.filter(name__in=words)}
        numbers = [int(word) for word in words if _is_number(word)]
        by_id = {str(host.pk): host for host in found.filter(pk__in=numbers)}
        # A host may have a name of digits: the name counts first.
        hosts = [by_name.get(word) or by_id.get(word) for word in words]
        missing = [word for word, host in zip(words, hosts, strict=True) if host is None]
        if missing:
            raise serializers.ValidationError(
                [_("There is no host “%(host)s”.") % {"host": word[:80]} for word in missing]
            )
        return [host for host in hosts if host is not None]


DRY_RUN = OpenApiParameter(
    "dry_run", OpenApiTypes.BOOL, description="answer the plan and change nothing"
)
LAUNCHED = inline_serializer(
    "ClusterLaunched", {"cluster": ClusterSerializer(), "task": TaskSerializer()}
)


PLAN_OR_TASK = {202: LAUNCHED, 200: OpenApiTypes.OBJECT}


def launched(cluster: Cluster, task: Task) -> Response:
    """202 with the cluster and the task that was launched."""
    row = clusters_with_nodes().get(pk=cluster.pk)
    return Response(
        {"cluster": ClusterSerializer(row).data, "task": TaskSerializer(task).data},
        status=status.HTTP_202_ACCEPTED,
    )


def refusal(
    problems: Iterable[Problem], wanted: ClusterRequest | None = None
) -> exceptions.APIException:
    """The error of an answer: 409 where a state speaks against it, else 400 by field."""
    problems = list(problems)
    if problems and all(p.code in STATE_CODES for p in problems):
        return Conflict(" ".join(_text(p) for p in problems))
    errors: dict[str, list[str]] = {}
    for problem in problems:
        errors.setdefault(_field(problem, wanted), []).append(_text(problem))
    return serializers.ValidationError(errors)


def _field(problem: Problem, wanted: ClusterRequest | None) -> str:
    """The field of the body that a problem belongs to; a host's is the list that it is in."""
    if problem.host and wanted is not None:
        first = any(host.pk == problem.host for host in wanted.control_plane)
        return "control_plane" if first else "workers"
    return problem.field or "non_field_errors"


def _text(problem: Problem) -> str:
    return f"{problem.what} {problem.mend}".strip()


def release_of(word: str, hosts: Iterable[Host]) -> Release | None:
    """A release by number, or by version and the architecture of the hosts."""
    if _is_number(word):
        return Release.objects.filter(pk=int(word)).first()
    version = word if word.startswith("v") else f"v{word}"
    found = Release.objects.filter(version=version)
    archs = [facts.arch for host in hosts if (facts := facts_of(host)) and facts.arch]
    if archs:
        found = found.filter(arch=archs[0]) if found.filter(arch=archs[0]).exists() else found
    return found.filter(state=ReleaseState.READY).first() or found.first()


def _is_number(word: str) -> bool:
    """Whether a word can be a row's number; more digits would not fit into the database."""
    return word.isascii() and word.isdigit() and len(word) < 19


def user_of(request: Request) -> User:
    """Who asks."""
    return cast(User, request.user)
