"""/api/v1/audit-events/: the record, for admins and auditors; nothing can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rest_framework import serializers, viewsets
from rest_framework.routers import BaseRouter

from console.audit.filters import AuditEventFilter
from console.audit.models import AuditEvent


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """One event as the table has it."""

    class Meta:
        model = AuditEvent
        fields = (
            "id",
            "time",
            "actor_name",
            "token_name",
            "action",
            "object_type",
            "object_id",
            "object_name",
            "before",
            "after",
            "outcome",
            "reason",
            "request_id",
            "address",
        )
        read_only_fields = fields


class AuditEventViewSet(viewsets.ReadOnlyModelViewSet[AuditEvent]):
    """Who did what, newest first."""

    permissions: ClassVar[Mapping[str, str]] = {"list": "audit.view", "retrieve": "audit.view"}
    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilter


def register(router: BaseRouter) -> None:
    """Add the routes of this app."""
    router.register("audit-events", AuditEventViewSet, "audit-event")
