"""Tasks inside clusters over REST: the drain of a node, the apply of manifests."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.api_errors import answered
from clusters.api_operations import NODE, node_or_404
from clusters.kube.manifests import Wish, in_order
from clusters.manifest_apply import IN_REQUEST, Tally, as_data, in_request
from clusters.manifest_text import MOST_BYTES, read
from clusters.models import dns_label
from clusters.operate import connection, refuse_by_place, refuse_by_role, user_of
from clusters.rights import visible_clusters
from console.accounts.permissions import Declared
from console.ui.api import flag
from provisioning.api_requests import DRY_RUN
from provisioning.api_tasks import TaskSerializer
from provisioning.operation_drain import drain_node
from provisioning.operation_manifests import apply_manifests

TASK = inline_serializer("TaskLaunched", {"task": TaskSerializer()})


class DrainSerializer(serializers.Serializer[Any]):
    """The options of `kubectl drain`; pods of DaemonSets always stay."""

    local_data = serializers.BooleanField(
        default=False, help_text="pods with emptyDir volumes may lose them"
    )
    force = serializers.BooleanField(
        default=False, help_text="pods that no controller would make anew may go, too"
    )
    grace = serializers.IntegerField(
        default=None, allow_null=True, min_value=0, max_value=86_400,
        help_text="seconds for every pod; null: each pod's own",
    )  # fmt: skip
    timeout = serializers.IntegerField(default=900, min_value=10, max_value=86_400)


class ManifestsSerializer(serializers.Serializer[Any]):
    """YAML of one or more objects."""

    yaml = serializers.CharField(trim_whitespace=False, max_length=MOST_BYTES)
    namespace = serializers.CharField(
        default="default", max_length=63, validators=[dns_label],
        help_text="of objects that name none",
    )  # fmt: skip
    force = serializers.BooleanField(
        default=False, help_text="take fields over from other managers"
    )


class DrainView(APIView):
    """Drain a node."""

    permission_classes = [Declared]
    permissions = {"post": "clusters.operate"}

    @extend_schema(request=DrainSerializer, responses={202: TASK})
    def post(self, request: Request, pk: int, name: str) -> Response:
        """Launch the task, or answer the one that is draining the node already."""
        row = node_or_404(request.user, pk, name)
        body = DrainSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user = user_of(request)
        with answered():
            refuse_by_role(user, "create", row, "pods/eviction")
            connection(row.cluster, user)  # refused now rather than in the task
            task = drain_node(
                row.cluster, row.name, dict(body.validated_data), user=user,
                request=request._request,
            )  # fmt: skip
        return Response({"task": TaskSerializer(task).data}, status=status.HTTP_202_ACCEPTED)


class ManifestsView(APIView):
    """Apply manifests."""

    permission_classes = [Declared]
    permissions = {"post": "clusters.operate"}

    @extend_schema(
        request=ManifestsSerializer,
        parameters=[DRY_RUN],
        responses={200: OpenApiTypes.OBJECT, 202: TASK},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Up to 20 objects: each one's result. More: 202 with the task that applies them.

        With ?dry_run=true nothing is kept.
        """
        cluster = get_object_or_404(visible_clusters(request.user), pk=pk)
        body = ManifestsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data, user = body.validated_data, user_of(request)
        wish = Wish(data["namespace"], data["force"], flag(request, "dry_run"))
        with answered():
            manifests = read(data["yaml"])
            if len(manifests) > IN_REQUEST:
                refuse_by_place(user, "clusters.operate", cluster)
                connection(cluster, user)
                task = apply_manifests(
                    cluster, data["yaml"], in_order(manifests), wish, user=user,
                    request=request._request,
                )  # fmt: skip
                return Response({"task": TaskSerializer(task).data}, status=202)
            outcomes = in_request(cluster, manifests, wish, user=user, request=request._request)
        tally = Tally.of(outcomes)
        return Response(
            {
                "dry_run": wish.dry_run,
                "failed": tally.failed,
                "results": [as_data(outcome) for outcome in outcomes],
            }
        )


urlpatterns = [
    path(f"{NODE}drain/", DrainView.as_view(), name="node-drain"),
    path("clusters/<int:pk>/manifests/", ManifestsView.as_view(), name="cluster-manifests"),
]
