"""What runs in a tenant's namespace, as the watcher has seen it, for the scene with tenants."""

from __future__ import annotations

from datetime import timedelta

from clusters.models import Cluster, ClusterEvent, Node, Object
from tests.browser import fleet_scene

NODE = "tenants-east-worker-1"
STATES = ("Running", "Running", "CrashLoopBackOff")


def fill(cluster: Cluster, namespace: str, app: str) -> None:
    """A Deployment of three pods, one of which fails, a Service, a Secret, an event; a node once.

    The pods are <app>-5d4c8b7f9-00000 and on, the others are called as the app.
    """
    labels = {"app": app, "tier": "front"}
    image = f"registry.example.com/{app}:2.4.1"
    if not Node.objects.filter(cluster=cluster).exists():
        Node.objects.create(cluster=cluster, name=NODE, ready=True, version="v1.21.0")
        machine = fleet_scene.row(cluster, "nodes", NODE, status="Ready", health="good")
        spaces = [fleet_scene.row(cluster, "namespaces", one) for one in ("kube-system",)]
        Object.objects.bulk_create([machine, *spaces])
    deployment = fleet_scene.row(
        cluster, "deployments.apps", app, namespace, labels=labels, images=image,
        status="Progressing", health="warn",
        summary={"desired": 3, "ready": 2, "updated": 3, "available": 2, "revision": "4",
                 "generation": 7, "observed": 7, "selector": labels, "conditions": [],
                 "strategy": "RollingUpdate 25% / 25%"},
    )  # fmt: skip
    replicas = fleet_scene.row(
        cluster, "replicasets.apps", f"{app}-5d4c8b7f9", namespace, labels=labels,
        status="Progressing", health="warn", owner_kind="Deployment", owner_name=app,
        owner_uid=deployment.uid, summary={"desired": 3, "ready": 2},
    )  # fmt: skip
    pods = [
        fleet_scene.pod(cluster, replicas, number, state, NODE)
        for number, state in enumerate(STATES)
    ]
    others = [
        fleet_scene.row(cluster, "namespaces", namespace, status="Active", health="good"),
        fleet_scene.row(
            cluster, "services", app, namespace, labels=labels,
            summary={"type": "ClusterIP", "cluster_ips": ["10.96.0.9"], "ports": ["80/TCP → 8080"],
                     "selector": labels},
        ),
        fleet_scene.row(cluster, "configmaps", f"{app}-config", namespace, labels=labels),
        fleet_scene.row(
            cluster, "persistentvolumeclaims", f"{app}-data", namespace, status="Bound",
            health="good", summary={"phase": "Bound", "requested": "10Gi", "capacity": "10Gi",
                                    "class": "fast", "volume": f"pv-{app}",
                                    "modes": ["ReadWriteOnce"]},
        ),
        fleet_scene.row(
            cluster, "secrets", f"{app}-token", namespace, summary={"type": "Opaque"}
        ),
    ]  # fmt: skip
    Object.objects.bulk_create([deployment, replicas, *pods, *others])
    failing = pods[-1]
    ClusterEvent.objects.create(
        cluster=cluster, uid=f"{failing.uid}-event", namespace=namespace, about_kind="Pod",
        about_name=failing.name, about_uid=failing.uid, warning=True, count=12, source="kubelet",
        reason="BackOff", message=f"Back-off restarting failed container {app}",
        last=fleet_scene.NOW - timedelta(minutes=2),
    )  # fmt: skip
