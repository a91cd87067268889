"""What people do with a tenant's namespaces: changes of rows, each with its audit event.

The clusters themselves are changed by the watcher (tenancy.reconcile), within a moment or
as soon as a cluster is back.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.models import ResourcePool
from console.accounts.models import User
from console.audit.record import record
from tenancy import amounts, drift, quotas
from tenancy.forms_namespaces import NamespaceForm
from tenancy.models import Namespace, NamespaceState, Tenant, TenantCluster
from tenancy.namespace_rules import levels_of
from tenancy.permissions import NAMESPACES, demand

LEAVING = (NamespaceState.DELETING, NamespaceState.RELEASING)


class NamespaceRefusedError(Exception):
    """Something that cannot be done with a namespace as it is; the message says why."""


def public_fields(row: Namespace) -> dict[str, Any]:
    """What an audit event says of a namespace."""
    names = ("description", "quota", "limits", "isolation", "exceptions", "pod_security", "labels")
    return {
        "tenant": row.tenant.slug,
        "cluster": row.cluster.name,
        "pool": row.pool.name if row.pool else "",
        **{name: getattr(row, name) for name in names},
    }


def create(form: NamespaceForm, *, by: User, request: Any = None) -> Namespace | None:
    """Make (or, as the form says, adopt) the namespace of a valid form; None: it no longer is.

    Two people may take the last of a quota at the same moment: what is valid is looked at
    once more while the tenant is locked. Raises Http404 or PermissionDenied as demand does.
    """
    with quotas.locked(form.tenant):
        _still_may(by, form.tenant)
        form.full_clean()
        if not form.is_valid():
            return None
        row = Namespace(
            tenant=form.tenant, cluster=form.cluster, adopted=form.adopting, created_by=by,
            **form.values(),
        )  # fmt: skip
        row.save()
        _bind(row, None)
        action = "namespace.adopted" if form.adopting else "namespace.created"
        record(action, row, request=request, actor=by, after=public_fields(row))
    return row


def change(form: NamespaceForm, *, by: User, request: Any = None) -> Namespace | None:
    """Keep what a valid form says of its namespace; None: it is no longer valid, as it says.

    Raises NamespaceRefusedError while the namespace leaves, Http404 or PermissionDenied.
    """
    assert form.namespace is not None  # the caller's form is that of a namespace
    with quotas.locked(form.tenant):
        row = _present(form.namespace, by)
        form.full_clean()
        if not form.is_valid():
            return None
        before, pool = public_fields(row), row.pool_id
        for name, value in form.values().items():
            setattr(row, name, value)
        after = public_fields(row)
        if after == before:
            return row
        _bind(row, pool)
        _want_anew(row, *form.values())
        record(
            "namespace.changed", row, request=request, actor=by, before=before, after=after
        )  # fmt: skip
    return row


def move(row: Namespace, target: Tenant, *, by: User, request: Any = None) -> Namespace:
    """Give a namespace with all that is in it to another tenant, within that one's quota.

    Raises NamespaceRefusedError with every reason.
    """
    with quotas.locked(row.tenant, target):
        row = _present(row, by)
        target = Tenant.objects.get(pk=target.pk)
        refused = why_not_moved(row, target)
        if refused:
            raise NamespaceRefusedError(" ".join(refused))
        before, left = public_fields(row), row.tenant
        row.tenant = target
        # All of it is applied: what was changed by hand may let the old tenant's people in.
        row.drift = []
        # The new tenant's people come in when the old one's are out.
        row.theirs_from = row.revision + 1
        _want_anew(row, "tenant", "drift", "theirs_from")
        # An event for each of the two: the people of either read their own tenant's only.
        for whose in (left, target):
            record(
                "namespace.moved", row, request=request, actor=by, before=before,
                after=public_fields(row), tenant=whose,
            )  # fmt: skip
    return row


def why_not_moved(row: Namespace, target: Tenant) -> list[str]:
    """Each reason for which a namespace cannot become another tenant's; [] when it can."""
    values = {"tenant": target, "cluster": row.cluster, "pool": row.pool}
    if target.pk == row.tenant_id:
        return [_("It belongs to %(tenant)s already.") % values]
    grant = TenantCluster.objects.filter(tenant=target, cluster=row.cluster).first()
    if grant is None:
        return [_("%(tenant)s has not been given %(cluster)s: give it the cluster first.") % values]
    found = []
    pools = set(grant.pools.values_list("pk", flat=True))
    if pools and row.pool_id not in pools:
        found.append(
            _("%(tenant)s may use only some pools of %(cluster)s: bind it to one of them.") % values
        )
    if row.pod_security not in levels_of(target):
        found.append(
            _("Its pod security is laxer than %(tenant)s allows: make it stricter first.") % values
        )
    return found + [short.text() for short in quotas.shortfalls(target, row.cluster, row.quota)]


def remove(row: Namespace, *, by: User, request: Any = None) -> None:
    """Delete a namespace with all that is in it; its row goes when the cluster has done so."""
    _leave(row, NamespaceState.DELETING, "namespace.removed", by, request)


