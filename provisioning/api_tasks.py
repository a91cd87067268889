"""Tasks over REST: list, one with its journal, its log, cancel and retry."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.models import User
from console.ui.api_problems import Conflict
from provisioning import logs, operations
from provisioning.models import Task, TaskStep

MOST_LINES = 5000


class TaskStepSerializer(serializers.ModelSerializer[TaskStep]):
    """One step on one host."""

    host = serializers.CharField(source="host_name")

    class Meta:
        model = TaskStep
        fields = (
            "position", "phase", "step", "title", "host", "status", "expected_seconds",
            "started", "ended", "attempt", "changes", "failure", "note",
        )  # fmt: skip


class TaskSerializer(serializers.ModelSerializer[Task]):
    """A task without its journal."""

    created_by = serializers.CharField(source="created_by.username", default=None)

    class Meta:
        model = Task
        fields = (
            "id", "operation", "title", "cluster", "cluster_name", "status", "failure",
            "created_by", "created", "started", "ended", "attempt", "cancel_requested", "last_seq",
        )  # fmt: skip


class TaskDetailSerializer(TaskSerializer):
    """A task with its journal."""

    steps = TaskStepSerializer(many=True)

    class Meta:
        model = Task
        fields = (*TaskSerializer.Meta.fields, "steps")


class LogQuerySerializer(serializers.Serializer[Any]):
    """Which lines of a log."""

    after = serializers.IntegerField(min_value=0, default=0)
    before = serializers.IntegerField(min_value=0, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=MOST_LINES, default=1000)
    host = serializers.CharField(default="", allow_blank=True)
    step = serializers.CharField(default="", allow_blank=True)
    q = serializers.CharField(default="", allow_blank=True, max_length=200)
    max_bytes = serializers.IntegerField(min_value=0, default=0)


class LogLineSerializer(serializers.Serializer[Any]):
    """One line of a log."""

    seq = serializers.IntegerField()
    time = serializers.DateTimeField()
    host = serializers.CharField()
    step = serializers.CharField()
    stream = serializers.CharField()
    text = serializers.CharField()


class LogSerializer(serializers.Serializer[Any]):
    """Lines, the number of the last line that there is, and whether more can come."""

    lines = LogLineSerializer(many=True)
    last_seq = serializers.IntegerField()
    status = serializers.CharField()
    ended = serializers.BooleanField()


class TaskViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Task]):
    """Operations, running and ended."""

    queryset = Task.objects.select_related("created_by")
    serializer_class = TaskSerializer
    filterset_fields = ("status", "operation", "cluster")
    permissions = {
        "list": "tasks.view",
        "retrieve": "tasks.view",
        "log": "tasks.view",
        "cancel": "tasks.change",
        "retry": "tasks.change",
    }

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Task]]:
        """The journal only comes with a single task."""
        return TaskDetailSerializer if self.action == "retrieve" else TaskSerializer

    @extend_schema(
        parameters=[
            OpenApiParameter("after", OpenApiTypes.INT, description="lines with a larger number"),
            OpenApiParameter("before", OpenApiTypes.INT, description="the last lines before it"),
            OpenApiParameter("limit", OpenApiTypes.INT),
            OpenApiParameter("host", OpenApiTypes.STR),
            OpenApiParameter("step", OpenApiTypes.STR),
            OpenApiParameter("max_bytes", OpenApiTypes.INT, description="about how much at most"),
            OpenApiParameter("q", OpenApiTypes.STR, description="text, upper and lower case alike"),
        ],
        responses=LogSerializer,
    )
    @action(detail=True, filter_backends=[], pagination_class=None)
    def log(self, request: Request, pk: str | None = None) -> Response:
        """Lines of the task's log, by number."""
        # The task's row first: lines that come in between are then asked for again, not missed.
        task = self.get_object()
        query = LogQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = dict(query.validated_data)
        text = wanted.pop("q")
        return Response(
            {
                "lines": logs.read(task.pk, text=text, **wanted),
                "last_seq": task.last_seq,
                "status": task.status,
                "ended": task.is_ended,
            }
        )

    @extend_schema(request=None, responses={202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str | None = None) -> Response:
        """Ask a task to stop. 409 when it has ended."""
        task = self.get_object()
        if not operations.cancel(task, _person(request), request._request):
            raise Conflict(_("The task has already ended."))
        return Response(TaskSerializer(task).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str | None = None) -> Response:
        """Go on at what failed. 409 when there is nothing to retry or the cluster is busy."""
        task, user = self.get_object(), _person(request)
        if not operations.may_retry(task, user):
            raise Conflict(
                _("The task acts in the name of who launched it: nobody else can retry it.")
            )
        if not operations.retry(task, user, request._request):
            raise Conflict(
                _(
                    "Only a failed or canceled task of a cluster without another running task "
                    "can be retried."
                )
            )
        return Response(TaskSerializer(task).data, status=status.HTTP_202_ACCEPTED)


def _person(request: Request) -> User | None:
    return request.user if isinstance(request.user, User) else None


def register(router: BaseRouter) -> None:
    """Add tasks/ to the API."""
    router.register("tasks", TaskViewSet, basename="task")
