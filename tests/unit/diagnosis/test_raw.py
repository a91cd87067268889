"""From what an API server says of an object to the sentence: rows carry their cause."""

from __future__ import annotations

from typing import Any

from clusters.diagnosis import words
from clusters.inventory.kinds import BY_RESOURCE
from clusters.inventory.rows import row_of
from clusters.models import Object

LAST = {"exitCode": 3, "reason": "Error", "finishedAt": "2026-03-01T11:59:00Z"}


def made(resource: str, item: dict[str, Any]) -> Object:
    kind = BY_RESOURCE[resource]
    row = row_of(1, kind, kind.api_version(), {"metadata": {"name": "cart"}, **item})
    assert row is not None
    return row


def pod(status: dict[str, Any], **metadata: Any) -> Object:
    item = {
        "metadata": {"name": "cart-0", "namespace": "shop", **metadata},
        "spec": {"nodeName": "node1", "containers": [
            {"name": "app", "image": "shop/cart:1", "resources": {"limits": {"memory": "16Mi"}}}]},
        "status": {"phase": "Running", **status},
    }  # fmt: skip
    return made("pods", item)


def crashing(message: str, **last: Any) -> Object:
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}}
    terminated = {**LAST, "message": message, **last}
    return pod({"containerStatuses": [{
        "name": "app", "restartCount": 2, "state": state, "lastState": {"terminated": terminated},
    }]})  # fmt: skip


def test_the_last_line_of_a_long_termination_message_is_the_one_that_is_told() -> None:
    row = crashing("log line\n" * 400 + "panic: no database\n")
    assert row.cause["values"]["said"] == "panic: no database"
    assert words(row.cause).what.endswith("exit code 3 (2 restarts): panic: no database.")


def test_the_limit_that_a_container_ran_into() -> None:
    assert crashing("", reason="OOMKilled", exitCode=137).cause["values"]["limit"] == "16Mi"


def test_a_pod_that_is_kept_by_a_finalizer() -> None:
    row = pod({}, deletionTimestamp="2026-03-01T10:00:00Z", finalizers=["example.com/hold"])
    assert row.cause["code"] == "pod_finalizers"


def test_a_daemon_set_that_runs_where_it_should_not() -> None:
    status = {"desiredNumberScheduled": 1, "numberReady": 1, "numberMisscheduled": 2}
    assert made("daemonsets.apps", {"status": status}).cause["values"] == {"number": 2}


def test_what_is_well_carries_no_cause() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    running = {"state": {"running": {}}, "ready": True, "name": "app", "restartCount": 0}
    assert pod({"conditions": ready, "containerStatuses": [running]}).cause == {}
    assert made("secrets", {"type": "Opaque"}).cause == {}
