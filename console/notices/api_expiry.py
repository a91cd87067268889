"""The expiry radar over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.accounts.permissions import SIGNED_IN
from console.notices.catalogue import EXPIRES
from console.notices.expiry import RADAR_DAYS, Expiring, radar

MOST_DAYS = 3650


class ExpiringSerializer(serializers.Serializer[Expiring]):
    """One thing that ends or has ended; what and mend follow the language."""

    type = serializers.ChoiceField(choices=tuple(EXPIRES))
    name = serializers.CharField()
    cluster = serializers.CharField(help_text="empty: it belongs to none")
    expires = serializers.DateTimeField()
    level = serializers.ChoiceField(choices=("expired", "error", "warning", "ok"))
    what = serializers.CharField()
    mend = serializers.CharField()
    link = serializers.CharField(help_text="its page")


class RadarSerializer(serializers.Serializer[Any]):
    """Soonest first."""

    days = serializers.IntegerField()
    results = ExpiringSerializer(many=True)


class DaysSerializer(serializers.Serializer[Any]):
    """How far to look."""

    days = serializers.IntegerField(min_value=0, max_value=MOST_DAYS, default=RADAR_DAYS)


class ExpiryView(APIView):
    """expiry/"""

    permissions = {"get": SIGNED_IN}

    @extend_schema(
        operation_id="expiry",
        parameters=[
            OpenApiParameter("days", int, description=f"how far to look, {RADAR_DAYS} by default")
        ],
        responses=RadarSerializer(many=False),
    )
    def get(self, request: Request) -> Response:
        """Credentials, certificates, keys and tokens that end, as far as you may see them."""
        asked = DaysSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        days = asked.validated_data["days"]
        return Response(RadarSerializer({"days": days, "results": radar(request.user, days)}).data)
