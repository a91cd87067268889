"""The protocol of ports that a manifest leaves out, which server-side apply needs until 1.22.

"TCP" is the API's own default (ServicePort, ContainerPort); older API servers merge these
lists by a key that holds the protocol before they fill the default in, and answer 500.
"""

from __future__ import annotations

from typing import Any

from clusters.kube.connection import JSON

_TEMPLATES = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
        ("spec", "template", "spec"),
    ),
}
_GROUPS = ("", "apps", "batch")


def with_protocols(body: JSON) -> JSON:
    """The manifest with "TCP" on ports of Services and containers that name no protocol.

    The given one is left as it is. What is not built as Kubernetes wants it is
    left for the API server to refuse.
    """
    kind, group = str(body.get("kind")), str(body.get("apiVersion", "")).rpartition("/")[0]
    filled = body
    if kind == "Service" and not group:
        filled = _within(body, ("spec",), _with_ports)
    elif kind in _TEMPLATES and group in _GROUPS:
        filled = _within(body, _TEMPLATES[kind], _with_containers)
    return filled


def _within(found: Any, path: tuple[str, ...], change: Any) -> Any:
    if not isinstance(found, dict):
        return found
    if not path:
        return change(found)
    key, *rest = path
    return {**found, key: _within(found[key], tuple(rest), change)} if key in found else found


def _with_containers(spec: JSON) -> JSON:
    lists = {
        key: [_with_ports(one) if isinstance(one, dict) else one for one in spec[key]]
        for key in ("containers", "initContainers")
        if isinstance(spec.get(key), list)
    }
    return {**spec, **lists}


def _with_ports(owner: JSON) -> JSON:
    ports = owner.get("ports")
    if not isinstance(ports, list):
        return owner
    return {
        **owner,
        "ports": [
            {**port, "protocol": "TCP"}
            if isinstance(port, dict) and not port.get("protocol")
            else port
            for port in ports
        ],
    }
