"""Rows of services and ingresses."""

from __future__ import annotations

from typing import Any

from clusters.inventory.raw import JSON, as_map, as_maps, filled, pairs, text, texts, whole
from clusters.inventory.told import Told
from clusters.models import Health

OLD_CLASS = "kubernetes.io/ingress.class"  # before IngressClass (1.18)


def service(item: JSON) -> Told:
    """A service; of type LoadBalancer it is pending until it has an address."""
    spec, status = as_map(item.get("spec")), as_map(item.get("status"))
    kind = text(spec.get("type"), 32) or "ClusterIP"
    own = texts(spec.get("clusterIPs"), 4) or [text(spec.get("clusterIP"), 64)]
    balanced = _balanced(status)
    external = [*balanced, *texts(spec.get("externalIPs"), 20)]
    if kind == "ExternalName":
        external.append(text(spec.get("externalName")))
    pending = kind == "LoadBalancer" and not balanced
    addresses = [ip for ip in own if ip and ip != "None"]
    summary = {
        "type": kind,
        "cluster_ips": [ip for ip in own if ip],
        "external": [one for one in external if one],
        "ports": [_port(raw) for raw in as_maps(spec.get("ports"))],
        "selector": pairs(spec.get("selector")),
    }
    return Told(
        status="Pending" if pending else "",
        health=Health.WARN if pending else Health.NONE,
        address=addresses[0][:64] if addresses else "",
        summary=filled(summary),
    )


def ingress(item: JSON) -> Told:
    """An ingress (networking.k8s.io/v1) with one line for each path."""
    metadata, spec, status = (as_map(item.get(p)) for p in ("metadata", "spec", "status"))
    annotations = as_map(metadata.get("annotations"))
    addresses = _balanced(status)
    rules = [rule for raw in as_maps(spec.get("rules")) for rule in _rules(raw)]
    default = as_map(spec.get("defaultBackend"))
    if default:
        rules.append(filled({"host": "*", "path": "", **_backend(default)}))
    summary = {
        "class": text(spec.get("ingressClassName")) or text(annotations.get(OLD_CLASS)),
        "hosts": list(dict.fromkeys(rule["host"] for rule in rules if rule.get("host"))),
        "addresses": addresses,
        "rules": rules[:200],
        "tls": [host for raw in as_maps(spec.get("tls")) for host in texts(raw.get("hosts"))],
    }
    return Told(address=addresses[0][:64] if addresses else "", summary=filled(summary))


def _balanced(status: JSON) -> list[str]:
    """The addresses that a load balancer gave."""
    entries = as_maps(as_map(status.get("loadBalancer")).get("ingress"), 20)
    return [a for raw in entries if (a := text(raw.get("ip")) or text(raw.get("hostname")))]


def _port(raw: JSON) -> str:
    """ "80:30080/TCP → 8080": the port, the one on every node, the protocol, where it goes."""
    port, on_nodes = whole(raw.get("port")), whole(raw.get("nodePort"))
    protocol = text(raw.get("protocol"), 8) or "TCP"
    target = text(raw.get("targetPort"), 63) or str(whole(raw.get("targetPort")) or port)
    first = f"{port}:{on_nodes}" if on_nodes else str(port)
    return f"{first}/{protocol} → {target}"


def _rules(raw: JSON) -> list[dict[str, Any]]:
    host = text(raw.get("host")) or "*"
    paths = as_maps(as_map(raw.get("http")).get("paths"))
    return [
        filled(
            {
                "host": host,
                "path": text(path.get("path"), 500) or "/",
                **_backend(as_map(path.get("backend"))),
            }
        )
        for path in paths
    ] or [{"host": host}]


def _backend(raw: JSON) -> dict[str, str]:
    service = as_map(raw.get("service"))
    if service:
        port = as_map(service.get("port"))
        number = text(port.get("name"), 63) or str(whole(port.get("number")) or "")
        return {"service": text(service.get("name")), "port": number}
    resource = as_map(raw.get("resource"))
    named = f"{text(resource.get('kind'), 63)}/{text(resource.get('name'))}"
    return {"service": named, "port": ""} if resource else {}
