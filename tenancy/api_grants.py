"""A tenant's clusters, pools and quotas over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters.models import Cluster, ResourcePool
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN
from console.ui.api_problems import Conflict, form_problem
from tenancy import amounts, quotas
from tenancy import grant_actions as actions
from tenancy.api import TENANT, find_tenant
from tenancy.forms_grants import HARD, PoolsForm
from tenancy.models import Quota, Tenant, TenantCluster

ALL = "all"


class PoolNameSerializer(serializers.ModelSerializer[ResourcePool]):
    """A pool by name."""

    class Meta:
        model = ResourcePool
        fields = ("id", "name")
        read_only_fields = fields


class GrantSerializer(serializers.ModelSerializer[TenantCluster]):
    """A cluster that the tenant may use; pools []: all of it."""

    cluster_name = serializers.CharField(source="cluster.name", read_only=True)
    pools = PoolNameSerializer(many=True, read_only=True)

    class Meta:
        model = TenantCluster
        fields = ("cluster", "cluster_name", "pools", "since")
        read_only_fields = fields


class PoolsSerializer(serializers.Serializer[Any]):
    """The ids of the pools that may be used; none: the whole cluster."""

    pools = serializers.ListField(child=serializers.IntegerField(), required=False, max_length=500)


class GrantInputSerializer(PoolsSerializer):
    """A cluster to be given, all of it or some pools."""

    cluster = serializers.IntegerField()


class GrantViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[TenantCluster]):
    """The clusters that a tenant may use."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": "tenants.change",
        "update": "tenants.change",
        "destroy": "tenants.change",
    }
    queryset = TenantCluster.objects.none()
    serializer_class = GrantSerializer
    lookup_url_kwarg = "cluster"
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[TenantCluster]:
        """The grants of the tenant of the address, for those who may see it."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        tenant = find_tenant(self.request.user, self.kwargs["tenant"])
        return tenant.clusters.select_related("cluster").prefetch_related("pools")

    @extend_schema(responses=GrantSerializer)
    def retrieve(self, request: Request, tenant: str, cluster: str) -> Response:
        """One cluster with the pools that may be used."""
        return Response(GrantSerializer(self._one(cluster)).data)

    @extend_schema(request=GrantInputSerializer, responses={201: GrantSerializer})
    def create(self, request: Request, tenant: str) -> Response:
        """Give the tenant a cluster."""
        row = find_tenant(request.user, tenant)
        body = GrantInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        cluster = get_object_or_404(Cluster, pk=body.validated_data["cluster"])
        made = _granted(row, cluster, body.validated_data.get("pools", []), request)
        return Response(GrantSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=PoolsSerializer, responses=GrantSerializer)
    def update(self, request: Request, tenant: str, cluster: str) -> Response:
        """Other pools of a cluster that the tenant has."""
        row = self._one(cluster)
        body = PoolsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        owner = find_tenant(request.user, tenant)
        made = _granted(owner, row.cluster, body.validated_data.get("pools", []), request)
        return Response(GrantSerializer(made).data)

    @extend_schema(responses={204: None, 409: None})
    def destroy(self, request: Request, tenant: str, cluster: str) -> Response:
        """Take the cluster from the tenant. 409 while it has namespaces there."""
        try:
            actions.withdraw(self._one(cluster), by=cast(User, request.user), request=request)
        except actions.GrantRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _one(self, cluster: str) -> TenantCluster:
        return get_object_or_404(self.get_queryset(), cluster=cluster)


class QuotaSerializer(serializers.Serializer[Any]):
    """How much the tenant may have, on one cluster or (cluster null) on all together.

    hard: {"requests.cpu": "4"}; what is not named is not limited. taken: what its
    namespaces have been given of it, in the same spelling.
    """

    cluster = serializers.IntegerField(allow_null=True)
    cluster_name = serializers.CharField(allow_null=True)
    hard = serializers.DictField(child=serializers.CharField())
    taken = serializers.DictField(child=serializers.CharField())


class HardSerializer(serializers.Serializer[Any]):
    """The whole quota: what is not named is not limited."""

    hard = serializers.DictField(child=serializers.CharField(max_length=40, allow_blank=True))


class QuotaViewSet(viewsets.GenericViewSet[Quota]):
    """The quotas of a tenant: "all" in the address is the one over all clusters."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "update": "tenants.change",
    }
    queryset = Quota.objects.none()
    serializer_class = QuotaSerializer
    filterset_class = None
    pagination_class = None
    lookup_url_kwarg = "scope"
    lookup_value_regex = f"[0-9]+|{ALL}"

    @extend_schema(responses=QuotaSerializer(many=True))
    def list(self, request: Request, tenant: str) -> Response:
        """The quota over all clusters, then that on each cluster that the tenant has."""
        row = find_tenant(request.user, tenant)
        given = row.clusters.select_related("cluster").order_by("cluster__name")
        found = [_told(row, None), *(_told(row, grant.cluster) for grant in given)]
        return Response({"next": None, "previous": None, "results": found})

    @extend_schema(responses=QuotaSerializer)
    def retrieve(self, request: Request, tenant: str, scope: str) -> Response:
        """One quota; without limits where none was set."""
        row = find_tenant(request.user, tenant)
        return Response(_told(row, _scope(row, scope)))

    @extend_schema(request=HardSerializer, responses=QuotaSerializer)
    def update(self, request: Request, tenant: str, scope: str) -> Response:
        """Set a quota, whole. 409 with the figures when more has been given already."""
        row = find_tenant(request.user, tenant)
        cluster = _scope(row, scope)
        body = HardSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            quotas.set_quota(
                row, cluster, body.validated_data["hard"], by=cast(User, request.user),
                request=request,
            )  # fmt: skip
        except amounts.AmountsError as error:
            problems = {HARD + key: [what] for key, what in error.problems.items()}
            raise serializers.ValidationError(problems) from error
        except quotas.QuotaRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(_told(row, cluster))


def _scope(tenant: Tenant, scope: str) -> Cluster | None:
    """The cluster of an address, None for all. Raises Http404 for one it does not have."""
    if scope == ALL:
        return None
    return get_object_or_404(tenant.clusters.select_related("cluster"), cluster=scope).cluster


def _told(tenant: Tenant, cluster: Cluster | None) -> dict[str, Any]:
    row = Quota.objects.filter(tenant=tenant, cluster=cluster).first()
    return {
        "cluster": cluster.pk if cluster else None,
        "cluster_name": cluster.name if cluster else None,
        "hard": row.hard if row else {},
        "taken": amounts.spelled(quotas.taken(tenant, cluster)),
    }


def _granted(tenant: Tenant, cluster: Cluster, pools: list[int], request: Request) -> TenantCluster:
    form = PoolsForm({"pools": pools}, cluster=cluster)
    if not form.is_valid():
        raise form_problem(form)
    try:
        return actions.grant(
            tenant, cluster, form.cleaned_data["pools"], by=cast(User, request.user),
            request=request,
        )  # fmt: skip
    except actions.GrantRefusedError as error:
        raise Conflict(str(error)) from error


def register(router: BaseRouter) -> None:
    """Add tenants/{tenant}/clusters/ and tenants/{tenant}/quotas/ to the API."""
    under = rf"tenants/(?P<tenant>{TENANT})"
    router.register(rf"{under}/clusters", GrantViewSet, basename="tenant-cluster")
    router.register(rf"{under}/quotas", QuotaViewSet, basename="tenant-quota")
