"""The forms of tenants, for pages and for the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clusters.models import dns_label
from console.accounts.forms_groups import active_user
from console.accounts.models import User
from tenancy import amounts, quantity_fields
from tenancy.models import Isolation, PodSecurity, Tenant

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
_LINES = {**_PLAIN, "rows": 3, "class": "font-monospace"}
QUOTA = "defaults.quota."
LIMITS = "defaults.limits."
LIMIT_LABELS: Mapping[str, Any] = {
    "cpu.request": _("CPU requested by a container"),
    "cpu.limit": _("CPU limit of a container"),
    "memory.request": _("Memory requested by a container"),
    "memory.limit": _("Memory limit of a container"),
}
LISTS = ("storage_classes", "ingress_classes", "registries")
# What is the platform's to say; the rest an owner may change too.
OF_PLATFORM = ("name", "slug", "pod_security", "protected", *LISTS, "owner")
# Words that addresses have in the place of a short name.
RESERVED = {"add"}
MOST_ENTRIES = 100

_class_name = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_registry = re.compile(
    r"(?=.{1,255}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
    r"(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*/?"
)
_line = RegexValidator(
    r"\A[^\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]*\Z",
    _("This holds line breaks or invisible characters: leave them out."),
)


class TenantForm(forms.Form):
    """A tenant. After is_valid, `values` has the fields for tenancy.tenant_actions.

    platform: whether a platform admin fills it in; an owner's form lacks what is the
    platform's to say.
    """

    name = forms.CharField(label=_("Name"), max_length=80, validators=[_line])
    slug = forms.CharField(
        label=_("Short name"),
        max_length=40,
        validators=[dns_label],
        widget=forms.TextInput(attrs=_PLAIN),
        help_text=_(
            "Its name on clusters: lower-case letters, digits and hyphens. It cannot be changed "
            "later."
        ),
    )
    description = forms.CharField(
        label=_("Description"), max_length=255, required=False, validators=[_line]
    )
    owner = forms.CharField(
        label=_("First owner"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("The user name of somebody who then brings in the others. May be left empty."),
    )
    isolation = forms.ChoiceField(
        label=_("Isolation of new namespaces"), choices=Isolation, initial=Isolation.TENANT
    )
    pod_security = forms.ChoiceField(
        label=_("Pod security"),
        choices=PodSecurity,
        initial=PodSecurity.BASELINE,
        help_text=_(
            "The weakest level of the Pod Security Standards that its namespaces may have. Those "
            "that are there already keep theirs."
        ),
    )
    storage_classes = forms.CharField(
        label=_("Storage classes"), required=False, max_length=20_000,
        widget=forms.Textarea(attrs=_LINES),
        help_text=_("Those that may be used, one in a line. Empty: all."),
    )  # fmt: skip
    ingress_classes = forms.CharField(
        label=_("Ingress classes"), required=False, max_length=20_000,
        widget=forms.Textarea(attrs=_LINES),
        help_text=_("Those that may be used, one in a line. Empty: all."),
    )  # fmt: skip
    registries = forms.CharField(
        label=_("Image registries"), required=False, max_length=20_000,
        widget=forms.Textarea(attrs={**_LINES, "placeholder": "registry.example.com/shop"}),
        help_text=_(
            "Where images may come from, one in a line, with a path where only a part is "
            "meant. Empty: from everywhere."
        ),
    )  # fmt: skip
    protected = forms.BooleanField(label=_("Protected from deletion"), required=False)

    def __init__(
        self, *args: Any, tenant: Tenant | None = None, platform: bool = True, **kwargs: Any
    ) -> None:
        self.tenant = tenant
        if tenant is not None:
            kwargs["initial"] = initial_of(tenant)
        super().__init__(*args, **kwargs)
        for name in OF_PLATFORM if not platform else ():
            del self.fields[name]
        if tenant is not None and platform:
            del self.fields["slug"], self.fields["owner"]
        for name, label in LIMIT_LABELS.items():
            self.fields[LIMITS + name] = forms.CharField(
                label=label,
                required=False,
                max_length=40,
                widget=forms.TextInput(
                    attrs={**_PLAIN, "placeholder": "250m" if "cpu" in name else "256Mi"}
                ),
            )
        quantity_fields.add(self, QUOTA, {}, of_tenant=False)

    def clean_name(self) -> str:
        """A name that no other tenant has, upper and lower case alike."""
        name: str = self.cleaned_data["name"]
        if self._others().filter(name__iexact=name).exists():
            raise ValidationError(_("There is a tenant of this name already."))
        return name

    def clean_slug(self) -> str:
        """A short name that is free, and no number: addresses take those for keys."""
        slug: str = self.cleaned_data["slug"]
        if slug in RESERVED or slug.isdigit():
            raise ValidationError(_("This cannot be a short name: choose one with other letters."))
        if Tenant.objects.filter(slug=slug).exists():
            raise ValidationError(_("There is a tenant of this short name already."))
        return slug

    def clean_owner(self) -> User | None:
        """The user of this name, or None where none is named."""
        name = self.cleaned_data["owner"]
        return active_user(name) if name else None

    def clean_storage_classes(self) -> list[str]:
        """Names by Kubernetes' grammar."""
        return _entries(self.cleaned_data["storage_classes"], _class_name)

    def clean_ingress_classes(self) -> list[str]:
        """Names by Kubernetes' grammar."""
        return _entries(self.cleaned_data["ingress_classes"], _class_name)

    def clean_registries(self) -> list[str]:
        """Hosts with an optional port and path, without a scheme."""
        return _entries(self.cleaned_data["registries"], _registry)

    def clean(self) -> dict[str, Any]:
        """Also the defaults of namespaces: quota and what containers get."""
        data = super().clean() or {}
        limits: dict[str, dict[str, str]] = {}
        for name in LIMIT_LABELS:
            resource, part = name.split(".")
            if text := str(data.get(LIMITS + name) or "").strip():
                limits.setdefault(resource, {})[part] = text
        for name, what in amounts.limits_problems(limits).items():
            self.add_error(LIMITS + name if name in LIMIT_LABELS else None, what)
        quota = quantity_fields.clean(self, QUOTA, of_tenant=False)
        self.defaults = {"quota": quota, "limits": limits}
        return data

    @property
    def values(self) -> dict[str, Any]:
        """The fields of a tenant, from a valid form."""
        plain = {
            name: value
            for name, value in self.cleaned_data.items()
            if not name.startswith("defaults.") and name != "owner"
        }
        return {**plain, "defaults": self.defaults}

    @property
    def plain_fields(self) -> list[forms.BoundField]:
        """What is neither a default quota nor a default of containers."""
        return [self[name] for name in self.fields if not name.startswith("defaults.")]

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        """What a container gets that says nothing."""
        return [self[LIMITS + name] for name in LIMIT_LABELS]

    @property
    def quota_groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """What new namespaces get, in groups."""
        return quantity_fields.grouped(self, QUOTA)

    def _others(self) -> Any:
        rows = Tenant.objects.all()
        return rows.exclude(pk=self.tenant.pk) if self.tenant is not None else rows


