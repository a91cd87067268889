"""An event as it is hashed and stamped: every field but those of the database's own."""

from __future__ import annotations

import hmac
import ipaddress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from console.audit.models import AuditEvent
from console.audit.verifier import content
from console.secrets.derived import derived
from console.secrets.keyring import key_ring

FORM = 1
STAMP_PURPOSE = "flotilla audit stamp v1"


def plain(event: AuditEvent) -> dict[str, Any]:
    """The event as docs/audit.md describes it, for JSON. A new field means a new FORM."""
    return {
        "form": FORM,
        "uid": str(event.uid) if event.uid else None,
        "time": instant(event.time),
        "actor": event.actor_key,
        "actor_name": event.actor_name,
        "token_name": event.token_name,
        "session": event.session,
        "action": event.action,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "object_name": event.object_name,
        "cluster": event.cluster_key,
        "cluster_name": event.cluster_name,
        "tenant": event.tenant_key,
        "tenant_name": event.tenant_name,
        "before": event.before,
        "after": event.after,
        "outcome": event.outcome,
        "reason": event.reason,
        "request_id": event.request_id,
        # Databases spell IPv6 differently; in full there is one spelling.
        "address": ipaddress.ip_address(event.address).exploded if event.address else None,
        "user_agent": event.user_agent,
        "duration_ms": event.duration_ms,
    }


def instant(time: datetime) -> str:
    """A moment in UTC with six digits of a second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stamp(event: AuditEvent) -> str:
    """`<key id>:<HMAC-SHA256>` of the event, by a key that the database has not."""
    key_id = key_ring().primary
    return f"{key_id}:{_mac(event, key_id)}"


def stamp_fits(
    event: AuditEvent, data: bytes | None = None, keys: dict[str, bytes | None] | None = None
) -> bool | None:
    """Whether this console wrote the event; None when the key of its stamp is gone.

    data: the event's content, where it is known already. keys: those of earlier calls by their
    id, for whoever asks for many events in a row.
    """
    key_id, _separator, mac = event.stamp.partition(":")
    if not key_id:
        return False
    keys = {} if keys is None else keys
    if key_id not in keys:
        keys[key_id] = derived(STAMP_PURPOSE, key_id)
    key = keys[key_id]
    if key is None:
        return None
    expected = hmac.digest(key, content(plain(event)) if data is None else data, "sha256").hex()
    return hmac.compare_digest(mac.encode(), expected.encode())


def _mac(event: AuditEvent, key_id: str) -> str | None:
    key = derived(STAMP_PURPOSE, key_id)
    return hmac.new(key, content(plain(event)), sha256).hexdigest() if key else None
