"""The namespaces in which people act who have no platform role: a tenant's people, in its own.

Who they are is known by an app above this one, which registers a Source; clusters.rights asks
here, and everything else asks clusters.rights. Without a source nobody has such a place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from django.db.models import Model, Q

from console.accounts.models import User

NOWHERE = Q(pk__in=())


class Source(Protocol):
    """What is asked of the app that knows whose a namespace is.

    Permissions are those of clusters ("clusters.view", "clusters.logs", "clusters.exec",
    "clusters.operate"); resources and verbs those of Kubernetes' RBAC ("deployments.apps",
    "patch"). Conditions are of one query each, whatever the number of namespaces.
    """

    def objects(self, user: User) -> Q:
        """A condition on clusters.Object: those that the person may see."""

    def events(self, user: User) -> Q:
        """A condition on clusters.ClusterEvent: those that the person may see."""

    def clusters(self, user: User) -> Q:
        """A condition on clusters.Cluster: those with a namespace that the person may see."""

    def holds(
        self, user: User, permission: str, cluster: int | None, namespace: str | None
    ) -> bool:
        """Whether the person holds a permission in a namespace.

        namespace None: in any of the cluster; cluster None: anywhere at all.
        """

    def names(self, user: User, cluster: int, most: int) -> list[str]:
        """The namespaces of a cluster that the person may see, sorted, at most so many."""

    def grants(self, user: User, cluster: int, namespace: str, verb: str, resource: str) -> bool:
        """Whether the cluster lets the person do it there, by the roles that they act in."""

    def groups(self, user: User) -> tuple[str, ...]:
        """The groups in which the person acts inside clusters."""

    def address(self, user: User, cluster: int, namespace: str) -> str:
        """The page of a namespace; "" where the person may see none."""

    def tenant(self, cluster: int, namespace: str) -> Model | None:
        """Whose a namespace is, for audit events; None where it is nobody's."""


class _Nobody:
    """No source is registered: there are no such places."""

    def objects(self, _user: User) -> Q:
        return NOWHERE

    events = clusters = objects

    def holds(self, *_asked: object) -> bool:
        return False

    grants = holds

    def names(self, *_asked: object) -> list[str]:
        return []

    def groups(self, _user: User) -> tuple[str, ...]:
        return ()

    def address(self, *_asked: object) -> str:
        return ""

    def tenant(self, *_asked: object) -> None:
        return None


_sources: list[Source] = [_Nobody()]


def register(found: Source) -> None:
    """Ask this source from now on."""
    _sources[:] = [found]


def source() -> Source:
    """The source that there is."""
    return _sources[0]


def holds(user: User, permission: str, address: Mapping[str, Any]) -> bool:
    """For console.accounts.places: whether a permission is held where an address leads.

    address: "pk" is a cluster, "namespace" a namespace of it, "-" what is in none.
    """
    namespace = address.get("namespace")
    if "pk" not in address:
        return namespace is None and source().holds(user, permission, None, None)
    cluster = str(address["pk"])
    if not (cluster.isascii() and cluster.isdigit() and len(cluster) <= 18):
        return False
    if namespace is None:
        return source().holds(user, permission, int(cluster), None)
    name = str(namespace)
    if not name or len(name) > 63 or "\0" in name:
        return False
    return source().holds(user, permission, int(cluster), name)
