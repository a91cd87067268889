"""Forms for hosts: one, many, and how they are reached. The API validates with them too."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from provisioning.hosts import (
    HostEntry,
    InputError,
    LineError,
    clean_address,
    clean_name,
    clean_user,
    name_from,
    parse_host_lines,
)
from provisioning.models import Host, SSHCredential
from provisioning.targets import MOST_JUMPS

MAX_PASSWORD = 1024
ACCESS = ("credential", "username", "jump", "sudo_password", "first_password")


class PasswordField(forms.CharField):
    """A password as typed: blanks count, and it is never sent back to the browser."""

    def __init__(self, *, label: Any, help_text: Any = "") -> None:
        super().__init__(
            label=label,
            help_text=help_text,
            required=False,
            strip=False,
            max_length=MAX_PASSWORD,
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        )

    def clean(self, value: Any) -> str:
        """The password. No line ends: it is written to sudo as one line."""
        text: str = super().clean(value)
        if any(char in text for char in "\r\n\0"):
            raise forms.ValidationError(_("A password has no line ends."))
        return text


class AccessForm(forms.Form):
    """How hosts are reached: the part that one host and many have in common."""

    credential = forms.ModelChoiceField(
        SSHCredential.objects.none(),
        label=_("SSH credential"),
        required=False,
        empty_label=_("None yet"),
        help_text=_("The key that the console signs in with."),
    )
    username = forms.CharField(
        label=_("User"),
        required=False,
        max_length=64,
        help_text=_("Empty: the credential's user."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off"}),
    )
    jump = forms.ModelChoiceField(
        Host.objects.none(),
        label=_("Jump host"),
        required=False,
        empty_label=_("None: reached directly"),
        help_text=_("A host of this console through which the connection is made."),
    )
    sudo_password = PasswordField(
        label=_("Sudo password"),
        help_text=_("Only where the user is not root and sudo asks for a password."),
    )
    first_password = PasswordField(
        label=_("Password for the first contact"),
        help_text=_(
            "Only where the key is not installed yet: used once to install it, then forgotten."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices_of("credential").queryset = SSHCredential.objects.all()
        self.choices_of("jump").queryset = Host.objects.all()

    def choices_of(self, name: str) -> forms.ModelChoiceField[Any]:
        """The field of a choice between rows."""
        return cast("forms.ModelChoiceField[Any]", self.fields[name])

    def clean_username(self) -> str:
        """A user name of a Linux host."""
        return _checked(clean_user, self.cleaned_data["username"])

    def clean(self) -> dict[str, Any]:
        """A password for the first contact is of no use without a key to install."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("first_password") and not cleaned.get("credential"):
            self.add_error("credential", _("Choose the credential whose key is to be installed."))
        return cleaned

    def ask_again(self) -> None:
        """Say at each password that it has to be typed again: it is never sent back."""
        for name in ("sudo_password", "first_password"):
            if self.data.get(self.add_prefix(name)) and not self.has_error(name):
                self.add_error(name, _("Type it again: passwords are not sent back."))


def _checked(reader: Any, text: str) -> str:
    try:
        return str(reader(text))
    except InputError as error:
        raise forms.ValidationError(str(error)) from error


