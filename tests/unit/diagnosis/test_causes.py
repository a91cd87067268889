"""What is not well has its cause with the right figures; what is well has none."""

# ruff: noqa: E501
from __future__ import annotations

from typing import Any

import pytest

from clusters.diagnosis import cause_of, evidence_link, refine, words
from clusters.diagnosis.workloads import ordinal, with_pod
from clusters.models import Health
from tests.unit.diagnosis.rows import (
    NOW,
    ago,
    conditions,
    container,
    event,
    pod,
    row,
    running,
    unscheduled,
    waiting,
)

CrashLoop = "CrashLoopBackOff"


def looping(**last: Any) -> dict[str, Any]:
    more = {key: last.pop(key) for key in ("limits", "init", "probes") if key in last}
    message = "back-off 5m0s restarting failed container=app pod=cart_shop(ab)"
    return waiting(CrashLoop, message, restarts=4, last=last, **more)


# --- containers that end


def test_a_crash_names_exit_code_restarts_and_the_last_line_that_it_left() -> None:
    last = {"reason": "Error", "exit_code": 3, "message": "starting\nno database at db:5432\n\n"}
    found = cause_of(pod(looping(**last), phase="Running"), NOW)
    assert found["code"] == "crash"
    assert found["values"] == {
        "container": "app", "restarts": 4, "exit_code": 3, "said": "no database at db:5432",
    }  # fmt: skip
    assert words(found).what == (
        "Container app ends again and again with exit code 3 (4 restarts): no database at db:5432."
    )


@pytest.mark.parametrize(
    ("code", "meaning"),
    [(127, "not found"), (139, "SIGSEGV"), (143, "SIGTERM"), (137, "SIGKILL"), (135, "signal 7")],
)
def test_exit_codes_have_a_meaning(code: int, meaning: str) -> None:
    found = cause_of(pod(looping(reason="Error", exit_code=code)), NOW)
    assert f"exit code {code} (" in words(found).what and meaning in words(found).what


def test_out_of_memory_names_the_limit_and_the_container() -> None:
    last = {"reason": "OOMKilled", "exit_code": 137}
    found = cause_of(pod(looping(**last, limits={"memory": "16Mi"})), NOW)
    assert found["code"] == "oom_killed"
    assert found["values"]["limit"] == "16Mi" and found["values"]["container"] == "app"
    assert "its limit of 16Mi" in words(found).what
    assert cause_of(pod(looping(**last)), NOW)["code"] == "oom_node"


def test_a_container_that_was_just_ended_for_memory_and_runs_again_is_told_for_a_while() -> None:
    last = {"reason": "OOMKilled", "exit_code": 137, "finished": ago(minutes=2)}
    shown = running(restarts=1, last=last, limits={"memory": "16Mi"})
    ready = {"phase": "Running", "conditions": conditions(PodScheduled="True", Ready="True")}
    assert cause_of(pod(shown, **ready), NOW)["code"] == "oom_killed"
    old = {**shown, "last": {**last, "finished": ago(hours=2)}}
    assert cause_of(pod(old, **ready), NOW) == {}


def test_a_program_that_ends_by_itself_in_a_deployment() -> None:
    assert cause_of(pod(looping(reason="Completed", exit_code=0)), NOW)["code"] == "ends_by_itself"


def test_a_pod_that_is_not_restarted_says_how_it_ended() -> None:
    shown = container(state="terminated", reason="Error", exit_code=2, message="bad flag")
    found = cause_of(pod(shown, phase="Failed"), NOW)
    assert (found["code"], found["values"]["said"]) == ("ended_badly", "bad flag")


def test_the_init_container_that_fails_is_the_cause_not_the_one_that_waits_for_it() -> None:
    init = {**looping(reason="Error", exit_code=1), "name": "migrate", "init": True}
    found = cause_of(pod(waiting("PodInitializing"), init), NOW)
    assert found["values"]["container"] == "migrate"
    assert words(found).what.startswith("Init container migrate ends again and again")


