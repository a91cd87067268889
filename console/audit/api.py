"""/api/v1/audit-events/: the record, for admins and auditors; nothing can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.models import User
from console.audit import exporting, looking, review, verifications
from console.audit.api_pages import AuditEventPage
from console.audit.api_verifications import VerificationSerializer
from console.audit.filters import AuditEventFilter
from console.audit.models import AuditEvent
from console.audit.signing import key_rows
from console.ui.api import flag, problem


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
            "cluster_key",
            "cluster_name",
            "tenant_key",
            "tenant_name",
            "session",
            "user_agent",
            "duration_ms",
        )
        read_only_fields = fields


class AuditEventViewSet(viewsets.ReadOnlyModelViewSet[AuditEvent]):
    """Who did what, newest first."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": "audit.view",
        "retrieve": "audit.view",
        "proof": "audit.view",
        "checkpoint": "audit.view",
        "verify": "audit.view",
    }
    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilter
    pagination_class = AuditEventPage

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Events, newest first. Looking is itself recorded."""
        answer = super().list(request, *args, **kwargs)
        found = AuditEventFilter(request.query_params)
        rows = len(answer.data["results"])
        looking.looked(request, looking.chosen(found), rows=rows, form="api")
        return answer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One event. Looking is itself recorded."""
        answer = super().retrieve(request, *args, **kwargs)
        looking.looked_at(request, self.get_object())
        return answer

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 409: OpenApiTypes.OBJECT})
    @action(detail=True)
    def proof(self, request: Request, pk: str) -> Response:
        """The event as it is hashed, its position, what proves it, and the checkpoint.

        409 while no checkpoint covers it yet.
        """
        found = exporting.proof_of(self.get_object())
        if found is None:
            text = _("No checkpoint covers this event yet: ask again in a minute.")
            return Response(problem(409, text, request=request), status=409)
        return Response(found)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=False, filterset_class=None, pagination_class=None)
    def checkpoint(self, request: Request) -> Response:
        """The last signed checkpoint, the keys, and what it does not cover."""
        state = review.state()
        point = state["checkpoint"]
        return Response(
            {
                "size": state["size"],
                "checkpoint": point.note if point else "",
                "keys": key_rows(),
                "unproved": state["unproved"],
                "unproved_seconds": state["unproved_seconds"],
            }
        )

    @extend_schema(request=None, responses={200: OpenApiTypes.OBJECT, 202: VerificationSerializer})
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def verify(self, request: Request) -> Response:
        """Verify what is new since the last verification; `?whole=true`: everything.

        202 when that is more than a request can wait for: Location leads to the verification,
        which the watcher carries out.
        """
        whole = flag(request, "whole")
        if verifications.is_long(whole=whole):
            row = verifications.ask(whole=whole, by=cast(User, request.user), request=request)
            where = request.build_absolute_uri(f"/api/v1/audit-verifications/{row.pk}/")
            told = VerificationSerializer(row).data | {"url": where}
            return Response(told, status=202, headers={"Location": where})
        report = review.verified(whole=whole, request=request)
        findings = [
            {"kind": one.kind, "position": one.position, "text": one.text}
            for one in report.findings
        ]
        return Response(
            {
                "ok": report.ok,
                "start": report.start,
                "size": report.size,
                "proved": report.proved,
                "witnessed": report.witnessed,
                "findings": findings,
            }
        )


def register(router: BaseRouter) -> None:
    """Add the routes of this app."""
    router.register("audit-events", AuditEventViewSet, "audit-event")
