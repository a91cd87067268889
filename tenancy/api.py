"""Tenants over REST; their members, clusters and quotas are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.confirm import Confirmed
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, Declared, allowed
from console.ui.api_problems import Conflict, form_problem
from tenancy import quantity_fields, tenant_page
from tenancy import tenant_actions as actions
from tenancy.api_use import TenantUseMixin
from tenancy.filters import TenantFilter
from tenancy.forms import LISTS, OF_PLATFORM, FreezeForm, TenantForm, flat_defaults, initial_of
from tenancy.models import Tenant
from tenancy.permissions import OWNERS, VIEW, demand, rights, visible_tenants

# A short name, or a key: no short name is a number.
TENANT = "[a-z0-9-]+"


def find_tenant(user: Any, key: str, right: str = VIEW) -> Tenant:
    """The tenant of a short name or key. Raises Http404 or PermissionDenied as `demand`."""
    by = {"pk": key} if key.isdigit() else {"slug": key}
    found = get_object_or_404(visible_tenants(user), **by)
    demand(user, found, right)
    return found


class PairSerializer(serializers.Serializer[Any]):
    """What a container gets of one resource that says nothing."""

    request = serializers.CharField(max_length=40, required=False, allow_blank=True)
    limit = serializers.CharField(max_length=40, required=False, allow_blank=True)


class LimitsSerializer(serializers.Serializer[Any]):
    """What a container gets that says nothing."""

    cpu = PairSerializer(required=False)
    memory = PairSerializer(required=False)


class DefaultsSerializer(serializers.Serializer[Any]):
    """What a new namespace gets. quota: {"requests.cpu": "2"}."""

    quota = serializers.DictField(child=serializers.CharField(max_length=40), required=False)
    limits = LimitsSerializer(required=False)

    def validate_quota(self, quota: dict[str, str]) -> dict[str, str]:
        """Only resources that a namespace's quota can limit."""
        unknown = sorted(set(quota) - set(quantity_fields.keys(of_tenant=False)))
        if unknown:
            raise serializers.ValidationError(
                {key: [_("No quota of a namespace can limit this.")] for key in unknown}
            )
        return quota


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    """A tenant."""

    defaults = DefaultsSerializer()
    storage_classes = serializers.ListField(child=serializers.CharField())
    ingress_classes = serializers.ListField(child=serializers.CharField())
    registries = serializers.ListField(child=serializers.CharField())
    member_count = serializers.IntegerField()
    cluster_count = serializers.IntegerField()
    namespace_count = serializers.IntegerField()

    class Meta:
        model = Tenant
        fields: tuple[str, ...] = (
            "id", "name", "slug", "description", "frozen", "frozen_reason", "protected",
            "pod_security", "isolation", "defaults", "storage_classes", "ingress_classes",
            "registries", "member_count", "cluster_count", "namespace_count", "created",
        )  # fmt: skip
        read_only_fields = fields


class TenantDetailSerializer(TenantSerializer):
    """A tenant with what the caller may do in it."""

    rights = serializers.SerializerMethodField()

    class Meta(TenantSerializer.Meta):
        fields = (*TenantSerializer.Meta.fields, "rights")
        read_only_fields = fields

    def get_rights(self, tenant: Tenant) -> list[str]:
        """The caller's rights, sorted."""
        return sorted(rights(self.context["request"].user, tenant))


