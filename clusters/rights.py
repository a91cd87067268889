"""Who sees which clusters and objects, and in whose name a cluster is called.

Every page, API route and search asks here, so that a right has one place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeGuard

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from clusters import guarded, places
from clusters.access_roles import grants
from clusters.kube import Impersonation
from clusters.links import object_address
from clusters.models import Cluster, ClusterEvent, Object
from console.accounts.models import User
from console.accounts.permissions import allowed

# The groups that clusters/access.py binds to rights on each cluster.
PLATFORM_GROUP = "flotilla:platform:"


def visible_clusters(user: User | AnonymousUser) -> QuerySet[Cluster]:
    """The clusters that the user may see at all."""
    return Cluster.objects.all() if allowed(user, "clusters.view") else Cluster.objects.none()


def sees_all(user: User | AnonymousUser) -> bool:
    """Whether the user sees whole clusters, and not only namespaces of theirs."""
    return allowed(user, "clusters.view")


def reachable_clusters(user: User | AnonymousUser) -> QuerySet[Cluster]:
    """The clusters of which the user may see something: all of it, or namespaces of theirs.

    For pages that show a person without a role no more of a cluster than its name.
    """
    if sees_all(user):
        return Cluster.objects.all()
    condition = places.source().clusters(user) if _known(user) else places.NOWHERE
    return Cluster.objects.filter(condition)


def visible_objects(user: User | AnonymousUser) -> QuerySet[Object]:
    """The objects that the user may see, of every cluster."""
    if sees_all(user):
        return Object.objects.all()
    return Object.objects.filter(places.source().objects(user) if _known(user) else places.NOWHERE)


def visible_events(user: User | AnonymousUser) -> QuerySet[ClusterEvent]:
    """The events that the user may see, of every cluster."""
    if sees_all(user):
        return ClusterEvent.objects.all()
    condition = places.source().events(user) if _known(user) else places.NOWHERE
    return ClusterEvent.objects.filter(condition)


def seen_of(user: User | AnonymousUser, rows: Iterable[Object]) -> list[Object]:
    """Those of some objects that the user may see, in their order; at most one query."""
    found = list(rows)
    if not found or sees_all(user):
        return found
    keys = [row.pk for row in found]
    mine = set(visible_objects(user).filter(pk__in=keys).values_list("pk", flat=True))
    return [row for row in found if row.pk in mine]


def _known(user: Any) -> TypeGuard[User]:
    return isinstance(user, User) and user.is_active


def why_not_here(user: Any, permission: str, cluster: Cluster, namespace: str = "") -> str:
    """Why somebody may not use a permission in this place; "" when they may.

    namespace: "" for nodes and what else is in none. Who has it by their role may use it
    outside of guarded places; anybody else, where they hold it.
    """
    use = guarded.USES.get(permission, guarded.Use.LOOK)
    if allowed(user, permission):
        why = guarded.why_not(getattr(user, "role", ""), use, cluster, namespace)
    else:
        why = _("You may not do this in the namespace %(namespace)s of %(cluster)s.") % {
            "namespace": namespace or "–", "cluster": cluster.name,
        }  # fmt: skip
    held = why and namespace and _known(user)
    if held and places.source().holds(user, permission, cluster.pk, namespace):
        return ""
    return why


def may(user: Any, permission: str, cluster: Cluster, namespace: str = "") -> bool:
    """Whether somebody has the permission, and may use it in this place."""
    return not why_not_here(user, permission, cluster, namespace)


def may_somewhere(user: Any, permission: str, cluster: Cluster) -> bool:
    """Whether there is a place in the cluster where somebody may use the permission."""
    if may(user, permission, cluster):
        return True
    return _known(user) and places.source().holds(user, permission, cluster.pk, None)


def grants_on(user: Any, verb: str, row: Object, resource: str = "") -> bool:
    """Whether the roles in which a person acts allow a verb where an object is.

    resource: "deployments.apps" by default the object's own. The cluster has the last word.
    """
    resource, namespace = resource or row.resource, guarded.namespace_of(row)
    if not _known(user):
        return False
    if grants(user.role, verb, resource):
        return True
    here = (row.cluster_id, namespace)
    return bool(namespace) and places.source().grants(user, *here, verb, resource)


def may_with(user: Any, permission: str, row: Object) -> bool:
    """`may`, in the place of an object."""
    return may(user, permission, row.cluster, guarded.namespace_of(row))


def only_looks(user: Any, row: Object) -> str:
    """Why somebody who acts elsewhere only looks at this object; "" for everybody else."""
    if not allowed(user, "clusters.operate"):
        return ""
    return why_not_here(user, "clusters.operate", row.cluster, guarded.namespace_of(row))


def may_here_or_403(user: Any, permission: str, cluster: Cluster, namespace: str = "") -> None:
    """Raises PermissionDenied, saying why, where the user may not use the permission."""
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


def own_namespaces(user: Any, cluster: Cluster, most: int) -> list[str]:
    """The namespaces of a cluster in which somebody without a role sees something, sorted."""
    return places.source().names(user, cluster.pk, most) if _known(user) else []


def namespace_page(user: Any, cluster: Cluster, namespace: str) -> str:
    """The page of a namespace: of the cluster's object, or the person's own; "" for none."""
    if not namespace:
        return ""
    if sees_all(user):
        return object_address(cluster.pk, "namespaces", "", namespace)
    return places.source().address(user, cluster.pk, namespace) if _known(user) else ""


def acting(user: User) -> Impersonation:
    """In whose name calls are made that this person causes (User impersonation).

    The cluster's own RBAC decides by these groups, and its audit log shows the person.
    """
    groups = [f"{PLATFORM_GROUP}{user.role}"] if user.role else []
    groups += places.source().groups(user)
    return Impersonation(f"flotilla:user:{user.pk}", tuple(groups), user.get_username())
