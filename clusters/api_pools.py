"""Resource pools over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters import pool_actions as actions
from clusters.filters_pools import PoolFilter
from clusters.forms_pools import PoolForm, initial_of
from clusters.models import ResourcePool
from clusters.pools_figures import figures
from clusters.pools_rules import EFFECTS, label_text, taint_text
from clusters.rights import visible_clusters
from console.ui.api_problems import Conflict, form_problem


class TaintSerializer(serializers.Serializer[Any]):
    """One taint."""

    key = serializers.CharField(max_length=320)
    value = serializers.CharField(required=False, default="", allow_blank=True, max_length=63)
    effect = serializers.ChoiceField(choices=EFFECTS)


class PoolSerializer(serializers.ModelSerializer[ResourcePool]):
    """A pool, and how far its nodes have followed."""

    cluster_name = serializers.CharField(source="cluster.name", read_only=True)
    labels = serializers.DictField(child=serializers.CharField(), read_only=True)
    taints = TaintSerializer(many=True, read_only=True)
    nodes = serializers.ListField(child=serializers.CharField(), read_only=True)
    namespaces = serializers.ListField(child=serializers.CharField(), read_only=True)
    problem = serializers.CharField(
        read_only=True, help_text="what could not be done, one line each; empty: all is well"
    )

    class Meta:
        model = ResourcePool
        fields: tuple[str, ...] = (
            "id", "cluster", "cluster_name", "name", "description", "nodes", "labels", "taints",
            "namespaces", "deleting", "problem", "checked", "created",
        )  # fmt: skip
        read_only_fields = fields


class AmountsSerializer(serializers.Serializer[Any]):
    """CPU in cores, memory in bytes; used null: not known of every node."""

    cpu = serializers.FloatField()
    memory = serializers.FloatField()
    pods = serializers.FloatField()
    cpu_requested = serializers.FloatField()
    memory_requested = serializers.FloatField()
    pods_running = serializers.IntegerField()
    cpu_used = serializers.FloatField(allow_null=True)
    memory_used = serializers.FloatField(allow_null=True)


class PoolDetailSerializer(PoolSerializer):
    """A pool with what its nodes offer and what of it is taken."""

    nodes_ready = serializers.SerializerMethodField()
    total = serializers.SerializerMethodField()

    class Meta(PoolSerializer.Meta):
        fields = (*PoolSerializer.Meta.fields, "nodes_ready", "total")
        read_only_fields = fields

    def get_nodes_ready(self, pool: ResourcePool) -> int:
        """How many of its nodes are ready."""
        return figures([pool])[pool.pk].ready

    @extend_schema(responses=AmountsSerializer)
    def get_total(self, pool: ResourcePool) -> dict[str, Any]:
        """All nodes together."""
        return dict(AmountsSerializer(figures([pool])[pool.pk].total).data)


class PoolInputSerializer(serializers.Serializer[Any]):
    """A pool to be made or changed; lists replace what was there."""

    name = serializers.CharField(max_length=63, required=False)
    description = serializers.CharField(max_length=255, required=False, allow_blank=True)
    nodes = serializers.ListField(
        child=serializers.CharField(max_length=253), required=False, max_length=5000
    )
    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=63), required=False
    )
    taints = TaintSerializer(many=True, required=False)
    namespaces = serializers.ListField(
        child=serializers.CharField(max_length=63), required=False, max_length=1000
    )

    def validate_labels(self, labels: dict[str, str]) -> dict[str, str]:
        """The form takes lines: a key or value must not hold one."""
        for key, value in labels.items():
            if any(c.isspace() for c in f"{key}{value}"):
                raise serializers.ValidationError(_("Keys and values hold no blanks."))
        return labels

    def validate_taints(self, taints: list[dict[str, str]]) -> list[dict[str, str]]:
        """The form takes lines: a key or value must not hold one."""
        for taint in taints:
            if any(c.isspace() for c in f"{taint['key']}{taint['value']}"):
                raise serializers.ValidationError(_("Keys and values hold no blanks."))
        return taints

    def as_form(self) -> dict[str, Any]:
        """The fields that were sent, as PoolForm takes them."""
        sent = dict(self.validated_data)
        if "labels" in sent:
            sent["labels"] = "\n".join(label_text(k, v) for k, v in sent["labels"].items())
        if "taints" in sent:
            sent["taints"] = "\n".join(taint_text(taint) for taint in sent["taints"])
        if "namespaces" in sent:
            sent["namespaces"] = "\n".join(sent["namespaces"])
        return sent


class PoolCreateSerializer(PoolInputSerializer):
    """A pool to be made in a cluster."""

    cluster = serializers.IntegerField()


class PoolViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ResourcePool]
):
    """Named sets of nodes, with the labels and taints that they get."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": "pools.view",
        "retrieve": "pools.view",
        "create": "pools.change",
        "partial_update": "pools.change",
        "destroy": "pools.change",
    }
    queryset = ResourcePool.objects.all()
    serializer_class = PoolSerializer
    filterset_class = PoolFilter
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[ResourcePool]:
        """The pools of the clusters that the user may see."""
        rows = ResourcePool.objects.select_related("cluster")
        return rows.filter(cluster__in=visible_clusters(self.request.user))

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        """One pool comes with its figures."""
        return PoolDetailSerializer if self.action == "retrieve" else PoolSerializer

    @extend_schema(request=PoolCreateSerializer, responses={201: PoolSerializer})
    def create(self, request: Request) -> Response:
        """Make a pool; its nodes follow within a moment."""
        body = PoolCreateSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        clusters = visible_clusters(request.user)
        cluster = get_object_or_404(clusters, pk=body.validated_data["cluster"])
        saved = _saved(PoolForm(body.as_form(), cluster=cluster), request)
        return Response(PoolSerializer(saved).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=PoolInputSerializer, responses=PoolSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Change the fields that are sent; the name cannot be changed."""
        pool = self.get_object()
        body = PoolInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        if body.validated_data.get("name", pool.name) != pool.name:
            raise serializers.ValidationError({"name": [_("The name cannot be changed.")]})
        data = {**initial_of(pool), "nodes": pool.nodes, **body.as_form()}
        return Response(
            PoolSerializer(_saved(PoolForm(data, cluster=pool.cluster, pool=pool), request)).data
        )

    @extend_schema(responses={204: None, 409: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Delete a pool once its nodes are as they were. 409 while namespaces are bound to it."""
        try:
            actions.remove(self.get_object(), request)
        except actions.PoolRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


def _saved(form: PoolForm, request: Request) -> ResourcePool:
    saved = actions.save(form, request) if form.is_valid() else None
    if saved is None:
        raise form_problem(form)
    return saved


def register(router: BaseRouter) -> None:
    """Add pools/ to the API."""
    router.register("pools", PoolViewSet, basename="pool")
