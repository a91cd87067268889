"""Forms that every app shares."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class ConfirmNameForm(forms.Form):
    """Asks for the name of what is about to be lost, letter by letter."""

    confirm_name = forms.CharField(label=_("Name"), strip=True)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        self.fields["confirm_name"].widget.attrs.update(
            {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        )

    def clean_confirm_name(self) -> str:
        """The typed name. Invalid unless it is exactly the expected one."""
        typed: str = self.cleaned_data["confirm_name"]
        if typed != self.expected:
            raise forms.ValidationError(
                _("This is not the name. Type “%(name)s” to confirm."),
                params={"name": self.expected},
            )
        return typed
