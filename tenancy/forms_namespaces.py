"""The forms of a tenant's namespace, for pages and for the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import BoundField
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clusters.guarded import is_guarded
from clusters.models import Cluster, Object, ResourcePool, dns_label
from clusters.pools_rules import label_text, labels_of
from tenancy import amounts, quantity_fields, quotas
from tenancy.forms import LIMIT_LABELS
from tenancy.forms_exceptions import exceptions_of, exceptions_text
from tenancy.models import Isolation, Namespace, PodSecurity, Tenant, TenantCluster
from tenancy.namespace_room import Room, rooms
from tenancy.namespace_rules import check_name, guarded, levels_of

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
_LINES = {**_PLAIN, "rows": 3, "class": "font-monospace"}
QUOTA = "quota."
LIMITS = "limits."
# What most namespaces are given; the rest is folded away.
COMMON = (
    "requests.cpu", "limits.cpu", "requests.memory", "limits.memory", "requests.storage",
    "persistentvolumeclaims", "pods", "services",
)  # fmt: skip
MEANINGS = {
    Isolation.OPEN: _("Everybody on the cluster reaches its pods, and they reach everybody."),
    Isolation.TENANT: _("Only the tenant's own namespaces reach its pods."),
    Isolation.NAMESPACE: _("Only its own pods reach each other."),
    Isolation.STRICT: _(
        "Only its own pods reach each other, and they connect to nothing but DNS and what is "
        "listed below."
    ),
}


class NamespaceForm(forms.Form):
    """A namespace of one tenant on one cluster. values(): the fields of Namespace.

    namespace: the one that is changed, None for a new one. adopting: it is on the cluster
    already. Whether the tenant's quota has room is part of being valid; who saves looks
    again while the tenant is locked (tenancy.namespace_actions).
    """

    name = forms.CharField(
        label=_("Name"),
        max_length=63,
        validators=[dns_label, check_name],
        widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("As kubectl shows it. It cannot be changed later."),
    )
    description = forms.CharField(label=_("Description"), max_length=255, required=False)
    isolation = forms.ChoiceField(
        label=_("Isolation"), choices=Isolation.choices, widget=forms.RadioSelect
    )
    exceptions = forms.CharField(
        label=_("Exceptions"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(
            attrs={**_LINES, "placeholder": "ingress-controller\ncidr 10.0.0.0/8 5432/TCP"}
        ),
        help_text=_(
            "What is let through besides, one in a line: ingress-controller, monitoring, "
            "namespace NAME, cidr ADDRESS/LENGTH; ports may follow, as 5432 or 53/UDP."
        ),
    )
    pod_security = forms.ChoiceField(
        label=_("Pod security"),
        choices=PodSecurity.choices,
        help_text=_(
            "Baseline refuses what is known to break out of a container; restricted also asks "
            "pods to run without root. The tenant's own level is the laxest."
        ),
    )
    pool = forms.ModelChoiceField(
        label=_("Resource pool"), queryset=ResourcePool.objects.none(), required=False
    )
    labels = forms.CharField(
        label=_("Labels"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={**_LINES, "placeholder": "team=web"}),
        help_text=_("One in a line: key=value. The namespace gets them."),
    )

    def __init__(
        self,
        *args: Any,
        tenant: Tenant,
        cluster: Cluster,
        namespace: Namespace | None = None,
        adopting: bool = False,
        **kwargs: Any,
    ) -> None:
        self.tenant, self.cluster = tenant, cluster
        self.namespace, self.adopting = namespace, adopting
        self.rooms = rooms(tenant, cluster, namespace)
        self.shortfalls: list[quotas.Shortfall] = []
        kwargs["initial"] = initial_of(namespace) if namespace else new_one(tenant, adopting)
        super().__init__(*args, **kwargs)
        if namespace is not None:
            del self.fields["name"]
        elif adopting:
            # Those that can be adopted are listed beside it.
            self.fields["name"].widget.attrs["list"] = "adoptable"
        self._offer()
        # None is required by the form: that one must be stated is a shortfall, with its figures.
        quantity_fields.add(self, QUOTA, {}, of_tenant=False)
        for key in self._resources():
            found = self.rooms.get(key, [])
            self.fields[QUOTA + key].help_text = " · ".join(room.text() for room in found)
        for name, label in LIMIT_LABELS.items():
            self.fields[LIMITS + name] = forms.CharField(
                label=label, required=False, max_length=40, widget=forms.TextInput(attrs=_PLAIN)
            )

    def full_clean(self) -> None:
        """Everything by what the tenant may have now: it may have changed since the page came."""
        self.tenant.refresh_from_db()
        self._offer()
        super().full_clean()

    def _offer(self) -> None:
        levels: Any = self.fields["pod_security"]
        levels.choices = [(level.value, level.label) for level in levels_of(self.tenant)]
        grant = TenantCluster.objects.filter(tenant=self.tenant, cluster=self.cluster).first()
        self.granted = grant is not None
        named = grant.pools.filter(deleting=False) if grant else ResourcePool.objects.none()
        field: Any = self.fields["pool"]
        # A grant that names pools is for these alone.
        field.required = named.exists()
        pools = named if field.required else ResourcePool.objects.filter(cluster=self.cluster)
        offered: QuerySet[ResourcePool] = pools.filter(deleting=False)
        field.queryset = offered.order_by("name")
        field.empty_label = None if field.required else gettext("Any node of the cluster")
        field.help_text = (
            gettext("The nodes that its pods run on.")
            if field.required
            else gettext("The nodes that its pods run on; none: wherever the cluster has room.")
        )

    def clean_name(self) -> str:
        """A name that is free on the cluster, or with adopting=True one that is there."""
        name: str = self.cleaned_data["name"]
        values = {"name": name, "cluster": self.cluster.name}
        if is_guarded(self.cluster, name):
            raise ValidationError(
                _("“%(name)s” of %(cluster)s is the admins' alone: choose another name."),
                params=values,
            )
        if Namespace.objects.filter(cluster=self.cluster, name=name).exists():
            raise ValidationError(
                _("“%(name)s” is taken on %(cluster)s: choose another name."), params=values
            )
        there = Object.objects.filter(cluster=self.cluster, resource="namespaces", name=name)
        if there.exists() and not self.adopting:
            raise ValidationError(
                _(
                    "“%(name)s” is on %(cluster)s already and belongs to nobody here: choose "
                    "another name, or ask a platform admin to adopt it for you."
                ),
                params=values,
            )
        if self.adopting and not there.exists():
            raise ValidationError(
                _("There is no “%(name)s” on %(cluster)s that the watcher has seen."),
                params=values,
            )
        return name

    def clean_labels(self) -> dict[str, str]:
        """{key: value} by Kubernetes' grammar, without keys that are not the tenant's."""
        return labels_of(self.cleaned_data["labels"])

    def clean_exceptions(self) -> list[dict[str, Any]]:
        """As Namespace.exceptions has them."""
        return exceptions_of(self.cleaned_data["exceptions"])

    def clean(self) -> dict[str, Any]:
        """The amounts, and whether the tenant's quota has room for them."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.granted and self.namespace is None:
            raise ValidationError(
                _("%(tenant)s has not been given %(cluster)s."),
                params={"tenant": self.tenant, "cluster": self.cluster},
            )
        quota = quantity_fields.clean(self, QUOTA, of_tenant=False)
        limits = self._limits(cleaned)
        for name, problem in amounts.limits_problems(limits).items():
            self.add_error(LIMITS + name, problem)
        cleaned |= {"quota": quota, "limits": limits}
        if not any(field.startswith(QUOTA) for field in self.errors):
            self._fit(quota)
        return cleaned

    def _fit(self, quota: Mapping[str, str]) -> None:
        self.shortfalls = quotas.shortfalls(
            self.tenant, self.cluster, quota, replacing=self.namespace
        )
        for short in self.shortfalls:
            field = QUOTA + short.resource
            self.add_error(field if field in self.fields else None, short.text())

    def _limits(self, cleaned: Mapping[str, Any]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for name in LIMIT_LABELS:
            of, part = name.split(".")
            if text := str(cleaned.get(LIMITS + name) or "").strip():
                found.setdefault(of, {})[part] = text
        return found

    @staticmethod
    def _resources() -> list[str]:
        return quantity_fields.keys(of_tenant=False)

    def values(self) -> dict[str, Any]:
        """The fields of Namespace that the valid form stands for."""
        names = ("name", "description", "isolation", "exceptions", "pod_security", "pool", "labels")
        named = [name for name in names if name in self.fields]
        return {name: self.cleaned_data[name] for name in (*named, "quota", "limits")}

    # For templates.

    def isolation_cards(self) -> list[tuple[str, str, Any, bool]]:
        """(value, label, what it means, whether it is chosen) of each isolation."""
        chosen = str(self["isolation"].value())
        return [
            (level.value, str(level.label), MEANINGS[level], level.value == chosen)
            for level in Isolation
        ]

    def common_quota(self) -> Iterator[BoundField]:
        """The fields of what most namespaces are given, and of what the tenant's quota limits."""
        return (self[QUOTA + key] for key in self._resources() if self._is_common(key))

    def other_quota(self) -> list[BoundField]:
        """The fields of all other resources."""
        return [self[QUOTA + key] for key in self._resources() if not self._is_common(key)]

    def other_open(self) -> bool:
        """Whether one of the others is filled in or wrong, and must be seen."""
        return any(field.value() or field.errors for field in self.other_quota())

    def container_fields(self) -> list[BoundField]:
        """The defaults of containers."""
        return [self[LIMITS + name] for name in LIMIT_LABELS]

    def namespaces_left(self) -> list[Room]:
        """How many namespaces the tenant may still have, where that is limited."""
        return list(self.rooms.get(amounts.NAMESPACES, []))

    def _is_common(self, key: str) -> bool:
        return key in COMMON or key in self.rooms


class PlaceForm(forms.Form):
    """Where a namespace is to be: a cluster that has been given to a tenant."""

    place = forms.ModelChoiceField(
        label=_("Tenant and cluster"), queryset=TenantCluster.objects.none(), empty_label=None
    )

    def __init__(self, *args: Any, places: QuerySet[TenantCluster], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["place"]
        field.queryset = places


class MoveForm(forms.Form):
    """The tenant that a namespace is to belong to."""

    tenant = forms.ModelChoiceField(label=_("Tenant"), queryset=Tenant.objects.none())

    def __init__(self, *args: Any, namespace: Namespace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["tenant"]
        others = Tenant.objects.filter(clusters__cluster=namespace.cluster_id)
        field.queryset = others.exclude(pk=namespace.tenant_id).distinct()
        field.help_text = gettext("Those that have been given %(cluster)s.") % {
            "cluster": namespace.cluster
        }


def adoptable(cluster: Cluster) -> list[str]:
    """The namespaces on a cluster that belong to nobody here and may be adopted."""
    ours = set(Namespace.objects.filter(cluster=cluster).values_list("name", flat=True))
    there = Object.objects.filter(cluster=cluster, resource="namespaces").order_by("name")
    names = there.values_list("name", flat=True)
    return [name for name in names if name not in ours and not guarded(name)]


def new_one(tenant: Tenant, adopting: bool = False) -> dict[str, Any]:
    """What the form of a new namespace begins with: the tenant's defaults."""
    # Pods that run already must not lose their connections by being adopted.
    isolation = Isolation.OPEN if adopting else tenant.isolation
    return {
        "isolation": isolation,
        "pod_security": tenant.pod_security,
        **_amount_fields(tenant.defaults.get("quota") or {}, tenant.defaults.get("limits") or {}),
    }


def initial_of(namespace: Namespace) -> dict[str, Any]:
    """The fields of a namespace as the form takes them."""
    return {
        "description": namespace.description,
        "isolation": namespace.isolation,
        "exceptions": exceptions_text(namespace.exceptions),
        "pod_security": namespace.pod_security,
        "pool": namespace.pool_id,
        "labels": "\n".join(label_text(k, v) for k, v in namespace.labels.items()),
        **_amount_fields(namespace.quota, namespace.limits),
    }


def _amount_fields(quota: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    found = {QUOTA + key: value for key, value in quota.items()}
    for of, pair in limits.items():
        for part, value in pair.items():
            found[f"{LIMITS}{of}.{part}"] = value
    return found