def release(row: Namespace, *, by: User, request: Any = None) -> None:
    """Let go of a namespace: it stays on its cluster without what the console put there."""
    _leave(row, NamespaceState.RELEASING, "namespace.released", by, request)


def _leave(row: Namespace, state: NamespaceState, action: str, by: User, request: Any) -> None:
    with quotas.locked(row.tenant):
        rows = Namespace.objects.select_related("tenant", "cluster", "pool")
        found = rows.filter(pk=row.pk).first()
        if found is None:
            return  # the watcher, or somebody else, was quicker
        _still_may(by, found.tenant)
        if found.state in LEAVING:
            return
        record(action, found, request=request, actor=by, before=public_fields(found))
        # A pool that nothing runs on any more may be deleted meanwhile.
        pool, found.pool = found.pool_id, None
        _bind(found, pool)
        found.state, found.state_reason, found.state_since = state, "", timezone.now()
        found.save(update_fields=["pool", "state", "state_reason", "state_since"])


def mend(row: Namespace, *, by: User, request: Any = None) -> Namespace:
    """Have the cluster made as it is wanted again, over what somebody changed by hand."""
    with quotas.locked(row.tenant):
        row = _drifted(row, by)
        record("namespace.mended", row, request=request, actor=by, before={"drift": row.drift})
        row.drift = []
        _want_anew(row, "drift")
    return row


def accept(row: Namespace, *, by: User, request: Any = None) -> Namespace:
    """Let what somebody changed by hand be right. A changed quota becomes the namespace's own.

    Raises NamespaceRefusedError, with the figures where that quota does not fit.
    """
    with quotas.locked(row.tenant):
        row = _drifted(row, by)
        if not drift.unsettled(row.drift):
            raise NamespaceRefusedError(_("It was accepted already."))
        before = {"drift": row.drift, "quota": dict(row.quota)}
        old = Namespace.objects.get(pk=row.pk)
        fields = drift.accept(row)
        if "quota" in fields:
            row.quota = _counted(row.quota)
            short = quotas.shortfalls(row.tenant, row.cluster, row.quota, replacing=old)
            if short:
                raise NamespaceRefusedError(" ".join(one.text() for one in short))
        if row.state in LEAVING:
            # It is gone from the cluster, and is not to come back.
            pool, row.pool = row.pool_id, None
            _bind(row, pool)
            fields.append("pool")
        row.save(update_fields=fields)
        record(
            "namespace.drift_accepted", row, request=request, actor=by, before=before,
            after={"quota": row.quota, "state": row.state},
        )  # fmt: skip
    return row


def _counted(hard: dict[str, Any]) -> dict[str, str]:
    """The quota that somebody made by hand, as the console counts it."""
    try:
        return amounts.spelled(amounts.read(hard))
    except amounts.AmountsError as error:
        raise NamespaceRefusedError(
            _("The quota on the cluster cannot be taken over: %(problems)s Mend it instead.")
            % {"problems": str(error)}
        ) from error


def _present(row: Namespace, by: User) -> Namespace:
    """The row as it is now, for somebody who may change it. Raises NamespaceRefusedError."""
    rows = Namespace.objects.select_related("tenant", "cluster", "pool")
    found = rows.filter(pk=row.pk).first()
    if found is None:
        raise NamespaceRefusedError(_("The namespace “%(name)s” is gone.") % {"name": row.name})
    _still_may(by, found.tenant)
    if found.state in LEAVING:
        raise NamespaceRefusedError(
            _("The namespace “%(name)s” is being taken away: nothing in it can be changed.")
            % {"name": row.name}
        )
    return found


def _drifted(row: Namespace, by: User) -> Namespace:
    found = _present(row, by)
    if not found.drift:
        raise NamespaceRefusedError(
            _("Nothing in “%(name)s” is different from what is wanted any more.")
            % {"name": row.name}
        )
    return found


def _still_may(by: User, tenant: Tenant) -> None:
    # Rights may have gone, or the tenant been frozen, since the page was opened.
    demand(by, Tenant.objects.get(pk=tenant.pk), NAMESPACES)


def _want_anew(row: Namespace, *fields: str) -> None:
    row.revision += 1
    row.state, row.state_reason, row.state_since = NamespaceState.PENDING, "", timezone.now()
    row.save(update_fields=[*fields, "revision", "state", "state_reason", "state_since"])


def _bind(row: Namespace, old: int | None) -> None:
    """Have the name of the namespace with its pool, and no more with the old one."""
    changed = {pk for pk in (old, row.pool_id) if pk is not None} if old != row.pool_id else set()
    for pool in ResourcePool.objects.select_for_update().filter(pk__in=changed):
        bound = set(pool.namespaces)
        bound = bound | {row.name} if pool.pk == row.pool_id else bound - {row.name}
        pool.namespaces = sorted(bound)
        pool.save(update_fields=["namespaces"])
