"""Upgrades and certificates over REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clusters.models import Cluster
from provisioning.action_nodes import DRAIN_SECONDS
from provisioning.api_operations import operate
from provisioning.api_requests import DRY_RUN, PLAN_OR_TASK, release_of
from provisioning.certificates import Level, certificates_of
from provisioning.forms_upgrade import LEAST_DRAIN, MOST_DRAIN
from provisioning.models import Host


class UpgradeSerializer(serializers.Serializer[Any]):
    """Where a cluster is to go."""

    release = serializers.CharField(
        max_length=64, help_text="A version (v1.33.1) or a release's number."
    )
    accept_removed_apis = serializers.BooleanField(
        default=False, help_text="Go on although API versions are used that the release has not."
    )
    force = serializers.BooleanField(
        default=False, help_text="Pods that no controller would make anew may go, too."
    )
    drain_seconds = serializers.IntegerField(
        default=DRAIN_SECONDS,
        min_value=LEAST_DRAIN,
        max_value=MOST_DRAIN,
        help_text="How long the drain of one node may take.",
    )


class CertificateSerializer(serializers.Serializer[Any]):
    """One certificate; level says how soon it ends."""

    name = serializers.CharField()
    place = serializers.CharField(help_text="The host that has it, or the console.")
    subject = serializers.CharField()
    issuer = serializers.CharField()
    ends = serializers.DateTimeField()
    level = serializers.ChoiceField([level.value for level in Level])
    authority = serializers.BooleanField()
    renews_itself = serializers.BooleanField()
    seen = serializers.DateTimeField(
        allow_null=True, help_text="When its host was looked at, for what lies there alone."
    )


class CertificatesSerializer(serializers.Serializer[Any]):
    """All of them, the one that ends first at the top."""

    certificates = CertificateSerializer(many=True)


class UpgradeActions:
    """Another version, and new certificates."""

    upgrade_permissions = {
        "upgrade": "clusters.change",
        "certificates": "clusters.view",
        "renew_certificates": "clusters.change",
    }

    @extend_schema(request=UpgradeSerializer, parameters=[DRY_RUN], responses=PLAN_OR_TASK)
    @action(detail=True, methods=["post"], filter_backends=[])
    def upgrade(self, request: Request, pk: str | None = None) -> Response:
        """Upgrade by one minor version or within it; refused with every reason against it."""
        cluster: Cluster = self.get_object()  # type: ignore[attr-defined]
        body = UpgradeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        values["release"] = release_of(values["release"], Host.objects.filter(cluster=cluster))
        return operate(request, cluster, "upgrade", values)

    @extend_schema(responses=CertificatesSerializer)
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=None)
    def certificates(self, _request: Request, pk: str | None = None) -> Response:
        """What, where, until when: the console's own, the hosts' and the kubelets'."""
        cluster: Cluster = self.get_object()  # type: ignore[attr-defined]
        rows = [row.as_data() for row in certificates_of(cluster)]
        return Response(CertificatesSerializer({"certificates": rows}).data)

    @extend_schema(request=None, parameters=[DRY_RUN], responses=PLAN_OR_TASK)
    @action(detail=True, methods=["post"], url_path="renew-certificates", filter_backends=[])
    def renew_certificates(self, request: Request, pk: str | None = None) -> Response:
        """Make every leaf certificate anew; also when all of them have expired."""
        cluster: Cluster = self.get_object()  # type: ignore[attr-defined]
        return operate(request, cluster, "renew_certificates", {})
