"""The quick start: an application as a few plain fields, and the manifests that they mean.

Nothing here talks to a cluster or to the database. The manifests are read back to the same
fields (`app_of`), so that what quick start made can be changed by the same form. What it made
carries the label `app.kubernetes.io/managed-by: flotilla-quick-start` ("Recommended Labels").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clusters import manifest_text
from tenancy.fit_pods import as_map, as_maps
from tenancy.models_namespaces import PodSecurity

JSON = dict[str, Any]

MANAGED_BY = "app.kubernetes.io/managed-by"
NAME = "app.kubernetes.io/name"
MANAGER = "flotilla-quick-start"
# Kind: its API version and plural, in the order in which they are applied.
KINDS: Mapping[str, tuple[str, str]] = {
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims"),
    "Deployment": ("apps/v1", "deployments"),
    "Service": ("v1", "services"),
    "Ingress": ("networking.k8s.io/v1", "ingresses"),
}
_VOLUME, _PORT = "data", "main"


@dataclass(frozen=True)
class Variable:
    """One environment variable: a value, or a key of a Secret of the same namespace."""

    name: str
    value: str = ""
    secret: str = ""
    key: str = ""


@dataclass(frozen=True)
class App:
    """What quick start deploys; "" and None: not set.

    command, arguments: in place of the image's own. Quantities are in Kubernetes' canonical
    spelling. service_port: of the Service, None for no Service. host, path, ingress_class: of
    the Ingress, host "" for none. mount_path: where the volume is, "" for no volume.
    """

    name: str
    image: str
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    replicas: int = 1
    port: int | None = None
    service_port: int | None = None
    cpu_request: str = ""
    cpu_limit: str = ""
    memory_request: str = ""
    memory_limit: str = ""
    environment: tuple[Variable, ...] = ()
    run_as_user: int | None = None
    host: str = ""
    path: str = "/"
    ingress_class: str = ""
    mount_path: str = ""
    volume_size: str = ""
    storage_class: str = ""


def object_names(name: str) -> dict[str, str]:
    """{kind: the object's name} of everything that an application of this name may have."""
    return {kind: f"{name}-data" if kind == "PersistentVolumeClaim" else name for kind in KINDS}


def manifests(app: App, pod_security: str) -> list[JSON]:
    """The objects in the order in which they are to be applied; none names a namespace.

    pod_security: the namespace's level, which the pods keep to.
    """
    found = []
    if app.mount_path:
        found.append(_claim(app))
    found.append(_deployment(app, pod_security))
    if app.service_port is not None:
        port = {"name": _PORT, "port": app.service_port, "protocol": "TCP", "targetPort": app.port}
        found.append(_object(app, "Service", {"selector": _labels(app), "ports": [port]}))
    if app.host:
        found.append(_ingress(app))
    return found


def text(app: App, pod_security: str) -> str:
    """The same as YAML."""
    return "---\n".join(manifest_text.dump(body) for body in manifests(app, pod_security))


def is_ours(body: Mapping[str, Any]) -> bool:
    """Whether quick start made this object of a cluster."""
    labels = as_map(as_map(body.get("metadata")).get("labels"))
    return bool(labels.get(MANAGED_BY) == MANAGER)


def app_of(objects: Iterable[Mapping[str, Any]]) -> App | None:
    """The application of which these are the objects, as the cluster has them; None for none.

    What the fields cannot say (a second container, a variable from a field of the pod) is left
    out: an apply of the result leaves it alone, as it belongs to another field manager.
    """
    by_kind = {str(body.get("kind")): body for body in objects}
    deployment = by_kind.get("Deployment")
    if deployment is None:
        return None
    spec = as_map(deployment.get("spec"))
    pod = as_map(as_map(spec.get("template")).get("spec"))
    name = str(as_map(deployment.get("metadata")).get("name") or "")
    containers = as_maps(pod.get("containers"))
    container = next((one for one in containers if one.get("name") == name), None)
    if container is None:
        return None
    resources = as_map(container.get("resources"))
    requests, limits = as_map(resources.get("requests")), as_map(resources.get("limits"))
    replicas = spec.get("replicas")
    return App(
        name=name,
        image=str(container.get("image") or ""),
        command=_texts(container.get("command")),
        arguments=_texts(container.get("args")),
        replicas=replicas if isinstance(replicas, int) else 1,
        port=_whole(next(iter(as_maps(container.get("ports"))), {}).get("containerPort")),
        service_port=_service_port(by_kind.get("Service")),
        cpu_request=str(requests.get("cpu") or ""),
        cpu_limit=str(limits.get("cpu") or ""),
        memory_request=str(requests.get("memory") or ""),
        memory_limit=str(limits.get("memory") or ""),
        environment=tuple(_variables(container)),
        run_as_user=_whole(as_map(pod.get("securityContext")).get("runAsUser")),
        **_ingress_fields(by_kind.get("Ingress")),
        **_volume_fields(container, by_kind.get("PersistentVolumeClaim")),
    )


def _labels(app: App) -> JSON:
    return {NAME: app.name, MANAGED_BY: MANAGER}


def _object(app: App, kind: str, spec: JSON) -> JSON:
    metadata = {"name": object_names(app.name)[kind], "labels": _labels(app)}
    return {"apiVersion": KINDS[kind][0], "kind": kind, "metadata": metadata, "spec": spec}


def _deployment(app: App, pod_security: str) -> JSON:
    spec: JSON = {"replicas": app.replicas, "selector": {"matchLabels": _labels(app)}}
    pod: JSON = {
        # Nothing in it needs the API of the cluster.
        "automountServiceAccountToken": False,
        "securityContext": _pod_security(app, pod_security),
        "containers": [_container(app, pod_security)],
    }
    if app.mount_path:
        # A new pod waits for ever for a volume that the old one holds.
        spec["strategy"] = {"type": "Recreate"}
        claim = {"claimName": object_names(app.name)["PersistentVolumeClaim"]}
        pod["volumes"] = [{"name": _VOLUME, "persistentVolumeClaim": claim}]
    spec["template"] = {"metadata": {"labels": _labels(app)}, "spec": pod}
    return _object(app, "Deployment", spec)


def _container(app: App, pod_security: str) -> JSON:
    found: JSON = {"name": app.name, "image": app.image}
    if app.command:
        found["command"] = list(app.command)
    if app.arguments:
        found["args"] = list(app.arguments)
    if app.port is not None:
        found["ports"] = [{"name": _PORT, "containerPort": app.port, "protocol": "TCP"}]
    if app.environment:
        found["env"] = [_variable(one) for one in app.environment]
    resources = {
        part: {name: amount for name, amount in amounts.items() if amount}
        for part, amounts in (
            ("requests", {"cpu": app.cpu_request, "memory": app.memory_request}),
            ("limits", {"cpu": app.cpu_limit, "memory": app.memory_limit}),
        )
    }
    if any(resources.values()):
        found["resources"] = {part: amounts for part, amounts in resources.items() if amounts}
    if app.mount_path:
        found["volumeMounts"] = [{"name": _VOLUME, "mountPath": app.mount_path}]
    context: JSON = {"allowPrivilegeEscalation": False}
    if pod_security == PodSecurity.RESTRICTED:
        context["capabilities"] = {"drop": ["ALL"]}
    return {**found, "securityContext": context}


def _pod_security(app: App, level: str) -> JSON:
    found: JSON = {"seccompProfile": {"type": "RuntimeDefault"}}
    if level == PodSecurity.RESTRICTED:
        found["runAsNonRoot"] = True
    if app.run_as_user is not None:
        found["runAsUser"] = app.run_as_user
        if app.mount_path:
            found["fsGroup"] = app.run_as_user  # or it could not write to its volume
    return found


def _variable(one: Variable) -> JSON:
    if one.secret:
        return {
            "name": one.name,
            "valueFrom": {"secretKeyRef": {"name": one.secret, "key": one.key}},
        }
    return {"name": one.name, "value": one.value}


def _variables(container: Mapping[str, Any]) -> Iterable[Variable]:
    for raw in as_maps(container.get("env")):
        name, source = str(raw.get("name") or ""), as_map(raw.get("valueFrom"))
        reference = as_map(source.get("secretKeyRef"))
        if reference:
            yield Variable(
                name,
                secret=str(reference.get("name") or ""),
                key=str(reference.get("key") or ""),
            )
        elif not source:
            yield Variable(name, str(raw.get("value") or ""))


def _claim(app: App) -> JSON:
    spec: JSON = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": app.volume_size}},
    }
    if app.storage_class:
        spec["storageClassName"] = app.storage_class
    return _object(app, "PersistentVolumeClaim", spec)


