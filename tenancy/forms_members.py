"""The forms of a tenant's members, for pages and for the API."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from console.accounts.forms_groups import active_user
from tenancy.members import Who
from tenancy.models import TenantRole

USER, GROUP = "user", "group"


def roles(*, owners: bool) -> list[tuple[str, Any]]:
    """The roles that somebody may give, with their names; owners: may they make owners."""
    return [(role.value, role.label) for role in TenantRole if owners or role != TenantRole.OWNER]


class RoleForm(forms.Form):
    """One role."""

    role = forms.ChoiceField(label=_("Role"), initial=TenantRole.DEVELOPER)

    def __init__(self, *args: Any, owners: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["role"]
        field.choices = roles(owners=owners)


class MemberForm(RoleForm):
    """A person or a group, by name, and a role."""

    kind = forms.ChoiceField(
        label=_("Who"), choices=((USER, _("A person")), (GROUP, _("A group"))), initial=USER
    )
    who = forms.CharField(
        label=_("User or group name"),
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )
    field_order = ("kind", "who", "role")

    def clean(self) -> dict[str, Any]:
        """cleaned_data["found"]: the User or the Group of this name."""
        data = super().clean() or {}
        if data.get("who") and data.get("kind"):
            try:
                data["found"] = find(data["kind"], data["who"])
            except ValidationError as error:
                self.add_error("who", error)
        return data


def find(kind: str, name: str) -> Who:
    """The person or the group of a name. Raises ValidationError when there is none."""
    if kind == USER:
        return active_user(name)
    found = Group.objects.filter(name=name).first()
    if found is None:
        raise ValidationError(
            _("There is no group “%(name)s”: look at the spelling."), params={"name": name}
        )
    return found