class HostForm(AccessForm):
    """One host, new or edited. `host` is the edited row."""

    field_order = ("address", "port", "name", *ACCESS, "forget_sudo_password")

    address = forms.CharField(
        label=_("Address"),
        max_length=255,
        help_text=_("An IP address or a host name."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off"}),
    )
    port = forms.IntegerField(label=_("SSH port"), min_value=1, max_value=65535, initial=22)
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=63,
        help_text=_("Becomes the node's name. Empty: made from the address."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off"}),
    )
    forget_sudo_password = forms.BooleanField(label=_("Forget the sudo password"), required=False)

    def __init__(self, *args: Any, host: Host | None = None, **kwargs: Any) -> None:
        self.host = host or Host()
        if host is not None:
            kwargs["initial"] = initial_of(host) | dict(kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        if host is None or not host.sudo_password:
            del self.fields["forget_sudo_password"]
        else:
            self.fields["sudo_password"].help_text = _("One is set. Empty: it stays.")
        if host is not None:
            self.choices_of("jump").queryset = Host.objects.exclude(pk=host.pk)

    def clean_name(self) -> str:
        """A DNS label that no other host has; one that is in a cluster keeps its own."""
        name = self.cleaned_data["name"]
        if not name:
            return ""  # clean() makes one of the address
        name = _checked(clean_name, name)
        self._refuse_change_in_cluster("name", name)
        self._refuse_taken_name(name)
        return name

    def clean_address(self) -> str:
        """An address in its canonical form; a host in a cluster keeps its own."""
        address = _checked(clean_address, self.cleaned_data["address"])
        self._refuse_change_in_cluster("address", address)
        return address

    def clean_jump(self) -> Host | None:
        """A jump host behind which this host does not stand itself."""
        jump: Host | None = self.cleaned_data["jump"]
        refuse_ring(self.host, jump)
        return jump

    def clean(self) -> dict[str, Any]:
        """The name where none was given, and no other host at the same address and port."""
        cleaned = super().clean()
        address, port = cleaned.get("address"), cleaned.get("port")
        if address and port:
            same = Host.objects.filter(address=address, port=port).exclude(pk=self.host.pk).first()
            if same is not None:
                self.add_error(
                    "address",
                    _("The host %(name)s has this address and port already.") % {"name": same.name},
                )
        if address and cleaned.get("name") == "":
            cleaned["name"] = self.host.name or name_from(address)
            try:
                self._refuse_taken_name(cleaned["name"])
            except forms.ValidationError as error:
                self.add_error("name", error)
        return cleaned

    def _refuse_change_in_cluster(self, field: str, value: str) -> None:
        if self.host.cluster is not None and value != getattr(self.host, field):
            raise forms.ValidationError(
                _("It cannot be changed while the host is in the cluster %(cluster)s.")
                % {"cluster": self.host.cluster.name}
            )

    def _refuse_taken_name(self, name: str) -> None:
        if Host.objects.filter(name=name).exclude(pk=self.host.pk).exists():
            raise forms.ValidationError(
                _("There is a host named %(name)s already: choose another name.") % {"name": name}
            )

    def apply(self) -> Host:
        """The host with what was typed, not yet saved. Empty passwords leave what is there."""
        cleaned = self.cleaned_data
        for name in ("name", "address", "port", "username", "credential", "jump"):
            setattr(self.host, name, cleaned[name])
        if cleaned.get("forget_sudo_password"):
            self.host.sudo_password = ""
        for name in ("sudo_password", "first_password"):
            if cleaned[name]:
                setattr(self.host, name, cleaned[name])
        return self.host


def initial_of(host: Host) -> dict[str, Any]:
    """What the form of an existing host starts with; never a secret."""
    return {
        "name": host.name,
        "address": host.address,
        "port": host.port,
        "username": host.username,
        "credential": host.credential_id,
        "jump": host.jump_id,
    }


def refuse_ring(host: Host, jump: Host | None) -> None:
    """Raises ValidationError when the host would be reached through itself or too many others."""
    way, seen = jump, 0
    while way is not None:
        seen += 1
        if way.pk == host.pk:
            raise forms.ValidationError(
                _("%(jump)s is itself reached through %(host)s: that would be a ring.")
                % {"jump": jump, "host": host.name}
            )
        if seen > MOST_JUMPS:
            raise forms.ValidationError(
                _("The way leads through more than %(limit)d hosts.") % {"limit": MOST_JUMPS}
            )
        way = way.jump


class HostsForm(AccessForm):
    """Many hosts, one in a line; all are taken or none."""

    field_order = ("hosts", *ACCESS)

    hosts = forms.CharField(
        label=_("Hosts"),
        widget=forms.Textarea(
            attrs={
                "rows": 10,
                "class": "font-monospace",
                "spellcheck": "false",
                "autocapitalize": "off",
                "placeholder": "root@10.0.0.11 node-1\n10.0.0.12:2222 node-2\n[fd00::13] node-3",
            }
        ),
        help_text=_(
            "One in a line: user@address:port name. Only the address is needed. IPv6 addresses "
            "stand in brackets; lines that start with # are passed over."
        ),
    )

    def clean_hosts(self) -> list[HostEntry]:
        """The hosts. Every line that cannot be taken is an error of its own."""
        entries, errors = parse_host_lines(self.cleaned_data["hosts"])
        errors = sorted([*errors, *_taken(entries)], key=lambda error: error.line)
        if errors:
            raise forms.ValidationError([str(error) for error in errors])
        if not entries:
            raise forms.ValidationError(_("There is no host in these lines."))
        return entries

    def clean_jump(self) -> Host | None:
        """A jump host that can itself be reached."""
        jump: Host | None = self.cleaned_data["jump"]
        refuse_ring(Host(), jump)
        return jump

    def made(self) -> list[Host]:
        """The new hosts, not yet saved."""
        cleaned = self.cleaned_data
        return [
            Host(
                name=entry.name,
                address=entry.address,
                port=entry.port,
                username=entry.username or cleaned["username"],
                credential=cleaned["credential"],
                jump=cleaned["jump"],
                sudo_password=cleaned["sudo_password"],
                first_password=cleaned["first_password"],
            )
            for entry in cleaned["hosts"]
        ]


def _taken(entries: list[HostEntry]) -> list[LineError]:
    """An error for each line whose name or address another host of the console has."""
    names = set(
        Host.objects.filter(name__in=[e.name for e in entries]).values_list("name", flat=True)
    )
    places = {
        (address, port): name
        for address, port, name in Host.objects.filter(
            address__in=[e.address for e in entries]
        ).values_list("address", "port", "name")
    }
    errors = []
    for entry in entries:
        if same := places.get((entry.address, entry.port)):
            cause = gettext("the host %(name)s has this address and port already.") % {"name": same}
            errors.append(LineError(entry.line, entry.address, cause))
        elif entry.name in names:
            cause = gettext("there is a host of this name already.")
            errors.append(LineError(entry.line, entry.name, cause))
    return errors
