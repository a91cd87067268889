"""“Will it fit?” over REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tenancy.fit import Report


class FitTextSerializer(serializers.Serializer[Any]):
    """The manifests to be looked at."""

    text = serializers.CharField(max_length=1024 * 1024, trim_whitespace=False)


class FindingSerializer(serializers.Serializer[Any]):
    """One sentence about one object; blocks: it, or its pods, would be refused."""

    topic = serializers.CharField()
    about = serializers.CharField()
    text = serializers.CharField()
    blocks = serializers.BooleanField()


class FigureSerializer(serializers.Serializer[Any]):
    """A line of the quota, in milli-CPU, bytes or pieces; used and left null: not known."""

    resource = serializers.CharField(source="resource.key")
    limit = serializers.IntegerField()
    used = serializers.IntegerField(allow_null=True)
    wanted = serializers.IntegerField()
    left = serializers.IntegerField(allow_null=True)
    short_by = serializers.IntegerField()
    tenant_left = serializers.IntegerField(allow_null=True)


class DefaultSerializer(serializers.Serializer[Any]):
    """What the namespace's LimitRange would put where a container says nothing."""

    about = serializers.CharField()
    container = serializers.CharField()
    what = serializers.CharField()
    text = serializers.CharField()


class PlacementSerializer(serializers.Serializer[Any]):
    """How many of an object's pods find a node, and why the others do not."""

    about = serializers.CharField()
    wanted = serializers.IntegerField()
    placed = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())


class ReportSerializer(serializers.Serializer[Report]):
    """What an apply would meet; `seen`: as old as that is what is known of the cluster."""

    fits = serializers.BooleanField()
    seen = serializers.DateTimeField(allow_null=True)
    pod_security_enforced = serializers.BooleanField(source="enforced")
    findings = FindingSerializer(many=True)
    figures = FigureSerializer(many=True)
    defaults = DefaultSerializer(many=True)
    placements = PlacementSerializer(many=True)
