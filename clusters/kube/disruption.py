"""Evictions, and the PodDisruptionBudgets that forbid them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clusters.kube.connection import JSON, Connection
from clusters.kube.errors import UnexpectedAnswer
from clusters.kube.selectors import matches


@dataclass(frozen=True)
class Budget:
    """A PodDisruptionBudget with the figures of its status: numbers of pods."""

    namespace: str
    name: str
    disruptions_allowed: int
    current_healthy: int
    desired_healthy: int
    expected_pods: int

    @property
    def text(self) -> str:
        """The name and the figures under Kubernetes' own terms, for a log or a page."""
        return (
            f"{self.name} (disruptionsAllowed {self.disruptions_allowed}, "
            f"currentHealthy {self.current_healthy}, desiredHealthy {self.desired_healthy}, "
            f"expectedPods {self.expected_pods})"
        )


def policy_version(conn: Connection) -> str:
    """The version of the group "policy" that this server evicts with: "v1" or "v1beta1".

    Discovery says it with the subresource itself, as kubectl asks for it:
    policy/v1 evictions came with 1.22, a minor after its budgets, and
    policy/v1beta1 is gone with 1.25. Raises KubeError.
    """
    for resource in conn.get_json("/api/v1").get("resources") or ():
        if resource.get("name") == "pods/eviction" and resource.get("version"):
            return str(resource["version"])
    raise UnexpectedAnswer(
        f"{conn.endpoint} has no evictions (pods/eviction).",
        "Check that the endpoint belongs to a Kubernetes API server.",
    )


def evict(
    conn: Connection, pod: JSON, version: str, timeout: float, grace: int | None = None
) -> None:
    """Ask for the eviction of a pod, and of no other pod of the same name (its UID is sent).

    The pod's own grace period holds unless one in seconds is given. version:
    what policy_version said; timeout in seconds. Raises NotFound when the pod is
    gone, Conflict when the name is another pod's, TooManyRequests when it has to wait.
    """
    metadata = pod["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    eviction: JSON = {
        "apiVersion": f"policy/{version}",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": metadata["uid"]}},
    }
    if grace is not None:
        eviction["deleteOptions"]["gracePeriodSeconds"] = grace
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    conn.post(path, eviction, timeout=timeout)


def budgets_in(conn: Connection, namespace: str, version: str, timeout: float) -> list[JSON]:
    """The PodDisruptionBudgets of a namespace as the server gives them. Raises KubeError."""
    path = f"/apis/policy/{version}/namespaces/{namespace}/poddisruptionbudgets"
    return conn.listing(path, timeout=timeout).items


def budgets_of(pod: JSON, budgets: Iterable[JSON], version: str) -> tuple[Budget, ...]:
    """The budgets that select a pod, out of those of its namespace.

    An empty selector selects every pod in policy/v1 and none in
    policy/v1beta1; no selector selects none (Deprecated API Migration Guide,
    "PodDisruptionBudget").
    """
    labels: Mapping[str, str] = pod["metadata"].get("labels") or {}
    return tuple(
        _budget(item) for item in budgets if _selects(item.get("spec") or {}, labels, version)
    )


def _selects(spec: Mapping[str, Any], labels: Mapping[str, str], version: str) -> bool:
    selector = spec.get("selector")
    if selector is None:
        return False
    empty = not selector.get("matchLabels") and not selector.get("matchExpressions")
    if empty and version == "v1beta1":
        return False
    return matches(selector, labels)


def _budget(item: JSON) -> Budget:
    status = item.get("status") or {}
    return Budget(
        namespace=str(item["metadata"].get("namespace", "")),
        name=str(item["metadata"]["name"]),
        disruptions_allowed=int(status.get("disruptionsAllowed", 0)),
        current_healthy=int(status.get("currentHealthy", 0)),
        desired_healthy=int(status.get("desiredHealthy", 0)),
        expected_pods=int(status.get("expectedPods", 0)),
    )
