"""Rows of a fleet: `python -m tests.browser.fleet_scene [clusters] [pods]`.

So many clusters (6), one of them away, with some hundreds of pods each, some of which fail in
the usual ways. Prints the id of the first cluster, "shop".
"""

from __future__ import annotations

import random
import sys
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from clusters.figures import refresh  # noqa: E402
from clusters.inventory.kinds import BY_RESOURCE  # noqa: E402
from clusters.models import (  # noqa: E402
    Cluster,
    ClusterEvent,
    ClusterStatus,
    Node,
    Object,
    Origin,
    Profile,
)

GIB = 2**30
NAMES = ("shop", "billing-eu-west", "edge-paris", "lab", "data-platform", "system")
APPS = ("web", "api", "worker", "cart", "checkout", "search", "mailer", "ledger", "gateway")
SPACES = ("default", "kube-system", "shop", "payments", "observability")
NOW = timezone.now()
TROUBLES: dict[str, dict[str, Any]] = {
    "CrashLoopBackOff": {
        "state": "waiting", "reason": "CrashLoopBackOff", "restarts": 17,
        "message": "back-off 5m0s restarting failed container",
        "last": {"reason": "OOMKilled", "exit_code": 137, "finished": NOW.isoformat()},
    },
    "ImagePullBackOff": {
        "state": "waiting", "reason": "ImagePullBackOff",
        "message": 'Back-off pulling image "registry.example.com/shop/cart:2.4.1-rc7"',
    },
}  # fmt: skip


def row(cluster: Cluster, resource: str, name: str, namespace: str = "", **fields: Any) -> Object:
    """One object, not saved yet."""
    kind = BY_RESOURCE[resource]
    uid = f"{cluster.pk}-{resource}-{namespace}-{name}"
    return Object(
        cluster=cluster, resource=resource, api_version=kind.api_version(), kind=kind.kind,
        namespace=namespace, name=name, uid=uid[:64],
        created=fields.pop("created", NOW - timedelta(hours=random.randint(1, 900))), **fields,
    )  # fmt: skip


def pod(cluster: Cluster, owner: Object, number: int, status: str, node: str) -> Object:
    """A pod of a ReplicaSet or DaemonSet in one of the usual states."""
    trouble = TROUBLES.get(status, {})
    app = owner.labels["app"]
    container = {
        "name": app, "image": f"registry.example.com/shop/{app}:2.4.1", "state": "running",
        "ready": status == "Running", "restarts": 0,
        "since": (NOW - timedelta(hours=3)).isoformat(),
        "requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"},
        "ports": ["8080/TCP"],
        "probes": {"liveness": "GET :8080/healthz every 10 s", "readiness": "TCP :8080 every 5 s"},
        **trouble,
    }  # fmt: skip
    conditions = [{"type": "Ready", "status": "True" if status == "Running" else "False"}]
    if status == "Pending":
        said = "0/5 nodes are available: 3 Insufficient memory, 2 node(s) had untolerated taint."
        conditions = [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
        ]
    health = {"Running": "good", "Pending": "warn"}.get(status, "bad")
    return row(
        cluster, "pods", f"{owner.name}-{number:05x}", owner.namespace, status=status,
        health=health, owner_kind=owner.kind, owner_name=owner.name, owner_uid=owner.uid,
        node="" if status == "Pending" else node, address=f"10.244.{number // 250}.{number % 250}",
        images=container["image"], labels={"app": app, "tier": "front"},
        summary={
            "phase": "Pending" if status in ("Pending", "ImagePullBackOff") else "Running",
            "ready": [int(status == "Running"), 1], "restarts": container["restarts"],
            "qos": "Burstable", "service_account": app, "cpu_request": 0.05, "cpu_limit": 0.5,
            "memory_request": 256 * 2**20, "memory_limit": 512 * 2**20,
            "containers": [] if status == "Pending" else [container], "conditions": conditions,
            "volumes": [
                {"name": "config", "kind": "configMap", "ref": f"{app}-config"},
                {"name": "data", "kind": "persistentVolumeClaim", "ref": f"{app}-data"},
            ],
        },
    )  # fmt: skip


