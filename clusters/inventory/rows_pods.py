"""Rows of pods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clusters.inventory.pod_status import pod_health, pod_word
from clusters.inventory.raw import (
    JSON,
    TEXT,
    as_map,
    as_maps,
    conditions,
    filled,
    pairs,
    text,
    texts,
    time_text,
    whole,
)
from clusters.inventory.told import Told
from clusters.quantities import quantity

MOST_CONTAINERS = 60
TERMINATION = 12288  # the longest termination messages of a pod together


def pod(item: JSON) -> Told:
    """A pod: the word of `kubectl get pods`, its containers, what it asks for."""
    metadata, spec, status = (as_map(item.get(p)) for p in ("metadata", "spec", "status"))
    word = pod_word(item)
    containers = _containers(spec, status)
    last = max((c.get("last", {}).get("finished", "") for c in containers), default="")
    volumes = [filled(_volume(raw)) for raw in as_maps(spec.get("volumes"))]
    summary: dict[str, Any] = {
        "phase": text(status.get("phase"), 32),
        "ready": [word.ready, word.total],
        "restarts": min(word.restarts, 2**31 - 1),
        "last_restart": last if word.restarts else "",
        "qos": text(status.get("qosClass"), 32),
        "priority_class": text(spec.get("priorityClassName")),
        "service_account": text(spec.get("serviceAccountName")),
        "host_network": True if spec.get("hostNetwork") is True else None,
        "deleted": time_text(metadata.get("deletionTimestamp")),
        "finalizers": texts(metadata.get("finalizers"), 20),
        "reason": text(status.get("reason")),
        "message": text(status.get("message"), TEXT),
        **_resources(spec),
        "containers": containers,
        "conditions": conditions(status),
        "volumes": volumes,
        "node_selector": pairs(spec.get("nodeSelector")),
        "tolerations": [_toleration(raw) for raw in as_maps(spec.get("tolerations"), 40)],
    }
    return Told(
        status=word.status,
        health=pod_health(word, item),
        node=text(spec.get("nodeName")),
        address=text(status.get("podIP"), 64),
        images=[c["image"] for c in containers if c.get("image")],
        summary=filled(summary),
    )


def _containers(spec: JSON, status: JSON) -> list[dict[str, Any]]:
    found = []
    for declared, statuses, init in (
        ("initContainers", "initContainerStatuses", True),
        ("containers", "containerStatuses", False),
    ):
        by_name = {text(raw.get("name")): raw for raw in as_maps(status.get(statuses))}
        for raw in as_maps(spec.get(declared), MOST_CONTAINERS):
            name = text(raw.get("name"))
            found.append(_container(name, raw, by_name.get(name, {}), init))
    return found


def _container(name: str, spec: JSON, status: JSON, init: bool) -> dict[str, Any]:
    state, word = _state(status.get("state"))
    last, _word = _state(status.get("lastState"))
    resources = as_map(spec.get("resources"))
    probes = {
        key: _probe(as_map(spec.get(f"{key}Probe")))
        for key in ("liveness", "readiness", "startup")
        if spec.get(f"{key}Probe")
    }
    return filled(
        {
            "name": name,
            "image": text(spec.get("image"), 500),
            "init": init or None,
            "ready": status.get("ready") is True,
            "restarts": whole(status.get("restartCount")),
            "state": word,
            **state,
            "last": last,
            "requests": _quantities(resources.get("requests")),
            "limits": _quantities(resources.get("limits")),
            "ports": [_port(raw) for raw in as_maps(spec.get("ports"), 50)],
            "probes": filled(probes),
        }
    ) | {"state": word}


def _state(raw: Any) -> tuple[dict[str, Any], str]:
    """What a container's state says, and its word: running, waiting, terminated or empty."""
    state = as_map(raw)
    word = next((w for w in ("running", "waiting", "terminated") if w in state), "")
    told = as_map(state.get(word))
    finished = time_text(told.get("finishedAt"))
    said = text(told.get("message"), TERMINATION)
    found = {
        "reason": text(told.get("reason")),
        # What a container leaves behind says at its end why it ended.
        "message": said[-TEXT:] if word == "terminated" else said[:TEXT],
        "exit_code": whole(told.get("exitCode")) if word == "terminated" else None,
        "signal": whole(told.get("signal")) or None,
        "since": time_text(told.get("startedAt")) if word == "running" else finished,
        "finished": finished,
    }
    return filled(found), word


