"""The only way to write an audit event."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time as clock
import uuid
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import models, transaction

from console.accounts.models import User
from console.audit.bounds import DEPTH_LIMIT, Budget
from console.audit.canonical import stamp
from console.audit.catalogue import ACTIONS
from console.audit.cause import cause
from console.audit.models import AuditEvent, Outcome, Pending
from console.secrets.fields import EncryptedTextField
from console.secrets.redact import MASK, mask_text, mask_value

NAME_LIMIT = 255
REASON_LIMIT = 4000
AGENT_LIMIT = 200
NUMBER_BITS = 1024
PLACES = {"cluster": "clusters.cluster", "tenant": "tenancy.tenant"}


def snapshot(obj: models.Model) -> dict[str, Any]:
    """The fields of a row without its secrets, to be given as `before` or `after`.

    A secret shows as dots when one is set and as the empty text when not, so
    that setting and removing one is still a visible change.
    """
    fields: dict[str, Any] = {}
    for field in obj._meta.concrete_fields:
        if isinstance(field, EncryptedTextField):
            fields[field.name] = MASK if obj.__dict__.get(field.attname) else ""
        else:
            fields[field.name] = _plain(field.name, obj.__dict__.get(field.attname))
    return fields


def record(
    action: str,
    obj: models.Model | None = None,
    *,
    request: Any = None,
    actor: User | None = None,
    before: Mapping[str, Any] | models.Model | None = None,
    after: Mapping[str, Any] | models.Model | None = None,
    outcome: str = "success",
    reason: str = "",
    object_name: str = "",
    cluster: models.Model | None = None,
    tenant: models.Model | None = None,
) -> AuditEvent:
    """Write one event, in the caller's transaction: no change without its event.

    The actor, the token, the address and the request id come from the request
    where one is given (Django's or the REST framework's). The cluster and the tenant are the
    object's own where they are not given. The event is stamped with the key ring and waits
    for its place in the tree (console.audit.sealing). Secrets in `before`,
    `after` and `reason` are replaced by dots. Raises ValueError for an action
    that console.audit.catalogue does not list.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is not in console.audit.catalogue: add it with its meaning.")
    actor = actor or _user_of(request)
    event = AuditEvent(
        actor=actor if actor and actor.pk else None,
        actor_key=actor.pk if actor else None,
        actor_name=actor.get_username() if actor else "",
        token_name=token_name_of(request),
        session=session_of(request),
        action=action,
        object_type=obj._meta.label_lower if obj else "",
        object_id=str(obj.pk) if obj and obj.pk is not None else "",
        object_name=mask_text(_text(object_name or obj or ""))[:NAME_LIMIT],
        before=_fields(before),
        after=_fields(after),
        outcome=Outcome(outcome).value,
        reason=mask_text(_text(reason))[:REASON_LIMIT],
        request_id=request_id(request),
        address=address_of(request),
        user_agent=_user_agent(request),
        duration_ms=_duration(request),
        uid=uuid.uuid4(),
        **_place("cluster", cluster, obj),
        **_place("tenant", tenant, obj),
    )
    event.stamp = stamp(event)
    with transaction.atomic(savepoint=False):
        event.save(force_insert=True)
        Pending.objects.create(event=event)
    return event


def _place(name: str, given: models.Model | None, obj: models.Model | None) -> dict[str, Any]:
    """Number and name of the cluster or tenant that the event is about."""
    found = given
    if found is None and obj is not None:
        if obj._meta.label_lower == PLACES[name]:
            found = obj
        elif getattr(obj, f"{name}_id", None) is not None and _links(obj, name):
            try:
                found = getattr(obj, name)
            except ObjectDoesNotExist:
                return {f"{name}_key": getattr(obj, f"{name}_id")}  # removed just now
    if found is None:
        return {}
    return {f"{name}_key": found.pk, f"{name}_name": _text(found)[:NAME_LIMIT]}


def _links(obj: models.Model, name: str) -> bool:
    field = next((f for f in obj._meta.concrete_fields if f.name == name), None)
    related: Any = field.related_model if field is not None else None
    return related is not None and related._meta.label_lower == PLACES[name]


def request_id(request: Any = None) -> str:
    """The id of the request, or of the one that this code runs for."""
    found = getattr(request, "request_id", "")
    return str(found or cause())


def address_of(request: Any) -> str | None:
    """The address of the browser or client, where it is one."""
    raw = request.META.get("REMOTE_ADDR", "") if request is not None else ""
    try:
        return str(ipaddress.ip_address(raw))
    except ValueError:
        return None


def _user_of(request: Any) -> User | None:
    user = getattr(request, "user", None)
    return user if isinstance(user, User) else None


def token_name_of(request: Any) -> str:
    """The name of the API token that the request came with, or the empty text."""
    # Set by ApiTokenAuthentication on the Django request, which REST requests wrap.
    return str(getattr(request, "api_token_name", ""))


def session_of(request: Any) -> str:
    """A digest of the browser's session, or the empty text."""
    key = getattr(getattr(request, "session", None), "session_key", None)
    return hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""


def _user_agent(request: Any) -> str:
    raw = request.META.get("HTTP_USER_AGENT", "") if request is not None else ""
    return mask_text(_text(raw))[:AGENT_LIMIT]


def _duration(request: Any) -> int | None:
    # Set by RequestIdMiddleware when the request arrived.
    arrived = getattr(request, "arrived", None)
    return None if arrived is None else max(0, round((clock.monotonic() - arrived) * 1000))


def _fields(given: Mapping[str, Any] | models.Model | None) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, models.Model):
        fields = snapshot(given)
    else:
        fields = {_text(name): _plain(_text(name), value) for name, value in given.items()}
    kept: dict[str, Any] = Budget().bounded(fields)
    return kept


def _plain(name: str, value: Any) -> Any:
    """The value as JSON can hold it, with secrets as dots."""
    return mask_value(name, _as_json(value))


def _as_json(value: Any, depth: int = 0) -> Any:
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _entries(value, depth)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON knows no infinity
    if isinstance(value, int) and value.bit_length() > NUMBER_BITS:
        return hex(value)  # Python writes no longer number in decimal
    return value if value is None or isinstance(value, bool | int | float) else _text(value)


def _entries(value: Any, depth: int) -> Any:
    if depth >= DEPTH_LIMIT:
        return f"… {len(value)} entries left out, too deep"
    if isinstance(value, Mapping):
        return {_text(key): _as_json(item, depth + 1) for key, item in value.items()}
    return [_as_json(item, depth + 1) for item in value]


def _text(value: Any) -> str:
    """As text; databases take no NUL and no half character, and no event may fail of one."""
    text = str(value).replace("\x00", "\ufffd")
    return text.encode("utf-8", "replace").decode()