def nodes(cluster: Cluster, count: int) -> list[Object]:
    """Nodes, the last of which is not ready in every second cluster."""
    found = []
    for n in range(count):
        bad = n == count - 1 and cluster.pk % 2 == 0
        said = {"type": "Ready", "status": "False" if bad else "True",
                "reason": "KubeletNotReady" if bad else "KubeletReady",
                "message": "container runtime is down" if bad else "kubelet is ready"}  # fmt: skip
        found.append(
            row(
                cluster, "nodes", f"{cluster.name}-worker-{n + 1}",
                status="NotReady" if bad else "Ready", health="bad" if bad else "good",
                address=f"10.60.{cluster.pk % 250}.{n + 10}",
                labels={"kubernetes.io/os": "linux", "zone": f"z{n % 3}"},
                summary={
                    "roles": ["control-plane"] if n == 0 else [], "version": "v1.33.1", "cpu": 8.0,
                    "memory": 32 * GIB, "pods": 110, "os": "Debian GNU/Linux 12 (bookworm)",
                    "kernel": "6.1.0-18-amd64", "runtime": "containerd://2.1.0",
                    "conditions": [said, {"type": "MemoryPressure", "status": "False"}],
                    "taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}]
                    if bad else [],
                },
            )
        )  # fmt: skip
        Node.objects.create(
            cluster=cluster, name=found[-1].name, ready=not bad, version="v1.33.1",
            roles=found[-1].summary["roles"], address=found[-1].address,
            capacity={"cpu": "8", "memory": "32Gi", "pods": "110"},
        )  # fmt: skip
    return found


