"""Clusters over REST, read-only: what the inventory knows. provisioning.api_clusters adds to it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from clusters import ending
from clusters.api_objects import InventoryActions
from clusters.control_plane_page import worded
from clusters.filters import ClusterApiFilter
from clusters.models import Cluster, ControlPlaneHealth, Node
from clusters.tables import clusters_with_nodes
from console.ui.api import CursorPage


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
    """A cluster; its secrets have no representation."""

    nodes_total = serializers.IntegerField(read_only=True, default=0)
    nodes_ready = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = Cluster
        fields = (
            "id", "name", "origin", "profile", "endpoint", "version", "pod_cidr", "service_cidr",
            "vip", "enforces_network_policy", "status", "status_reason", "status_since", "created",
            "seen", "uid", "access", "credentials_expire", "nodes_total", "nodes_ready",
        )  # fmt: skip
        read_only_fields = fields


class NodeSerializer(serializers.ModelSerializer[Node]):
    """A node as it was last seen."""

    class Meta:
        model = Node
        fields = (
            "name", "ready", "reason", "roles", "version", "address", "unschedulable", "capacity",
            "allocatable", "labels", "taints", "conditions", "info", "created", "seen",
        )  # fmt: skip
        read_only_fields = fields


class ControlPlaneProblemSerializer(serializers.Serializer[Any]):
    """One problem: its code stays, its words follow the reader's language."""

    code = serializers.CharField()
    level = serializers.ChoiceField(choices=("bad", "warn", "info"))
    member = serializers.CharField(help_text="the host it is about; empty: the whole")
    what = serializers.CharField()
    mend = serializers.CharField()


class ControlPlaneSerializer(serializers.ModelSerializer[ControlPlaneHealth]):
    """The last look at a control plane."""

    fresh = serializers.BooleanField(
        help_text="the last look is recent enough to be called live", read_only=True
    )
    problems = serializers.SerializerMethodField()
    data = serializers.JSONField(  # type: ignore[assignment]
        help_text="every layer of every member, with its state and since"
    )

    class Meta:
        model = ControlPlaneHealth
        fields = ("fresh", "probed", "changed", "etcd_revision", "problems", "data")
        read_only_fields = fields

    @extend_schema_field(ControlPlaneProblemSerializer(many=True))
    def get_problems(self, row: ControlPlaneHealth) -> list[dict[str, Any]]:
        """The problems, the worst first."""
        return list(ControlPlaneProblemSerializer(worded(row.problems), many=True).data)


class DependentSerializer(serializers.Serializer[Any]):
    """A tenant's namespace that goes with the cluster; members: how many the tenant has."""

    tenant = serializers.CharField()
    namespace = serializers.CharField()
    members = serializers.IntegerField()


class ClusterReadViewSet(
    InventoryActions,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Cluster],
):
    """List and retrieve clusters and their nodes."""

    serializer_class: type[serializers.BaseSerializer[Any]] = ClusterSerializer
    filterset_class = ClusterApiFilter
    permissions = {
        "list": "clusters.view",
        "retrieve": "clusters.view",
        "nodes": "clusters.view",
        "control_plane": "clusters.view",
        "dependents": "tenants.view",
        **InventoryActions.inventory_permissions,
    }
    queryset = Cluster.objects.all()

    def get_queryset(self) -> Any:
        """Clusters with the figures of their nodes."""
        return clusters_with_nodes()

    @extend_schema(responses=NodeSerializer(many=True))
    @action(detail=True, filter_backends=[])
    def nodes(self, request: Request, pk: str | None = None) -> Response:
        """The cluster's nodes as they were last seen, page by page."""
        rows = Node.objects.filter(cluster=self.get_object())
        # The paginator is asked itself: the view's own method is typed for clusters.
        paginator = CursorPage()
        page = paginator.paginate_queryset(rows, request, self) or []
        return paginator.get_paginated_response(NodeSerializer(page, many=True).data)

    @extend_schema(responses=ControlPlaneSerializer)
    @action(detail=True, filter_backends=[], url_path="control-plane")
    def control_plane(self, _request: Request, pk: str | None = None) -> Response:
        """What the watcher last saw of the control plane; 404 until its first look."""
        row = ControlPlaneHealth.objects.filter(cluster=self.get_object()).first()
        if row is None:
            raise NotFound(_("The watcher has not looked at this control plane yet."))
        return Response(ControlPlaneSerializer(row).data)

    @extend_schema(responses=DependentSerializer(many=True))
    @action(detail=True, filter_backends=[], pagination_class=None)
    def dependents(self, _request: Request, pk: str | None = None) -> Response:
        """The tenants' namespaces that are lost here when it is deleted or forgotten."""
        found = ending.dependents_of(self.get_object())
        return Response(DependentSerializer(found, many=True).data)
