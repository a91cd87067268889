"""The end of a cluster's row: what of other apps hangs on it, and what they do when it goes.

Apps above this one say what is theirs, so that whoever deletes or forgets a cluster reads it
before, and are called in the transaction in which the row goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clusters.models import Cluster

MOST_NAMED = 20  # on a page; REST has them all


@dataclass(frozen=True)
class Dependent:
    """A tenant's namespace on the cluster. members: how many people and groups the tenant has."""

    tenant: str
    namespace: str
    members: int


# stays: whether the cluster itself goes on without this console (forgotten, not deleted).
Dependents = Callable[[Cluster], Iterable[Dependent]]
Leave = Callable[[Cluster, bool], None]
_sources: list[tuple[Dependents, Leave]] = []


def register(dependents: Dependents, leave: Leave) -> None:
    """Add an app: what hangs on a cluster, and what to do with it just before the row goes."""
    if (dependents, leave) not in _sources:
        _sources.append((dependents, leave))


def dependents_of(cluster: Cluster) -> list[Dependent]:
    """The namespaces of tenants on the cluster, by tenant and name."""
    found = [one for dependents, _leave in _sources for one in dependents(cluster)]
    return sorted(found, key=lambda one: (one.tenant, one.namespace))


def in_words(cluster: Cluster) -> list[str]:
    """The same as sentences for a page that asks for confirmation: at most 20, and how many more.

    ["The namespace web of the tenant Shop (5 members)", …]
    """
    found = dependents_of(cluster)
    said = [
        ngettext(
            "The namespace %(namespace)s of the tenant %(tenant)s (%(members)d member)",
            "The namespace %(namespace)s of the tenant %(tenant)s (%(members)d members)",
            one.members,
        )
        % {"namespace": one.namespace, "tenant": one.tenant, "members": one.members}
        for one in found[:MOST_NAMED]
    ]
    if len(found) > MOST_NAMED:
        said.append(_("%(count)d more namespaces of tenants") % {"count": len(found) - MOST_NAMED})
    return said


def remove(cluster: Cluster, *, stays: bool) -> None:
    """Remove the cluster's row with all that hangs on it, in one transaction."""
    with transaction.atomic():
        for _dependents, leave in _sources:
            leave(cluster, stays)
        cluster.delete()
