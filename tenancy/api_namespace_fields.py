"""What the REST API says and takes of tenants' namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from clusters.pools_rules import label_text
from tenancy import quotas
from tenancy.api import LimitsSerializer
from tenancy.forms_exceptions import exceptions_text
from tenancy.forms_namespaces import LIMITS, QUOTA
from tenancy.isolation import checked
from tenancy.models import Isolation, Namespace, PodSecurity
from tenancy.quantity_fields import keys


class DriftSerializer(serializers.Serializer[Any]):
    """One object that somebody changed by hand."""

    kind = serializers.CharField()
    name = serializers.CharField()
    diff = serializers.CharField()


class NamespaceSerializer(serializers.ModelSerializer[Namespace]):
    """A namespace as it is wanted, and how far its cluster has followed."""

    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    cluster_name = serializers.CharField(source="cluster.name", read_only=True)
    pool_name = serializers.CharField(source="pool.name", read_only=True, default=None)
    quota = serializers.DictField(child=serializers.CharField(), read_only=True)
    limits = serializers.DictField(
        child=serializers.DictField(child=serializers.CharField()), read_only=True
    )
    exceptions = serializers.ListField(child=serializers.DictField(), read_only=True)
    labels = serializers.DictField(child=serializers.CharField(), read_only=True)
    drift = DriftSerializer(many=True, read_only=True)
    remaining = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="what a deletion waits for"
    )

    class Meta:
        model = Namespace
        fields: tuple[str, ...] = (
            "id", "tenant", "cluster", "cluster_name", "name", "description", "quota", "limits",
            "isolation", "exceptions", "pod_security", "pool", "pool_name", "labels", "adopted",
            "state", "state_reason", "state_since", "revision", "applied_revision", "drift",
            "remaining", "checked", "created",
        )  # fmt: skip
        read_only_fields = fields


class UseSerializer(serializers.Serializer[Any]):
    """One limit, in milli-CPU, bytes or pieces; used null: not known."""

    resource = serializers.CharField(source="resource.key")
    limit = serializers.IntegerField()
    used = serializers.IntegerField(allow_null=True)


class NamespaceDetailSerializer(NamespaceSerializer):
    """A namespace with what is used of its quota."""

    use = serializers.SerializerMethodField()

    class Meta(NamespaceSerializer.Meta):
        fields = (*NamespaceSerializer.Meta.fields, "use")
        read_only_fields = fields

    @extend_schema(responses=UseSerializer(many=True))
    def get_use(self, row: Namespace) -> list[Any]:
        """What is used of each limit."""
        return list(UseSerializer(quotas.of_namespaces([row])[row.pk], many=True).data)


class NamespaceInputSerializer(serializers.Serializer[Any]):
    """A namespace to be changed; what is sent replaces what was there."""

    description = serializers.CharField(max_length=255, required=False, allow_blank=True)
    quota = serializers.DictField(
        child=serializers.CharField(max_length=40), required=False,
        help_text='{"requests.cpu": "2", "pods": "20"}; what is left out is not limited',
    )  # fmt: skip
    limits = LimitsSerializer(required=False)
    isolation = serializers.ChoiceField(choices=Isolation.choices, required=False)
    exceptions = serializers.ListField(child=serializers.DictField(), required=False, max_length=50)
    pod_security = serializers.ChoiceField(choices=PodSecurity.choices, required=False)
    pool = serializers.IntegerField(required=False, allow_null=True)
    labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=63), required=False
    )

    def validate_labels(self, labels: dict[str, str]) -> dict[str, str]:
        """The form takes lines: a key or value must not hold one."""
        for key, value in labels.items():
            if any(c.isspace() for c in f"{key}{value}"):
                raise serializers.ValidationError(_("Keys and values hold no blanks."))
        return labels

    def validate_quota(self, quota: dict[str, str]) -> dict[str, str]:
        """The form leaves out what it does not know: here that is said."""
        unknown = sorted(key for key in quota if key not in keys(of_tenant=False))
        if unknown:
            raise serializers.ValidationError(
                _("No quota can limit “%(key)s”.") % {"key": unknown[0][:80]}
            )
        return quota

    def validate_exceptions(self, exceptions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """As tenancy.isolation takes them."""
        return checked(exceptions)

    def as_form(self) -> dict[str, Any]:
        """The fields that were sent, as NamespaceForm takes them."""
        sent = dict(self.validated_data)
        found = {
            name: sent[name]
            for name in ("name", "description", "isolation", "pod_security", "pool")
            if name in sent
        }
        if "labels" in sent:
            found["labels"] = "\n".join(label_text(k, v) for k, v in sent["labels"].items())
        if "exceptions" in sent:
            found["exceptions"] = exceptions_text(sent["exceptions"])
        for key, value in sent.get("quota", {}).items():
            found[QUOTA + key] = value
        for of, pair in sent.get("limits", {}).items():
            for part, value in pair.items():
                found[f"{LIMITS}{of}.{part}"] = value
        return found

    def over(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The whole form: what was sent over what was there."""
        gone = [name for name in ("quota", "limits") if name in self.validated_data]
        kept = {
            key: value
            for key, value in before.items()
            if not key.startswith(tuple(f"{name}." for name in gone))
        }
        return kept | self.as_form()


class NamespaceCreateSerializer(NamespaceInputSerializer):
    """A namespace to be made; what is left out comes from the tenant's defaults."""

    tenant = serializers.CharField(max_length=40, help_text="its short name")
    cluster = serializers.IntegerField()
    name = serializers.CharField(max_length=63)
    adopt = serializers.BooleanField(
        required=False, default=False, help_text="it is on the cluster already; platform admins"
    )


class ShortfallSerializer(serializers.Serializer[Any]):
    """One figure that is short, in milli-CPU, bytes or pieces."""

    resource = serializers.CharField()
    scope = serializers.CharField()
    limit = serializers.IntegerField()
    taken = serializers.IntegerField()
    wanted = serializers.IntegerField()
    short_by = serializers.IntegerField()
    text = serializers.CharField()


class LeftSerializer(serializers.Serializer[Any]):
    """What is left of a quota of the tenant without this namespace; cluster "": all clusters."""

    resource = serializers.CharField()
    cluster = serializers.CharField()
    limit = serializers.IntegerField()
    left = serializers.IntegerField()


class FitSerializer(serializers.Serializer[Any]):
    """Whether a namespace would be taken, and the figures."""

    fits = serializers.BooleanField()
    shortfalls = ShortfallSerializer(many=True)
    left = LeftSerializer(many=True)
    problems = serializers.DictField(help_text="messages by field")


class MoveSerializer(serializers.Serializer[Any]):
    """The tenant that it is to belong to, by its short name."""

    tenant = serializers.CharField(max_length=40)
