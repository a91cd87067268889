"""Tenants' namespaces over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters import manifest_text
from console.accounts.permissions import SIGNED_IN, allowed
from console.ui.api import flag
from console.ui.api_problems import Conflict, form_problem
from tenancy import fit
from tenancy import namespace_actions as actions
from tenancy.api import find_tenant
from tenancy.api_fit import FitTextSerializer, ReportSerializer
from tenancy.api_namespace_fields import (
    FitSerializer,
    MoveSerializer,
    NamespaceCreateSerializer,
    NamespaceDetailSerializer,
    NamespaceInputSerializer,
    NamespaceSerializer,
)
from tenancy.api_proofs import ProofActions
from tenancy.api_quick_start import QuickStartMixin
from tenancy.api_use import NamespaceUseMixin
from tenancy.filters_namespaces import NamespaceFilter
from tenancy.forms_namespaces import NamespaceForm, initial_of, new_one
from tenancy.models import Namespace, Tenant, TenantCluster
from tenancy.permissions import NAMESPACES
from tenancy.views_namespaces import namespace_or_404, visible


class NamespaceViewSet(
    ProofActions,
    QuickStartMixin,
    NamespaceUseMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Namespace],
):
    """The namespaces of the tenants that the user may see."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": SIGNED_IN,
        "partial_update": SIGNED_IN,
        "destroy": SIGNED_IN,
        "mend": SIGNED_IN,
        "accept": SIGNED_IN,
        "fit": SIGNED_IN,
        "proofs": SIGNED_IN,
        "prove": SIGNED_IN,
        "cancel_proof": SIGNED_IN,
        "use_history": SIGNED_IN,
        "quick_start": SIGNED_IN,
        "quick_start_remove": SIGNED_IN,
        "move": "tenants.change",
        "release": "tenants.change",
    }
    queryset = Namespace.objects.all()
    serializer_class = NamespaceSerializer
    filterset_class = NamespaceFilter
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Namespace]:
        """The namespaces that the user may see."""
        return visible(self.request.user)

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        """One namespace comes with its use."""
        return NamespaceDetailSerializer if self.action == "retrieve" else NamespaceSerializer

    @extend_schema(
        request=NamespaceCreateSerializer,
        parameters=[OpenApiParameter("dry_run", bool, description="answer the figures alone")],
        responses={201: NamespaceSerializer, 200: FitSerializer},
    )
    def create(self, request: Request) -> Response:
        """Make a namespace; its cluster follows within a moment. ?dry_run=true keeps nothing."""
        body = NamespaceCreateSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        tenant = find_tenant(request.user, sent["tenant"], NAMESPACES)
        _platform(request, sent["adopt"])
        grants = TenantCluster.objects.select_related("cluster")
        grant = grants.filter(tenant=tenant, cluster=sent["cluster"]).first()
        if grant is None:
            raise serializers.ValidationError(
                {"cluster": [_("%(tenant)s has been given no such cluster.") % {"tenant": tenant}]}
            )
        data = body.over(new_one(tenant, sent["adopt"]))
        form = NamespaceForm(data, tenant=tenant, cluster=grant.cluster, adopting=sent["adopt"])
        if flag(request, "dry_run"):
            return Response(FitSerializer(_fit(form)).data)
        saved = (
            actions.create(form, by=_user(request), request=request) if form.is_valid() else None
        )
        if saved is None:
            raise form_problem(form)
        return Response(NamespaceSerializer(saved).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=NamespaceInputSerializer, responses=NamespaceSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Change the fields that are sent; name, cluster and tenant cannot be changed so."""
        row = _of(request, pk)
        fixed = {"name": row.name, "cluster": row.cluster_id, "tenant": row.tenant.slug}
        sent = request.data if isinstance(request.data, Mapping) else {}
        for name, value in fixed.items():
            if sent.get(name, value) != value:
                raise serializers.ValidationError({name: [_("This cannot be changed.")]})
        body = NamespaceInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.over(initial_of(row))
        form = NamespaceForm(data, tenant=row.tenant, cluster=row.cluster, namespace=row)
        if not form.is_valid():
            raise form_problem(form)
        saved = _done(actions.change, form, request)
        if saved is None:
            raise form_problem(form)
        return Response(NamespaceSerializer(saved).data)

    @extend_schema(responses={202: NamespaceSerializer})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Delete it with all that is in it; the row goes when the cluster has done so."""
        row = _of(request, pk)
        actions.remove(row, by=_user(request), request=request)
        row.refresh_from_db()
        return Response(NamespaceSerializer(row).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={200: NamespaceSerializer, 409: None})
    @action(detail=True, methods=["post"])
    def mend(self, request: Request, pk: str | None = None) -> Response:
        """Have the cluster made as it is wanted again. 409 where nothing was changed by hand."""
        return Response(NamespaceSerializer(_done(actions.mend, _of(request, pk), request)).data)

    @extend_schema(request=None, responses={200: NamespaceSerializer, 409: None})
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str | None = None) -> Response:
        """Keep what was changed by hand. 409 where nothing was."""
        return Response(NamespaceSerializer(_done(actions.accept, _of(request, pk), request)).data)

    @extend_schema(request=MoveSerializer, responses={200: NamespaceSerializer, 409: None})
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str | None = None) -> Response:
        """Give it to another tenant. 409 where that one's quota or grants do not take it."""
        row = _of(request, pk)
        body = MoveSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        target = Tenant.objects.filter(slug=body.validated_data["tenant"]).first()
        if target is None:
            raise serializers.ValidationError({"tenant": [_("There is no such tenant.")]})
        try:
            moved = actions.move(row, target, by=_user(request), request=request)
        except actions.NamespaceRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(NamespaceSerializer(moved).data)

    @extend_schema(request=FitTextSerializer, responses=ReportSerializer)
    @action(detail=True, methods=["post"])
    def fit(self, request: Request, pk: str | None = None) -> Response:
        """Whether manifests would fit, and what stands in the way; nothing is applied."""
        row = namespace_or_404(request.user, int(pk or 0))
        body = FitTextSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            found = fit.report(row, body.validated_data["text"])
        except manifest_text.Refused as refused:
            said = [str(problem) for problem in refused.problems]
            raise serializers.ValidationError({"text": said}) from refused
        return Response(ReportSerializer(found).data)

    @extend_schema(request=None, responses={202: NamespaceSerializer})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str | None = None) -> Response:
        """Let go of it: it stays on its cluster and belongs to no tenant."""
        row = _of(request, pk)
        actions.release(row, by=_user(request), request=request)
        row.refresh_from_db()
        return Response(NamespaceSerializer(row).data, status=status.HTTP_202_ACCEPTED)