def workloads(cluster: Cluster, pods: int, names: list[str]) -> list[Object]:
    """Deployments with ReplicaSets and pods; one of each kind of trouble among them."""
    found: list[Object] = []
    bad = {"cart": "ImagePullBackOff", "ledger": "CrashLoopBackOff", "search": "Pending"}
    each = max(1, pods // len(APPS))
    for app in APPS:
        space = SPACES[2 + len(app) % 3]
        status = bad.get(app, "Running")
        failing = 3 if status != "Running" else 0
        labels = {"app": app, "tier": "front"}
        deployment = row(
            cluster, "deployments.apps", app, space, labels=labels,
            status="Available" if not failing else "Progressing",
            health="good" if not failing else "warn",
            images=f"registry.example.com/shop/{app}:2.4.1",
            summary={"desired": each, "ready": each - failing, "updated": each, "revision": "4",
                     "available": each - failing, "generation": 7, "observed": 7,
                     "strategy": "RollingUpdate 25% / 25%", "selector": labels, "conditions": [
                         {"type": "Available", "status": "True", "reason": "MinimumReplicas",
                          "message": "Deployment has minimum availability."}]},
        )  # fmt: skip
        replicas = row(
            cluster, "replicasets.apps", f"{app}-5d4c8b7f9", space, labels=labels,
            status="Available", health="good", owner_kind="Deployment", owner_name=app,
            owner_uid=deployment.uid, summary={"desired": each, "ready": each - failing},
        )  # fmt: skip
        found += [deployment, replicas]
        for n in range(each):
            state = status if n < failing else "Running"
            found.append(pod(cluster, replicas, n, state, names[n % len(names)]))
        found += [
            row(cluster, "services", app, space, labels=labels,
                summary={"type": "ClusterIP", "cluster_ips": [f"10.96.0.{len(app)}"],
                         "ports": ["80/TCP → 8080"], "selector": {"app": app}}),
            row(cluster, "configmaps", f"{app}-config", space, labels=labels),
            row(cluster, "secrets", f"{app}-token", space, summary={"type": "Opaque"}),
            row(cluster, "persistentvolumeclaims", f"{app}-data", space, status="Bound",
                health="good", summary={"phase": "Bound", "requested": "10Gi", "capacity": "10Gi",
                                        "class": "fast", "volume": f"pv-{app}",
                                        "modes": ["ReadWriteOnce"]}),
            row(cluster, "persistentvolumes", f"pv-{app}", status="Bound", health="good",
                summary={"phase": "Bound", "capacity": "10Gi", "class": "fast",
                         "claim": f"{space}/{app}-data", "reclaim": "Delete"}),
        ]  # fmt: skip
    return found


def others(cluster: Cluster) -> list[Object]:
    """One or more of every other kind."""
    return [
        *(row(cluster, "namespaces", s, status="Active", health="good") for s in SPACES),
        row(cluster, "storageclasses.storage.k8s.io", "fast",
            summary={"provisioner": "ebs.csi.example.com", "default": True, "reclaim": "Delete",
                     "binding": "WaitForFirstConsumer", "expansion": True}),
        row(cluster, "ingresses.networking.k8s.io", "shop", "shop",
            summary={"class": "nginx", "hosts": ["shop.example.com"], "addresses": ["192.0.2.7"],
                     "rules": [{"host": "shop.example.com", "path": "/", "service": "web",
                                "port": "80"}], "tls": True}),
        row(cluster, "jobs.batch", "backup-29010", "payments", status="Complete", health="good",
            owner_kind="CronJob", owner_name="backup",
            owner_uid=f"{cluster.pk}-cronjobs.batch-payments-backup",
            summary={"completions": 1, "succeeded": 1}),
        row(cluster, "cronjobs.batch", "backup", "payments", status="Active", health="good",
            summary={"schedule": "0 3 * * *", "active": 0}),
        row(cluster, "statefulsets.apps", "postgres", "payments", status="Available",
            health="good", images="postgres:17.2", summary={"desired": 3, "ready": 3}),
    ]  # fmt: skip


def events(cluster: Cluster, rows: list[Object]) -> None:
    """What the cluster says of its failing pods."""
    failing = [one for one in rows if one.resource == "pods" and one.health in ("bad", "warn")]
    ClusterEvent.objects.bulk_create(
        ClusterEvent(
            cluster=cluster, uid=f"{one.uid}-event", namespace=one.namespace, about_kind="Pod",
            about_name=one.name, about_uid=one.uid, warning=True, count=12, source="kubelet",
            reason={"Pending": "FailedScheduling"}.get(one.status, "BackOff"),
            message=f"Back-off: {one.status}", last=NOW - timedelta(seconds=40 * n),
        )
        for n, one in enumerate(failing)
    )  # fmt: skip


def make(name: str, number: int, pods: int) -> Cluster:
    """One cluster with everything in it."""
    away = number == 2
    cluster = Cluster.objects.create(
        name=name, profile=Profile.STANDARD if number == 0 else Profile.NONE,
        origin=Origin.PROVISIONED if number == 0 else Origin.IMPORTED, version="v1.33.1",
        endpoint=f"https://10.60.{number}.10:6443",
        status=ClusterStatus.UNREACHABLE if away else ClusterStatus.ACTIVE,
        status_reason="https://10.60.2.10:6443 did not answer within 5 s." if away else "",
        status_since=NOW - timedelta(minutes=26 if away else 9000),
        seen=NOW - timedelta(minutes=26 if away else 0),
    )  # fmt: skip
    machines = nodes(cluster, 3 + number % 4)
    rows = [*machines, *workloads(cluster, pods, [n.name for n in machines]), *others(cluster)]
    Object.objects.bulk_create(rows, batch_size=500)
    events(cluster, rows)
    refresh(cluster)
    return cluster


def main(clusters: int = 6, pods: int = 240) -> None:
    """Make those that are not there yet and print the first one's id: modules share a console."""
    random.seed(4)
    names = [NAMES[n] if n < len(NAMES) else f"site-{n:03d}" for n in range(clusters)]
    for n, name in enumerate(names):
        if not Cluster.objects.filter(name=name).exists():
            make(name, n, pods if n == 0 else pods // 3)
    sys.stdout.write(f"{Cluster.objects.get(name=names[0]).pk}\n")


def end(cluster: str, namespace: str) -> None:
    """Let a namespace of a cluster come to its end."""
    rows = Object.objects.filter(cluster_id=int(cluster), resource="namespaces", name=namespace)
    rows.update(status="Terminating", health="moving")


if __name__ == "__main__":
    if sys.argv[1:2] == ["end"]:
        end(*sys.argv[2:])
    else:
        main(*(int(word) for word in sys.argv[1:]))