def test_an_init_container_that_goes_on_and_on() -> None:
    done = container(name="one", init=True, state="terminated", exit_code=0, reason="Completed")
    init = container(name="wait-db", init=True, state="running", since=ago(minutes=12))
    found = cause_of(pod(waiting("PodInitializing"), done, init), NOW)
    assert found["code"] == "init_slow"
    assert "wait-db (2 of 2) has been running for 12 minutes" in words(found).what
    young = {**init, "since": ago(minutes=1)}
    assert cause_of(pod(waiting("PodInitializing"), done, young), NOW) == {}


# --- probes


def test_liveness_kills_explain_a_crash_by_sigkill_and_no_crash_of_its_own() -> None:
    said = event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
    probes = {"liveness": "GET :8080/live every 10 s"}
    killed = pod(looping(reason="Error", exit_code=137, probes=probes), phase="Running")
    found = refine(killed, [said], NOW)
    assert found["code"] == "probe_liveness"
    assert "it answers 500" in words(found).what and "4 restarts" in words(found).what
    own = pod(looping(reason="Error", exit_code=1, probes=probes), phase="Running")
    assert refine(own, [said], NOW)["code"] == "crash"


def test_the_probe_is_that_of_the_container_that_was_killed_for_it() -> None:
    events = [
        event("Unhealthy", "Liveness probe failed: command timed out"),
        event("Killing", "Container side failed liveness probe, will be restarted"),
    ]
    probes = {"liveness": "exec true every 1 s"}
    first, second = running(probes=probes), running(name="side", probes=probes, restarts=1)
    found = refine(pod({**first, "ready": False}, second, phase="Running"), events, NOW)
    assert found["values"]["container"] == "side"


def test_a_probe_that_failed_once_while_the_pod_is_ready_is_no_cause() -> None:
    ready = {"phase": "Running", "conditions": conditions(PodScheduled="True", Ready="True")}
    shown = running(probes={"readiness": "GET :80/ every 10 s"})
    events = [event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")]
    assert refine(pod(shown, **ready), events, NOW) == {}


def test_not_ready_without_events_names_the_probe_after_a_minute() -> None:
    shown = running(probes={"readiness": "GET :8080/ready every 5 s"})
    row_ = pod({**shown, "ready": False}, phase="Running")
    assert cause_of(row_, NOW)["code"] == "not_ready"
    row_.summary["conditions"][1]["since"] = ago(seconds=20)
    assert cause_of(row_, NOW) == {}


# --- scheduling and the life of a pod


def test_no_node_fits_in_words() -> None:
    said = "0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate."
    found = cause_of(unscheduled(said, cpu_request=2.0, memory_request=64 << 20), NOW)
    found["values"]["left_cpu"] = 0.5
    assert words(found).what == (
        "None of 4 nodes takes this pod (3 nodes: a taint that the pod does not tolerate "
        "(node-role.kubernetes.io/master); 1 node: too little cpu left); it asks for 2 CPU, "
        "64 MiB, at most 0.5 CPU is left on a node."
    )
    assert "toleration" in words(found).mend and "add a node" in words(found).mend


def test_a_gated_pod_waits_for_its_controller() -> None:
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert cause_of(pod(conditions=[gated], node=""), NOW)["code"] == "scheduling_gated"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("Preempting", "preempted"),
        ("NodeLost", "node_lost"),
        ("OutOfcpu", "node_out_of"),
        ("NodeAffinity", "node_affinity"),
        ("UnexpectedAdmissionError", "node_refused"),
        ("TopologyAffinityError", "node_topology"),
        ("DeadlineExceeded", "pod_deadline"),
        ("Shutdown", "node_shutdown"),
    ],
)
def test_pods_that_their_node_ended(status: str, code: str) -> None:
    found = cause_of(pod(phase="Failed", status=status), NOW)
    assert found["code"] == code
    assert code in ("pod_deadline",) or "node1" in words(found).what


def test_preempted_by_the_scheduler_since_1_26_is_a_condition() -> None:
    told = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    said = "default-scheduler: preempting to accommodate a higher priority pod"
    found = cause_of(pod(phase="Failed", conditions=[{**told, "message": said}]), NOW)
    assert found["code"] == "preempted"


