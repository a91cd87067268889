"""Where inside clusters only admins may do something, although a role's permission allows it.

Two kinds of places (docs/decisions/0029-guarded-namespaces.md). Namespaces that
keep a cluster running, or hold the console's own account there: whoever changes
something in them owns the cluster. And the whole cluster that the console itself
runs on: whoever may create a pod there can reach the node, and so the key ring.
"""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import unquote

from django.conf import settings
from django.utils.translation import gettext as _

from clusters.console_account import NAMESPACE
from clusters.models import Cluster, Object
from console.accounts.models import Role

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
# Subresources of pods (and services) that are a way into a container, by whatever method.
WAYS_IN = ("exec", "attach", "portforward", "proxy")


class Use(StrEnum):
    """What somebody wants to do in a place."""

    LOOK = "look"
    LOGS = "logs"
    EXEC = "exec"
    CHANGE = "change"


# What a permission of the console is used for; every other one only looks.
USES = {
    "clusters.operate": Use.CHANGE,
    "pools.change": Use.CHANGE,  # labels and taints of nodes
    "clusters.exec": Use.EXEC,
    "clusters.logs": Use.LOGS,
}


PERMISSIONS = {
    Use.LOOK: "clusters.view",
    Use.LOGS: "clusters.logs",
    Use.EXEC: "clusters.exec",
    Use.CHANGE: "clusters.operate",
}


class NoPlainPath(ValueError):
    """A path that a server could read in another way than the console does."""


def is_guarded(cluster: Cluster, namespace: str) -> bool:
    """Whether only admins change something in the namespace."""
    return bool(namespace) and (
        namespace in (*SYSTEM_NAMESPACES, NAMESPACE, cluster.console_namespace)
        or namespace in settings.GUARDED_NAMESPACES
    )


def namespace_of(row: Object) -> str:
    """The namespace that an object is in, or is; "" for a node and its like."""
    return row.name if row.resource == "namespaces" else row.namespace


def why_not(role: str, use: Use, cluster: Cluster, namespace: str) -> str:
    """Why a role may not do it in a place; "" where the place is no reason.

    namespace: "" for what is in none. Says nothing about the role's permissions.
    """
    if role == Role.ADMIN or use is Use.LOOK:
        return ""
    if cluster.hosts_console:
        return _why_not_beside_the_console(use, cluster, namespace)
    if use is Use.LOGS or not is_guarded(cluster, namespace):
        return ""
    return _(
        "Only admins may change something or open a terminal in the namespace %(namespace)s of "
        "%(cluster)s: what runs or is kept there decides about the whole cluster."
    ) % {"namespace": namespace, "cluster": cluster.name}


def use_of(method: str, path: str) -> tuple[Use, str]:
    """What a call of the Kubernetes API is, and in which namespace ("" for none).

    An eviction belongs to the node that is drained, not to the pod's namespace: a node has pods
    of every namespace. Raises NoPlainPath.
    """
    # The API server decodes the path before it takes it apart; clients take dots out before.
    parts = unquote(path.partition("?")[0]).removeprefix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise NoPlainPath(path)
    below = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else []
    namespace = ""
    if below[:1] == ["namespaces"] and len(below) > 1:
        namespace, below = below[1], below[2:]
    subresource = below[2] if len(below) > 2 else ""
    if subresource in WAYS_IN:
        return Use.EXEC, namespace
    if method in ("GET", "HEAD"):
        return (Use.LOGS if subresource == "log" else Use.LOOK), namespace
    if (method, below[0:1], subresource) == ("POST", ["pods"], "eviction"):
        return Use.CHANGE, ""
    return Use.CHANGE, namespace


def is_discovery(method: str, path: str) -> bool:
    """Whether a call only asks which kinds a cluster has: every cluster tells everybody that it
    knows (RBAC, "API discovery roles")."""
    parts = unquote(path.partition("?")[0]).removeprefix("/").split("/")
    most = {"api": 2, "apis": 3, "version": 1}.get(parts[0], 0)
    plain = all(part not in ("", ".", "..") for part in parts)
    return method == "GET" and plain and len(parts) <= most


def _why_not_beside_the_console(use: Use, cluster: Cluster, namespace: str) -> str:
    own = cluster.console_namespace
    if use is not Use.LOGS:
        return _(
            "Only admins may change something or open a terminal on %(cluster)s: the console "
            "itself runs there, and who starts a pod beside it can reach its keys."
        ) % {"cluster": cluster.name}
    if own and namespace and namespace != own:
        return ""
    return _(
        "Only admins may read logs in the namespace %(namespace)s of %(cluster)s: the console "
        "itself runs there."
    ) % {"namespace": namespace or "–", "cluster": cluster.name}
