"""Forms for SSH credentials: a generated key, a pasted one, and the name of one."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from provisioning.forms_hosts import PasswordField
from provisioning.hosts import InputError, clean_user
from provisioning.keys import KeyPair, KeyRefusedError, generate, load_private
from provisioning.models import KeyKind, SSHCredential

KINDS = (
    (KeyKind.ED25519, _("Ed25519: small and fast, the usual choice")),
    (KeyKind.ECDSA, _("ECDSA P-256")),
    (KeyKind.RSA, _("RSA 3072: for very old hosts")),
)


class CredentialForm(forms.Form):
    """The name of a credential and the user that it signs in as."""

    name = forms.CharField(
        label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    username = forms.CharField(
        label=_("User on the hosts"),
        max_length=64,
        initial="root",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off"}),
        help_text=_("root, or a user who may use sudo."),
    )
    valid_until = forms.DateField(
        label=_("Replace before"),
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        input_formats=["%Y-%m-%d"],
        help_text=_("The console warns 30, 7 and 1 days before this day. The key goes on working."),
    )

    def __init__(self, *args: Any, credential: SSHCredential | None = None, **kwargs: Any) -> None:
        self.credential = credential
        if credential is not None:
            kwargs["initial"] = {
                "name": credential.name,
                "username": credential.username,
                "valid_until": credential.valid_until,
            }
        super().__init__(*args, **kwargs)

    def clean_name(self) -> str:
        """A name that no other credential has, in one line without control characters."""
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError(_("The name holds characters that cannot be shown."))
        same = SSHCredential.objects.filter(name=name).first()
        if same is not None and same != self.credential:
            raise forms.ValidationError(
                _("There is a credential named “%(name)s” already: choose another name."),
                params={"name": name},
            )
        return name

    def clean_username(self) -> str:
        """A user name of a Linux host."""
        try:
            return clean_user(self.cleaned_data["username"])
        except InputError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_valid_until(self) -> date | None:
        """A day that is still to come, or the one that is stated already."""
        day: date | None = self.cleaned_data["valid_until"]
        stated = self.credential.valid_until if self.credential else None
        if day is not None and day != stated and day <= timezone.localdate():
            raise forms.ValidationError(_("This day is not in the future."))
        return day


class GenerateForm(CredentialForm):
    """A key that the console makes."""

    kind = forms.ChoiceField(
        label=_("Key type"), choices=KINDS, initial=KeyKind.ED25519, widget=forms.RadioSelect
    )

    def pair(self) -> KeyPair:
        """The new key; its comment is what authorized_keys will show."""
        return generate(self.cleaned_data["kind"], comment=_comment(self.cleaned_data["name"]))


class PasteForm(CredentialForm):
    """A key that somebody has already. It is never sent back to the browser."""

    private_key = forms.CharField(
        label=_("Private key"),
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 9,
                "class": "font-monospace",
                "autocomplete": "off",
                "autocapitalize": "off",
                "spellcheck": "false",
                "placeholder": "-----BEGIN OPENSSH PRIVATE KEY-----",
            }
        ),
        help_text=_("Ed25519, RSA of at least 2048 bits or ECDSA; OpenSSH or PEM format."),
    )
    passphrase = PasswordField(
        label=_("Passphrase"), help_text=_("Where the key has one. Used once and not kept.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loaded: KeyPair | None = None

    def clean(self) -> dict[str, Any]:
        """The key, opened; its fault at the field that has it."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("private_key") and "passphrase" in cleaned:
            comment = _comment(cleaned.get("name", ""))
            try:
                self.loaded = load_private(cleaned["private_key"], cleaned["passphrase"], comment)
            except KeyRefusedError as error:
                self.add_error(error.field, str(error))
        return cleaned

    def pair(self) -> KeyPair:
        """The key of a valid form."""
        if self.loaded is None:
            raise ValueError("the form is not valid")
        return self.loaded

    def forget_secrets(self) -> None:
        """Take the key out of what is sent back, and say so where it has to be pasted again."""
        if self.data.get("private_key") and not self.has_error("private_key"):
            self.add_error("private_key", _("Paste it again: a private key is not sent back."))
        secret = ("private_key", "passphrase")
        self.data = {key: value for key, value in self.data.items() if key not in secret}


def _comment(name: str) -> str:
    return f"flotilla {name}".strip()
