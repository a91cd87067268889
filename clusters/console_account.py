"""The console's own account in a cluster that it did not make: what is applied, and taken back.

It may impersonate anybody, so whoever holds its token can do everything in the cluster. That
is what acting in the name of people needs; the token lies encrypted, as every secret does.
"""

from __future__ import annotations

import base64
import binascii
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import yaml

from clusters.kube import Connection, KubeError, NotFound
from clusters.kube.given_secrets import plain_token
from clusters.kube.strict_yaml import Refused

JSON = dict[str, Any]
NAMESPACE = "flotilla"
ACCOUNT = "console"
ROLE = "flotilla:console"
SECRET = "console-token"  # noqa: S105 (the name of the object, not the token)
RBAC = "rbac.authorization.k8s.io"
LABELS: Mapping[str, str] = {"app.kubernetes.io/managed-by": "flotilla"}
OURS = "app.kubernetes.io/managed-by=flotilla"
# The controller of Kubernetes that fills in the token takes moments.
TOKEN_SECONDS = 8.0
LEAST_SECONDS = 0.2


@dataclass(frozen=True)
class Made:
    """One object: its path in the API, what it is, and how to remove it by hand."""

    path: str
    kind: str
    name: str
    kubectl: str


def rules() -> list[JSON]:
    """What the console itself does; what people do happens in their own names."""
    every = ["create", "delete", "get", "list", "patch", "update", "watch"]
    roles = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"]
    return [
        # The inventory, and custom resources that somebody asks for.
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]},
        {"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]},
        {"nonResourceURLs": ["/version", "/readyz", "/livez", "/metrics"], "verbs": ["get"]},
        # Roles for the groups of this console's people.
        {"apiGroups": [RBAC], "resources": roles, "verbs": [*every, "bind", "escalate"]},
        # Tenants' namespaces and their limits; and to clean up when the cluster is forgotten.
        {
            "apiGroups": [""],
            "resources": ["namespaces", "resourcequotas", "limitranges"],
            "verbs": list(every),
        },
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["networkpolicies"],
            "verbs": list(every),
        },
    ]


def objects() -> list[JSON]:
    """Namespace, account, role, binding and token, in the order in which they are applied."""
    kind = "kubernetes.io/service-account-token"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": _named(NAMESPACE)},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": _named(ACCOUNT, NAMESPACE),
            # Nothing runs in its name.
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": _named(ROLE),
            "rules": rules(),
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": _named(ROLE),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": _named(SECRET, NAMESPACE)
            | {"annotations": {"kubernetes.io/service-account.name": ACCOUNT}},
            "type": kind,
        },
    ]


def manifest() -> str:
    """The YAML of objects(): exactly what is applied."""
    return yaml.safe_dump_all(objects(), sort_keys=False, default_flow_style=False)


def path_of(item: JSON) -> str:
    """An object's path in the API."""
    metadata = item["metadata"]
    plural = {
        "Namespace": "namespaces",
        "ServiceAccount": "serviceaccounts",
        "ClusterRole": "clusterroles",
        "ClusterRoleBinding": "clusterrolebindings",
        "Secret": "secrets",
    }[item["kind"]]
    version = item["apiVersion"]
    path = f"/apis/{version}" if "/" in version else f"/api/{version}"
    if namespace := metadata.get("namespace"):
        path += f"/namespaces/{namespace}"
    return f"{path}/{plural}/{metadata['name']}"


def make(connection: Connection, seconds: float = TOKEN_SECONDS) -> str:
    """Apply the objects with the connection's rights; return the account's token.

    Fields that somebody else set are taken over: the names are the console's.
    Raises KubeError, also when the cluster fills in no token within `seconds`.
    """
    for item in objects():
        connection.apply(path_of(item), item, force=True, timeout=5.0)
    deadline = time.monotonic() + seconds
    path = path_of(objects()[-1])
    while True:
        data = connection.get_json(path, timeout=5.0).get("data")
        token = data.get("token") if isinstance(data, dict) else None
        if isinstance(token, str) and token:
            try:
                plain = base64.b64decode(token, validate=True).decode("ascii")
                return plain_token(plain, "token")
            except (binascii.Error, ValueError, Refused):
                raise KubeError(
                    f"{connection.endpoint} answered a token that is none.", "Check the cluster."
                ) from None
        if time.monotonic() > deadline:
            raise KubeError(
                f"{connection.endpoint} made the service account, but no token for it within "
                f"{seconds:g} s.",
                "Check that kube-controller-manager runs, and try again.",
            )
        time.sleep(0.3)


def made_there(connection: Connection, ends: float) -> list[Made]:
    """What the console made in the cluster and is still there.

    ends: by time.monotonic(), when the answers must be there. Raises KubeError.
    """
    found = []
    for plural, kind in (
        ("clusterrolebindings", "ClusterRoleBinding"),
        ("clusterroles", "ClusterRole"),
    ):
        path = f"/apis/{RBAC}/v1/{plural}"
        # One page: a role for each kind of person, and the console's own.
        query = {"labelSelector": OURS, "limit": "500"}
        for item in _items(connection.get_json(path, query, timeout=_left(ends))):
            metadata = item.get("metadata")
            name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
            if name:
                # Names of roles are free, and the command is made to be pasted into a shell.
                command = f"kubectl delete {kind.lower()} {shlex.quote(name)}"
                found.append(Made(f"{path}/{quote(name, safe=':')}", kind, name, command))
    namespace = f"/api/v1/namespaces/{NAMESPACE}"
    try:
        found_there = connection.get_json(namespace, timeout=_left(ends))
        labels = (found_there.get("metadata") or {}).get("labels")
    except NotFound:
        labels = None
    if isinstance(labels, dict) and labels.get("app.kubernetes.io/managed-by") == "flotilla":
        command = f"kubectl delete namespace {NAMESPACE}"
        found.append(Made(namespace, "Namespace", NAMESPACE, command))
    return found


def remove(connection: Connection, made: list[Made], ends: float) -> list[Made]:
    """Remove what the console made; return what could not be removed.

    ends: by time.monotonic(), after which nothing more is tried.

    Its own rights go last, so at the end one object may be left that says
    nothing any more: the role that nobody is bound to.
    """
    left = []
    for item in sorted(made, key=_last_of_all):
        if time.monotonic() > ends:
            left.append(item)
            continue
        try:
            connection.delete(item.path, timeout=_left(ends))
        except NotFound:
            continue
        except KubeError:
            left.append(item)
    return left


def by_hand() -> list[str]:
    """kubectl commands that remove everything, for a cluster that is away."""
    return [
        f"kubectl delete clusterrolebindings,clusterroles -l {OURS}",
        f"kubectl delete namespace {NAMESPACE} --ignore-not-found",
    ]


def _left(ends: float) -> float:
    """Seconds for the next call."""
    return max(LEAST_SECONDS, ends - time.monotonic())


def _items(page: JSON) -> list[JSON]:
    items = page.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _last_of_all(item: Made) -> tuple[bool, int]:
    own = item.name == ROLE
    return own, ["Namespace", "ClusterRoleBinding", "ClusterRole"].index(item.kind)


def _named(name: str, namespace: str = "") -> JSON:
    found: JSON = {"name": name}
    if namespace:
        found["namespace"] = namespace
    return found | {"labels": dict(LABELS)}
