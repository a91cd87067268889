"""Clusters over REST: create (or only plan), repair, delete, and kubeconfigs."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters.api import ClusterReadViewSet
from clusters.models import Profile
from console.accounts.confirm import Confirmed
from console.accounts.permissions import Declared
from console.ui.api import flag
from console.ui.api_problems import Conflict
from console.ui.downloads import attachment
from provisioning import clusters, kubeconfig
from provisioning.api_drills import DrillActions
from provisioning.api_operations import MembershipActions
from provisioning.api_requests import (
    LAUNCHED,
    HostsField,
    launched,
    refusal,
    release_of,
    user_of,
)
from provisioning.api_upgrade import UpgradeActions
from provisioning.cluster_networks import POD_CIDR, SERVICE_CIDR
from provisioning.cluster_request import MANIFEST_LIMIT, MOST_HOSTS, ROUTED, ClusterRequest
from provisioning.models import Host
from provisioning.operations import Refused
from provisioning.releases_layout import ReleaseError


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
    schedule_on_control_plane = serializers.BooleanField(
        allow_null=True,
        default=None,
        help_text="Whether the control plane runs workloads too; by default of a lightweight "
        "cluster only.",
    )
    vip = serializers.CharField(
        default="", allow_blank=True, max_length=64, help_text="Of a standard cluster: a free IPv4 "
        "address in the network of its control planes."
    )  # fmt: skip

    def wanted(self) -> ClusterRequest:
        """The request; call is_valid() first."""
        data = dict(self.validated_data)
        hosts: list[Host] = data["control_plane"] + data["workers"]
        data["release"] = release_of(data["release"], hosts)
        if data["schedule_on_control_plane"] is None:
            data["schedule_on_control_plane"] = data["profile"] == Profile.LIGHTWEIGHT
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


class ClusterViewSet(MembershipActions, UpgradeActions, DrillActions, ClusterReadViewSet):
    """Clusters and what is done with them."""

    permissions = {
        **ClusterReadViewSet.permissions,
        **MembershipActions.operation_permissions,
        **UpgradeActions.upgrade_permissions,
        **DrillActions.drill_permissions,
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
        if flag(request, "dry_run"):
            found = clusters.preview(wanted)
            if found.problems or found.plan is None:
                raise refusal(found.problems, wanted)
            return Response({"plan": found.plan.as_data()})
        try:
            cluster, task = clusters.create_cluster(wanted, user_of(request), request._request)
        except Refused as refused:
            raise refusal(refused.problems, wanted) from refused
        return launched(cluster, task)

    @extend_schema(request=None, responses={202: LAUNCHED})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Launch the deletion: hosts are put back, the cluster is gone when the task has ended."""
        cluster = self.get_object()
        try:
            task = clusters.delete_cluster(cluster, user_of(request), request._request)
        except Refused as refused:
            raise refusal(refused.problems) from refused
        return launched(cluster, task)

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
            if flag(request, "dry_run"):
                plan = clusters.repair_plan(cluster).plan
                return Response({"plan": plan.as_data() if plan else None})
            task = clusters.repair_cluster(cluster, user_of(request), request._request)
        except Refused as refused:
            raise refusal(refused.problems) from refused
        except ReleaseError as error:
            raise Conflict(f"{error} {error.hint}".strip()) from error
        return launched(cluster, task)

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
            issued = kubeconfig.issue(cluster, user_of(request), hours, request._request)
        except Refused as refused:
            raise refusal(refused.problems) from refused
        as_json = getattr(request.accepted_renderer, "format", "") == "json"
        return Response(
            issued.as_data() if as_json else issued.text,
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": attachment(issued.filename),
            },
        )


def register(router: BaseRouter) -> None:
    """Add clusters/ to the API."""
    router.register("clusters", ClusterViewSet, basename="cluster")
