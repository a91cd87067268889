"""The quotas of tenants: what is taken, what is left, and why something does not fit.

The quotas of a tenant's namespaces are what counts against the tenant's, not what runs in
them: what a namespace was given is there for it. Whoever gives something away does it inside
of locked(), so that two at once cannot give the same thing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clusters.models import Cluster
from console.accounts.models import User
from console.audit.record import record
from tenancy import raises, use
from tenancy.amounts import NAMESPACES, RESOURCES, Amounts, Resource, human, read, spelled, total
from tenancy.models import Namespace, Quota, Tenant


class QuotaRefusedError(Exception):
    """A quota that cannot be set. problems: {resource: why, and what to do}."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


@dataclass(frozen=True)
class Shortfall:
    """Why something does not fit into a quota.

    scope: the name of the cluster, or "all clusters". limit, taken (by the other
    namespaces), wanted, short_by: amounts. unstated: the quota limits the resource and
    the namespace does not (wanted and short_by are 0 then).
    """

    resource: str
    scope: str
    limit: int
    taken: int
    wanted: int
    short_by: int
    unstated: bool = False

    def text(self) -> str:
        """A sentence with the figures, for beside the field."""
        figures = {
            "resource": self.resource,
            "scope": self.scope,
            "limit": human(self.resource, self.limit),
            "left": human(self.resource, max(self.limit - self.taken, 0)),
            "wanted": human(self.resource, self.wanted),
            "short": human(self.resource, self.short_by),
        }
        if self.unstated:
            return (
                _(
                    "%(resource)s must be stated, since the tenant's is limited: "
                    "%(left)s of %(limit)s left on %(scope)s."
                )
                % figures
            )
        return (
            _(
                "%(resource)s: %(left)s of %(limit)s left on %(scope)s, "
                "%(wanted)s wanted: %(short)s short."
            )
            % figures
        )


@dataclass(frozen=True)
class Row:
    """One bar: a resource in a scope.

    scope: the cluster's name, "all clusters", or a namespace's name. limit: None when
    nothing limits it. taken: by quotas of namespaces (of a tenant's quota alone). used:
    as tenancy.use reckons it, None when it is not known.
    """

    scope: str
    cluster: Cluster | None
    resource: Resource
    limit: int | None
    taken: int | None
    used: int | None

    @property
    def left(self) -> int | None:
        """What can still be given away, or used."""
        if self.limit is None:
            return None
        gone = self.used if self.taken is None else self.taken
        return None if gone is None else max(self.limit - gone, 0)

    @property
    def taken_percent(self) -> int | None:
        """How much of the limit is taken, 0 to 100 (and more when it is exceeded)."""
        return _percent(self.taken, self.limit)

    @property
    def used_percent(self) -> int | None:
        """How much of the limit is used."""
        return _percent(self.used, self.limit)

    @property
    def limit_text(self) -> str:
        """ "10 CPU", or "" without a limit."""
        return self._text(self.limit)

    @property
    def taken_text(self) -> str:
        """ "4 CPU", or "" when it does not apply."""
        return self._text(self.taken)

    @property
    def used_text(self) -> str:
        """ "1.5 CPU", or "" when it is not known."""
        return self._text(self.used)

    @property
    def left_text(self) -> str:
        """ "6 CPU", or "" when it is not known."""
        return self._text(self.left)

    def _text(self, amount: int | None) -> str:
        return "" if amount is None else human(self.resource.key, amount)


@contextmanager
def locked(tenant: Tenant, *others: Tenant) -> Iterator[Tenant]:
    """A transaction in which nobody else gives away what these tenants have.

    Yields the tenant as it is now. Others: of a move. SQLite has one writer at a time
    from a transaction's first statement on, PostgreSQL locks the rows, in the order of their
    keys so that two moves cannot wait for each other. Raises Tenant.DoesNotExist.
    """
    with transaction.atomic():
        keys = {tenant.pk, *(other.pk for other in others)}
        rows = Tenant.objects.select_for_update().filter(pk__in=keys).order_by("pk")
        found = {row.pk: row for row in rows}
        if set(found) != keys:
            raise Tenant.DoesNotExist
        yield found[tenant.pk]