class TenantInputSerializer(serializers.Serializer[Any]):
    """A tenant to be made or changed; lists and defaults replace what was there."""

    name = serializers.CharField(max_length=80, required=False)
    slug = serializers.CharField(max_length=40, required=False)
    description = serializers.CharField(max_length=255, required=False, allow_blank=True)
    owner = serializers.CharField(
        max_length=150, required=False, help_text="user name; when a tenant is made only"
    )
    pod_security = serializers.CharField(max_length=16, required=False)
    isolation = serializers.CharField(max_length=16, required=False)
    protected = serializers.BooleanField(required=False)
    storage_classes = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, max_length=100
    )
    ingress_classes = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, max_length=100
    )
    registries = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, max_length=100
    )
    defaults = DefaultsSerializer(required=False)

    def as_form(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """The fields for TenantForm: what was sent, over what is there now."""
        sent = dict(self.validated_data)
        for name in LISTS:
            if name in sent:
                # The form takes entries apart at blanks: none may hold one.
                if any(c.isspace() for entry in sent[name] for c in entry):
                    raise serializers.ValidationError({name: [_("Entries hold no blanks.")]})
                sent[name] = "\n".join(sent[name])
        kept = dict(now)
        if "defaults" in sent:
            kept = {name: kept[name] for name in kept if not name.startswith("defaults.")}
            kept |= flat_defaults(sent.pop("defaults"))
        return kept | sent


class FreezeSerializer(serializers.Serializer[Any]):
    """Why; the tenant's members read it."""

    reason = serializers.CharField(max_length=255)


class TenantViewSet(
    TenantUseMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Tenant],
):
    """Teams with a share of the fleet. In addresses their short name does as well as their id."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": "tenants.change",
        "partial_update": SIGNED_IN,
        "destroy": "tenants.change",
        "use_history": SIGNED_IN,
        "freeze": "tenants.change",
        "unfreeze": "tenants.change",
    }
    queryset = Tenant.objects.all()
    serializer_class = TenantSerializer
    filterset_class = TenantFilter
    lookup_value_regex = TENANT

    def get_queryset(self) -> QuerySet[Tenant]:
        """The tenants that the caller may see."""
        return tenant_page.with_counts(visible_tenants(self.request.user))

    def get_object(self) -> Tenant:
        """The tenant of the address, by short name or id."""
        key = self.kwargs["pk"]
        by = {"pk": key} if key.isdigit() else {"slug": key}
        return get_object_or_404(self.get_queryset(), **by)

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        """One tenant comes with the caller's rights."""
        return TenantDetailSerializer if self.action == "retrieve" else TenantSerializer

    def get_permissions(self) -> list[BasePermission]:
        """A deletion asks a browser's session for the password again."""
        if self.action == "destroy":
            return [Declared(), Confirmed()]
        return [Declared()]

    @extend_schema(request=TenantInputSerializer, responses={201: TenantSerializer})
    def create(self, request: Request) -> Response:
        """Make a tenant, with an owner where one is named."""
        body = TenantInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        form = TenantForm(body.as_form({"pod_security": "baseline", "isolation": "tenant"}))
        if not form.is_valid():
            raise form_problem(form)
        try:
            made = actions.create(
                form.values, owner=form.cleaned_data["owner"], by=cast(User, request.user),
                request=request,
            )  # fmt: skip
        except IntegrityError as error:
            raise Conflict(_("The name was taken just now: choose another one.")) from error
        row = self.get_queryset().get(pk=made.pk)
        return Response(TenantSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=TenantInputSerializer, responses=TenantSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Change the fields that are sent; owners change what is not the platform's to say."""
        row = self.get_object()
        demand(request.user, row, OWNERS)
        body = TenantInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        if sent.get("slug", row.slug) != row.slug:
            raise serializers.ValidationError({"slug": [_("The short name cannot be changed.")]})
        platform = allowed(request.user, "tenants.change")
        kept = [name for name in OF_PLATFORM if name in sent]
        if kept and not platform:
            raise PermissionDenied(
                _("Only platform admins change this: %(names)s.") % {"names": ", ".join(kept)}
            )
        form = TenantForm(body.as_form(initial_of(row)), tenant=row, platform=platform)
        if not form.is_valid():
            raise form_problem(form)
        try:
            actions.change(row, form.values, by=cast(User, request.user), request=request)
        except IntegrityError as error:
            raise Conflict(_("The name was taken just now: choose another one.")) from error
        return Response(TenantSerializer(self.get_object()).data)

    @extend_schema(responses={204: None, 409: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Delete a tenant. 409 while it is protected or has namespaces."""
        try:
            actions.remove(self.get_object(), by=cast(User, request.user), request=request)
        except actions.TenantRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=FreezeSerializer, responses=TenantSerializer)
    @action(detail=True, methods=["post"])
    def freeze(self, request: Request, pk: str | None = None) -> Response:
        """Leave its members nothing but looking."""
        row = self.get_object()
        form = FreezeForm(request.data if isinstance(request.data, Mapping) else {})
        if not form.is_valid():
            raise form_problem(form)
        actions.freeze(
            row, form.cleaned_data["reason"], by=cast(User, request.user), request=request
        )
        return Response(TenantSerializer(self.get_object()).data)

    @extend_schema(request=None, responses=TenantSerializer)
    @action(detail=True, methods=["post"])
    def unfreeze(self, request: Request, pk: str | None = None) -> Response:
        """Give its members back what their roles allow."""
        actions.unfreeze(self.get_object(), by=cast(User, request.user), request=request)
        return Response(TenantSerializer(self.get_object()).data)


def register(router: BaseRouter) -> None:
    """Add tenants/ to the API."""
    router.register("tenants", TenantViewSet, basename="tenant")
