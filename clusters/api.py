"""Clusters over REST, read-only: what the inventory knows. provisioning.api_clusters adds to it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clusters.filters import ClusterApiFilter
from clusters.models import Cluster, Node
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
            "seen", "nodes_total", "nodes_ready",
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


class ClusterReadViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Cluster]
):
    """List and retrieve clusters and their nodes."""

    serializer_class: type[serializers.BaseSerializer[Any]] = ClusterSerializer
    filterset_class = ClusterApiFilter
    permissions = {
        "list": "clusters.view",
        "retrieve": "clusters.view",
        "nodes": "clusters.view",
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