def taken(
    tenant: Tenant, cluster: Cluster | None = None, without: Namespace | None = None
) -> Amounts:
    """What the tenant's namespaces have been given on one cluster, or on all together.

    without: a namespace that is left out. Namespaces that are being deleted count until
    they are gone.
    """
    rows = tenant.namespaces.all()
    if cluster is not None:
        rows = rows.filter(cluster=cluster)
    if without is not None:
        rows = rows.exclude(pk=without.pk)
    return _given(rows.values_list("quota", flat=True))


def left(tenant: Tenant, cluster: Cluster, without: Namespace | None = None) -> Amounts:
    """What a namespace on the cluster can be given: the smaller of both quotas' rests.

    What is not there is not limited.
    """
    found: Amounts = {}
    for _scope, limits, gone in _scopes(tenant, cluster, without):
        for key, limit in limits.items():
            rest = max(limit - gone.get(key, 0), 0)
            found[key] = min(rest, found.get(key, rest))
    return found


def shortfalls(
    tenant: Tenant,
    cluster: Cluster,
    wanted: Mapping[str, str],
    *,
    replacing: Namespace | None = None,
) -> list[Shortfall]:
    """Why a namespace with the quota `wanted` does not fit into the tenant's; [] when it does.

    replacing: the namespace as it is now, when it is to be changed or moved. What it already
    has of this tenant on this cluster it may keep, and lower, whatever the tenant's quota says
    by now. Raises amounts.AmountsError for quantities that are none.
    """
    amounts = read(wanted) | {NAMESPACES: 1}
    has: Amounts = {}
    stays = replacing and (replacing.tenant_id, replacing.cluster_id) == (tenant.pk, cluster.pk)
    if replacing is not None and stays:
        has = read(replacing.quota) | {NAMESPACES: 1}
    found = []
    for scope, limits, gone in _scopes(tenant, cluster, replacing):
        for key in RESOURCES:
            if key not in limits:
                continue
            limit, given, want = limits[key], gone.get(key, 0), amounts.get(key)
            if want is None:
                found.append(Shortfall(key, scope, limit, given, 0, 0, unstated=True))
            elif given + want > limit and not want <= has.get(key, -1):
                found.append(Shortfall(key, scope, limit, given, want, given + want - limit))
    return found


def set_quota(
    tenant: Tenant,
    cluster: Cluster | None,
    hard: Mapping[str, Any],
    *,
    by: User | None,
    request: Any = None,
) -> Quota:
    """Set what a tenant may have on a cluster, or (None) on all together; {} limits nothing.

    The caller has made sure that `by` may. Raises amounts.AmountsError for quantities
    that are none, QuotaRefusedError when namespaces have been given more already, or have
    no limit of their own for what is to be limited.
    """
    amounts = read(hard, of_tenant=True)
    with locked(tenant) as owner:
        if cluster is not None and not owner.clusters.filter(cluster=cluster).exists():
            raise QuotaRefusedError(
                {"": _("%(cluster)s is not the tenant's: give it first.") % {"cluster": cluster}}
            )
        old = Quota.objects.filter(tenant=owner, cluster=cluster).first()
        found = old or Quota(tenant=owner, cluster=cluster)
        before = dict(found.hard)
        if problems := _too_low(owner, cluster, amounts, read(before, of_tenant=True)):
            raise QuotaRefusedError(problems)
        found.hard = spelled(amounts)
        if old is not None and before == found.hard:
            return found
        found.save()
        scope = cluster.name if cluster else None
        record(
            "tenant.quota_changed", owner, request=request, actor=by,
            before={"cluster": scope, "hard": before}, after={"cluster": scope, "hard": found.hard},
        )  # fmt: skip
    return found


