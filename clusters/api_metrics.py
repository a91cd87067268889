"""What clusters, nodes, namespaces, pods and workloads use, over REST."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters.metrics.bounds import bounds_of
from clusters.metrics.history import KINDS_OF, RANGES, WORKLOAD, Subject, history
from clusters.metrics.words import reasons
from clusters.models import Cluster, MetricState
from clusters.models_metrics import Of
from clusters.rights import visible_clusters

# No query parameter may hold one, and PostgreSQL takes none.
_TEXT: dict[str, Any] = {"required": False, "default": "", "allow_blank": True}


class MetricsQuerySerializer(serializers.Serializer[Any]):
    """What is asked for. kind: of a workload, such as "Deployment"."""

    of = serializers.ChoiceField(choices=KINDS_OF, required=False, default="cluster")
    namespace = serializers.CharField(max_length=63, **_TEXT)
    name = serializers.CharField(max_length=253, **_TEXT)
    kind = serializers.CharField(max_length=63, **_TEXT)
    range = serializers.ChoiceField(choices=tuple(RANGES), required=False, default="1h")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Names where they are needed, and ranges that are kept."""
        needed = {
            Of.CLUSTER: (),
            Of.NODE: ("name",),
            Of.NAMESPACE: ("name",),
            Of.POD: ("namespace", "name"),
            WORKLOAD: ("namespace", "kind", "name"),
        }[attrs["of"]]
        missing = {key: [_("Say which one.")] for key in needed if not attrs[key]}
        ranges = Subject(attrs["of"]).ranges
        if attrs["range"] not in ranges:
            listed = ", ".join(ranges)
            missing["range"] = [_("Figures of this are kept for: %(ranges)s.") % {"ranges": listed}]
        if missing:
            raise serializers.ValidationError(missing)
        return attrs


class MetricLineSerializer(serializers.Serializer[Any]):
    """What use is compared with; null: there is none, or not every pod has one (limit)."""

    request = serializers.FloatField(allow_null=True)
    limit = serializers.FloatField(allow_null=True)
    allocatable = serializers.FloatField(allow_null=True)


class MetricReasonSerializer(serializers.Serializer[Any]):
    """Why figures are missing."""

    what = serializers.CharField()
    mend = serializers.CharField()
    detail = serializers.CharField()


class MetricsSerializer(serializers.Serializer[Any]):
    """Columns of the same length; null: a gap. CPU in cores, memory in bytes (working set)."""

    of = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    range = serializers.CharField()
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="metrics.k8s.io, kubelet, or empty: nothing yet"
    )
    collected = serializers.DateTimeField(
        allow_null=True, help_text="when the cluster's newest figures were taken"
    )
    step = serializers.IntegerField(help_text="seconds")
    times = serializers.ListField(
        child=serializers.DateTimeField(), help_text="of a sample, or the start of a window"
    )
    cpu = serializers.ListField(child=serializers.FloatField(allow_null=True))
    cpu_highest = serializers.ListField(child=serializers.FloatField(allow_null=True))
    memory = serializers.ListField(child=serializers.FloatField(allow_null=True))
    memory_highest = serializers.ListField(child=serializers.FloatField(allow_null=True))
    cpu_lines = MetricLineSerializer()
    memory_lines = MetricLineSerializer()
    problems = MetricReasonSerializer(many=True)


class MetricsViewSet(viewsets.GenericViewSet[Cluster]):
    """clusters/{id}/metrics/"""

    permissions: ClassVar[Mapping[str, str]] = {"list": "clusters.view"}
    serializer_class = MetricsSerializer
    queryset = Cluster.objects.all()
    filter_backends = []
    pagination_class = None

    @extend_schema(parameters=[MetricsQuerySerializer], responses=MetricsSerializer(many=False))
    def list(self, request: Request, pk: str = "") -> Response:
        """What something used: of=cluster, node, namespace, pod or workload."""
        cluster = get_object_or_404(visible_clusters(request.user), pk=pk)
        query = MetricsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        subject = Subject(asked["of"], asked["namespace"], asked["name"], asked["kind"])
        found = history(cluster, subject, asked["range"])
        bounds = bounds_of(cluster, subject)
        state = MetricState.objects.filter(cluster=cluster).first()
        node = subject.name if subject.of == Of.NODE else ""
        body = {
            **found.as_json(),
            **{key: asked[key] for key in ("of", "namespace", "name", "range")},
            "times": [datetime.fromtimestamp(t, UTC) for t in found.times],
            "source": state.source if state else "",
            "collected": datetime.fromtimestamp(state.time, UTC) if state and state.time else None,
            "cpu_lines": bounds["cpu"]._asdict(),
            "memory_lines": bounds["memory"]._asdict(),
            "problems": [vars(told) for told in reasons(state, node)],
        }
        return Response(MetricsSerializer(body).data)


def register(router: BaseRouter) -> None:
    """Add clusters/{id}/metrics/ to the API."""
    router.register(r"clusters/(?P<pk>[0-9]+)/metrics", MetricsViewSet, basename="cluster-metrics")
