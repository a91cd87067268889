"""What people do with SSH credentials: each change with its audit event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.audit.record import record
from provisioning.keys import KeyPair
from provisioning.models import SSHCredential


class CredentialInUseError(Exception):
    """A credential that hosts are reached with; the message names them."""


@dataclass(frozen=True)
class Named:
    """What of a credential can be changed: all but the key itself."""

    name: str
    username: str
    valid_until: date | None = None

    @classmethod
    def of(cls, cleaned: Mapping[str, Any]) -> Named:
        """What a valid CredentialForm holds."""
        return cls(cleaned["name"], cleaned["username"], cleaned["valid_until"])


def create(wanted: Named, pair: KeyPair, user: User, request: HttpRequest) -> SSHCredential:
    """Keep a key under a name. IntegrityError when the name is taken."""
    with transaction.atomic():
        credential = SSHCredential.objects.create(
            **asdict(wanted),
            kind=pair.kind,
            public_key=pair.public,
            fingerprint=pair.fingerprint,
            private_key=pair.private,
        )
        after = public_fields(credential)
        record("credential.created", credential, request=request, actor=user, after=after)
    return credential


def public_fields(credential: SSHCredential) -> dict[str, Any]:
    """What an audit event says of a credential."""
    return {
        "name": credential.name,
        "username": credential.username,
        "kind": credential.kind,
        "fingerprint": credential.fingerprint,
        "valid_until": credential.valid_until,
    }


def change(credential: SSHCredential, wanted: Named, user: User, request: HttpRequest) -> None:
    """Give it another name, user or day. IntegrityError when the name is taken."""
    before = public_fields(credential)
    for name, value in asdict(wanted).items():
        setattr(credential, name, value)
    with transaction.atomic():
        credential.save(update_fields=list(asdict(wanted)))
        record(
            "credential.changed",
            credential,
            request=request,
            actor=user,
            before=before,
            after=public_fields(credential),
        )


def why_not_removed(credential: SSHCredential) -> str:
    """Which hosts still need it; empty when none."""
    names = list(credential.hosts.values_list("name", flat=True))
    if not names:
        return ""
    shown = ", ".join(names[:10]) + ("…" if len(names) > 10 else "")
    return _("%(hosts)s are reached with this credential: give them another one first.") % {
        "hosts": shown
    }


def remove(credential: SSHCredential, user: User, request: HttpRequest) -> None:
    """Forget a key. Raises CredentialInUseError while hosts are reached with it."""
    if why := why_not_removed(credential):
        raise CredentialInUseError(why)
    before = public_fields(credential)
    try:
        with transaction.atomic():
            record("credential.removed", credential, request=request, actor=user, before=before)
            credential.delete()
    except ProtectedError as error:  # a host was given it just now
        raise CredentialInUseError(why_not_removed(credential)) from error


def install_command(credential: SSHCredential) -> str:
    """One line that adds the public half on a host, for a person to run there."""
    # The public half is our own text; a quote in its comment must still not end the argument.
    key = credential.public_key.strip().replace("'", "'\\''")
    return f"umask 077; mkdir -p ~/.ssh && printf '%s\\n' '{key}' >> ~/.ssh/authorized_keys"
