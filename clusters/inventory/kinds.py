"""The kinds of objects that every cluster is watched for, and their addresses in the API."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """One resource of the API (API Concepts, "Resource URIs").

    group: "" for the core group; versions: the wanted one first, older ones
    that a cluster may serve instead behind it ("v1beta1" of CronJob until 1.20).
    """

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def resource(self) -> str:
        """The plural and the group, as CRDs are named: "pods", "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def api_version(self, version: str = "") -> str:
        """What manifests say: "v1", "apps/v1"; version: one of versions, the first by default."""
        version = version or self.versions[0]
        return f"{self.group}/{version}" if self.group else version


def api_root(api_version: str) -> str:
    """The path of an API version: "v1" is /api/v1, "apps/v1" is /apis/apps/v1."""
    prefix = "/apis/" if "/" in api_version else "/api/"
    return prefix + quote(api_version, safe="/")


def object_path(api_version: str, plural: str, namespace: str = "", name: str = "") -> str:
    """The path of an object, or of its collection where no name is given."""
    path = api_root(api_version)
    if namespace:
        path += f"/namespaces/{quote(namespace, safe='')}"
    path += f"/{quote(plural, safe='')}"
    return f"{path}/{quote(name, safe='')}" if name else path


APPS, BATCH, NETWORKING, STORAGE = "apps", "batch", "networking.k8s.io", "storage.k8s.io"

KINDS = (
    Kind("", ("v1",), "nodes", "Node", namespaced=False),
    Kind("", ("v1",), "namespaces", "Namespace", namespaced=False),
    Kind("", ("v1",), "pods", "Pod"),
    Kind(APPS, ("v1",), "deployments", "Deployment"),
    Kind(APPS, ("v1",), "replicasets", "ReplicaSet"),
    Kind(APPS, ("v1",), "statefulsets", "StatefulSet"),
    Kind(APPS, ("v1",), "daemonsets", "DaemonSet"),
    Kind(BATCH, ("v1",), "jobs", "Job"),
    Kind(BATCH, ("v1", "v1beta1"), "cronjobs", "CronJob"),
    Kind("", ("v1",), "services", "Service"),
    Kind(NETWORKING, ("v1",), "ingresses", "Ingress"),
    Kind("", ("v1",), "persistentvolumeclaims", "PersistentVolumeClaim"),
    Kind("", ("v1",), "persistentvolumes", "PersistentVolume", namespaced=False),
    Kind(STORAGE, ("v1",), "storageclasses", "StorageClass", namespaced=False),
    Kind("", ("v1",), "configmaps", "ConfigMap"),
    Kind("", ("v1",), "secrets", "Secret"),
)
BY_RESOURCE = {kind.resource: kind for kind in KINDS}
EVENTS = Kind("", ("v1",), "events", "Event")

WORKLOADS = tuple(
    f"{plural}.{group}"
    for plural, group in (
        ("deployments", APPS),
        ("statefulsets", APPS),
        ("daemonsets", APPS),
        ("jobs", BATCH),
        ("cronjobs", BATCH),
    )
)
