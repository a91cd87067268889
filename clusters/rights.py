"""Who sees which clusters and objects, and in whose name a cluster is called.

Every page, API route and search asks here, so that a right has one place.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

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
