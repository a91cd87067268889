"""Rows of nodes and namespaces."""

from __future__ import annotations

from typing import Any

from clusters.inventory.nodes import roles_of
from clusters.inventory.raw import (
    JSON,
    as_map,
    as_maps,
    condition,
    conditions,
    filled,
    pairs,
    text,
)
from clusters.inventory.told import Told
from clusters.models import Health
from clusters.quantities import quantity

# Conditions that are bad when they are true ("Node Status").
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def node(item: JSON) -> Told:
    """A node: Ready or NotReady, and what it can carry."""
    metadata, spec, status = (as_map(item.get(p)) for p in ("metadata", "spec", "status"))
    found = conditions(status)
    ready = condition(found, "Ready").get("status") == "True"
    pressed = any(condition(found, kind).get("status") == "True" for kind in PRESSURES)
    cordoned = spec.get("unschedulable") is True
    health = Health.BAD if not ready else Health.WARN if pressed or cordoned else Health.GOOD
    info = pairs(status.get("nodeInfo"))
    can, has = as_map(status.get("allocatable")), as_map(status.get("capacity"))
    addresses = as_maps(status.get("addresses"), 20)
    address = next((a.get("address") for a in addresses if a.get("type") == "InternalIP"), "")
    summary: dict[str, Any] = {
        "roles": roles_of(pairs(metadata.get("labels"))),
        "version": info.get("kubeletVersion", "")[:64],
        "unschedulable": cordoned,
        "taints": [pairs(taint) for taint in as_maps(spec.get("taints"), 40)],
        "conditions": found,
        "cpu": quantity(can.get("cpu")),
        "memory": quantity(can.get("memory")),
        "pods": quantity(can.get("pods")),
        "cpu_capacity": quantity(has.get("cpu")),
        "memory_capacity": quantity(has.get("memory")),
        "os": info.get("osImage"),
        "kernel": info.get("kernelVersion"),
        "runtime": info.get("containerRuntimeVersion"),
        "architecture": info.get("architecture"),
    }
    return Told(
        "Ready" if ready else "NotReady",
        health,
        address=text(address, 64),
        summary=filled(summary),
    )


def namespace(item: JSON) -> Told:
    """A namespace: Active or Terminating, with what holds it up in the conditions."""
    status = as_map(item.get("status"))
    phase = text(status.get("phase"), 32)
    health = {"Active": Health.GOOD, "Terminating": Health.MOVING}.get(phase, Health.NONE)
    return Told(phase, health, summary=filled({"phase": phase, "conditions": conditions(status)}))
