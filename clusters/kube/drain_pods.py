"""Which pods a drain removes: the rules of `kubectl drain`."""

from __future__ import annotations

from enum import StrEnum
from urllib.parse import quote

from clusters.kube.connection import JSON, Connection
from clusters.kube.errors import NotFound

# The kubelet marks with it the API's picture of a static pod, which cannot be deleted here.
MIRROR = "kubernetes.io/config.mirror"


class Fate(StrEnum):
    """What becomes of a pod when its node is drained."""

    EVICT = "evict"
    MIRROR = "mirror"
    DAEMONSET = "daemonset"
    UNMANAGED = "unmanaged"  # nothing makes it anew


def fate_of(pod: JSON) -> Fate:
    """What a drain does with a pod (Safely Drain a Node; the filters of kubectl drain).

    A DaemonSet's pods stay, for it ignores the cordon and would make them anew
    at once, finished ones too. A pod that has finished and belongs to nobody
    goes without `force`: nothing of it runs.
    """
    metadata = pod["metadata"]
    if MIRROR in (metadata.get("annotations") or {}):
        return Fate.MIRROR
    owner = controller_of(pod)
    if owner is not None:
        return Fate.DAEMONSET if owner.get("kind") == "DaemonSet" else Fate.EVICT
    finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return Fate.EVICT if finished else Fate.UNMANAGED


def controller_of(pod: JSON) -> JSON | None:
    """The owner that makes the pod anew: the reference with controller: true."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def is_orphan(conn: Connection, pod: JSON, timeout: float) -> bool:
    """Whether the DaemonSet that a pod names no longer exists. Raises KubeError."""
    owner = controller_of(pod) or {}
    if owner.get("apiVersion") != "apps/v1":
        return False  # somebody's own kind of the same name
    namespace, name = pod["metadata"]["namespace"], quote(str(owner.get("name")), safe="")
    try:
        conn.get_json(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}", timeout=timeout)
    except NotFound:
        return True
    return False


def local_volumes(pod: JSON) -> list[str]:
    """The names of the emptyDir volumes of a running pod: their data ends with the pod."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return []
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    return [str(volume.get("name")) for volume in volumes if "emptyDir" in volume]


def named(pod: JSON) -> str:
    """A pod as "namespace/name"."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
