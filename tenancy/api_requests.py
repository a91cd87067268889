"""Requests over REST: asking, the list, answering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN
from console.ui.api_problems import Conflict, form_problem
from tenancy import request_actions
from tenancy.filters_requests import RequestFilter
from tenancy.forms_requests import (
    AnswerForm,
    MemberRequestForm,
    NamespaceRequestForm,
    PlaceRequestForm,
    QuotaRequestForm,
)
from tenancy.models import Request, RequestKind, Tenant
from tenancy.permissions import ASK, demand, visible_tenants
from tenancy.request_actions import RequestRefusedError
from tenancy.views_requests import visible_requests


class RequestSerializer(serializers.ModelSerializer[Request]):
    """A request and its answer."""

    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    by = serializers.CharField(source="by.username", read_only=True, default=None)
    decided_by = serializers.CharField(source="decided_by.username", read_only=True, default=None)
    wish = serializers.DictField(read_only=True)
    granted = serializers.DictField(read_only=True)

    class Meta:
        model = Request
        fields = (
            "id", "tenant", "kind", "cluster", "pool", "wish", "granted", "reason", "until",
            "state", "by", "created", "decided_by", "decided", "answer", "ended",
        )  # fmt: skip
        read_only_fields = fields


class WishSerializer(serializers.Serializer[Any]):
    """What is asked for. Of a quota: `amounts` on `cluster` (none: over all) `until` when."""

    tenant = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(choices=RequestKind.choices)
    reason = serializers.CharField(max_length=500)
    cluster = serializers.IntegerField(required=False, allow_null=True)
    pool = serializers.IntegerField(required=False)
    amounts = serializers.DictField(
        child=serializers.CharField(max_length=40), required=False,
        help_text='by how much more, {"requests.cpu": "2"}',
    )  # fmt: skip
    until = serializers.DateTimeField(required=False, allow_null=True)
    user = serializers.CharField(required=False, max_length=150)
    name = serializers.CharField(required=False, max_length=63)
    description = serializers.CharField(required=False, max_length=255, allow_blank=True)
    role = serializers.CharField(required=False, max_length=16)


class AnswerSerializer(serializers.Serializer[Any]):
    """An answer; `amounts` and `until` in place of those that were asked for."""

    answer = serializers.CharField(max_length=500, required=False, allow_blank=True)
    amounts = serializers.DictField(child=serializers.CharField(max_length=40), required=False)
    until = serializers.DateTimeField(required=False, allow_null=True)


class RequestViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Request]
):
    """What tenants asked for, and the answers."""

    # Who may do what with which request is a matter of the tenant: see tenancy.permissions.
    permissions: ClassVar[Mapping[str, str]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": SIGNED_IN,
        "approve": SIGNED_IN,
        "refuse": SIGNED_IN,
        "withdraw": SIGNED_IN,
    }
    queryset = Request.objects.all()
    serializer_class = RequestSerializer
    filterset_class = RequestFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Request]:
        """Those of the tenants that the user may see."""
        return visible_requests(self.request.user)

    @extend_schema(request=WishSerializer, responses={201: RequestSerializer})
    def create(self, request: HttpRequest) -> Response:
        """Ask for something. A policy may approve it at once: see `state`."""
        body = WishSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user = cast(User, request.user)
        sent = body.validated_data
        tenant = get_object_or_404(visible_tenants(user), slug=sent["tenant"])
        demand(user, tenant, ASK)
        form = _form(tenant, sent)
        if not form.is_valid():
            raise form_problem(form, place="cluster")
        try:
            row = request_actions.ask(tenant, form.wish(), by=user, request=request)
        except RequestRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(RequestSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=AnswerSerializer, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: HttpRequest, pk: str | None = None) -> Response:
        """Approve, with other amounts or another end where they are sent. 409: answered already."""
        row, form = self._answer(request, refusing=False)
        try:
            row = request_actions.approve(
                row, by=cast(User, request.user), granted=form.granted,
                until=form.cleaned_data.get("until"), answer=form.cleaned_data["answer"],
                request=request,
            )  # fmt: skip
        except RequestRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(RequestSerializer(row).data)

    @extend_schema(request=AnswerSerializer, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def refuse(self, request: HttpRequest, pk: str | None = None) -> Response:
        """Refuse; `answer` says why."""
        row, form = self._answer(request, refusing=True)
        try:
            row = request_actions.refuse(
                row, by=cast(User, request.user), answer=form.cleaned_data["answer"],
                request=request,
            )  # fmt: skip
        except RequestRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(RequestSerializer(row).data)

    @extend_schema(request=None, responses=RequestSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: HttpRequest, pk: str | None = None) -> Response:
        """Take a request back: one's own, or as somebody who may ask in the tenant."""
        row, user = self.get_object(), cast(User, request.user)
        if not request_actions.may_withdraw(user, row):
            raise exceptions.PermissionDenied(_("You may not withdraw this request."))
        try:
            row = request_actions.withdraw(row, by=user, request=request)
        except RequestRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(RequestSerializer(row).data)

    def _answer(self, request: HttpRequest, *, refusing: bool) -> tuple[Request, AnswerForm]:
        row = self.get_object()
        if not request_actions.may_decide(cast(User, request.user), row):
            raise exceptions.PermissionDenied(_("You may not answer this request."))
        body = AnswerSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        until = sent.get("until", row.until)
        data = {"answer": sent.get("answer", ""), **_until(until), **sent.get("amounts", row.wish)}
        form = AnswerForm(data, row=row, refusing=refusing)
        if not form.is_valid():
            raise form_problem(form, place="cluster")
        return row, form


def _form(
    tenant: Tenant, sent: Mapping[str, Any]
) -> QuotaRequestForm | PlaceRequestForm | MemberRequestForm | NamespaceRequestForm:
    reason = {"reason": sent["reason"]}
    kind = sent["kind"]
    if kind == RequestKind.QUOTA:
        cluster = None
        if sent.get("cluster") is not None:
            quota = tenant.quotas.filter(cluster_id=sent["cluster"]).select_related("cluster")
            found = quota.first()
            if found is None:
                raise serializers.ValidationError(
                    {"cluster": [_("The tenant has no quota on this cluster.")]}
                )
            cluster = found.cluster
        data = {**reason, **_until(sent.get("until")), **sent.get("amounts", {})}
        form = QuotaRequestForm(data, tenant=tenant, cluster=cluster)
        unknown = sorted(set(sent.get("amounts", {})) - set(form.limited))
        if unknown:
            raise serializers.ValidationError(
                {"amounts": [_("Not limited here: %(names)s.") % {"names": ", ".join(unknown)}]}
            )
        return form
    if kind == RequestKind.MEMBERSHIP:
        return MemberRequestForm(
            {**reason, "user": sent.get("user", ""), "role": sent.get("role", "")}, tenant=tenant
        )
    if kind == RequestKind.NAMESPACE:
        fields = {key: sent.get(key, "") for key in ("name", "description", "cluster")}
        return NamespaceRequestForm({**reason, **fields}, tenant=tenant)
    number = sent.get("pool" if kind == RequestKind.POOL else "cluster")
    return PlaceRequestForm({**reason, "place": f"{kind}-{number}"}, tenant=tenant)


def _until(moment: Any) -> dict[str, Any]:
    return {} if moment is None else {"until": moment}


def register(router: BaseRouter) -> None:
    """Add requests/ to the API."""
    router.register("requests", RequestViewSet, basename="request")
