"""What a drain would do to each pod of a node, as the inventory knows it; the rules of kubectl."""

from __future__ import annotations

from dataclasses import dataclass, field

from clusters.models import Object

FINISHED = ("Succeeded", "Failed")
MOST = 500


@dataclass(frozen=True)
class Preview:
    """The pods of a node by what becomes of them, at most 500 looked at.

    leaving: evicted; staying: of DaemonSets, and static ones; unmanaged: no
    controller makes them anew; local: with emptyDir volumes (they are in one of
    the first lists too).
    """

    leaving: list[Object] = field(default_factory=list)
    staying: list[Object] = field(default_factory=list)
    unmanaged: list[Object] = field(default_factory=list)
    local: list[Object] = field(default_factory=list)


def preview_of(node: Object) -> Preview:
    """The preview of a node's drain, from SQL alone."""
    found = Preview()
    pods = Object.objects.filter(
        cluster_id=node.cluster_id, resource="pods", node=node.name
    ).order_by("namespace", "name")
    for pod in pods[:MOST]:
        summary = pod.summary if isinstance(pod.summary, dict) else {}
        finished = summary.get("phase") in FINISHED
        # The kubelet owns the API's picture of a static pod.
        if pod.owner_kind in ("DaemonSet", "Node"):
            found.staying.append(pod)
            continue
        unmanaged = not pod.owner_kind and not finished
        (found.unmanaged if unmanaged else found.leaving).append(pod)
        volumes = summary.get("volumes") or []
        if not finished and any(
            isinstance(v, dict) and v.get("kind") == "emptyDir" for v in volumes
        ):
            found.local.append(pod)
    return found
