"""Clusters over REST: create (or only plan), repair, delete, and kubeconfigs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import exceptions, serializers, status
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters.api import ClusterReadViewSet, ClusterSerializer
from clusters.models import Cluster, Profile
from clusters.tables import clusters_with_nodes
from console.accounts.confirm import Confirmed
from console.accounts.models import User
from console.accounts.permissions import Declared
from provisioning import clusters, kubeconfig
from provisioning.api_tasks import Conflict, TaskSerializer
from provisioning.cluster_networks import POD_CIDR, SERVICE_CIDR
from provisioning.cluster_request import MANIFEST_LIMIT, MOST_HOSTS, ROUTED, ClusterRequest
from provisioning.cluster_spec import facts_of
from provisioning.models import Host, Release, ReleaseState
from provisioning.operations import Refused
from provisioning.releases_layout import ReleaseError
from provisioning.steps.base import Problem

# The cluster is in a state in which this cannot be done; what was sent is right.
STATE_CODES = {"busy", "deleting", "not_ours", "no_authority"}


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


class ClusterCreateSerializer(serializers.Serializer[Any]):
    """What a cluster is made of."""

    name = serializers.CharField(max_length=200)
    profile = serializers.CharField(default=Profile.LIGHTWEIGHT.value, max_length=40)
    release = serializers.CharField(
        max_length=64, help_text="A version (v1.33.1) or a release's number."
    )
    control_plane = HostsField(max_length=MOST_HOSTS, help_text="Hosts by number or name.")
    workers = HostsField(default=list, max_length=MOST_HOSTS, help_text="Hosts by number or name.")
    pod_cidr = serializers.CharField(default=POD_CIDR, max_length=64)
    service_cidr = serializers.CharField(default=SERVICE_CIDR, max_length=64)
    network = serializers.CharField(default=ROUTED, max_length=40)
    network_manifest = serializers.CharField(
        default="", allow_blank=True, trim_whitespace=False, max_length=MANIFEST_LIMIT
    )
    schedule_on_control_plane = serializers.BooleanField(default=True)

    def wanted(self) -> ClusterRequest:
        """The request; call is_valid() first."""
        data = dict(self.validated_data)
        hosts: list[Host] = data["control_plane"] + data["workers"]
        data["release"] = _release(data["release"], hosts)
        data["control_plane"] = tuple(data["control_plane"])
        data["workers"] = tuple(data["workers"])
        return ClusterRequest(**data)


class KubeconfigRequestSerializer(serializers.Serializer[Any]):
    """For how many hours the certificate is good."""

    hours = serializers.IntegerField(
        default=kubeconfig.DEFAULT_HOURS,
        min_value=kubeconfig.LEAST_HOURS,
        max_value=kubeconfig.MOST_HOURS,
    )


class KubeconfigRenderer(BaseRenderer):
    """YAML, as kubectl reads it; errors stay JSON."""

    media_type = "application/yaml"
    format = "yaml"
    charset = "utf-8"

    def render(self, data: Any, *_context: Any) -> bytes:
        """The text of a kubeconfig, or a problem as JSON."""
        return (data if isinstance(data, str) else json.dumps(data, default=str)).encode()


LAUNCHED = inline_serializer(
    "ClusterLaunched", {"cluster": ClusterSerializer(), "task": TaskSerializer()}
)


class ClusterViewSet(ClusterReadViewSet):
    """Clusters and what is done with them."""

    permissions = {
        **ClusterReadViewSet.permissions,
        "create": "clusters.change",
        "destroy": "clusters.change",
        "repair": "clusters.change",
        "kubeconfig": "clusters.kubeconfig",
    }

    def get_permissions(self) -> list[Any]:
        """Deleting asks a browser's session for the password again, as the page does."""
        given = list(super().get_permissions())
        return [*given, Confirmed()] if self.action == "destroy" else given

    @extend_schema(
        request=ClusterCreateSerializer,
        parameters=[
            OpenApiParameter(
                "dry_run", OpenApiTypes.BOOL, description="answer the plan and change nothing"
            )
        ],
        responses={202: LAUNCHED, 200: OpenApiTypes.OBJECT},
    )
    def create(self, request: Request) -> Response:
        """Launch the creation of a cluster, or with ?dry_run=true answer its plan."""
        body = ClusterCreateSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.wanted()
        if _flag(request, "dry_run"):
            found = clusters.preview(wanted)
            if found.problems or found.plan is None:
                raise refusal(found.problems, wanted)
            return Response({"plan": found.plan.as_data()})
        try:
            cluster, task = clusters.create_cluster(wanted, _user(request), request._request)
        except Refused as refused:
            raise refusal(refused.problems, wanted) from refused
        return self._launched(cluster, task)

    @extend_schema(request=None, responses={202: LAUNCHED})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Launch the deletion: hosts are put back, the cluster is gone when the task has ended."""
        cluster = self.get_object()
        try:
            task = clusters.delete_cluster(cluster, _user(request), request._request)
        except Refused as refused:
            raise refusal(refused.problems) from refused
        return self._launched(cluster, task)

    @extend_schema(
        request=None,
        parameters=[OpenApiParameter("dry_run", OpenApiTypes.BOOL)],
        responses={202: LAUNCHED, 200: OpenApiTypes.OBJECT},
    )
    @action(detail=True, methods=["post"], filter_backends=[])
    def repair(self, request: Request, pk: str | None = None) -> Response:
        """Run the plan again, or with ?dry_run=true answer what it would do."""
        cluster = self.get_object()
        try:
            if _flag(request, "dry_run"):
                plan = clusters.repair_plan(cluster).plan
                return Response({"plan": plan.as_data() if plan else None})
            task = clusters.repair_cluster(cluster, _user(request), request._request)
        except Refused as refused:
            raise refusal(refused.problems) from refused
        except ReleaseError as error:
            raise Conflict(f"{error} {error.hint}".strip()) from error
        return self._launched(cluster, task)

    @extend_schema(
        request=KubeconfigRequestSerializer,
        responses={(200, "application/yaml"): OpenApiTypes.STR, 200: OpenApiTypes.OBJECT},
    )
    @action(
        detail=True,
        methods=["post"],
        filter_backends=[],
        permission_classes=[Declared, Confirmed],
        renderer_classes=[KubeconfigRenderer, JSONRenderer],
    )
    def kubeconfig(self, request: Request, pk: str | None = None) -> Response:
        """A kubeconfig with a short-lived certificate in the caller's name (YAML, or JSON)."""
        cluster = self.get_object()
        body = KubeconfigRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        hours = body.validated_data["hours"]
        try:
            issued = kubeconfig.issue(cluster, _user(request), hours, request._request)
        except Refused as refused:
            raise refusal(refused.problems) from refused
        as_json = getattr(request.accepted_renderer, "format", "") == "json"
        return Response(
            issued.as_data() if as_json else issued.text,
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{issued.filename}"',
            },
        )

    def _launched(self, cluster: Cluster, task: Any) -> Response:
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


def _release(word: str, hosts: Iterable[Host]) -> Release | None:
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


def _flag(request: Request, name: str) -> bool:
    """A query parameter that is yes or no. Invalid for any other word."""
    word = request.query_params.get(name, "false").lower()
    if word not in ("true", "false", "1", "0", ""):
        raise serializers.ValidationError({name: [_("Use true or false.")]})
    return word in ("true", "1")


def _user(request: Request) -> User:
    return cast(User, request.user)


def register(router: BaseRouter) -> None:
    """Add clusters/ to the API."""
    router.register("clusters", ClusterViewSet, basename="cluster")
