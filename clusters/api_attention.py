"""What needs somebody, over REST: of every cluster, or of one."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.diagnosis.attention import Attention, attention, stranded
from clusters.models import Cluster
from clusters.rights import visible_clusters

DEFAULT, MOST = 20, 100


class LineSerializer(serializers.Serializer[Attention]):
    """One line: a workload with all its pods, or what has none. The words follow the language."""

    kind = serializers.CharField(source="row.kind")
    resource = serializers.CharField(source="row.resource")
    namespace = serializers.CharField(source="row.namespace", help_text="empty: the whole cluster")
    name = serializers.CharField(source="row.name")
    cluster = serializers.CharField(source="row.cluster.name")
    cluster_id = serializers.IntegerField(source="row.cluster.pk")
    level = serializers.ChoiceField(choices=("bad", "warn", "info"))
    code = serializers.SerializerMethodField(help_text="stays the same; empty: nothing is known")
    what = serializers.CharField(source="words.what")
    mend = serializers.CharField(source="words.mend")
    count = serializers.IntegerField(help_text="how many of its pods it is about")
    since = serializers.DateTimeField(allow_null=True, help_text="null: not known")

    def get_code(self, line: Attention) -> str:
        """The cause's code."""
        return str(line.cause.get("code", ""))


class AttentionSerializer(serializers.Serializer[Any]):
    """The worst first; more: there are more lines than these."""

    more = serializers.BooleanField()
    results = LineSerializer(many=True)


class LimitSerializer(serializers.Serializer[Any]):
    """How many lines are wanted."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MOST, default=DEFAULT, help_text=f"lines, at most {MOST}"
    )


LIMIT = OpenApiParameter("limit", int, description=f"lines, {DEFAULT} by default, at most {MOST}")


class FleetAttentionView(APIView):
    """attention/"""

    permissions = {"get": "clusters.view"}

    @extend_schema(
        operation_id="attention", parameters=[LIMIT], responses=AttentionSerializer(many=False)
    )
    def get(self, request: Request) -> Response:
        """What needs somebody in all clusters, as on the first page."""
        limit = _limit(request)
        return _answer(attention(visible_clusters(request.user), limit + 1), limit)


class ClusterAttentionView(APIView):
    """clusters/{id}/attention/"""

    permissions = {"get": "clusters.view"}

    @extend_schema(
        operation_id="clusters_attention", parameters=[LIMIT],
        responses=AttentionSerializer(many=False),
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        """What needs somebody in one cluster, then services and ingresses that lead nowhere."""
        limit = _limit(request)
        found: QuerySet[Cluster] = visible_clusters(request.user).filter(pk=pk)
        cluster = get_object_or_404(found)
        lines = attention(found, limit + 1)
        if len(lines) <= limit:
            lines += stranded(cluster, limit + 1 - len(lines))
        return _answer(lines, limit)


def _limit(request: Request) -> int:
    asked = LimitSerializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return int(asked.validated_data["limit"])


def _answer(lines: list[Attention], limit: int) -> Response:
    body = {"more": len(lines) > limit, "results": lines[:limit]}
    return Response(AttentionSerializer(body).data)
