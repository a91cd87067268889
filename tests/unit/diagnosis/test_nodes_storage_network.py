"""Nodes, claims and volumes, services and ingresses."""

from __future__ import annotations

import pytest

from clusters.diagnosis import cause_of, evidence_link, refine, words
from clusters.diagnosis.network import cause_of_ingress, cause_of_service
from clusters.diagnosis.nodes import skewed
from clusters.diagnosis.storage import with_classes
from clusters.models import Object
from tests.unit.diagnosis.rows import (
    NOW,
    ago,
    conditions,
    event,
    row,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("DiskPressure", "node_disk"),
        ("MemoryPressure", "node_memory"),
        ("PIDPressure", "node_pids"),
        ("NetworkUnavailable", "node_no_network"),
        ("KernelDeadlock", "node_problem"),
    ],
)
def test_nodes_under_pressure(kind: str, code: str) -> None:
    found = cause_of(row("nodes", {"conditions": conditions(Ready="True", **{kind: "True"})}), NOW)
    assert found["code"] == code
    assert evidence_link(row("nodes", {}), found).label == f"Condition {kind}"


def test_a_node_that_is_away_says_since_when() -> None:
    told = {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}
    found = cause_of(row("nodes", {"conditions": [{**told, "since": ago(hours=2)}]}), NOW)
    assert "since 2026-03-01 10:00" in words(found).what


def test_cordoned_and_skewed_nodes() -> None:
    ready = conditions(Ready="True")
    cordoned = row("nodes", {"conditions": ready, "unschedulable": True})
    assert cause_of(cordoned, NOW)["code"] == "node_cordoned"
    old = row("nodes", {"conditions": ready, "version": "v1.20.2"})
    assert cause_of(old, NOW) == {} and skewed(old, "v1.21.0") == {}
    assert skewed(old, "v1.23.0")["code"] == "node_too_old"
    assert skewed(old, "v1.19.9")["code"] == "node_too_new"
    assert skewed(old, "what?") == {}


def test_claims_from_the_rows_alone() -> None:
    none = row("persistentvolumeclaims", {"phase": "Pending", "requested": "1Gi"})
    assert cause_of(none, NOW)["code"] == "claim_no_class"
    fast = row("persistentvolumeclaims", {"phase": "Pending", "class": "fast"})
    found = cause_of(fast, NOW)
    assert with_classes(fast, found, [])["code"] == "claim_class_missing"
    late = row("storageclasses.storage.k8s.io", {"binding": "WaitForFirstConsumer"}, name="fast")
    assert with_classes(fast, found, [late])["code"] == "claim_waits_for_pod"
    lost = row("persistentvolumeclaims", {"phase": "Lost", "volume": "pv1"})
    assert cause_of(lost, NOW)["code"] == "claim_lost"
    failed = row("persistentvolumes", {"phase": "Failed", "claim": "shop/data"})
    said = event("VolumeFailedDelete", "error deleting volume: in use")
    assert refine(failed, [said], NOW)["values"]["said"] == "error deleting volume: in use"


def ready_pod(labels: dict[str, str], ready: str = "True") -> Object:
    summary = {"phase": "Running", "conditions": conditions(Ready=ready)}
    return row("pods", summary, labels=labels)


def test_services_that_lead_nowhere() -> None:
    service = row("services", {"type": "ClusterIP", "selector": {"app": "cart", "tier": "web"}})
    fits = {"app": "cart", "tier": "web", "more": "x"}
    assert cause_of_service(service, [ready_pod({"app": "cart"})])["code"] == "service_no_pod"
    found = cause_of_service(service, [ready_pod(fits, "False")])
    assert (found["code"], found["values"]["pods"]) == ("service_no_ready_pod", 1)
    assert cause_of_service(service, [ready_pod(fits, "False"), ready_pod(fits)]) == {}
    assert cause_of_service(row("services", {"type": "ClusterIP"}), []) == {}


def test_ingresses_to_what_is_not_there() -> None:
    rules = [{"host": "a.example", "path": "/", "service": name} for name in ("cart", "pay")]
    ingress = row("ingresses.networking.k8s.io", {"rules": rules})
    found = cause_of_ingress(ingress, [row("services", {}, name="cart")])
    assert found["values"] == {"services": "pay"}
