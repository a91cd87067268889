"""What people do inside clusters, over REST: the same calls as the pages', in the same name."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.api_errors import answered
from clusters.forms_workloads import PROPAGATIONS
from clusters.kube.acting import Acting
from clusters.kube.rollouts import rollback
from clusters.kube.workloads_api import MOST_REPLICAS, Effect, delete, scale
from clusters.models import Object
from clusters.object_actions import NODES, ROLLED, SCALED, SIMPLE
from clusters.operate import NotPossible, path_of, perform, refuse_by_role, user_of
from clusters.rights import object_or_404, visible_objects
from clusters.views_workloads import not_for_this
from console.accounts.permissions import Declared

EFFECT = inline_serializer(
    "OperationEffect",
    {
        "before": serializers.JSONField(),
        "after": serializers.JSONField(),
        "created": serializers.CharField(help_text="the object that it made, or empty"),
    },
)


class ScaleSerializer(serializers.Serializer[Any]):
    """How many replicas."""

    replicas = serializers.IntegerField(min_value=0, max_value=MOST_REPLICAS)


class RollbackSerializer(serializers.Serializer[Any]):
    """To which revision, from which generation of the specification."""

    revision = serializers.IntegerField(min_value=1)
    generation = serializers.IntegerField(
        min_value=1, help_text="metadata.generation that you looked at: another one is refused"
    )


class DeleteSerializer(serializers.Serializer[Any]):
    """What becomes of what the object made."""

    propagation = serializers.ChoiceField(
        choices=[word for word, _label in PROPAGATIONS], default="Background"
    )


def _answer(effect: Effect) -> Response:
    return Response({"before": effect.before, "after": effect.after, "created": effect.name})


class ObjectOperation(APIView):
    """What every operation on one object shares."""

    permission_classes = [Declared]
    permissions = {"post": "clusters.operate"}
    in_namespaces = ("get", "post", "delete")

    def row(self, request: Request, address: dict[str, Any]) -> Object:
        """The object that the address names. Raises Http404."""
        return object_or_404(
            request.user, address["pk"], address["resource"], address["namespace"], address["name"]
        )


class SimpleView(ObjectOperation):
    """Restart, pause, resume, suspend, unsuspend, run."""

    simple = ""

    @extend_schema(request=None, responses=EFFECT)
    def post(self, request: Request, **address: Any) -> Response:
        """Do it; the answer says what was before and is now."""
        return _simple(request, self.row(request, address), self.simple)


class ScaleView(ObjectOperation):
    """Scale a Deployment, StatefulSet or ReplicaSet."""

    @extend_schema(request=ScaleSerializer, responses=EFFECT)
    def post(self, request: Request, **address: Any) -> Response:
        """Set the number of replicas."""
        row = self.row(request, address)
        body = ScaleSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        replicas: int = body.validated_data["replicas"]
        plural, dot, group = row.resource.partition(".")
        with answered():
            if row.resource not in SCALED:
                raise not_for_this(row, _("Scale"))
            refuse_by_role(user_of(request), "patch", row, f"{plural}/scale{dot}{group}")
            return _answer(
                _perform(
                    request, row, "object.scaled", lambda conn: scale(conn, path_of(row), replicas)
                )
            )


class RollbackView(ObjectOperation):
    """Roll a Deployment, StatefulSet or DaemonSet back."""

    @extend_schema(request=RollbackSerializer, responses=EFFECT)
    def post(self, request: Request, **address: Any) -> Response:
        """Give it the pod template of one of its revisions."""
        row = self.row(request, address)
        body = RollbackSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data

        def call(conn: Acting) -> Effect:
            return rollback(
                conn, row.kind, path_of(row), row.namespace, wanted["revision"],
                wanted["generation"],
            )  # fmt: skip

        with answered():
            if row.resource not in ROLLED:
                raise not_for_this(row, _("Rollout"))
            refuse_by_role(user_of(request), "update", row)
            return _answer(_perform(request, row, "object.rolled_back", call))


class DeleteView(ObjectOperation):
    """Delete an object."""

    permissions = {"delete": "clusters.operate"}

    @extend_schema(parameters=[DeleteSerializer], responses=EFFECT)
    def delete(self, request: Request, **address: Any) -> Response:
        """Delete it, and no other of the same name that came after it."""
        row = self.row(request, address)
        query = DeleteSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        how: str = query.validated_data["propagation"]
        with answered():
            refuse_by_role(user_of(request), "delete", row)
            if row.resource == NODES:
                raise NotPossible(
                    _("A node is not deleted here: its machine would go on running."),
                    _("Drain it, then remove it from the cluster."),
                )
            return _answer(
                _perform(
                    request,
                    row,
                    "object.deleted",
                    lambda conn: delete(conn, path_of(row), row.uid, how),
                )
            )


class NodeView(APIView):
    """Cordon or uncordon a node."""

    permission_classes = [Declared]
    permissions = {"post": "clusters.operate"}
    simple = ""

    @extend_schema(request=None, responses=EFFECT)
    def post(self, request: Request, pk: int, name: str) -> Response:
        """Do it; the answer says what was before and is now."""
        return _simple(request, node_or_404(request.user, pk, name), self.simple)


def node_or_404(user: Any, pk: int, name: str) -> Object:
    """A node of a cluster as an object. Raises Http404."""
    rows = visible_objects(user).select_related("cluster")
    return get_object_or_404(rows, cluster_id=pk, resource=NODES, name=name[:254])


def _simple(request: Request, row: Object, id_: str) -> Response:
    """Cordoning what is cordoned already is no error; what does not suit the kind is."""
    wanted = SIMPLE[id_]
    verb, resource = wanted.right
    with answered():
        if row.resource not in wanted.resources:
            raise not_for_this(row, wanted.label)
        refuse_by_role(user_of(request), verb, row, resource)
        return _answer(_perform(request, row, wanted.audit, lambda conn: wanted.call(conn, row)))


def _perform(request: Request, row: Object, audit: str, call: Any) -> Effect:
    # The REST request knows the token; it wraps Django's.
    return perform(row, audit, call, user=user_of(request), request=request._request)


OBJECT = "clusters/<int:pk>/objects/<str:resource>/<str:namespace>/<str:name>/"
NODE = "clusters/<int:pk>/nodes/<str:name>/"

urlpatterns = [
    *(
        path(f"{OBJECT}{id_}/", SimpleView.as_view(simple=id_), name=f"object-{id_}")
        for id_, action in SIMPLE.items()
        if action.resources != (NODES,)
    ),
    path(f"{OBJECT}scale/", ScaleView.as_view(), name="object-scale"),
    path(f"{OBJECT}rollback/", RollbackView.as_view(), name="object-rollback"),
    path(OBJECT, DeleteView.as_view(), name="object-delete"),
    *(
        path(f"{NODE}{id_}/", NodeView.as_view(simple=id_), name=f"node-{id_}")
        for id_ in ("cordon", "uncordon")
    ),
]
