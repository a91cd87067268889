"""How a tenant's namespace goes: deleted with all that is in it, or released and left there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clusters.inventory.kinds import object_path
from clusters.kube import Connection, NotFound
from clusters.models import ResourcePool
from clusters.pools_rules import POOL_LABEL
from tenancy.compare import annotations_of, labels_of, metadata_of
from tenancy.desired import (
    CONSOLE,
    LABELS,
    MANAGED_BY,
    NODE_SELECTOR,
    SECURITY,
    TOLERATIONS,
    WANTED,
    path_of,
)
from tenancy.isolation import TENANT_LABEL
from tenancy.models import Namespace
from tenancy.there import There, is_ours

JSON = dict[str, Any]
MOST_REMAINING, MOST_TEXT = 20, 500
# Conditions that say what a namespace still waits for (kube-controller-manager, namespace).
_WAITS = (
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
)


def belongs(live: JSON, row: Namespace, console: str) -> bool:
    """Whether the cluster's namespace is this row's, and not somebody else's of the same name.

    One that the row has had already may still carry the label of the tenant before.
    """
    labels = labels_of(live)
    kept = labels.get(MANAGED_BY) == LABELS[MANAGED_BY]
    this_console = annotations_of(live).get(CONSOLE) == console
    tenant = labels.get(TENANT_LABEL) == row.tenant.slug or row.applied_revision > 0
    return kept and this_console and tenant


def delete(
    row: Namespace, live: JSON | None, connection: Connection, held: Callable[[], None]
) -> tuple[str, list[str]]:
    """One step of a deletion: (why it cannot be, what it still waits for); the row goes at the end.

    live: the namespace as the cluster has it; only one that belongs() to the row is given here.
    Raises KubeError.
    """
    if live is None:
        forget(row)
        return "", []
    metadata = metadata_of(live)
    if not metadata.get("deletionTimestamp"):
        held()
        try:
            # By its uid: one of the same name that somebody makes meanwhile is another.
            connection.delete(path_of(live), {"preconditions": {"uid": metadata.get("uid")}})
        except NotFound:
            forget(row)
        return "", []
    return "", remaining(live)


def remaining(live: JSON) -> list[str]:
    """What a namespace that ends still waits for, in the words of Kubernetes."""
    status = live.get("status")
    conditions = (status if isinstance(status, dict) else {}).get("conditions")
    found = [
        str(one.get("message") or one.get("reason"))[:MOST_TEXT]
        for one in (conditions if isinstance(conditions, list) else [])
        if isinstance(one, dict) and one.get("type") in _WAITS and one.get("status") == "True"
    ]
    for finalizer in metadata_of(live).get("finalizers") or []:
        found.append(
            _("The namespace itself has the finalizer %(name)s.") % {"name": str(finalizer)[:200]}
        )
    return found[:MOST_REMAINING]


def release(
    row: Namespace, live: JSON | None, there: There, connection: Connection,
    held: Callable[[], None],
) -> None:  # fmt: skip
    """Take away what the console put there, the people's rights first, and then the row.

    live as in delete(). Raises KubeError.
    """
    if live is not None:
        parts = [body for body in there.parts(row.name).values() if is_ours(body)]
        for body in sorted(parts, key=lambda body: body["kind"] != "RoleBinding"):
            held()
            take_away(connection, body)
        held()
        connection.merge_patch(path_of(live), _without_ours(live))
    forget(row)


def take_away(connection: Connection, body: JSON) -> None:
    """Delete one object if it is still the one that was read. Raises KubeError."""
    metadata = metadata_of(body)
    plural = path_of(body).rsplit("/", 2)[1]
    path = object_path(
        body["apiVersion"], plural, str(metadata.get("namespace") or ""), str(metadata["name"])
    )
    try:
        connection.delete(path, {"preconditions": {"uid": metadata.get("uid")}})
    except NotFound:
        return


def forget(row: Namespace) -> None:
    """The row goes, and its name from its pool."""
    with transaction.atomic():
        if row.pool_id is not None:
            pool = ResourcePool.objects.select_for_update().filter(pk=row.pool_id).first()
            if pool is not None and row.name in pool.namespaces:
                pool.namespaces = [name for name in pool.namespaces if name != row.name]
                pool.save(update_fields=["namespaces"])
        # As it was read: somebody may have changed their mind meanwhile.
        Namespace.objects.filter(pk=row.pk, state=row.state).delete()


def _without_ours(live: JSON) -> JSON:
    labels: JSON = {
        key: None
        for key in labels_of(live)
        if key in (*LABELS, TENANT_LABEL, POOL_LABEL) or key.startswith(SECURITY)
    }
    annotations: JSON = {
        key: None
        for key in annotations_of(live)
        if key in (CONSOLE, WANTED, NODE_SELECTOR, TOLERATIONS)
    }
    return {"metadata": {"labels": labels, "annotations": annotations}}
