"""HA drills over REST: the history, and one more."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clusters.models import Cluster
from console.ui.api import CursorPage
from provisioning.api_operations import operate
from provisioning.api_requests import DRY_RUN, PLAN_OR_TASK
from provisioning.models_drills import Drill, DrillTarget


class DrillSerializer(serializers.ModelSerializer[Drill]):
    """A drill: what was stopped where, and what was measured; lengths in milliseconds."""

    class Meta:
        model = Drill
        fields = (
            "id", "task", "target", "means", "host_name", "holder_after", "stopped", "put_back",
            "longest_ms", "result", "created",
        )  # fmt: skip
        read_only_fields = fields


class DrillRequestSerializer(serializers.Serializer[Any]):
    """What to stop."""

    target = serializers.ChoiceField(choices=DrillTarget.choices)


class DrillActions:
    """clusters/{id}/drills/."""

    drill_permissions = {"drills": "clusters.view", "drill": "clusters.change"}

    @extend_schema(responses=DrillSerializer(many=True))
    @action(detail=True, methods=["get"], url_path="drills", filter_backends=[])
    def drills(self, request: Request, pk: str | None = None) -> Response:
        """The cluster's drills, newest first, page by page."""
        cluster: Cluster = self.get_object()  # type: ignore[attr-defined]
        paginator = CursorPage()
        rows = Drill.objects.filter(cluster=cluster)
        page = paginator.paginate_queryset(rows, request, self) or []
        return paginator.get_paginated_response(DrillSerializer(page, many=True).data)

    @extend_schema(
        request=DrillRequestSerializer,
        parameters=[DRY_RUN],
        responses=PLAN_OR_TASK,
    )
    @drills.mapping.post
    def drill(self, request: Request, pk: str | None = None) -> Response:
        """Stop a part for some seconds and measure what clients of the API feel."""
        cluster: Cluster = self.get_object()  # type: ignore[attr-defined]
        body = DrillRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return operate(request, cluster, "drill", body.validated_data)
