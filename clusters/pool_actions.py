"""What people do with resource pools: each change with its audit event, for pages and API.

The nodes themselves are changed by the watcher (clusters.pools), within a moment.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clusters.forms_pools import PoolForm
from clusters.models import Cluster, ResourcePool
from clusters.rights import may_here_or_403
from console.audit.record import record


class PoolRefusedError(Exception):
    """Something that cannot be done with a pool as it is; the message says why."""


def public_fields(pool: ResourcePool) -> dict[str, Any]:
    """What an audit event says of a pool."""
    names = ("name", "description", "nodes", "labels", "taints", "namespaces")
    return {"cluster": pool.cluster.name, **{name: getattr(pool, name) for name in names}}


def save(form: PoolForm, request: Any) -> ResourcePool | None:
    """Create or change the pool of a form that was valid; None: it no longer is, as it says.

    Two people may take the same node or name at the same moment: what is valid is looked at
    once more while the cluster's row is locked. Raises PermissionDenied on a cluster whose
    nodes only admins change.
    """
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update().get(pk=form.cluster.pk)
        may_here_or_403(request.user, "pools.change", cluster)
        form.full_clean()
        if not form.is_valid():
            return None
        pool = form.pool or ResourcePool(cluster=form.cluster)
        if form.pool is not None:
            pool = ResourcePool.objects.select_related("cluster").get(pk=form.pool.pk)
            if pool.deleting:
                form.add_error(None, _("The pool is being deleted."))
                return None
        before = public_fields(pool) if pool.pk else None
        for name, value in form.cleaned_data.items():
            setattr(pool, name, value)
        if pool.pk:
            pool.save(update_fields=list(form.cleaned_data))
        else:
            pool.save()
        action = "pool.changed" if before else "pool.created"
        record(action, pool, request=request, before=before, after=public_fields(pool))
    return pool


def remove(pool: ResourcePool, request: Any) -> None:
    """Delete a pool: its nodes lose what it has put on them, then its row goes.

    Raises PoolRefusedError while namespaces are bound to it, PermissionDenied on a cluster
    whose nodes only admins change.
    """
    may_here_or_403(request.user, "pools.change", pool.cluster)
    with transaction.atomic():
        pool = ResourcePool.objects.select_for_update(of=("self",)).get(pk=pool.pk)
        refused = why_not_removed(pool)
        if refused:
            raise PoolRefusedError(refused)
        if pool.deleting:
            return
        record("pool.removed", pool, request=request, before=public_fields(pool))
        if pool.put:
            # What the watcher has put on nodes is its to take away.
            pool.deleting = True
            pool.save(update_fields=["deleting"])
        else:
            pool.delete()


def why_not_removed(pool: ResourcePool) -> str:
    """Why a pool cannot be deleted now; "" when it can."""
    if not pool.namespaces:
        return ""
    names = ", ".join(pool.namespaces[:10])
    return _(
        "Namespaces are bound to it: %(names)s. Their pods would find no node any more. Take the "
        "namespaces out of the pool first."
    ) % {"names": names}
