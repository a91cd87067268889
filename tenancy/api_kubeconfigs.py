"""Kubeconfigs of tenants over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters.kube import KubeError
from console.accounts.confirm import Confirmed
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, Declared
from console.ui.api_problems import Conflict
from tenancy import kubeconfigs
from tenancy.kubeconfigs import DEFAULT_HOURS, LEAST_HOURS, MOST_HOURS
from tenancy.models import GivenKubeconfig, TenantRole
from tenancy.views_kubeconfigs import namespace_or_404, visible_kubeconfigs


class GivenSerializer(serializers.ModelSerializer[GivenKubeconfig]):
    """A kubeconfig that was given out, without its token, which is kept nowhere."""

    tenant = serializers.CharField(source="tenant.slug", read_only=True, default=None)
    cluster_name = serializers.CharField(source="cluster.name", read_only=True)

    class Meta:
        model = GivenKubeconfig
        fields: tuple[str, ...] = (
            "id", "tenant", "namespace", "namespace_name", "cluster", "cluster_name", "user_name",
            "role", "note", "created", "expires", "revoked", "revoked_why", "gone", "problem",
        )  # fmt: skip
        read_only_fields = fields


class WantedSerializer(serializers.Serializer[Any]):
    """For which namespace, in which role, for how long."""

    namespace = serializers.IntegerField()
    role = serializers.ChoiceField(choices=TenantRole.choices)
    hours = serializers.IntegerField(
        min_value=LEAST_HOURS, max_value=MOST_HOURS, default=DEFAULT_HOURS
    )
    note = serializers.CharField(max_length=120, required=False, default="", allow_blank=True)


class IssuedSerializer(GivenSerializer):
    """The same with the file, in this one answer."""

    kubeconfig = serializers.CharField(read_only=True)

    class Meta(GivenSerializer.Meta):
        fields = (*GivenSerializer.Meta.fields, "kubeconfig")
        read_only_fields = fields


class KubeconfigViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[GivenKubeconfig]
):
    """Kubeconfigs for one namespace each, with an end, and revocable."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": SIGNED_IN,
        "destroy": SIGNED_IN,
    }
    queryset = GivenKubeconfig.objects.all()
    serializer_class = GivenSerializer
    lookup_value_regex = "[0-9]{1,18}"

    def get_permissions(self) -> list[BasePermission]:
        """A browser's session gives its password first to take one."""
        return [Declared(), Confirmed()] if self.action == "create" else [Declared()]

    def get_queryset(self) -> QuerySet[GivenKubeconfig]:
        """Those that the user may revoke."""
        return visible_kubeconfigs(cast(User, self.request.user))

    @extend_schema(request=WantedSerializer, responses={201: IssuedSerializer})
    def create(self, request: Request) -> Response:
        """Take one. `expires` may be sooner than asked for: the cluster has the last word."""
        body = WantedSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent = dict(body.validated_data)
        user = cast(User, request.user)
        namespace = namespace_or_404(user, sent.pop("namespace"))
        if sent["role"] not in kubeconfigs.roles_for(user, namespace):
            held = ", ".join(kubeconfigs.roles_for(user, namespace))
            raise serializers.ValidationError(
                {"role": [_("You may take these roles here: %(roles)s.") % {"roles": held}]}
            )
        try:
            issued = kubeconfigs.issue(namespace, user, request=request, **sent)
        except (kubeconfigs.KubeconfigRefusedError, KubeError) as error:
            raise Conflict(str(error)) from error
        data = {**GivenSerializer(issued.row).data, "kubeconfig": issued.text}
        return Response(data, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={204: None, 202: GivenSerializer})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Revoke one. 202: the cluster is away, and it ends as soon as it answers."""
        row = self.get_object()
        if kubeconfigs.revoke(row, by=cast(User, request.user), request=request):
            return Response(status=status.HTTP_204_NO_CONTENT)
        row.refresh_from_db()
        return Response(GivenSerializer(row).data, status=status.HTTP_202_ACCEPTED)


def register(router: BaseRouter) -> None:
    """Add kubeconfigs/ to the API."""
    router.register("kubeconfigs", KubeconfigViewSet, basename="kubeconfig")
