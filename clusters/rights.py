"""Who sees which clusters and objects, and in whose name a cluster is called.

Every page, API route and search asks here, so that a right has one place.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from clusters import guarded
from clusters.kube import Impersonation
from clusters.models import Cluster, Object
from console.accounts.models import User
from console.accounts.permissions import allowed

# The groups that clusters/access.py binds to rights on each cluster.
PLATFORM_GROUP = "flotilla:platform:"


def visible_clusters(user: User | AnonymousUser) -> QuerySet[Cluster]:
    """The clusters that the user may see at all."""
    return Cluster.objects.all() if allowed(user, "clusters.view") else Cluster.objects.none()


def visible_objects(user: User | AnonymousUser) -> QuerySet[Object]:
    """The objects that the user may see, of every cluster."""
    return Object.objects.all() if allowed(user, "clusters.view") else Object.objects.none()


def why_not_here(user: Any, permission: str, cluster: Cluster, namespace: str = "") -> str:
    """Why somebody who has the permission may not use it in this place; "" when they may.

    namespace: "" for nodes and what else is in none.
    """
    use = guarded.USES.get(permission, guarded.Use.LOOK)
    return guarded.why_not(getattr(user, "role", ""), use, cluster, namespace)


def may(user: Any, permission: str, cluster: Cluster, namespace: str = "") -> bool:
    """Whether somebody has the permission, and may use it in this place."""
    return allowed(user, permission) and not why_not_here(user, permission, cluster, namespace)


def may_with(user: Any, permission: str, row: Object) -> bool:
    """`may`, in the place of an object."""
    return may(user, permission, row.cluster, guarded.namespace_of(row))


def only_looks(user: Any, row: Object) -> str:
    """Why somebody who acts elsewhere only looks at this object; "" for everybody else."""
    if not allowed(user, "clusters.operate"):
        return ""
    return why_not_here(user, "clusters.operate", row.cluster, guarded.namespace_of(row))


def may_here_or_403(user: Any, permission: str, cluster: Cluster, namespace: str = "") -> None:
    """Raises PermissionDenied, saying why, where only admins may use the permission."""
    if why := why_not_here(user, permission, cluster, namespace):
        raise PermissionDenied(why)


def object_or_404(user: Any, pk: int, resource: str, namespace: str, name: str) -> Object:
    """The object at an address of pages; "-" stands for no namespace. Raises Http404."""
    if not 0 < len(name) <= 253:
        raise Http404
    return get_object_or_404(
        visible_objects(user).select_related("cluster"),
        cluster_id=pk,
        resource=resource,
        namespace="" if namespace == "-" else namespace,
        name=name,
    )


def acting(user: User) -> Impersonation:
    """In whose name calls are made that this person causes (User impersonation).

    The cluster's own RBAC decides by these groups, and its audit log shows the person.
    """
    groups = [f"{PLATFORM_GROUP}{user.role}"] if user.role else []
    return Impersonation(f"flotilla:user:{user.pk}", tuple(groups))
