"""Search over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.accounts.permissions import SIGNED_IN
from console.ui.search import LONGEST, Found, parse, search


class HitSerializer(serializers.Serializer[Any]):
    """One thing that was found; href is its page."""

    title = serializers.CharField()
    href = serializers.CharField()
    kind = serializers.CharField()
    cluster = serializers.CharField()
    namespace = serializers.CharField()
    status = serializers.CharField(source="word")
    since = serializers.DateTimeField(allow_null=True)
    text = serializers.CharField()


class GroupSerializer(serializers.Serializer[Any]):
    """Hits of one kind; more: there are more than these."""

    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    more = serializers.BooleanField()
    hits = HitSerializer(many=True)


class FoundSerializer(serializers.Serializer[Any]):
    """complete is false when the time for a search was over before everything was looked at."""

    complete = serializers.BooleanField()
    groups = GroupSerializer(many=True)


class SearchView(APIView):
    """Everything by name, kind, namespace, label, image, IP address, status, cluster and node."""

    permissions = {"get": SIGNED_IN}

    @extend_schema(
        parameters=[
            OpenApiParameter("q", str, description="as on the page: web kind:pod ns:kube-system")
        ],
        responses=FoundSerializer,
    )
    def get(self, request: Request) -> Response:
        """At most 50 hits of each kind."""
        query = parse(request.query_params.get("q", "")[:LONGEST])
        found = search(request.user, query) if query else Found([])
        return Response(FoundSerializer(found).data)
