"""What each cluster of the scripted fleet has: a few objects of each kind that is watched."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

JSON = dict[str, Any]
NODES, PODS = 3, 20
MADE = "2026-01-01T00:00:00Z"
CORE, APPS, BATCH = "/api/v1", "/apis/apps/v1", "/apis/batch/v1"
METRICS = "/apis/metrics.k8s.io/v1beta1"


def _named(name: str, namespace: str = "default", **parts: Any) -> JSON:
    metadata = {
        "name": name, "uid": f"uid-{name}", "resourceVersion": "900", "creationTimestamp": MADE,
        "labels": {"app": "web"},
    }  # fmt: skip
    if namespace:
        metadata["namespace"] = namespace
    return {"metadata": metadata, **parts}


def _node(number: int) -> JSON:
    amounts = {"cpu": "4", "memory": "8192Mi", "pods": "110"}
    status = {
        "capacity": amounts, "allocatable": amounts,
        "addresses": [{"type": "InternalIP", "address": f"10.77.0.{number + 10}"}],
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        "nodeInfo": {"kubeletVersion": "v1.31.4", "architecture": "amd64"},
    }  # fmt: skip
    return _named(f"node-{number}", "", spec={}, status=status)


def _pod(number: int) -> JSON:
    """The first one crashes, so that each cluster has something that needs attention."""
    from bench.pages import pod

    found = copy.deepcopy(pod(number))
    found["metadata"] |= {"namespace": "default", "resourceVersion": "900"}
    found["spec"]["nodeName"] = f"node-{number % NODES}"
    if number == 0:
        found["status"]["containerStatuses"][0] |= {
            "ready": False, "restartCount": 12,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }  # fmt: skip
        found["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    return found


def _workload(name: str) -> JSON:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
        {"name": "web", "image": "registry.example.com/web:1.4"}]}}  # fmt: skip
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    status = {
        "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
        "desiredNumberScheduled": 3, "numberReady": 3, "observedGeneration": 1,
    }  # fmt: skip
    return _named(name, spec=spec, status=status)


def _event(number: int) -> JSON:
    about = {"kind": "Pod", "namespace": "default", "name": f"web-{number:05d}"}
    return _named(
        f"event-{number}", involvedObject=about, reason="BackOff", type="Warning", count=3,
        message="Back-off restarting failed container", firstTimestamp=MADE, lastTimestamp=MADE,
    )  # fmt: skip


OBJECTS: dict[str, list[JSON]] = {
    f"{CORE}/nodes": [_node(n) for n in range(NODES)],
    f"{CORE}/namespaces": [
        _named(name, "", status={"phase": "Active"}) for name in ("default", "kube-system")
    ],
    f"{CORE}/pods": [_pod(n) for n in range(PODS)],
    f"{APPS}/deployments": [_workload(f"web-{n}") for n in range(3)],
    f"{APPS}/replicasets": [_workload(f"web-{n}-5d") for n in range(3)],
    f"{APPS}/statefulsets": [_workload("store")],
    f"{APPS}/daemonsets": [_workload("agent")],
    f"{BATCH}/jobs": [_named("once", spec={"completions": 1}, status={"succeeded": 1})],
    f"{BATCH}/cronjobs": [_named("nightly", spec={"schedule": "0 3 * * *"}, status={})],
    f"{CORE}/services": [
        _named("web", spec={"type": "ClusterIP", "clusterIP": "10.96.0.9", "ports": [{"port": 80}]})
    ],
    "/apis/networking.k8s.io/v1/ingresses": [_named("web", spec={"rules": []})],
    f"{CORE}/persistentvolumeclaims": [_named("data", spec={}, status={"phase": "Bound"})],
    f"{CORE}/persistentvolumes": [_named("pv-1", "", spec={}, status={"phase": "Bound"})],
    "/apis/storage.k8s.io/v1/storageclasses": [_named("fast", "", provisioner="csi.example.com")],
    f"{CORE}/configmaps": [_named("settings")],
    f"{CORE}/secrets": [_named("password", type="Opaque")],
    f"{CORE}/events": [_event(n) for n in range(5)],
}  # fmt: skip
USAGE = {
    f"{METRICS}/nodes": json.dumps({"items": [
        {"metadata": {"name": f"node-{n}"}, "usage": {"cpu": "310m", "memory": "2100Mi"}}
        for n in range(NODES)]}).encode(),
    f"{METRICS}/pods": json.dumps({"items": [
        {"metadata": {"name": f"web-{n:05d}", "namespace": "default"},
         "containers": [{"name": "web", "usage": {"cpu": "12m", "memory": "90Mi"}}]}
        for n in range(PODS)]}).encode(),
}  # fmt: skip


@cache
def as_asked(path: str, accept: str, version: str) -> bytes:
    """A whole list in the representation that an Accept header asks for ("Receiving resources as
    Tables", "Metadata-only fetches" of the API Concepts)."""
    items = OBJECTS[path]
    metadata = {"resourceVersion": version}
    partial = [{"kind": "PartialObjectMetadata", "metadata": i["metadata"]} for i in items]
    if "as=Table" in accept:
        columns = [{"name": "Name", "type": "string"}, {"name": "Type", "type": "string"}]
        rows = [
            {"cells": [item["metadata"]["name"], item.get("type", "")], "object": meta}
            for item, meta in zip(items, partial, strict=True)
        ]
        found = {"kind": "Table", "metadata": metadata, "columnDefinitions": columns, "rows": rows}
    elif "as=PartialObjectMetadata" in accept:
        found = {"kind": "PartialObjectMetadataList", "metadata": metadata, "items": partial}
    else:
        found = {"kind": "List", "metadata": metadata, "items": items}
    return json.dumps(found).encode()
