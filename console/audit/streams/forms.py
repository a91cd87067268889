"""Forms for streams. The API validates with them too."""

from __future__ import annotations

import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from console.audit.models import Stream, StreamKind
from console.audit.streams import files, syslog
from console.audit.streams.outlet import Refused
from console.notices import webhook

ADDRESSES = {
    StreamKind.WEBHOOK: (
        _("Web address"),
        "https://example.com/audit",
        _("Where the console posts to. Redirects are not followed."),
    ),
    StreamKind.SYSLOG: (
        _("Server"),
        "tls://syslog.example.com:6514",
        _("tls://host:port, or tcp://host:port, which is not encrypted."),
    ),
    StreamKind.FILE: (
        _("File"),
        "audit.jsonl",
        _("Its name in the folder of FLOTILLA_AUDIT_STREAM_DIR, on the watcher's machine."),
    ),
}
STARTS = (("first", _("With the first event")), ("now", _("With what happens from now on")))


class StreamForm(forms.Form):
    """One stream; its kind is given and never changes."""

    name = forms.CharField(
        label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    address = forms.CharField(max_length=1000)
    ca = forms.CharField(
        label=_("CA certificate"),
        max_length=65536,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "font-monospace"}),
        help_text=_("PEM. Only what it signed is trusted. Empty: what this machine trusts."),
    )
    start = forms.ChoiceField(label=_("Begin"), choices=STARTS, widget=forms.RadioSelect)
    position = forms.IntegerField(label=_("Send again from position"), min_value=0, required=False)

    def __init__(
        self, *args: Any, kind: StreamKind, stream: Stream | None = None, **kwargs: Any
    ) -> None:
        self.kind, self.stream = kind, stream
        names = ("name", "address", "ca")
        first = {name: getattr(stream, name) for name in names} if stream else {"start": "first"}
        kwargs["initial"] = first
        super().__init__(*args, **kwargs)
        if kind == StreamKind.FILE:
            del self.fields["ca"]
        del self.fields["start" if stream else "position"]
        label, example, notes = ADDRESSES[kind]
        address = self.fields["address"]
        address.label, address.help_text = label, notes
        address.widget = forms.TextInput(attrs={"placeholder": example, "autocomplete": "off"})
        if stream:
            text = _(
                "Empty: it goes on at %(position)s. What the receiver has already comes twice."
            )
            self.fields["position"].help_text = text % {"position": stream.position}

    def clean_name(self) -> str:
        """A name that no other stream has, in one line without control characters."""
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError(_("The name holds characters that cannot be shown."))
        if self._others().filter(name=name).exists():
            raise forms.ValidationError(
                _("There is a stream named “%(name)s” already: choose another name."),
                params={"name": name},
            )
        return name

    def clean_address(self) -> str:
        """Where the console may send to, by the kind's own rules."""
        address: str = self.cleaned_data["address"]
        try:
            if self.kind == StreamKind.WEBHOOK:
                webhook.target(address)
            elif self.kind == StreamKind.SYSLOG:
                syslog.server(address)
            else:
                files.check(address)
        except (webhook.Undelivered, Refused) as error:
            raise forms.ValidationError(str(error)) from error
        same = self._others().filter(kind=self.kind, address=address)
        if self.kind == StreamKind.FILE and same.exists():
            raise forms.ValidationError(_("Another stream writes this file: name another one."))
        return address

    def clean_ca(self) -> str:
        """The certificates alone, as PEM."""
        text: str = self.cleaned_data["ca"].strip()
        if not text:
            return ""
        if "PRIVATE KEY" in text:
            raise forms.ValidationError(_("This holds a private key: paste certificates only."))
        try:
            found = x509.load_pem_x509_certificates(text.encode())
            plain = "".join(one.public_bytes(Encoding.PEM).decode() for one in found)
            ssl.create_default_context(cadata=plain)
        except (ValueError, ssl.SSLError):
            raise forms.ValidationError(
                _("This is no certificate in PEM form (-----BEGIN CERTIFICATE-----).")
            ) from None
        return plain

    def clean_position(self) -> int | None:
        """A place that was sent already: going forward would leave events out."""
        wanted: int | None = self.cleaned_data["position"]
        if wanted is not None and self.stream and wanted > self.stream.position:
            raise forms.ValidationError(
                _("The stream is at %(position)s: events would be left out. Give that or less."),
                params={"position": self.stream.position},
            )
        return wanted

    def _others(self) -> QuerySet[Stream]:
        rows = Stream.objects.all()
        return rows.exclude(pk=self.stream.pk) if self.stream else rows