def _ingress(app: App) -> JSON:
    backend = {"service": {"name": app.name, "port": {"number": app.service_port}}}
    rule = {"path": app.path, "pathType": "Prefix", "backend": backend}
    return _object(
        app,
        "Ingress",
        {
            "ingressClassName": app.ingress_class,
            "rules": [{"host": app.host, "http": {"paths": [rule]}}],
        },
    )


def _service_port(body: Mapping[str, Any] | None) -> int | None:
    ports = as_maps(as_map((body or {}).get("spec")).get("ports"))
    return _whole(ports[0].get("port")) if ports else None


def _ingress_fields(body: Mapping[str, Any] | None) -> JSON:
    spec = as_map((body or {}).get("spec"))
    rule = next(iter(as_maps(spec.get("rules"))), {})
    path = next(iter(as_maps(as_map(rule.get("http")).get("paths"))), {})
    return {
        "host": str(rule.get("host") or ""),
        "path": str(path.get("path") or "/"),
        "ingress_class": str(spec.get("ingressClassName") or ""),
    }


def _volume_fields(container: Mapping[str, Any], claim: Mapping[str, Any] | None) -> JSON:
    mounts = as_maps(container.get("volumeMounts"))
    mount = next((one for one in mounts if one.get("name") == _VOLUME), None)
    if mount is None or claim is None:
        return {}
    spec = as_map(claim.get("spec"))
    requests = as_map(as_map(spec.get("resources")).get("requests"))
    return {
        "mount_path": str(mount.get("mountPath") or ""),
        "volume_size": str(requests.get("storage") or ""),
        "storage_class": str(spec.get("storageClassName") or ""),
    }


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