def test_terminating_is_a_cause_only_after_its_time() -> None:
    assert cause_of(pod(running(), phase="Running", deleted=ago(seconds=30)), NOW) == {}
    late = pod(running(), phase="Running", deleted=ago(minutes=9), status="Terminating")
    found = cause_of(late, NOW)
    assert found["code"] == "pod_terminating" and found["values"]["minutes"] == 9
    lost = refine(late, [event("NodeNotReady", "Node is not ready")], NOW)
    assert lost["code"] == "pod_node_away"
    stuck = refine(late, [event("FailedKillPod", "error killing pod: timeout")], NOW)
    assert (stuck["code"], stuck["values"]["said"]) == (
        "pod_kill_failed",
        "error killing pod: timeout",
    )
    kept = pod(phase="Running", deleted=ago(minutes=9), finalizers=["example.com/hold"])
    assert cause_of(kept, NOW)["values"]["finalizers"] == "example.com/hold"


def test_a_pod_that_starts_for_long_without_a_reason() -> None:
    assert refine(pod(waiting("ContainerCreating")), [], NOW)["code"] == "slow_start"
    assert refine(pod(waiting("ContainerCreating"), created=NOW), [], NOW) == {}


# --- workloads


def test_a_rollout_past_its_deadline_takes_the_cause_of_its_worst_pod() -> None:
    progress = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    summary = {"desired": 3, "ready": 1, "updated": 1, "conditions": [progress]}
    deployment = row("deployments.apps", summary)
    found = cause_of(deployment, NOW)
    assert found["code"] == "rollout_stuck"
    assert "1 of 3 pods are new, 1 ready" in words(found).what
    worst = pod(waiting("ErrImagePull", "401 Unauthorized"))
    taken = with_pod(deployment, found, worst, cause_of(worst, NOW))
    assert taken["code"] == "image_denied"
    assert words(taken).what.startswith("1 of 3 pods are ready. The registry")
    assert evidence_link(deployment, taken).resource == "pods"


def test_a_rollout_that_gets_on_has_no_cause() -> None:
    on = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}
    told = [on, *conditions(Available="False")]
    assert cause_of(row("deployments.apps", {"desired": 3, "conditions": told}), NOW) == {}
    done = {**on, "reason": "NewReplicaSetAvailable"}
    told = [done, *conditions(Available="False")]
    found = cause_of(row("deployments.apps", {"desired": 3, "ready": 0, "conditions": told}), NOW)
    assert found["code"] == "replicas_missing" and "0 of 3" in words(found).what


def test_a_stateful_set_waits_for_an_ordinal() -> None:
    one = row("statefulsets.apps", {"desired": 3, "ready": 1}, name="db")
    pods = [
        row("pods", {}, name="db-0", health=Health.GOOD),
        row("pods", {}, name="db-1", health=Health.BAD),
    ]
    found = ordinal(one, cause_of(one, NOW), pods)
    assert found["values"] == {"pod": "db-1", "waiting": 1}
    assert evidence_link(one, found).name == "db-1"


def test_a_daemon_set_with_pods_where_they_do_not_belong() -> None:
    found = cause_of(row("daemonsets.apps", {"desired": 2, "ready": 2, "misscheduled": 1}), NOW)
    assert found["code"] == "daemon_misscheduled"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("BackoffLimitExceeded", "job_backoff"),
        ("DeadlineExceeded", "job_deadline"),
        ("PodFailurePolicy", "job_policy"),
        ("FailedIndexes", "job_indexes"),
        ("SomethingNew", "job_failed"),
    ],
)
def test_jobs(reason: str, code: str) -> None:
    told = {"type": "Failed", "status": "True", "reason": reason, "message": "it failed"}
    found = cause_of(row("jobs.batch", {"failed": 4, "conditions": [told]}), NOW)
    assert found["code"] == code
    assert code != "job_backoff" or "after 4 failed pods" in words(found).what


def test_a_job_whose_pods_are_refused() -> None:
    said = 'Error creating: pods "j-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0'
    found = refine(row("jobs.batch", {"completions": 1}), [event("FailedCreate", said)], NOW)
    assert found["values"]["quota"] == "q"


