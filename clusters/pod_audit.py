"""Audit events of logs and terminals, which mostly come from websockets."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from django.core import signing
from django.db.models import Model

from clusters import places
from clusters.models import Cluster, Object
from console.accounts.models import User
from console.audit.record import record

SALT = "clusters.logs.opening"
# A page that stays open reconnects for as long; then its next connection counts anew.
OPENING_SECONDS = 12 * 3600


def recorded(
    action: str,
    user: User,
    cluster: Cluster,
    place: str,
    *,
    scope: Mapping[str, Any] | None = None,
    request: Any = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    failed: bool = False,
) -> None:
    """One event about a place in a cluster ("default/web-1"), by a request or a websocket."""
    if scope is not None:
        client = scope.get("client") or ("",)
        request = SimpleNamespace(META={"REMOTE_ADDR": str(client[0])}, user=user, request_id="")
    record(
        action,
        cluster,
        request=request,
        actor=user,
        object_name=f"{cluster.name}: {place}",
        after=after,
        reason=reason,
        outcome="failure" if failed else "success",
        tenant=tenant_of(cluster, place),
    )


def tenant_of(cluster: Cluster | None, place: str) -> Model | None:
    """The tenant of a place as `place` names it; None where it is nobody's.

    cluster: None when it was forgotten.
    """
    if cluster is None:
        return None
    namespace, _slash, _name = place.rpartition(" ")[2].partition("/")
    return places.source().tenant(cluster.pk, namespace)


def opening_of(user: User, row: Object) -> str:
    """Proof that this page's reading of a log is in the audit log already."""
    return signing.dumps(_subject(user, row), salt=SALT)


def is_recorded(token: str, user: User, row: Object) -> bool:
    """Whether the token is such a proof for this person and object, and recent."""
    try:
        found = signing.loads(token[:1000], salt=SALT, max_age=OPENING_SECONDS)
    except signing.BadSignature:
        return False
    return bool(found == _subject(user, row))


def _subject(user: User, row: Object) -> list[Any]:
    return [user.pk, row.cluster_id, row.resource, row.namespace, row.name]


def place(row: Object) -> str:
    """How an event names an object: "default/web-1", with its kind where it is no pod."""
    named = f"{row.namespace}/{row.name}"
    return named if row.resource == "pods" else f"{row.kind} {named}"


def asked(parameters: Mapping[str, str]) -> dict[str, str]:
    """What of a request for logs belongs into its event."""
    names = ("container", "previous", "show", "since", "tail")
    return {name: parameters[name][:100] for name in names if parameters.get(name)}