def _quantities(raw: Any) -> dict[str, str]:
    return {
        text(key): text(str(value), 64)
        for key, value in list(as_map(raw).items())[:20]
        if quantity(value) is not None
    }


def _port(raw: JSON) -> str:
    name, number = text(raw.get("name"), 63), whole(raw.get("containerPort"))
    port = f"{number}/{text(raw.get('protocol'), 8) or 'TCP'}"
    return f"{name} {port}" if name else port


def _probe(raw: JSON) -> str:
    """One line: "GET :8080/healthz every 10 s"."""
    get, tcp, grpc = (as_map(raw.get(key)) for key in ("httpGet", "tcpSocket", "grpc"))
    if get:
        scheme = "HTTPS " if get.get("scheme") == "HTTPS" else ""
        what = f"{scheme}GET :{_named_port(get.get('port'))}{text(get.get('path')) or '/'}"
    elif tcp:
        what = f"TCP :{_named_port(tcp.get('port'))}"
    elif grpc:
        what = f"gRPC :{_named_port(grpc.get('port'))}"
    else:
        command = texts(as_map(raw.get("exec")).get("command"), 20)
        what = "exec " + " ".join(command)[:200] if command else ""
    return f"{what} every {whole(raw.get('periodSeconds')) or 10} s" if what else ""


def _named_port(raw: Any) -> str:
    return text(raw, 63) or str(whole(raw))


def _volume(raw: JSON) -> dict[str, Any]:
    """The volume's name, the kind of its source, and what it refers to."""
    name = text(raw.get("name"))
    kind = next((key for key in raw if key != "name" and isinstance(raw[key], dict)), "")
    source = as_map(raw.get(kind))
    ref = {
        "configMap": source.get("name"),
        "secret": source.get("secretName"),
        "persistentVolumeClaim": source.get("claimName"),
        "hostPath": source.get("path"),
        "csi": source.get("driver"),
        "emptyDir": source.get("medium"),
        "image": source.get("reference"),
    }.get(kind)
    if kind == "nfs":
        ref = f"{text(source.get('server'))}:{text(source.get('path'))}"
    elif kind == "projected":
        ref = ", ".join(_projected(as_maps(source.get("sources"), 20)))
    return {"name": name, "kind": text(kind, 63), "ref": text(ref)}


def _projected(sources: Iterable[JSON]) -> Iterable[str]:
    for source in sources:
        for kind, value in list(source.items())[:4]:
            name = text(as_map(value).get("name"))
            yield f"{text(kind, 63)} {name}".strip()


def _toleration(raw: JSON) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: text(raw.get(key), 320) for key in ("key", "operator", "value", "effect")
    }
    seconds = raw.get("tolerationSeconds")
    found["seconds"] = whole(seconds) if isinstance(seconds, int) else None
    return filled(found)


def _resources(spec: JSON) -> dict[str, float]:
    """What the scheduler reckons with: the sum of the containers, or the largest init container.

    Source: "Init Containers", "Resource sharing within containers": sidecars
    add to both. Limits are the sum of those that are set.
    """
    found = {}
    for key, kind, resource in (
        ("cpu_request", "requests", "cpu"),
        ("memory_request", "requests", "memory"),
        ("cpu_limit", "limits", "cpu"),
        ("memory_limit", "limits", "memory"),
    ):
        running = _sum(as_maps(spec.get("containers"), MOST_CONTAINERS), kind, resource)
        sidecars = most = 0.0
        for init in as_maps(spec.get("initContainers"), MOST_CONTAINERS):
            wants = _sum([init], kind, resource)
            if init.get("restartPolicy") == "Always":
                sidecars += wants
                most = max(most, sidecars)
            else:
                most = max(most, sidecars + wants)
        total = max(running + sidecars, most)
        if kind == "requests":
            total += quantity(as_map(spec.get("overhead")).get(resource)) or 0.0
        if total:
            found[key] = round(total, 6)
    return found


def _sum(containers: list[JSON], kind: str, resource: str) -> float:
    wants = (
        quantity(as_map(as_map(raw.get("resources")).get(kind)).get(resource)) for raw in containers
    )
    return sum(value for value in wants if value and value > 0)
