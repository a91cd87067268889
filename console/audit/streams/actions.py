"""What people do with streams: each change with its audit event, without secrets."""

from __future__ import annotations

import secrets
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from console.audit.models import Stream, StreamKind
from console.audit.record import record
from console.audit.streams import sending
from console.notices import webhook

# Each may have a thread of the watcher.
MOST_STREAMS = 20
FIELDS = ("name", "address", "ca")


class NotPossible(Exception):
    """It cannot be done as things are; the message says why."""


def shown_address(stream: Stream) -> str:
    """The address as lists and audit events have it."""
    if stream.kind == StreamKind.WEBHOOK:
        return webhook.shown(stream.address)
    return stream.address


def create(kind: StreamKind, values: dict[str, Any], request: Any) -> tuple[Stream, str]:
    """A new stream, from the first event or from now on (`start`: "first", "now").

    Also its signing secret, to be shown once; empty for what is not signed. Raises NotPossible
    when there are too many.
    """
    with transaction.atomic():
        if Stream.objects.count() >= MOST_STREAMS:
            text = _("There are %(n)d streams already, which is the most: remove one first.")
            raise NotPossible(text % {"n": MOST_STREAMS})
        stream = Stream(kind=kind, **{name: values[name] for name in FIELDS if name in values})
        if values["start"] == "now":
            stream.position, last = sending.ends()
            stream.checkpoint = max(last - 1, 0)  # the last one goes first: all begins there
        plain = stream.new_secret() if kind == StreamKind.WEBHOOK else ""
        stream.save()
        record("audit_stream.created", stream, request=request, after=_told(stream))
    return stream, plain


def change(stream: Stream, values: dict[str, Any], request: Any) -> None:
    """Other settings; `position`, where it is a number, is sent next."""
    with transaction.atomic():
        row = Stream.objects.select_for_update().get(pk=stream.pk)
        before = _told(row)
        for name in FIELDS:
            setattr(row, name, values.get(name, getattr(row, name)))
        fields = [*FIELDS, "next_try"]
        if values.get("position") is not None:
            row.position = values["position"]
            row.checkpoint = max(row.position - 1, 0)
            # Who sends just now must not move it on; nobody else begins before they are done.
            row.claim = secrets.token_hex(16)
            fields += ["position", "checkpoint", "claim"]
        row.next_try = timezone.now()
        row.save(update_fields=fields)
        after = _told(row)
        if row.address != stream.address:
            after["address_changed"] = True
        record("audit_stream.changed", row, request=request, before=before, after=after)
    stream.refresh_from_db()


def remove(stream: Stream, request: Any) -> None:
    """Send nothing more there, and forget how far it was."""
    with transaction.atomic():
        record("audit_stream.removed", stream, request=request, before=_told(stream))
        stream.delete()


def set_paused(stream: Stream, paused: bool, request: Any) -> None:
    """Hold it back, or let it go on where it was."""
    with transaction.atomic():
        rows = Stream.objects.filter(pk=stream.pk, paused=not paused)
        if not rows.update(paused=paused, next_try=timezone.now()):
            return  # it is so already
        action = "audit_stream.paused" if paused else "audit_stream.resumed"
        after = {"position": stream.position}
        record(action, stream, request=request, after=after)
    stream.refresh_from_db()


def renew_secret(stream: Stream, request: Any) -> str:
    """Another signing secret, to be shown once. Raises NotPossible for what is not signed."""
    if stream.kind != StreamKind.WEBHOOK:
        raise NotPossible(_("Only webhooks are signed."))
    with transaction.atomic():
        plain = stream.new_secret()
        stream.save(update_fields=["secret"])
        record("audit_stream.secret_renewed", stream, request=request)
    return plain


def send_test(stream: Stream, request: Any) -> None:
    """Write an event that says so: it goes out in its turn, and what waits is tried at once.

    Raises NotPossible for a stream that is paused.
    """
    if stream.paused:
        raise NotPossible(_("The stream is paused: let it go on first."))
    with transaction.atomic():
        Stream.objects.filter(pk=stream.pk).update(next_try=timezone.now())
        record("audit_stream.tested", stream, request=request)


def fingerprints(ca: str) -> list[str]:
    """SHA-256 of each certificate, in hexadecimal."""
    if not ca:
        return []
    found = x509.load_pem_x509_certificates(ca.encode())
    return [one.fingerprint(SHA256()).hex() for one in found]


def _told(stream: Stream) -> dict[str, Any]:
    return {
        "name": stream.name,
        "kind": stream.kind,
        "address": shown_address(stream),
        "ca": fingerprints(stream.ca),
        "paused": stream.paused,
        "position": stream.position,
    }