@pytest.mark.parametrize(
    ("reason", "message", "code"),
    [
        ("FailedNeedsStart", "Cannot determine if job needs to be started: too many missed start time (> 100). Set or decrease .spec.startingDeadlineSeconds or check clock skew", "cron_too_many_missed"),
        ("TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew", "cron_too_many_missed"),
        ("MissSchedule", "Missed scheduled time to start a job: Mon, 01 Mar 2021 12:00:00 +0000", "cron_missed"),
        ("UnparseableSchedule", "unparseable schedule: 61 * * * *", "cron_schedule"),
    ],
)  # fmt: skip
def test_cron_jobs_that_miss_their_starts(reason: str, message: str, code: str) -> None:
    assert refine(row("cronjobs.batch", {"schedule": "* * * * *"}), [], NOW) == {}
    found = refine(row("cronjobs.batch", {"schedule": "x"}), [event(reason, message)], NOW)
    assert found["code"] == code
    assert cause_of(row("cronjobs.batch", {"suspended": True}), NOW)["code"] == "cron_suspended"


# --- what is well


@pytest.mark.parametrize(
    ("resource", "summary"),
    [
        ("pods", {"phase": "Running", "containers": [running()],
                  "conditions": conditions(PodScheduled="True", Ready="True")}),
        ("pods", {"phase": "Succeeded", "containers": [
            container(state="terminated", reason="Completed", exit_code=0)]}),
        ("pods", {"phase": "Pending", "containers": [waiting("ContainerCreating")],
                  "conditions": conditions(PodScheduled="True", Ready="False")}),
        ("pods", {"phase": "Pending", "containers": [waiting("PodInitializing"), container(
            name="i", init=True, state="running", since=ago(seconds=5))]}),
        # A container beside the pod (an init container that is restarted always) runs for good.
        ("pods", {"phase": "Running", "containers": [running(), running(name="s", init=True)],
                  "conditions": conditions(PodScheduled="True", Ready="True")}),
        ("deployments.apps", {"desired": 2, "ready": 2, "updated": 2, "available": 2,
                              "conditions": conditions(Available="True", Progressing="True")}),
        ("deployments.apps", {"desired": 0, "conditions": conditions(Available="True")}),
        ("replicasets.apps", {"desired": 0, "ready": 0}),
        ("statefulsets.apps", {"desired": 1, "ready": 1}),
        ("daemonsets.apps", {"desired": 4, "ready": 4}),
        ("jobs.batch", {"completions": 1, "succeeded": 1,
                        "conditions": conditions(Complete="True")}),
        ("jobs.batch", {"completions": 1, "active": 1}),
        ("cronjobs.batch", {"schedule": "@daily", "suspended": False}),
        ("nodes", {"conditions": conditions(Ready="True", DiskPressure="False",
                                            MemoryPressure="False"), "version": "v1.20.2"}),
        ("namespaces", {"phase": "Active"}),
        ("persistentvolumeclaims", {"phase": "Bound", "volume": "pv1"}),
        ("persistentvolumes", {"phase": "Bound"}),
        ("persistentvolumes", {"phase": "Available"}),
        ("services", {"type": "ClusterIP", "selector": {"a": "b"}}),
        ("ingresses.networking.k8s.io", {"rules": []}),
        ("storageclasses.storage.k8s.io", {"provisioner": "x"}),
        ("configmaps", {}),
        ("secrets", {"type": "Opaque"}),
        ("widgets.example.com", {"conditions": conditions(Ready="True")}),
    ],
)  # fmt: skip
def test_what_is_well_has_no_cause(resource: str, summary: dict[str, Any]) -> None:
    fields = {"created": NOW} if summary.get("phase") == "Pending" else {}
    one = row(resource, summary, **fields)
    assert cause_of(one, NOW) == {}
    events = [event("Scheduled", "Successfully assigned"), event("Pulled", "Container image")]
    assert refine(one, events, NOW) == {}


def test_a_custom_object_says_itself_that_it_is_not_ready() -> None:
    told = {"type": "Ready", "status": "False", "reason": "Expired", "message": "no certificate"}
    found = cause_of(row("certificates.cert-manager.io", {"conditions": [told]}), NOW)
    assert words(found).what == "Its condition Ready is False: no certificate."
