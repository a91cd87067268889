"""Operations on a running cluster over REST: each with ?dry_run=true for its plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clusters.models import Cluster
from console.ui.api import flag
from provisioning import cluster_operations
from provisioning.api_requests import (
    DRY_RUN,
    PLAN_OR_TASK,
    HostsField,
    launched,
    refusal,
    user_of,
)
from provisioning.cluster_request import MOST_HOSTS
from provisioning.models import Host
from provisioning.operations import Refused


class HostField(serializers.Field[Host, Any, int, Any]):
    """One host by number or name."""

    def to_internal_value(self, data: Any) -> Host:
        """The host. Invalid when it does not exist."""
        if not isinstance(data, str | int) or isinstance(data, bool):
            raise serializers.ValidationError([_("Give a host's number or name.")])
        return HostsField().to_internal_value([data])[0]

    def to_representation(self, value: Host) -> int:
        """Its number."""
        return value.pk


class AddNodesSerializer(serializers.Serializer[Any]):
    """Who joins."""

    control_plane = HostsField(default=list, max_length=MOST_HOSTS)
    workers = HostsField(default=list, max_length=MOST_HOSTS)
    accept_even = serializers.BooleanField(
        default=False, help_text="An even number of control planes is meant."
    )


class RemoveNodeSerializer(serializers.Serializer[Any]):
    """Who leaves."""

    host = HostField()
    accept_even = serializers.BooleanField(default=False)
    force = serializers.BooleanField(
        default=False, help_text="Pods that no controller would make anew may go, too."
    )


class ReplaceNodeSerializer(serializers.Serializer[Any]):
    """Who leaves, and who takes the place."""

    host = HostField()
    replacement = HostField()
    force = serializers.BooleanField(default=False)


def operate(request: Request, cluster: Cluster, kind: str, values: Mapping[str, Any]) -> Response:
    """Answer an operation's plan, or launch it (202). Raises a validation error or a conflict."""
    try:
        if flag(request, "dry_run"):
            found = cluster_operations.preview(cluster, kind, values)
            if found.problems or found.plan is None:
                raise refusal(found.problems)
            return Response({"plan": found.plan.as_data()})
        task = cluster_operations.launch(cluster, kind, values, user_of(request), request._request)
    except Refused as refused:
        raise refusal(refused.problems) from refused
    return launched(cluster, task)


class MembershipActions:
    """Hosts come and go."""

    operation_permissions = {
        "add_nodes": "clusters.change",
        "remove_node": "clusters.change",
        "replace_node": "clusters.change",
    }

    @extend_schema(request=AddNodesSerializer, parameters=[DRY_RUN], responses=PLAN_OR_TASK)
    @action(detail=True, methods=["post"], url_path="add-nodes", filter_backends=[])
    def add_nodes(self, request: Request, pk: str | None = None) -> Response:
        """Add workers, or control planes of a standard cluster."""
        return self._operate(request, "add_nodes", AddNodesSerializer)

    @extend_schema(request=RemoveNodeSerializer, parameters=[DRY_RUN], responses=PLAN_OR_TASK)
    @action(detail=True, methods=["post"], url_path="remove-node", filter_backends=[])
    def remove_node(self, request: Request, pk: str | None = None) -> Response:
        """Drain a node, take it off the cluster and clean its host, also when that is gone."""
        return self._operate(request, "remove_node", RemoveNodeSerializer)

    @extend_schema(request=ReplaceNodeSerializer, parameters=[DRY_RUN], responses=PLAN_OR_TASK)
    @action(detail=True, methods=["post"], url_path="replace-node", filter_backends=[])
    def replace_node(self, request: Request, pk: str | None = None) -> Response:
        """Remove a node and give its role to another host, in one operation."""
        return self._operate(request, "replace_node", ReplaceNodeSerializer)

    def _operate(
        self, request: Request, kind: str, serializer: type[serializers.Serializer[Any]]
    ) -> Response:
        cluster: Cluster = self.get_object()  # type: ignore[attr-defined]
        body = serializer(data=request.data)
        body.is_valid(raise_exception=True)
        return operate(request, cluster, kind, body.validated_data)
