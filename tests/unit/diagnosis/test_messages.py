"""Real messages of every version are taken for what they say, with their figures."""

# ruff: noqa: E501
from __future__ import annotations

from typing import Any

import pytest

from clusters.diagnosis import cause_of, refine, words
from clusters.diagnosis.pods_images import registry_of
from clusters.diagnosis.pods_schedule import parse
from tests.unit.diagnosis import messages
from tests.unit.diagnosis.rows import (
    NOW,
    ago,
    conditions,
    event,
    pod,
    row,
    running,
    unscheduled,
    waiting,
)


def holds(cause: dict[str, Any], code: str, values: dict[str, Any]) -> None:
    assert cause.get("code") == code, cause
    assert {key: cause["values"].get(key) for key in values} == values
    told = words(cause)
    assert told.what.endswith(".") and told.mend
    assert "?" not in told.what.replace("mutate?", ""), told.what


@pytest.mark.parametrize(("reason", "message", "code", "said"), messages.IMAGES)
def test_images(reason: str, message: str, code: str, said: str) -> None:
    found = cause_of(pod(waiting(reason, message)), NOW)
    holds(found, code, {"container": "app", "image": messages.IMAGE})
    assert found["values"]["registry"] == "registry.example.com"
    assert said in found["values"].get("said", "")
    assert "rpc error" not in words(found).what
    assert found["evidence"]["kind"] == "container"


def test_until_1_31_the_back_off_forgets_the_reason_and_an_event_remembers_it() -> None:
    image = messages.IMAGE
    row_ = pod(waiting("ImagePullBackOff", f'Back-off pulling image "{image}"'))
    events = [
        event("Failed", "Error: ImagePullBackOff"),
        event("Failed", 'Failed to pull image "other:1": 401 Unauthorized'),
        event("Failed", f'Failed to pull image "{image}": rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'),
    ]  # fmt: skip
    found = refine(row_, events, NOW)
    holds(found, "image_not_found", {"said": "not found", "image": image})
    assert found["evidence"]["kind"] == "event"


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("busybox", "docker.io"),
        ("library/busybox:1", "docker.io"),
        ("ghcr.io/a/b@sha256:ab", "ghcr.io"),
        ("localhost/a", "localhost"),
        ("10.0.0.1:5000/a", "10.0.0.1:5000"),
        ("", ""),
    ],
)
def test_the_registry_of_an_image(image: str, registry: str) -> None:
    assert registry_of(image) == registry


@pytest.mark.parametrize(("reason", "message", "code", "values"), messages.STARTS)
def test_starts(reason: str, message: str, code: str, values: dict[str, Any]) -> None:
    limits = {"memory": "16Mi"}
    if reason == "ContainerCannotRun":
        last = {"reason": reason, "message": message, "exit_code": 127}
        shown = waiting("CrashLoopBackOff", limits=limits, last=last, restarts=2)
    else:
        shown = waiting(reason, message, limits=limits)
    holds(cause_of(pod(shown), NOW), code, {"container": "app", **values})


@pytest.mark.parametrize(("message", "nodes", "parts"), messages.SCHEDULING)
def test_scheduling(message: str, nodes: int, parts: list[list[Any]]) -> None:
    assert parse(message) == {"nodes": nodes, "parts": parts, "rest": ""}
    row_ = unscheduled(message, cpu_request=2.0, memory_request=4 << 30)
    holds(cause_of(row_, NOW), "unschedulable", {"nodes": nodes, "parts": parts})
    # A scheduler whose condition has not come yet tells it in an event.
    bare = pod(conditions=[], node="")
    holds(refine(bare, [event("FailedScheduling", message)], NOW), "unschedulable", {})


@pytest.mark.parametrize(("message", "code", "values"), messages.VOLUMES_FIRST)
def test_a_pod_that_waits_for_its_claim(message: str, code: str, values: dict[str, Any]) -> None:
    volumes = [{"name": "data", "kind": "persistentVolumeClaim", "ref": "data-cart-0"}]
    holds(cause_of(unscheduled(message, volumes=volumes), NOW), code, values)


@pytest.mark.parametrize(("message", "code", "values"), messages.REFUSALS)
def test_refusals(message: str, code: str, values: dict[str, Any]) -> None:
    missing = {"desired": 3, "ready": 1}
    for resource in ("statefulsets.apps", "daemonsets.apps", "replicasets.apps"):
        found = refine(row(resource, missing), [event("FailedCreate", message)], NOW)
        holds(found, code, values)
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    told = {**missing, "conditions": [{**failure, "message": message, "since": ago(hours=1)}]}
    for resource in ("deployments.apps", "replicasets.apps"):
        found = cause_of(row(resource, told), NOW)
        holds(found, code, values)
        assert found["evidence"] == {
            "kind": "condition", "name": "ReplicaFailure", "since": ago(hours=1)
        }  # fmt: skip


@pytest.mark.parametrize(("reason", "message", "code", "values"), messages.MOUNTS)
def test_mounts(reason: str, message: str, code: str, values: dict[str, Any]) -> None:
    row_ = pod(waiting("ContainerCreating"))
    assert cause_of(row_, NOW) == {}
    holds(refine(row_, [event(reason, message)], NOW), code, values)


@pytest.mark.parametrize(("message", "code", "values"), messages.PROBES)
def test_probes(message: str, code: str, values: dict[str, Any]) -> None:
    kind = code.removeprefix("probe_")
    shown = running(probes={kind: "GET :8080/healthz every 10 s"}, restarts=2)
    row_ = pod({**shown, "ready": False}, phase="Running")
    found = refine(row_, [event("Unhealthy", message, count=7)], NOW)
    holds(found, code, {"container": "app", "times": 7, **values})
    assert "GET :8080/healthz every 10 s" in words(found).what
    assert "7 times" in words(found).what


@pytest.mark.parametrize(("message", "code", "values"), messages.EVICTIONS)
def test_evictions(message: str, code: str, values: dict[str, Any]) -> None:
    told = pod(phase="Failed", status="Evicted", message=message)
    holds(cause_of(told, NOW), code, {"node": "node1", **values})
    # Where the row has no message, the event has it.
    found = refine(pod(phase="Failed", status="Evicted"), [event("Evicted", message)], NOW)
    holds(found, code, {"node": "node1", **values})


@pytest.mark.parametrize(("status", "reason", "message", "code"), messages.NODES)
def test_nodes(status: str, reason: str, message: str, code: str) -> None:
    ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
    pressure = {"type": "MemoryPressure", "status": "Unknown", "reason": "NodeStatusUnknown"}
    summary = {"conditions": [pressure, {**ready, "since": ago(minutes=9)}]}
    holds(cause_of(row("nodes", summary), NOW), code, {})


@pytest.mark.parametrize(("name", "reason", "message", "code", "values"), messages.CLAIMS)
def test_claims(name: str, reason: str, message: str, code: str, values: dict[str, Any]) -> None:
    summary = {"phase": "Pending", "requested": "1Gi", **({"class": name} if name else {})}
    found = refine(row("persistentvolumeclaims", summary), [event(reason, message)], NOW)
    holds(found, code, values)


@pytest.mark.parametrize(("kind", "message", "code", "values"), messages.NAMESPACES)
def test_namespaces(kind: str, message: str, code: str, values: dict[str, Any]) -> None:
    told = [{"type": kind, "status": "True", "message": message}]
    others = conditions(NamespaceDeletionGroupVersionParsingFailure="False")
    found = cause_of(row("namespaces", {"phase": "Terminating", "conditions": others + told}), NOW)
    holds(found, code, values)
