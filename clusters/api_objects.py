"""The inventory over REST: a cluster's objects and events, page by page, from SQL alone."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from clusters.diagnosis.words import level, words
from clusters.filters_objects import EventFilter, ObjectFilter
from clusters.inventory.kinds import BY_RESOURCE
from clusters.listings import LISTINGS
from clusters.models import ClusterEvent, Health, Object
from clusters.rights import visible_events, visible_objects
from clusters.words import cause_text
from console.ui.api import CursorPage

STATUSES = tuple({status for listing in LISTINGS.values() for status in listing.statuses})


class CauseSerializer(serializers.Serializer[Any]):
    """Why something is not well: code, values and evidence stay, words follow the language."""

    code = serializers.CharField(help_text="empty: the cluster's own words are all there is")
    level = serializers.ChoiceField(choices=("bad", "warn", "info"))
    what = serializers.CharField(help_text="one sentence, with its figures")
    mend = serializers.CharField(help_text="what to do; may be empty")
    values = serializers.DictField(help_text="the figures and texts that the sentence is made of")
    evidence = serializers.DictField(help_text="where the proof stands")


class ObjectSerializer(serializers.ModelSerializer[Object]):
    """An object as it was last seen; docs/inventory.md says what a summary holds."""

    cause = serializers.SerializerMethodField()

    class Meta:
        model = Object
        fields = (
            "resource", "api_version", "kind", "namespace", "name", "uid", "status", "health",
            "cause", "owner_kind", "owner_name", "node", "address", "labels", "summary",
            "created", "seen",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(CauseSerializer(allow_null=True))
    def get_cause(self, row: Object) -> dict[str, Any] | None:
        """Why it is not well; null where it is."""
        if row.cause.get("code"):
            told = words(row.cause)
            found = {"code": "", "values": {}, "evidence": {}} | row.cause
            said = {"level": level(row.cause), "what": told.what, "mend": told.mend}
        elif what := cause_text(row):
            found = {"code": "", "values": {}, "evidence": {}}
            said = {"level": "bad" if row.health == Health.BAD else "warn", "what": what}
        else:
            return None
        return dict(CauseSerializer({"mend": "", **found, **said}).data)


class EventSerializer(serializers.ModelSerializer[ClusterEvent]):
    """An event as the cluster told it."""

    class Meta:
        model = ClusterEvent
        fields = (
            "namespace", "about_kind", "about_name", "about_uid", "warning", "reason", "message",
            "source", "count", "first", "last",
        )  # fmt: skip
        read_only_fields = fields


class NamePage(CursorPage):
    """By name, as the lists of pages are."""

    def get_ordering(self, _request: Request, _queryset: Any, _view: Any) -> tuple[str, ...]:
        """The name, and the key where names are the same."""
        return ("name", "pk")


class LastPage(CursorPage):
    """The newest first."""

    def get_ordering(self, _request: Request, _queryset: Any, _view: Any) -> tuple[str, ...]:
        """When it happened last, and the key for what happened at once."""
        return ("-last", "-pk")


class InventoryActions:
    """What clusters.api.ClusterReadViewSet has of the inventory."""

    inventory_permissions = {"objects": "clusters.view", "events": "clusters.view"}
    in_namespaces = ("objects", "events")

    @extend_schema(
        parameters=[
            OpenApiParameter("resource", str, required=True, description="pods, deployments.apps"),
            *(
                OpenApiParameter(name, str)
                for name in ("q", "namespace", "status", "health", "labels", "node")
            ),
        ],
        responses=ObjectSerializer(many=True),
    )
    @action(detail=True, filter_backends=[])
    def objects(self, request: Request, pk: str | None = None) -> Response:
        """The objects of one resource by name, narrowed down as on pages."""
        cluster = self.get_object()  # type: ignore[attr-defined]
        resource = request.query_params.get("resource", "")
        if not resource:
            known = ", ".join(BY_RESOURCE)
            raise ValidationError({"resource": [f"Name one, such as {known}."]})
        form = ObjectFilter(request.query_params, (resource,), STATUSES)
        rows = visible_objects(request.user).filter(cluster=cluster)
        found = form.rows(rows)
        if form.errors:
            raise ValidationError(_said(form))
        return _paged(NamePage(), found, request, self, ObjectSerializer)

    @extend_schema(
        parameters=[OpenApiParameter(n, str) for n in ("q", "namespace", "kind", "type")],
        responses=EventSerializer(many=True),
    )
    @action(detail=True, filter_backends=[])
    def events(self, request: Request, pk: str | None = None) -> Response:
        """What the cluster told, the newest first."""
        cluster = self.get_object()  # type: ignore[attr-defined]
        form = EventFilter(request.query_params)
        rows = form.rows(visible_events(request.user).filter(cluster=cluster))
        if form.errors:
            raise ValidationError(_said(form))
        return _paged(LastPage(), rows, request, self, EventSerializer)


def _said(form: ObjectFilter | EventFilter) -> dict[str, list[str]]:
    """What is wrong with each field."""
    return {name: [str(error) for error in errors] for name, errors in form.errors.items()}


def _paged(
    paginator: CursorPage, rows: Any, request: Request, view: Any, serializer: type[Any]
) -> Response:
    page: Any = paginator.paginate_queryset(rows, request, view) or []
    return paginator.get_paginated_response(serializer(page, many=True).data)
