"""The forms of a tenant's clusters, pools and quotas, for pages and for the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster, ResourcePool
from tenancy import quantity_fields
from tenancy.models import Tenant

HARD = "hard."


class ClusterForm(forms.Form):
    """A cluster that the tenant does not have yet."""

    cluster = forms.ModelChoiceField(
        label=_("Cluster"), queryset=Cluster.objects.none(), empty_label=None
    )

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["cluster"]
        field.queryset = Cluster.objects.exclude(tenants__tenant=tenant).order_by("name")


class PoolsForm(forms.Form):
    """Which pools of a cluster a tenant may use; none: the whole cluster."""

    pools = forms.ModelMultipleChoiceField(
        label=_("Resource pools"),
        queryset=ResourcePool.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: the whole cluster, every pool of it and the nodes in none."),
    )

    def __init__(self, *args: Any, cluster: Cluster, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["pools"]
        field.queryset = cluster.pools.filter(deleting=False).order_by("name")


class QuotaForm(forms.Form):
    """How much a tenant may have. After is_valid, `hard` has {resource: quantity}."""

    def __init__(self, *args: Any, hard: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        quantity_fields.add(self, HARD, hard, of_tenant=True)
        self.hard: dict[str, str] = {}

    def clean(self) -> dict[str, Any]:
        """Amounts of Kubernetes; an empty field limits nothing."""
        data = super().clean() or {}
        self.hard = quantity_fields.clean(self, HARD, of_tenant=True)
        return data

    @property
    def groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The fields in groups with their headings."""
        return quantity_fields.grouped(self, HARD)
