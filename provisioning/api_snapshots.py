"""Snapshots over REST: list, take, look at, delete, download, the schedule, and the restore."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters.models import Cluster, Origin
from console.accounts.confirm import Confirmed
from console.accounts.models import User
from console.accounts.permissions import Declared
from console.ui.api import CursorPage
from console.ui.api_problems import Conflict
from provisioning import snapshots, snapshots_download
from provisioning.api_operations import operate
from provisioning.api_requests import DRY_RUN, LAUNCHED, PLAN_OR_TASK
from provisioning.models_snapshots import Snapshot, SnapshotSchedule
from provisioning.operations import Refused


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    """A snapshot; its key has no representation."""

    class Meta:
        model = Snapshot
        fields = (
            "id", "cluster", "taken", "origin", "task", "host_name", "state", "state_reason",
            "size", "stored_size", "sha256", "etcd_hash", "revision", "total_keys",
            "etcd_version", "kubernetes_version", "cluster_uid", "file_name",
        )  # fmt: skip
        read_only_fields = fields


class ScheduleSerializer(serializers.ModelSerializer[SnapshotSchedule]):
    """When snapshots are taken by themselves, and how many are kept."""

    class Meta:
        model = SnapshotSchedule
        fields = (*snapshots.SCHEDULE_FIELDS, "next_due", "last_failure", "last_failure_at")
        read_only_fields = ("next_due", "last_failure", "last_failure_at")


class RestoreSerializer(serializers.Serializer[Any]):
    """Which snapshot."""

    snapshot = serializers.IntegerField(min_value=1, help_text="A snapshot's number.")


class SnapshotFile(BaseRenderer):
    """For the schema and for clients that ask for bytes; the answer is streamed, not rendered."""

    media_type = "application/octet-stream"
    format = "db"
    charset = None
    render_style = "binary"

    def render(self, data: Any, *_context: Any) -> bytes:
        """A problem, where there is no file to send."""
        return JSONRenderer().render(data)


class SnapshotViewSet(
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Snapshot],
):
    """One snapshot."""

    queryset = Snapshot.objects.select_related("cluster")
    serializer_class = SnapshotSerializer
    permissions = {
        "retrieve": "clusters.view",
        "destroy": "clusters.change",
        "download": "clusters.kubeconfig",
    }

    def get_permissions(self) -> list[Any]:
        """Deleting asks a browser's session for the password again, as the page does."""
        given = list(super().get_permissions())
        return [*given, Confirmed()] if self.action == "destroy" else given

    def perform_destroy(self, instance: Snapshot) -> None:
        """Remove it with its file. 409 while a task works with it."""
        try:
            snapshots.delete_snapshot(instance, _user(self.request), self.request._request)
        except Refused as refused:
            raise Conflict(str(refused)) from refused

    @extend_schema(
        request=None,
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(
        detail=True,
        filter_backends=[],
        permission_classes=[Declared, Confirmed],
        renderer_classes=[JSONRenderer, SnapshotFile],
    )
    def download(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """The file as etcdctl wrote it, decrypted on the way. 409 when it is not whole."""
        snapshot = self.get_object()
        try:
            snapshots.hand_out(snapshot, _user(request), request._request)
        except Refused as refused:
            raise Conflict(str(refused)) from refused
        return snapshots_download.response(request._request, snapshot)


class ClusterSnapshotsViewSet(viewsets.GenericViewSet[Cluster]):
    """What concerns the snapshots of one cluster."""

    queryset = Cluster.objects.all()
    serializer_class: type[serializers.BaseSerializer[Any]] = SnapshotSerializer
    permissions = {
        "snapshots": "clusters.view",
        "take": "clusters.change",
        "schedule": "clusters.view",
        "set_schedule": "clusters.change",
        "restore": "clusters.change",
    }

    def get_permissions(self) -> list[Any]:
        """Restoring asks a browser's session for the password again, as the page does."""
        given = list(super().get_permissions())
        return [*given, Confirmed()] if self.action == "restore" else given

    @extend_schema(responses=SnapshotSerializer(many=True))
    @action(detail=True, filter_backends=[])
    def snapshots(self, request: Request, pk: str | None = None) -> Response:
        """The cluster's snapshots, newest first, page by page."""
        rows = Snapshot.objects.filter(cluster=self.get_object())
        paginator = CursorPage()
        page = paginator.paginate_queryset(rows, request, self) or []
        return paginator.get_paginated_response(SnapshotSerializer(page, many=True).data)

    @extend_schema(request=None, responses={202: LAUNCHED})
    @snapshots.mapping.post
    def take(self, request: Request, pk: str | None = None) -> Response:
        """Take a snapshot now."""
        return operate(request, _ours(self), "snapshot", {})

    @extend_schema(responses=ScheduleSerializer)
    @action(detail=True, filter_backends=[], url_path="snapshot-schedule")
    def schedule(self, request: Request, pk: str | None = None) -> Response:
        """When snapshots are taken by themselves."""
        return Response(ScheduleSerializer(snapshots.schedule_of(_ours(self))).data)

    @extend_schema(request=ScheduleSerializer, responses=ScheduleSerializer)
    @schedule.mapping.put
    def set_schedule(self, request: Request, pk: str | None = None) -> Response:
        """Change when snapshots are taken; fields that are left out stay as they are."""
        cluster = _ours(self)
        row = snapshots.schedule_of(cluster)
        body = ScheduleSerializer(row, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        changed = snapshots.change_schedule(cluster, values, _user(request), request._request)
        return Response(ScheduleSerializer(changed).data)

    @extend_schema(
        request=RestoreSerializer,
        parameters=[DRY_RUN],
        responses=PLAN_OR_TASK,
    )
    @action(detail=True, methods=["post"], filter_backends=[])
    def restore(self, request: Request, pk: str | None = None) -> Response:
        """Restore the cluster from one of its snapshots, or with ?dry_run=true only plan it."""
        body = RestoreSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return operate(request, _ours(self), "restore", dict(body.validated_data))


def _ours(view: ClusterSnapshotsViewSet) -> Cluster:
    cluster: Cluster = get_object_or_404(
        view.get_queryset(), pk=view.kwargs["pk"], origin=Origin.PROVISIONED
    )
    return cluster


def _user(request: Request) -> User:
    return cast(User, request.user)


def register(router: BaseRouter) -> None:
    """Add snapshots/ and what hangs on clusters/ to the API."""
    router.register("snapshots", SnapshotViewSet, basename="snapshot")
    router.register("clusters", ClusterSnapshotsViewSet, basename="cluster-snapshots")
