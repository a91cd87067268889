"""A tenant's members over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.confirm import Confirmed
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, Declared
from console.ui.api_problems import Conflict
from tenancy import members as actions
from tenancy.api import TENANT, find_tenant
from tenancy.forms_members import GROUP, USER, find
from tenancy.models import Membership, TenantRole
from tenancy.permissions import MEMBERS, demand


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A person or a group (one of the two, by name) with a role."""

    user = serializers.CharField(source="user.username", default=None, read_only=True)
    group = serializers.CharField(source="group.name", default=None, read_only=True)

    class Meta:
        model = Membership
        fields = ("id", "user", "group", "role", "since")
        read_only_fields = fields


class RoleSerializer(serializers.Serializer[Any]):
    """A role."""

    role = serializers.ChoiceField(choices=TenantRole.choices)


class MemberInputSerializer(RoleSerializer):
    """A person or a group, one of the two, by name."""

    user = serializers.CharField(max_length=150, required=False)
    group = serializers.CharField(max_length=150, required=False)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Adds who it is, as "found"."""
        named = [kind for kind in (USER, GROUP) if kind in data]
        if len(named) != 1:
            raise serializers.ValidationError(_("Name a user or a group, one of the two."))
        kind = named[0]
        try:
            data["found"] = find(kind, data[kind])
        except ValidationError as error:
            raise serializers.ValidationError({kind: error.messages}) from error
        return data


class MemberViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Membership]
):
    """Who belongs to a tenant."""

    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("list", "retrieve", "create", "partial_update", "destroy"), SIGNED_IN
    )
    permission_classes = (Declared,)
    queryset = Membership.objects.none()
    serializer_class = MemberSerializer
    lookup_url_kwarg = "member"
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Membership]:
        """The members of the tenant of the address, for those who may see it."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        tenant = find_tenant(self.request.user, self.kwargs["tenant"])
        return tenant.memberships.select_related("user", "group")

    def get_permissions(self) -> list[Any]:
        """A change of roles asks a browser's session for the password again."""
        found: list[Any] = [Declared()]
        return found if self.action in ("list", "retrieve") else [*found, Confirmed()]

    @extend_schema(request=MemberInputSerializer, responses={201: MemberSerializer})
    def create(self, request: Request, tenant: str) -> Response:
        """Bring somebody in; whoever is in already gets the role instead of theirs."""
        row = find_tenant(request.user, tenant, MEMBERS)
        body = MemberInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            made = actions.set_role(
                row, body.validated_data["found"], body.validated_data["role"],
                by=cast(User, request.user), request=request,
            )  # fmt: skip
        except actions.MemberRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(MemberSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=RoleSerializer, responses=MemberSerializer)
    def partial_update(self, request: Request, tenant: str, member: str) -> Response:
        """Another role."""
        row = find_tenant(request.user, tenant, MEMBERS)
        old = get_object_or_404(row.memberships.select_related("user", "group"), pk=member)
        body = RoleSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        who = old.user or old.group
        assert who is not None  # the table's own constraint
        try:
            made = actions.set_role(
                row, who, body.validated_data["role"], by=cast(User, request.user), request=request
            )
        except actions.MemberRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(MemberSerializer(made).data)

    @extend_schema(responses={204: None, 409: None})
    def destroy(self, request: Request, tenant: str, member: str) -> Response:
        """Take somebody out, or leave by oneself. 409 for the last owner."""
        row = find_tenant(request.user, tenant)
        old = get_object_or_404(row.memberships.select_related("user", "group"), pk=member)
        user = cast(User, request.user)
        if old.user_id != user.pk:
            demand(user, row, MEMBERS)
        try:
            actions.remove(old, by=user, request=request)
        except actions.MemberRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


def register(router: BaseRouter) -> None:
    """Add tenants/{tenant}/members/ to the API."""
    router.register(
        rf"tenants/(?P<tenant>{TENANT})/members", MemberViewSet, basename="tenant-member"
    )
