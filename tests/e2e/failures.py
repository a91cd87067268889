"""Manifests of things that go wrong, each for a reason of its own, on hosts without a registry.

Everything is in the namespace "ill" unless it is about a namespace. Pods that
have to start are put on node2.
"""

from __future__ import annotations

from typing import Any

BUSYBOX = "flotilla.dev/lab/busybox:1"
SLEEP = ["sleep", "36000"]
JSON = dict[str, Any]


def container(command: list[str] | None = None, **more: Any) -> JSON:
    return {"name": "app", "image": BUSYBOX, "command": command or SLEEP, **more}


def spec(*containers: JSON, **more: Any) -> JSON:
    return {
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": {"kubernetes.io/hostname": "node2"},
        "automountServiceAccountToken": False,
        "containers": list(containers),
        **more,
    }


def made(api: str, kind: str, name: str, namespace: str = "ill", **more: Any) -> JSON:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= more.pop("metadata", {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


def pod(name: str, *containers: JSON, metadata: JSON | None = None, **more: Any) -> JSON:
    metadata = {"labels": {"app": name}, **(metadata or {})}
    return made("v1", "Pod", name, metadata=metadata, spec=spec(*containers, **more))


def workload(kind: str, name: str, *containers: JSON, namespace: str = "ill", **more: Any) -> JSON:
    labels = {"app": name}
    template_spec = spec(*containers, **more.pop("pod", {}))
    template = {"metadata": {"labels": labels}, "spec": template_spec}
    wanted = {"selector": {"matchLabels": labels}, "template": template, **more}
    return made("apps/v1", kind, name, namespace, spec=wanted)


def registry(name: str, port: int, config: str = "") -> JSON:
    """A registry of the node's own: containerd speaks HTTP to localhost."""
    serve = f"mkdir -p /www; echo '{config}' >/c; exec httpd -f -p 127.0.0.1:{port} -h /www -c /c"
    return container(["sh", "-c", serve], name=name)


def images() -> list[JSON]:
    def of(name: str, image: str, **more: Any) -> JSON:
        return pod(name, {"name": "app", "image": image, **more})

    return [
        pod("registry", registry("empty", 5998), registry("closed", 5999, "/v2:ada:secret"),
            hostNetwork=True),
        of("image-away", "registry.invalid:5000/shop/cart:1"),
        of("image-missing", "localhost:5998/shop/cart:1"),
        of("image-denied", "localhost:5999/shop/cart:1"),
        of("image-name", "registry.invalid/Shop/Cart:1"),
        of("image-never", "flotilla.dev/nowhere:1", imagePullPolicy="Never"),
    ]  # fmt: skip


def starts() -> list[JSON]:
    def reads(name: str, source: JSON) -> JSON:
        return pod(name, container(env=[{"name": "X", "valueFrom": source}]))

    volume = [{"name": "tls", "secret": {"secretName": "no-secret"}}]
    mount = [{"name": "tls", "mountPath": "/tls"}]
    return [
        made("v1", "ConfigMap", "settings", data={"port": "80"}),
        pod("config-missing", container(envFrom=[{"configMapRef": {"name": "no-config"}}])),
        reads("config-key", {"configMapKeyRef": {"name": "settings", "key": "host"}}),
        pod("secret-volume", container(volumeMounts=mount), volumes=volume),
        pod("command-missing", container(["nosuch", "--help"])),
        pod("command-denied", container(["/etc/passwd"])),
        pod("as-root", container(), securityContext={"runAsNonRoot": True}),
    ]


def crashes() -> list[JSON]:
    fill = ["sh", "-c", "dd if=/dev/zero of=/cache/x bs=1M count=8; sleep 9999"]
    cache = [{"name": "cache", "mountPath": "/cache"}]
    left = "echo starting >/dev/termination-log; echo no database >>/dev/termination-log; exit 3"
    memory = {"limits": {"memory": "16Mi"}}
    return [
        workload("Deployment", "crash", container(["sh", "-c", left]), replicas=2,
                 progressDeadlineSeconds=5),
        pod("memory", container(["sh", "-c", "sleep 1; tail /dev/zero"], resources=memory)),
        pod("by-itself", container(["true"])),
        pod("init-crash", container(), initContainers=[
            container(["sh", "-c", "exit 4"], name="migrate")]),
        pod("init-waits", container(), initContainers=[container(name="wait-db")]),
        workload("StatefulSet", "ordered", container(["sh", "-c", "exit 5"]), replicas=3,
                 serviceName="ordered"),
        pod("evicted", container(fill, volumeMounts=cache),
            volumes=[{"name": "cache", "emptyDir": {"sizeLimit": "1Mi"}}], restartPolicy="Never"),
        pod("held", container(), metadata={"finalizers": ["example.com/hold"]}),
        made("batch/v1", "Job", "gives-up", spec={"backoffLimit": 0, "template": {"spec": spec(
            container(["sh", "-c", "exit 6"]), restartPolicy="Never")}}),
        made("batch/v1", "Job", "too-long", spec={"activeDeadlineSeconds": 2, "template": {
            "spec": spec(container(), restartPolicy="Never")}}),
    ]  # fmt: skip


def probes() -> list[JSON]:
    often = {"periodSeconds": 1, "failureThreshold": 1}
    missing = {"exec": {"command": ["cat", "/tmp/healthy"]}, **often}
    closed = {"httpGet": {"path": "/ready", "port": 8099}, **often}
    return [
        pod("liveness", container(livenessProbe=missing)),
        pod("readiness", container(readinessProbe=closed)),
        pod("startup", container(startupProbe={"tcpSocket": {"port": 8098}, **often})),
    ]


def scheduling() -> list[JSON]:
    wide = container(resources={"requests": {"cpu": "1000", "memory": "64Mi"}})
    claim = [{"name": "data", "persistentVolumeClaim": {"claimName": "no-class"}}]
    none = [{"name": "data", "persistentVolumeClaim": {"claimName": "no-claim"}}]
    size = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return [
        pod("cpu", wide, nodeSelector={}),
        pod("selector", container(), nodeSelector={"disk": "gold"},
            tolerations=[{"operator": "Exists"}]),
        pod("taint", container(), nodeSelector={"kubernetes.io/hostname": "node3"}),
        pod("unbound", container(), volumes=claim),
        pod("no-claim", container(), volumes=none),
        made("v1", "PersistentVolumeClaim", "no-class", spec=size),
        made("v1", "PersistentVolumeClaim", "wrong-class",
             spec={**size, "storageClassName": "no-such-class"}),
    ]  # fmt: skip


def refusals() -> list[JSON]:
    small = container(resources={"requests": {"cpu": "60m"}})
    wide = container(resources={"limits": {"cpu": "2"}})
    away = {"service": {"name": "no-hook", "namespace": "ill", "path": "/"}}
    hook = {
        "name": "hook.example.com", "clientConfig": away, "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "timeoutSeconds": 2,
        "namespaceSelector": {"matchLabels": {"hooked": "yes"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                   "resources": ["pods"]}],
    }  # fmt: skip
    return [
        made("v1", "ResourceQuota", "little", "small", spec={"hard": {"requests.cpu": "100m"}}),
        workload("Deployment", "quota", small, namespace="small", replicas=2),
        workload("StatefulSet", "unasked", container(), namespace="small", serviceName="unasked"),
        made("v1", "LimitRange", "narrow", "limited", spec={
            "limits": [{"type": "Container", "max": {"cpu": "100m"}}]}),
        workload("Deployment", "limit", wide, namespace="limited"),
        workload("Deployment", "account", container(), pod={"serviceAccountName": "nobody"}),
        workload("Deployment", "priority", container(), pod={"priorityClassName": "urgent"}),
        made("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "away", "",
             webhooks=[hook]),
        workload("Deployment", "hooked", container(), namespace="hooked"),
    ]  # fmt: skip


def others() -> list[JSON]:
    port = [{"port": 80}]
    backend = {"service": {"name": "no-service", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return [
        made("v1", "Service", "no-pods", spec={"selector": {"app": "nowhere"}, "ports": port}),
        made("v1", "Service", "not-ready", spec={"selector": {"app": "crash"}, "ports": port}),
        made("networking.k8s.io/v1", "Ingress", "in", spec={"rules": [
            {"host": "a.example", "http": {"paths": paths}}]}),
        made("batch/v1beta1", "CronJob", "asleep", spec={
            "schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": {"template": {
                "spec": spec(container(), restartPolicy="Never")}}}}),
        made("v1", "ConfigMap", "kept", "stuck", metadata={"finalizers": ["example.com/hold"]}),
        pod("fine", container(["sleep", "36000"])),
        workload("Deployment", "well", container()),
    ]  # fmt: skip


def everything() -> JSON:
    """All of it as one List, namespaces first."""
    namespaces = [
        made("v1", "Namespace", name, "", metadata={"labels": labels})
        for name, labels in (
            ("ill", {}), ("small", {}), ("limited", {}), ("stuck", {}),
            ("hooked", {"hooked": "yes"}),
        )
    ]  # fmt: skip
    parts = (images, starts, crashes, probes, scheduling, refusals, others)
    items = namespaces + [item for part in parts for item in part()]
    return {"apiVersion": "v1", "kind": "List", "items": items}
