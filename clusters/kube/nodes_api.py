"""One node as the API server knows it: cordon, uncordon, delete, is it ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from clusters.kube.connection import JSON, Connection
from clusters.kube.errors import Conflict, NotFound


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


def set_unschedulable(conn: Connection, node: str, cordoned: bool) -> tuple[bool, bool]:
    """Cordon or uncordon; whether it was cordoned before and is now. Raises KubeError."""
    before = bool((conn.get_json(node_path(node)).get("spec") or {}).get("unschedulable"))
    (cordon if cordoned else uncordon)(conn, node)
    return before, cordoned


class Marks(NamedTuple):
    """What decides which pods come to a node: its labels, and its taints as the API has them."""

    labels: dict[str, str]
    taints: list[dict[str, str]]


def marks_of(node: JSON) -> Marks:
    """The labels and taints in a Node object; of a taint key, value and effect alone."""
    labels = (node.get("metadata") or {}).get("labels") or {}
    taints = (node.get("spec") or {}).get("taints") or ()
    return Marks(
        {str(key): str(value) for key, value in labels.items()},
        [{part: str(t.get(part) or "") for part in ("key", "value", "effect")} for t in taints],
    )


def marks(conn: Connection, node: str) -> Marks:
    """A node's labels and taints now, asked within 5 s. Raises KubeError."""
    return marks_of(conn.get_json(node_path(node), timeout=5.0))


def set_marks(conn: Connection, node: str, seen: Marks, wanted: Marks) -> None:
    """Change a node's labels and taints from what a person saw to what they want.

    Labels that were not touched stay as they are, also when somebody else changed them
    meanwhile. Raises Conflict where the same label or the taints were changed, or another
    KubeError.
    """
    live = conn.get_json(node_path(node))
    now = marks_of(live)
    labels = {
        key: wanted.labels.get(key)
        for key in {*seen.labels, *wanted.labels}
        if seen.labels.get(key) != wanted.labels.get(key)
    }
    moved = [key for key in labels if now.labels.get(key) != seen.labels.get(key)]
    retaint = _sorted(seen.taints) != _sorted(wanted.taints)
    if retaint and _sorted(now.taints) != _sorted(seen.taints):
        moved.append("taints")
    if moved:
        raise Conflict(
            f"Somebody changed this on {node} meanwhile: {', '.join(sorted(moved))}.",
            "Look at what is there now, then decide again.",
        )
    body: JSON = {"metadata": {"labels": labels}}
    if retaint:
        # A merge patch replaces a list as a whole: what a controller adds between must not go.
        body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        body["spec"] = {"taints": _kept(live, wanted.taints) or None}
    if labels or retaint:
        conn.merge_patch(node_path(node), body)


def _kept(live: JSON, wanted: Sequence[Mapping[str, str]]) -> list[JSON]:
    """The wanted taints; one that is there already keeps its timeAdded."""
    there = {(t.get("key"), t.get("effect")): t for t in (live["spec"].get("taints") or ())}
    found = []
    for taint in wanted:
        old = there.get((taint["key"], taint["effect"]), {})
        found.append({**old, **{part: text for part, text in taint.items() if text}})
        if not taint["value"]:
            found[-1].pop("value", None)
    return found


def _sorted(taints: Sequence[Mapping[str, str]]) -> list[tuple[str, ...]]:
    return sorted(tuple(t[part] for part in ("key", "value", "effect")) for t in taints)


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
