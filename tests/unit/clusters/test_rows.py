"""Rows from objects: the words of kubectl, and nothing that makes a builder fail."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusters.inventory.collections import Tables, collections
from clusters.inventory.kinds import BY_RESOURCE, KINDS, Kind
from clusters.inventory.rows import row_of
from clusters.inventory.rows_events import event_of
from clusters.models import ClusterEvent, Health, Node, Object
from tests.unit.clusters.apiserver import node
from tests.unit.clusters.objects import made, pod


def row(resource: str, item: dict) -> Object:
    kind = BY_RESOURCE[resource]
    found = row_of(7, kind, kind.api_version(), item)
    assert found is not None
    return found


# A pod's word.


def statuses(*states: dict, phase: str = "Running", init: tuple = (), **status: object) -> dict:
    """A pod with a container in each state; init: those of its init containers."""

    def containers(all_states: tuple, prefix: str) -> tuple[list, list]:
        names = [f"{prefix}{n}" for n in range(len(all_states))]
        return [{"name": n, "image": "i:1"} for n in names], [
            {"name": n, "restartCount": 0, **state}
            for n, state in zip(names, all_states, strict=True)
        ]

    specs, told = containers(states, "c")
    init_specs, init_told = containers(init, "i")
    return made(
        "Pod", "p", spec={"containers": specs, "initContainers": init_specs},
        status={
            "phase": phase, "containerStatuses": told, "initContainerStatuses": init_told, **status
        },
    )  # fmt: skip


RUNS = {"state": {"running": {}}, "ready": True}


def waits(reason: str) -> dict:
    return {"state": {"waiting": {"reason": reason}}}


def ended(code: int, reason: str = "", signal: int = 0) -> dict:
    return {"state": {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}}


def gone(item: dict, **status: object) -> dict:
    item["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    item["status"] |= status
    return item


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
READY = {"type": "Ready", "status": "True"}


@pytest.mark.parametrize(
    ("item", "word", "health"),
    [
        (statuses(RUNS), "Running", "good"),
        (statuses(RUNS, {"state": {"running": {}}, "ready": False}), "Running", "warn"),
        (statuses({"state": {"running": {}}, "started": False}), "Running", "moving"),
        (statuses(waits("ContainerCreating"), phase="Pending"), "ContainerCreating", "moving"),
        (statuses(waits("CrashLoopBackOff")), "CrashLoopBackOff", "bad"),
        (statuses(waits("ImagePullBackOff"), phase="Pending"), "ImagePullBackOff", "bad"),
        (statuses(waits("CreateContainerConfigError")), "CreateContainerConfigError", "bad"),
        (statuses(ended(0, "Completed"), phase="Succeeded"), "Completed", "good"),
        (statuses(ended(137, "OOMKilled")), "OOMKilled", "bad"),
        (statuses(ended(1, "Error"), phase="Failed"), "Error", "bad"),
        (statuses(ended(3)), "ExitCode:3", "bad"),
        (statuses(ended(0, "", 9)), "Signal:9", "bad"),
        (statuses(RUNS, ended(0, "Completed"), conditions=[READY]), "Running", "warn"),
        (statuses(ended(0, "Completed"), RUNS), "NotReady", "warn"),
        (statuses(phase="Pending"), "Pending", "moving"),
        (statuses(phase="Pending", conditions=[UNSCHEDULED]), "Pending", "warn"),
        (
            statuses(
                phase="Pending",
                conditions=[UNSCHEDULED | {"reason": "SchedulingGated"}],
            ),
            "SchedulingGated",
            "moving",
        ),
        (statuses(phase="Failed", reason="Evicted"), "Evicted", "bad"),
        (statuses(phase="Unknown"), "Unknown", "bad"),
        (gone(statuses(RUNS)), "Terminating", "moving"),
        (gone(statuses(RUNS), reason="NodeLost"), "Unknown", "bad"),
        (gone(statuses(ended(0, "Completed"), phase="Succeeded")), "Completed", "good"),
        (statuses(waits("PodInitializing"), init=(RUNS,)), "Init:0/1", "moving"),
        (statuses(waits("x"), init=(ended(0), {"state": {}})), "Init:1/2", "moving"),
        (statuses(waits("x"), init=(waits("CrashLoopBackOff"),)), "Init:CrashLoopBackOff", "bad"),
        (statuses(waits("x"), init=(ended(1, "Error"),)), "Init:Error", "bad"),
        (statuses(waits("x"), init=(ended(2),)), "Init:ExitCode:2", "bad"),
        (statuses(RUNS, init=(ended(0),)), "Running", "good"),
    ],
)
def test_the_word_of_a_pod_is_kubectls(item, word, health):
    found = row("pods", item)
    assert (found.status, found.health) == (word, health)


def test_a_sidecar_counts_among_the_containers():
    item = statuses(RUNS, init=({**RUNS, "started": True, "restartCount": 2},))
    item["spec"]["initContainers"][0]["restartPolicy"] = "Always"
    found = row("pods", item)
    assert (found.status, found.summary["ready"], found.summary["restarts"]) == (
        "Running",
        [2, 2],
        2,
    )


def test_what_a_pod_asks_for_is_what_the_scheduler_counts():
    def container(name: str, cpu: str, memory: str, **more: object) -> dict:
        wants = {"cpu": cpu, "memory": memory}
        return {"name": name, "resources": {"requests": wants, "limits": wants}, **more}

    item = made("Pod", "p", spec={
        "overhead": {"cpu": "10m"},
        "initContainers": [container("big", "900m", "1Gi"),
                           container("side", "100m", "8Mi", restartPolicy="Always")],
        "containers": [container("a", "250m", "64Mi"), container("b", "0.25", "64Mi")],
    })  # fmt: skip
    summary = row("pods", item).summary
    assert summary["cpu_request"] == 0.91
    assert summary["memory_request"] == 2**30
    assert summary["cpu_limit"] == 0.9
    assert summary["containers"][2]["requests"] == {"cpu": "250m", "memory": "64Mi"}


def test_a_pods_row_says_all_that_the_contract_promises():
    item = pod("web-1", "shop", "CrashLoopBackOff")
    item["metadata"] |= {
        "labels": {"app": "web"},
        "ownerReferences": [
            {"kind": "Other", "name": "o", "uid": "1"},
            {"kind": "ReplicaSet", "name": "web", "uid": "2", "controller": True},
        ],
    }
    item["spec"] |= {
        "serviceAccountName": "robot",
        "volumes": [
            {"name": "v", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "t", "projected": {"sources": [{"secret": {"name": "s"}}]}},
        ],
        "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 300}],
    }
    item["spec"]["containers"][0] |= {
        "ports": [{"name": "http", "containerPort": 8080}],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5},
        "readinessProbe": {"exec": {"command": ["cat", "/ok"]}},
    }
    item["status"]["containerStatuses"][0] |= {
        "restartCount": 4,
        "lastState": {
            "terminated": {
                "exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T04:04:05+01:00",
            }
        },
    }  # fmt: skip
    found = row("pods", item)
    assert (found.namespace, found.name, found.node) == ("shop", "web-1", "n1")
    assert (found.address, found.images) == ("10.244.0.7", "shop/web:1")
    assert (found.owner_kind, found.owner_name, found.owner_uid) == ("ReplicaSet", "web", "2")
    assert found.labels == {"app": "web"}
    assert found.created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    summary = found.summary
    assert (summary["ready"], summary["restarts"]) == ([0, 1], 4)
    assert summary["last_restart"] == "2026-01-02T03:04:05Z"
    assert summary["volumes"] == [
        {"name": "v", "kind": "persistentVolumeClaim", "ref": "data"},
        {"name": "t", "kind": "projected", "ref": "secret s"},
    ]
    assert summary["tolerations"] == [{"key": "a", "operator": "Exists", "seconds": 300}]
    [container] = summary["containers"]
    assert (container["state"], container["reason"]) == ("waiting", "CrashLoopBackOff")
    assert container["last"]["exit_code"] == 137
    assert container["ports"] == ["http 8080/TCP"]
    assert container["probes"] == {
        "liveness": "GET :8080/healthz every 5 s",
        "readiness": "exec cat /ok every 10 s",
    }


# Workloads.


def workload(kind: str, desired: int, spec: dict | None = None, **status: object) -> dict:
    return made(
        kind, "w", metadata={"generation": 2}, spec={"replicas": desired, **(spec or {})},
        status={"observedGeneration": 2, **status},
    )  # fmt: skip


FULL = {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
DEADLINE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
DONE = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}


@pytest.mark.parametrize(
    ("item", "word", "health"),
    [
        (workload("D", 3, **FULL), "Available", "good"),
        (workload("D", 3, **FULL | {"observedGeneration": 1}), "Progressing", "moving"),
        (workload("D", 3, **FULL | {"updatedReplicas": 1}), "Progressing", "moving"),
        (workload("D", 3, **FULL | {"replicas": 4}), "Progressing", "moving"),
        (
            workload("D", 3, **FULL | {"availableReplicas": 2}, conditions=[DONE]),
            "Progressing",
            "warn",
        ),
        (
            workload("D", 3, **FULL | {"availableReplicas": 0}, conditions=[DEADLINE]),
            "Stalled",
            "bad",
        ),
        (workload("D", 3, {"paused": True}, **FULL), "Paused", "good"),
        (workload("D", 0), "Scaled to 0", ""),
    ],
)
def test_the_word_of_a_deployment(item, word, health):
    found = row("deployments.apps", item)
    assert (found.status, found.health) == (word, health)


@pytest.mark.parametrize(
    ("status", "word", "health"),
    [
        ({"currentRevision": "a", "updateRevision": "a", **FULL}, "Available", "good"),
        ({"currentRevision": "a", "updateRevision": "b", **FULL}, "Progressing", "moving"),
        ({**FULL, "readyReplicas": 1}, "Progressing", "warn"),
        ({"replicas": 1, "readyReplicas": 0}, "Progressing", "moving"),
    ],
)
def test_the_word_of_a_stateful_set(status, word, health):
    found = row("statefulsets.apps", workload("S", 3, **status))
    assert (found.status, found.health) == (word, health)


def test_a_daemon_set_counts_nodes():
    status = {
        "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 2,
        "updatedNumberScheduled": 3, "numberAvailable": 2,
    }  # fmt: skip
    found = row("daemonsets.apps", workload("DS", 0, **status))
    assert (found.status, found.health) == ("Progressing", "warn")
    assert found.summary["desired"] == 3
    assert row("daemonsets.apps", workload("DS", 0)).status == "Available"


@pytest.mark.parametrize(
    ("spec", "status", "word", "health"),
    [
        ({}, {"conditions": [{"type": "Complete", "status": "True"}]}, "Complete", "good"),
        ({}, {"conditions": [{"type": "Failed", "status": "True"}]}, "Failed", "bad"),
        ({"suspend": True}, {}, "Suspended", ""),
        ({}, {"active": 1}, "Running", "moving"),
        ({}, {"active": 1, "failed": 2}, "Running", "warn"),
    ],
)
def test_the_word_of_a_job(spec, status, word, health):
    found = row("jobs.batch", made("Job", "j", spec=spec, status=status))
    assert (found.status, found.health) == (word, health)


def test_a_cron_job_tells_its_schedule_and_last_runs():
    item = made(
        "CronJob", "c", spec={"schedule": "*/5 * * * *", "suspend": True},
        status={"lastScheduleTime": "2026-01-02T03:05:00Z"},
    )  # fmt: skip
    found = row("cronjobs.batch", item)
    assert found.status == "Suspended"
    assert found.summary["schedule"] == "*/5 * * * *"
    assert found.summary["last_run"] == "2026-01-02T03:05:00Z"


# Network, storage, nodes.


def test_a_service_says_where_its_ports_go():
    spec = {
        "type": "LoadBalancer", "clusterIP": "10.96.0.7", "selector": {"app": "web"},
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}, {"port": 53,
                  "protocol": "UDP", "targetPort": "dns"}],
    }  # fmt: skip
    found = row("services", made("Service", "s", spec=spec))
    assert (found.status, found.health, found.address) == ("Pending", "warn", "10.96.0.7")
    assert found.summary["ports"] == ["80:30080/TCP → 8080", "53/UDP → dns"]
    balanced = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    found = row("services", made("Service", "s", spec=spec, status=balanced))
    assert (found.status, found.summary["external"]) == ("", ["192.0.2.7"])
    headless = row("services", made("Service", "s", spec={"clusterIP": "None"}))
    assert (headless.address, headless.summary["cluster_ips"]) == ("", ["None"])


def test_an_ingress_has_a_line_for_each_path():
    spec = {
        "ingressClassName": "nginx", "tls": [{"hosts": ["a.example"]}],
        "rules": [{"host": "a.example", "http": {"paths": [
            {"path": "/x", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}],
    }  # fmt: skip
    summary = row("ingresses.networking.k8s.io", made("Ingress", "i", spec=spec)).summary
    assert summary["rules"] == [{"host": "a.example", "path": "/x", "service": "web", "port": "80"}]
    assert (summary["class"], summary["hosts"], summary["tls"]) == (
        "nginx",
        ["a.example"],
        ["a.example"],
    )


def test_storage():
    claim = made(
        "PersistentVolumeClaim", "c", spec={"resources": {"requests": {"storage": "5Gi"}}},
        status={"phase": "Lost"},
    )  # fmt: skip
    found = row("persistentvolumeclaims", claim)
    assert (found.status, found.health, found.summary["requested"]) == ("Lost", "bad", "5Gi")
    spec = {
        "capacity": {"storage": "5Gi"}, "nfs": {"server": "nas", "path": "/x"},
        "claimRef": {"namespace": "shop", "name": "c"},
    }  # fmt: skip
    volume = made("PersistentVolume", "v", "", spec=spec, status={"phase": "Released"})
    found = row("persistentvolumes", volume)
    assert (found.health, found.namespace) == ("warn", "")
    assert (found.summary["source"], found.summary["claim"]) == ("nfs nas:/x", "shop/c")
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    item = made("StorageClass", "s", "", provisioner="p", metadata={"annotations": annotations})
    summary = row("storageclasses.storage.k8s.io", item).summary
    assert (summary["default"], summary["provisioner"]) == (True, "p")


def test_a_node():
    found = row("nodes", node("n", **{"node-role.kubernetes.io/control-plane": ""}))
    assert (found.status, found.health, found.address) == ("Ready", "good", "10.77.0.11")
    summary = found.summary
    assert (summary["cpu"], summary["memory"], summary["pods"]) == (2.0, 1948 * 2**20, 110.0)
    assert (summary["roles"], summary["version"]) == (["control-plane"], "v1.20.2")
    assert row("nodes", node("n", ready=False)).health == Health.BAD


def test_what_ends_is_terminating():
    item = made("Namespace", "n", "", metadata={"deletionTimestamp": "2026-01-02T03:04:05Z"})
    assert row("namespaces", item).status == "Terminating"


def test_values_of_secrets_and_config_maps_never_become_a_row():
    for resource in ("secrets", "configmaps"):
        item = made("X", "x", data={"password": "aHVudGVyMg=="}, type="Opaque")
        item["metadata"]["annotations"] = {"last-applied": "hunter2"}
        found = row(resource, item)
        whole = json.dumps([str(getattr(found, f.attname)) for f in Object._meta.fields])
        assert "hunter2" not in whole
        assert "aHVudGVyMg" not in whole


def test_the_type_of_a_secret_comes_from_the_tables_cell():
    tables = Tables(BY_RESOURCE["secrets"])
    metadata = {"name": "s", "namespace": "d"}
    line = {"cells": ["s", "kubernetes.io/tls", 2, "5d"], "object": {"metadata": metadata}}
    page = {"columnDefinitions": [{"name": "Name"}, {"name": "Type"}], "rows": [line]}
    [item] = tables.items(page)
    assert tables.entry(1, item).rows[0].summary == {"type": "kubernetes.io/tls"}
    # The events of a watch have the columns in the first one alone.
    assert tables.item({"rows": [line]})["type"] == "kubernetes.io/tls"


# Events.


def test_both_spellings_of_an_events_times():
    old = made(
        "Event", "e", reason="BackOff", type="Warning", message="m", count=4,
        firstTimestamp="2026-01-02T03:00:00Z", lastTimestamp="2026-01-02T04:00:00Z",
        involvedObject={"kind": "Pod", "name": "p", "uid": "u", "namespace": "d"},
        source={"component": "kubelet"},
    )  # fmt: skip
    found = event_of(1, old)
    assert (found.count, found.warning, found.about_name) == (4, True, "p")
    assert (found.first.hour, found.last.hour, found.source) == (3, 4, "kubelet")
    new = made(
        "Event", "e", eventTime="2026-01-02T03:00:00.5Z", reportingComponent="scheduler",
        series={"count": 7, "lastObservedTime": "2026-01-02T05:00:00Z"}, firstTimestamp=None,
    )  # fmt: skip
    found = event_of(1, new)
    assert (found.count, found.first.hour, found.last.hour) == (7, 3, 5)
    assert event_of(1, {"metadata": {"name": "e"}}) is None


# Whatever a cluster sends.

PARTS = (
    "metadata", "spec", "status", "name", "namespace", "uid", "labels", "annotations", "type",
    "ownerReferences", "controller", "creationTimestamp", "deletionTimestamp", "containers",
    "initContainers", "containerStatuses", "initContainerStatuses", "state", "lastState",
    "waiting", "running", "terminated", "reason", "exitCode", "restartCount", "conditions",
    "resources", "requests", "limits", "cpu", "volumes", "projected", "sources", "configMap",
    "tolerations", "ports", "livenessProbe", "httpGet", "exec", "command", "replicas",
    "selector", "matchLabels", "matchExpressions", "values", "template", "rules", "http", "paths",
    "backend", "service", "loadBalancer", "ingress", "clusterIPs", "capacity", "claimRef", "nfs",
    "series", "involvedObject", "source", "count", "firstTimestamp", "eventTime", "rows", "cells",
    "object", "columnDefinitions", "items", "taints", "nodeInfo", "addresses", "phase",
)  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
    | st.sampled_from(["True", "2026-01-02T03:04:05Z", "0001-01-01T00:00:00+14:00", "1Ki",
                       "9999-12-31T23:59:59-14:00", "a\x00b", "x" * 5000])
)  # fmt: skip
ANY = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(PARTS) | st.text(max_size=5), inner, max_size=8)
    ),
    max_leaves=60,
)
OBJECTS = st.dictionaries(st.sampled_from(PARTS), ANY, max_size=8)
CUSTOM = Kind("example.org", ("v1",), "widgets", "Widget")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(OBJECTS, OBJECTS)
def test_no_object_makes_a_builder_raise_and_every_row_fits(item, metadata):
    item = {**item, "metadata": {**metadata, "name": metadata.get("name") or "n", "uid": "u"}}
    rows = [row_of(1, kind, "v1", item) for kind in (*KINDS, CUSTOM)]
    rows += [event_of(1, item)]
    for found in filter(None, rows):
        fits(found)
    for collection in collections():
        for raw in (item, metadata):
            assert all(isinstance(one, dict) for one in collection.items(raw))
            told = collection.item(raw)
            entry = collection.entry(1, told)
            for found in entry.rows if entry else ():
                fits(found)


def fits(found: Object | Node | ClusterEvent) -> None:
    """The row can be stored in PostgreSQL: lengths, numbers, no NUL."""
    for field in found._meta.fields:
        value = getattr(found, field.attname)
        if isinstance(value, str):
            assert "\x00" not in value
            if field.max_length:
                assert len(value) <= field.max_length, field.name
        elif isinstance(value, dict | list):
            text = json.dumps(value, allow_nan=False)
            assert "\\u0000" not in text
        elif isinstance(value, datetime):
            assert value.tzinfo is not None
    if isinstance(found, ClusterEvent):
        assert 1 <= found.count < 2**31
