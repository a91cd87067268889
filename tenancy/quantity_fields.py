"""Form fields for quotas: one for each resource, with the rules of tenancy.amounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenancy import amounts

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
_EXAMPLES: Mapping[str, str] = {"cpu": "1500m", "bytes": "2Gi", "count": "20"}
# How a page groups them; what is in none comes last.
GROUPS = (
    (_("CPU, memory and GPUs"), ("requests.cpu", "limits.cpu", "requests.memory", "limits.memory",
                                 "requests.nvidia.com/gpu", "requests.amd.com/gpu")),
    (_("Storage"), ("requests.storage", "persistentvolumeclaims", "requests.ephemeral-storage",
                    "limits.ephemeral-storage")),
    (_("Pods and services"), ("pods", "services", "services.loadbalancers",
                              "services.nodeports")),
)  # fmt: skip


def keys(*, of_tenant: bool) -> list[str]:
    """The resources that a tenant's quota limits, or (of_tenant False) a namespace's."""
    return [
        key
        for key, resource in amounts.RESOURCES.items()
        if of_tenant or not resource.of_tenant_only
    ]


def add(form: forms.Form, prefix: str, values: Mapping[str, str], *, of_tenant: bool) -> None:
    """Give a form a field for each resource, named prefix + resource; empty: not limited."""
    for key in keys(of_tenant=of_tenant):
        resource: Any = amounts.RESOURCES[key]
        form.fields[f"{prefix}{key}"] = forms.CharField(
            label=resource.label,
            required=False,
            max_length=40,
            initial=values.get(key, ""),
            widget=forms.TextInput(
                attrs={**_PLAIN, "placeholder": _EXAMPLES[resource.kind], "inputmode": "text"}
            ),
        )


def clean(form: forms.Form, prefix: str, *, of_tenant: bool) -> dict[str, str]:
    """{resource: canonical quantity} of the fields that `add` made; errors go to the fields."""
    given = {key: form.cleaned_data.get(f"{prefix}{key}", "") for key in keys(of_tenant=of_tenant)}
    try:
        return amounts.spelled(amounts.read(given, of_tenant=of_tenant))
    except amounts.AmountsError as error:
        for key, what in error.problems.items():
            form.add_error(f"{prefix}{key}", what)
        return {}


def grouped(form: forms.Form, prefix: str) -> list[tuple[Any, list[forms.BoundField]]]:
    """The fields that `add` made, in groups with their headings, for a page."""
    left = [name for name in form.fields if name.startswith(prefix)]
    found = []
    for title, members in GROUPS:
        names = [f"{prefix}{key}" for key in members if f"{prefix}{key}" in left]
        left = [name for name in left if name not in names]
        found.append((title, _bound(form, names)))
    if left:
        found.append((_("Objects"), _bound(form, left)))
    return [(title, fields) for title, fields in found if fields]


def _bound(form: forms.Form, names: Iterable[str]) -> list[forms.BoundField]:
    return [form[name] for name in names]
