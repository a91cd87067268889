"""Services that lead nowhere and ingresses that name what is not there: rows seen together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from clusters.diagnosis.reading import Cause, make, mapping, mappings, text

_EVIDENCE = {"kind": "status", "name": "selector"}


def cause_of_service(row: Any, pods: Iterable[Any]) -> Cause:
    """Of a service with a selector, none of whose pods is ready.

    pods: rows of the service's namespace. A service without a selector has its
    endpoints made by somebody else, and one of type ExternalName has none.
    """
    summary = mapping(row.summary)
    selector = mapping(summary.get("selector"))
    if not selector or summary.get("type") == "ExternalName":
        return {}
    fitting = [pod for pod in pods if _fits(selector, mapping(pod.labels))]
    running = [pod for pod in fitting if mapping(pod.summary).get("phase") != "Succeeded"]
    if any(is_ready(pod) for pod in running):
        return {}
    shown = ", ".join(f"{text(k, 320)}={text(v, 63)}" for k, v in list(selector.items())[:5])
    if not running:
        return make("service_no_pod", _EVIDENCE, selector=shown)
    return make("service_no_ready_pod", _EVIDENCE, selector=shown, pods=len(running))


def cause_of_ingress(row: Any, services: Sequence[Any]) -> Cause:
    """Of an ingress with a rule for a service that is not in its namespace."""
    names = {service.name for service in services}
    missing = [
        name
        for rule in mappings(mapping(row.summary).get("rules"))
        if (name := text(rule.get("service"), 253)) and name not in names
    ]
    if not missing:
        return {}
    listed = ", ".join(dict.fromkeys(missing[:5]))
    return make("ingress_no_service", {"kind": "status", "name": "rules"}, services=listed)


def is_ready(pod: Any) -> bool:
    """Whether a pod gets requests: its condition Ready."""
    conditions = mappings(mapping(pod.summary).get("conditions"))
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _fits(selector: Any, labels: Any) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())
