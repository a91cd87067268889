"""The custom kinds of a cluster over REST. Their objects come as all others do (api_objects)."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters import custom_kinds
from clusters.api_errors import answered
from clusters.forms_kinds import KindsForm
from clusters.inventory.discovery import wanted
from clusters.models import Cluster
from clusters.operate import NotPossible, user_of
from clusters.rights import visible_clusters
from console.accounts.permissions import Declared


class WatchedSerializer(serializers.Serializer[Any]):
    """A kind that is watched; its objects are at objects/?resource=<resource>."""

    resource = serializers.CharField(source="name", help_text="such as widgets.example.org")
    kind = serializers.CharField(source="row.kind")
    api_version = serializers.CharField(source="row.as_kind.api_version")
    namespaced = serializers.BooleanField(source="row.namespaced")
    objects = serializers.IntegerField(source="number")
    needs_a_look = serializers.IntegerField(source="troubled")
    problem = serializers.CharField(help_text="why its objects are not seen; else empty")


class KindsSerializer(serializers.Serializer[Any]):
    """The kinds that are watched."""

    results = WatchedSerializer(many=True)


class OfferedKindSerializer(serializers.Serializer[Any]):
    """A kind that the cluster offers."""

    resource = serializers.CharField()
    kind = serializers.CharField()
    api_version = serializers.CharField()
    namespaced = serializers.BooleanField()
    watched = serializers.BooleanField()


class OfferedSerializer(serializers.Serializer[Any]):
    """What the watcher last read; asking makes it look again when that is old."""

    read = serializers.DateTimeField(allow_null=True, help_text="null: not yet, ask again")
    problem = serializers.CharField(help_text="why the cluster did not tell all; else empty")
    results = OfferedKindSerializer(many=True)


class WatchSerializer(serializers.Serializer[Any]):
    """Which kind."""

    resource = serializers.CharField(max_length=317, help_text="such as widgets.example.org")


class KindsView(APIView):
    """What is watched of a cluster's custom kinds."""

    permission_classes = [Declared]
    permissions = {"get": "clusters.view", "post": "clusters.change"}

    @extend_schema(operation_id="cluster_kinds", responses=KindsSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """The watched kinds with the number of their objects."""
        return _answer(request, _cluster(request, pk))

    @extend_schema(
        operation_id="cluster_kind_watch", request=WatchSerializer, responses={201: KindsSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Watch a kind that the cluster offers; the watcher follows within ten seconds.

        409 while the watcher has not read yet what the cluster offers.
        """
        cluster = _cluster(request, pk)
        body = WatchSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        resource, offered = body.validated_data["resource"], wanted(cluster)
        names = {str(row) for row in cluster.watched_kinds.all()}
        form = KindsForm(
            {"kinds": sorted({*names, resource})}, cluster=cluster, offered=offered
        )  # fmt: skip
        if resource not in form.known and offered.read is None:
            with answered():
                raise NotPossible(
                    _("The watcher has not read yet which kinds the cluster offers."),
                    _("Try again in a few seconds."),
                )
        if not form.is_valid():
            raise serializers.ValidationError(
                {"resource": [str(told) for told in form.errors["kinds"]]}
            )
        custom_kinds.watch(cluster, form.known[resource], request._request)
        return _answer(request, cluster, status.HTTP_201_CREATED)


class KindView(APIView):
    """One watched kind."""

    permission_classes = [Declared]
    permissions = {"delete": "clusters.change"}

    @extend_schema(operation_id="cluster_kind_unwatch", responses={204: None})
    def delete(self, request: Request, pk: int, resource: str) -> Response:
        """Watch it no longer. The cluster keeps its objects."""
        if not custom_kinds.unwatch(_cluster(request, pk), resource, request._request):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


class OfferedKindsView(APIView):
    """What can be watched."""

    permission_classes = [Declared]
    permissions = {"get": "clusters.change"}

    @extend_schema(operation_id="cluster_kinds_offered", responses=OfferedSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """The custom kinds that the cluster offers, by name."""
        cluster = _cluster(request, pk)
        offered = wanted(cluster)
        watched = {str(row) for row in cluster.watched_kinds.all()}
        form = KindsForm(None, cluster=cluster, offered=offered)
        found = [
            {
                "resource": name,
                "kind": kind.kind,
                "api_version": kind.api_version(),
                "namespaced": kind.namespaced,
                "watched": name in watched,
            }
            for name, kind in sorted(form.known.items())
        ]
        answer = {"read": offered.read, "problem": offered.problem, "results": found}
        return Response(OfferedSerializer(answer).data)


def _cluster(request: Request, pk: int) -> Cluster:
    return get_object_or_404(visible_clusters(request.user), pk=pk)


def _answer(request: Request, cluster: Cluster, code: int = status.HTTP_200_OK) -> Response:
    found = custom_kinds.watched(user_of(request), cluster)
    return Response(KindsSerializer({"results": found}).data, status=code)


KINDS = "clusters/<int:pk>/kinds/"

urlpatterns = [
    path(KINDS, KindsView.as_view(), name="cluster-kinds"),
    path(f"{KINDS}offered/", OfferedKindsView.as_view(), name="cluster-kinds-offered"),
    path(f"{KINDS}<str:resource>/", KindView.as_view(), name="cluster-kind"),
]
