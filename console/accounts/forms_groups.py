"""The forms of groups."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from console.accounts.models import User

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
# No control characters, no line breaks: names stand in audit events and messages.
_printable = RegexValidator(
    r"\A[^\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]+\Z",
    _("A name holds no line breaks and no invisible characters."),
)


class GroupForm(forms.Form):
    """The name of a group."""

    name = forms.CharField(
        label=_("Name"),
        max_length=150,
        validators=[_printable],
        widget=forms.TextInput(attrs=_PLAIN),
    )

    def __init__(self, *args: Any, group: Group | None = None, **kwargs: Any) -> None:
        if group is not None:
            kwargs.setdefault("initial", {"name": group.name})
        super().__init__(*args, **kwargs)
        self.group = group

    def clean_name(self) -> str:
        """The name. Invalid when another one differs only in upper and lower case."""
        name: str = self.cleaned_data["name"]
        others = Group.objects.filter(name__iexact=name)
        if self.group is not None:
            others = others.exclude(pk=self.group.pk)
        if others.exists():
            raise ValidationError(_("There is a group of this name already."))
        return name


class PersonForm(forms.Form):
    """Somebody by user name. cleaned_data["person"]: the User."""

    person = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs=_PLAIN)
    )

    def clean_person(self) -> User:
        """The user of this name. Invalid when there is none who may sign in."""
        return active_user(self.cleaned_data["person"])


def active_user(name: str) -> User:
    """The user of a name, who may sign in. Raises ValidationError when there is none."""
    found = User.objects.filter(username=name, is_active=True).first()
    if found is None:
        raise ValidationError(
            _("There is no active user “%(name)s”: look at the spelling."), params={"name": name}
        )
    return found
