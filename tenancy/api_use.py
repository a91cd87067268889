"""Use against quota over time, over REST."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from tenancy import use_history
from tenancy.use_history import RANGES, STEP, Samples

_RANGE = OpenApiParameter("range", str, enum=list(RANGES), description="30d by hours, 1y by days")
_CLUSTER = OpenApiParameter("cluster", int, description="the quota on it; left out: over all")


class SampleSerializer(serializers.Serializer[Any]):
    """An amount at a time (seconds since the epoch), in milli-CPU, bytes or pieces."""

    time = serializers.IntegerField()
    used = serializers.IntegerField()
    limit = serializers.IntegerField()


class ResourceHistorySerializer(serializers.Serializer[Any]):
    """One resource. full_in_days: null where nothing honest can be said."""

    resource = serializers.CharField()
    full_in_days = serializers.IntegerField(allow_null=True)
    samples = SampleSerializer(many=True)


class UseHistorySerializer(serializers.Serializer[Any]):
    """Samples `step` seconds apart; one that is missing was not known, and is left out."""

    range = serializers.CharField()
    step = serializers.IntegerField()
    resources = ResourceHistorySerializer(many=True)


class NamespaceUseMixin:
    """The action of a namespace; the viewset declares its permission."""

    @extend_schema(parameters=[_RANGE], responses=UseHistorySerializer)
    @action(detail=True, methods=["get"], url_path="use/history", url_name="use-history")
    def use_history(self, request: Request, pk: str | None = None) -> Response:
        """What it used of its quota over time."""
        row = self.get_object()  # type: ignore[attr-defined]
        reach = _reach(request)
        return _answer(reach, use_history.samples_of_namespace(row, reach))


class TenantUseMixin:
    """The action of a tenant; the viewset declares its permission."""

    @extend_schema(parameters=[_RANGE, _CLUSTER], responses=UseHistorySerializer)
    @action(detail=True, methods=["get"], url_path="use/history", url_name="use-history")
    def use_history(self, request: Request, pk: str | None = None) -> Response:
        """What its namespaces used together of its quota over time."""
        row = self.get_object()  # type: ignore[attr-defined]
        reach, cluster = _reach(request), request.query_params.get("cluster", "")
        if cluster and not (cluster.isascii() and cluster.isdigit() and len(cluster) < 19):
            raise serializers.ValidationError({"cluster": [_("This is no number of a cluster.")]})
        found = use_history.samples_of_tenant(row, int(cluster) if cluster else None, reach)
        return _answer(reach, found)


def _reach(request: Request) -> str:
    reach = request.query_params.get("range", "30d")
    if reach not in RANGES:
        said = _("There is no such range; there are: %(ranges)s.") % {"ranges": ", ".join(RANGES)}
        raise serializers.ValidationError({"range": [said]})
    return reach


def _answer(reach: str, found: Samples) -> Response:
    now = int(timezone.now().timestamp())
    resources = [
        {
            "resource": name,
            "full_in_days": use_history.full_in_days(samples, now),
            "samples": [{"time": time, **point._asdict()} for time, point in samples],
        }
        for name, samples in found.items()
    ]
    data = {"range": reach, "step": STEP[RANGES[reach][0]], "resources": resources}
    return Response(UseHistorySerializer(data).data)
