"""The form of a policy that approves small requests for quota by itself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenancy import amounts
from tenancy.models import ApprovalPolicy, Tenant


class PolicyForm(forms.Form):
    """For whom, for how long, and of each resource how much at most."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    tenant = forms.ModelChoiceField(
        Tenant.objects.all(),
        label=gettext_lazy("Tenant"),
        required=False,
        empty_label=gettext_lazy("Every tenant"),
    )
    days = forms.IntegerField(
        label=gettext_lazy("For at most days"),
        required=False,
        min_value=1,
        max_value=366,
        help_text=gettext_lazy(
            "Only requests that end by themselves within so many days. Empty: also for good."
        ),
    )
    enabled = forms.BooleanField(label=gettext_lazy("In force"), required=False, initial=True)

    def __init__(self, *args: Any, policy: ApprovalPolicy | None, **kwargs: Any) -> None:
        most: dict[str, str] = policy.most if policy else {}
        if policy is not None:
            kwargs["initial"] = {
                "name": policy.name, "tenant": policy.tenant, "days": policy.days,
                "enabled": policy.enabled,
            }  # fmt: skip
        super().__init__(*args, **kwargs)
        for key, resource in amounts.RESOURCES.items():
            self.fields[key] = forms.CharField(
                label=str(resource.label),
                required=False,
                max_length=40,
                initial=most.get(key, ""),
                widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "0"}),
            )

    @property
    def resource_fields(self) -> list[forms.BoundField]:
        """The fields of the amounts."""
        return [self[key] for key in amounts.RESOURCES]

    def clean(self) -> dict[str, Any]:
        """Amounts as they are kept; at least one."""
        data = self.cleaned_data
        self.most: dict[str, str] = {}
        for key in amounts.RESOURCES:
            raw = str(data.get(key) or "").strip()
            if not raw:
                continue
            try:
                amount = amounts.parse(key, raw)
            except ValueError as error:
                self.add_error(key, str(error))
                continue
            if amount:
                self.most[key] = amounts.text(key, amount)
        if not self.most and not self.errors:
            raise ValidationError(_("Fill in at least one amount: nothing else is given."))
        return data

    def apply(self, policy: ApprovalPolicy) -> None:
        """Put what was filled in into the row, unsaved."""
        data = self.cleaned_data
        policy.name, policy.tenant = data["name"], data["tenant"]
        policy.days, policy.enabled = data["days"], data["enabled"]
        policy.most = self.most