class FreezeForm(forms.Form):
    """Why a tenant is frozen; its members read it."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=255,
        validators=[_line],
        help_text=_("The tenant's members read this."),
    )


def initial_of(tenant: Tenant) -> dict[str, Any]:
    """The fields of a tenant as TenantForm takes them."""
    found: dict[str, Any] = {
        name: getattr(tenant, name)
        for name in ("name", "description", "isolation", "pod_security", "protected")
    }
    found |= {name: "\n".join(getattr(tenant, name)) for name in LISTS}
    return found | flat_defaults(tenant.defaults)


def flat_defaults(defaults: Mapping[str, Any]) -> dict[str, str]:
    """Tenant.defaults by the names of TenantForm's fields."""
    found = {f"{QUOTA}{key}": str(text) for key, text in (defaults.get("quota") or {}).items()}
    for resource, pair in (defaults.get("limits") or {}).items():
        found |= {f"{LIMITS}{resource}.{part}": str(text) for part, text in pair.items()}
    return found


def _entries(text: str, grammar: re.Pattern[str]) -> list[str]:
    found = list(dict.fromkeys(text.split()))
    if len(found) > MOST_ENTRIES:
        raise ValidationError(_("At most %(most)d entries."), params={"most": MOST_ENTRIES})
    problems = [
        gettext("“%(text)s” is no such name.") % {"text": entry[:80]}
        for entry in found
        if not grammar.fullmatch(entry)
    ]
    if problems:
        raise ValidationError(problems)
    return found