def _user(request: Request) -> Any:
    return request.user


def _of(request: Request, pk: str | None) -> Namespace:
    """The namespace of a change: 404 unless seen, 403 without the right."""
    return namespace_or_404(request.user, int(pk or 0), NAMESPACES)


def _platform(request: Request, adopting: bool) -> None:
    if adopting and not allowed(request.user, "tenants.change"):
        raise exceptions.PermissionDenied(_("Only a platform admin adopts namespaces."))


def _done(do: Any, what: Any, request: Request) -> Any:
    try:
        return do(what, by=_user(request), request=request)
    except actions.NamespaceRefusedError as error:
        raise Conflict(str(error)) from error


def _fit(form: NamespaceForm) -> dict[str, Any]:
    valid = form.is_valid()
    short = [
        {**{name: getattr(one, name) for name in _FIGURES}, "text": one.text()}
        for one in form.shortfalls
    ]
    left = [room for rooms in form.rooms.values() for room in rooms]
    return {"fits": valid, "shortfalls": short, "left": left, "problems": form_problem(form).detail}


_FIGURES = ("resource", "scope", "limit", "taken", "wanted", "short_by")


def register(router: BaseRouter) -> None:
    """Add namespaces/ to the API."""
    router.register("namespaces", NamespaceViewSet, basename="namespace")
