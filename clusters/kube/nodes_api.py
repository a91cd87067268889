"""One node as the API server knows it: cordon, uncordon, delete, is it ready."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from clusters.kube.connection import JSON, Connection
from clusters.kube.errors import NotFound


class NodeState(NamedTuple):
    """Whether the kubelet reports Ready, and its version, such as "v1.20.2"."""

    ready: bool
    kubelet: str


def node_path(node: str) -> str:
    """The path of a node in the API."""
    return f"/api/v1/nodes/{quote(node, safe='')}"


def cordon(conn: Connection, node: str) -> None:
    """Let the scheduler place no more pods on a node. Raises NotFound or another KubeError."""
    conn.merge_patch(node_path(node), {"spec": {"unschedulable": True}})


def uncordon(conn: Connection, node: str) -> None:
    """Let the scheduler place pods on a node again. Raises NotFound or another KubeError."""
    conn.merge_patch(node_path(node), {"spec": {"unschedulable": None}})


def delete_node(conn: Connection, node: str) -> bool:
    """Remove a node's object; its pods follow by garbage collection. False: it was gone already."""
    try:
        conn.delete(node_path(node))
    except NotFound:
        return False
    return True


def node_ready(conn: Connection, node: str) -> NodeState:
    """Whether a node is Ready, and its kubelet's version.

    A kubelet that stopped reporting is not ready: its condition becomes
    "Unknown" after the controller manager's grace period (40 s, 50 s since
    1.32). Raises NotFound or another KubeError.
    """
    return state_of(conn.get_json(node_path(node)))


def state_of(node: JSON) -> NodeState:
    """The state in a Node object, as listings bring it."""
    status = node.get("status") or {}
    ready = any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status.get("conditions") or ()
    )
    return NodeState(ready, str((status.get("nodeInfo") or {}).get("kubeletVersion", "")))
