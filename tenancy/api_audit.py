"""A tenant's audit events over REST, for its owners; nothing can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.permissions import SIGNED_IN, Declared
from console.audit import exporting, looking
from console.audit.api import AuditEventSerializer
from console.audit.api_pages import AuditEventPage
from console.audit.models import AuditEvent
from console.ui.api import problem
from tenancy.api import TENANT, find_tenant
from tenancy.audit_events import TenantAuditFilter, events_of, withholding
from tenancy.models import Tenant
from tenancy.permissions import demand_audit


class TenantAuditEventSerializer(AuditEventSerializer):
    """withheld: fields that the reader may not see, which are empty."""

    withheld = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(AuditEventSerializer.Meta):
        # A longer tuple than the base's, which is what the checker minds.
        fields = (*AuditEventSerializer.Meta.fields, "withheld")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]

    def to_representation(self, instance: AuditEvent) -> Any:
        """The event without what the reader may not see."""
        withhold = self.context.get("withhold")
        instance.withheld = withhold(instance) if withhold else []  # type: ignore[attr-defined]
        return super().to_representation(instance)


class TenantAuditEventViewSet(viewsets.ReadOnlyModelViewSet[AuditEvent]):
    """What happened in a tenant, newest first."""

    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("list", "retrieve", "proof"), SIGNED_IN
    )
    permission_classes = (Declared,)
    queryset = AuditEvent.objects.none()
    serializer_class = TenantAuditEventSerializer
    filterset_class = TenantAuditFilter
    pagination_class = AuditEventPage
    lookup_url_kwarg = "event"
    lookup_value_regex = "[0-9]+"

    def _tenant(self) -> Tenant:
        tenant = find_tenant(self.request.user, self.kwargs["tenant"])
        demand_audit(self.request.user, tenant)
        return tenant

    def get_queryset(self) -> QuerySet[AuditEvent]:
        """The events of the tenant of the address, for those who may read them."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return events_of(self._tenant())

    def get_serializer_context(self) -> dict[str, Any]:
        """With what takes out what the reader may not see."""
        found: dict[str, Any] = dict(super().get_serializer_context())
        if getattr(self, "swagger_fake_view", False):
            return found
        return {**found, "withhold": withholding(self.request.user, self._tenant())}

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One page; looking is recorded."""
        answer = super().list(request, *args, **kwargs)
        found = TenantAuditFilter(request.query_params)
        chosen = {"tenant": self._tenant().slug, **looking.chosen(found)}
        looking.looked(request, chosen, rows=len(answer.data["results"]), form="api")
        return answer

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One event; looking is recorded."""
        looking.looked_at(request, self.get_object())
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(responses={200: OpenApiTypes.OBJECT, 409: OpenApiTypes.OBJECT})
    @action(detail=True, filterset_class=None)
    def proof(self, request: Request, tenant: str, event: str) -> Response:
        """As audit-events/{id}/proof/; what is withheld is named, and its leaf is there instead.

        409 while no checkpoint covers it yet.
        """
        withhold = withholding(request.user, self._tenant())
        found = exporting.proof_of(self.get_object(), withhold)
        if found is None:
            text = _("No checkpoint covers this event yet: ask again in a minute.")
            return Response(problem(409, text, request=request), status=409)
        return Response(found)


def register(router: BaseRouter) -> None:
    """Add tenants/{tenant}/audit-events/ to the API."""
    router.register(
        rf"tenants/(?P<tenant>{TENANT})/audit-events",
        TenantAuditEventViewSet,
        basename="tenant-audit-event",
    )
