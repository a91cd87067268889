"""The form in which a member takes a kubeconfig."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenancy.kubeconfigs import DEFAULT_HOURS, LEAST_HOURS, MOST_HOURS
from tenancy.models import TenantRole


class KubeconfigForm(forms.Form):
    """In which role, for how long, and what for."""

    role = forms.ChoiceField(
        label=_("Role"),
        help_text=_("The least that does: a viewer's changes nothing."),
    )
    hours = forms.IntegerField(
        label=_("Hours"),
        min_value=LEAST_HOURS,
        max_value=MOST_HOURS,
        initial=DEFAULT_HOURS,
        help_text=_("Afterwards it opens nothing any more; at most 30 days."),
    )
    note = forms.CharField(
        label=_("What for"),
        max_length=120,
        required=False,
        help_text=_("So that you find it again when it is to be revoked."),
    )

    def __init__(self, *args: Any, roles: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = dict(TenantRole.choices)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(role, names[role]) for role in roles]
        field.initial = roles[-1] if roles else None
