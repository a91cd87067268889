"""/api/v1/audit-verifications/: those that are too long for a request, for admins and auditors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.models import User
from console.audit import verifications
from console.audit.models import Verification
from console.ui.api import problem


class VerificationSerializer(serializers.ModelSerializer[Verification]):
    """How far it is, of how many events, and what it found."""

    ok = serializers.BooleanField(source="good", read_only=True)
    percent = serializers.IntegerField(read_only=True)

    class Meta:
        model = Verification
        fields = (
            "id", "asked", "by_name", "whole", "state", "begun", "ended", "start", "position",
            "size", "percent", "witnessed", "ok", "findings", "problem", "attempts",
        )  # fmt: skip
        read_only_fields = fields


class VerificationViewSet(viewsets.ReadOnlyModelViewSet[Verification]):
    """Verifications, the last one first; POST audit-events/verify/ begins one."""

    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("list", "retrieve", "cancel"), "audit.view"
    )
    queryset = Verification.objects.all()
    serializer_class = VerificationSerializer

    @extend_schema(request=None, responses={200: VerificationSerializer, 409: OpenApiTypes.OBJECT})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End it early. 409 when it has ended already."""
        row = self.get_object()
        try:
            verifications.cancel(row, by=cast(User, request.user), request=request)
        except verifications.NotActiveError as error:
            return Response(problem(409, str(error), request=request), status=409)
        row.refresh_from_db()
        return Response(VerificationSerializer(row).data)


def register(router: BaseRouter) -> None:
    """Add the routes of verifications."""
    router.register("audit-verifications", VerificationViewSet, "audit-verification")