def overview(tenant: Tenant) -> list[Row]:
    """A row for each resource that a quota of the tenant limits: all clusters first.

    In six queries at most, however many clusters and namespaces there are.
    """
    quotas = list(tenant.quotas.select_related("cluster"))
    if not any(quota.hard for quota in quotas):
        return []
    now = raises.limits(tenant)
    namespaces = list(tenant.namespaces.select_related("cluster"))
    uses = use.used(namespaces)
    quotas.sort(key=lambda quota: (quota.cluster is not None, str(quota.cluster)))
    found = []
    for quota in quotas:
        limits = now.get(quota.cluster_id, {})
        here = [n for n in namespaces if quota.cluster_id in (None, n.cluster_id)]
        given = _given(n.quota for n in here)
        for key, resource in RESOURCES.items():
            if key not in limits:
                continue
            used = len(here) if key == NAMESPACES else _sum(uses[n.pk].get(key) for n in here)
            scope = _scope(quota.cluster)
            found.append(Row(scope, quota.cluster, resource, limits[key], given.get(key, 0), used))
    return found


def of_namespaces(namespaces: Iterable[Namespace]) -> dict[int, list[Row]]:
    """{namespace's key: a row for each resource that its quota limits}, in two queries.

    The namespaces come with their clusters (select_related).
    """
    listed = list(namespaces)
    uses = use.used(listed)
    found: dict[int, list[Row]] = {}
    for one in listed:
        limits, now = read(one.quota), uses[one.pk]
        found[one.pk] = [
            Row(one.name, one.cluster, RESOURCES[key], limits[key], None, now.get(key))
            for key in RESOURCES
            if key in limits
        ]
    return found


def _scopes(
    tenant: Tenant, cluster: Cluster, without: Namespace | None
) -> Iterator[tuple[str, Amounts, Amounts]]:
    """Name, limits and what is taken of each quota that a namespace on the cluster falls under."""
    now = raises.limits(tenant)
    for scope in (cluster, None):
        limits = now.get(scope.pk if scope else None)
        if limits:
            yield _scope(scope), limits, taken(tenant, scope, without)


def _too_low(
    tenant: Tenant, cluster: Cluster | None, limits: Amounts, before: Amounts
) -> dict[str, str]:
    """{resource: why it cannot be limited so}; what is not lowered is never refused."""
    rows = tenant.namespaces.select_related("cluster")
    if cluster is not None:
        rows = rows.filter(cluster=cluster)
    namespaces = list(rows)
    given = _given(one.quota for one in namespaces)
    problems = {}
    for key, limit in limits.items():
        if key in before and limit >= before[key]:
            continue
        figures = {
            "resource": key,
            "scope": _scope(cluster),
            "limit": human(key, limit),
            "taken": human(key, given.get(key, 0)),
            "short": human(key, given.get(key, 0) - limit),
        }
        unlimited = [
            f"{one.cluster.name}/{one.name}"
            for one in namespaces
            if key != NAMESPACES and key not in one.quota
        ]
        if given.get(key, 0) > limit:
            problems[key] = (
                _(
                    "%(resource)s: the namespaces on %(scope)s have been given %(taken)s, "
                    "%(short)s more than %(limit)s: lower their quotas first."
                )
                % figures
            )
        elif unlimited:
            problems[key] = _(
                "%(resource)s: these namespaces have no limit of it: %(names)s. "
                "Give them one first."
            ) % {"resource": key, "names": ", ".join(unlimited)}
    return problems


def _given(quotas: Iterable[Mapping[str, Any]]) -> Amounts:
    return total(read(quota) | {NAMESPACES: 1} for quota in quotas)


def _scope(cluster: Cluster | None) -> str:
    return cluster.name if cluster else _("all clusters")


def _percent(part: int | None, whole: int | None) -> int | None:
    if part is None or whole is None:
        return None
    if whole == 0:
        return 100 if part else 0
    # Down: 99.9 % is not full.
    return 100 * part // whole


def _sum(values: Iterable[int | None]) -> int | None:
    """None when one of them is not known."""
    found = 0
    for value in values:
        if value is None:
            return None
        found += value
    return found
