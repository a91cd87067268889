"""What a proof asks of a cluster: pods made, looked at and removed, and addresses to try."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from clusters.inventory.kinds import object_path
from clusters.inventory.raw import as_map, as_maps, text
from clusters.kube import AccessRefused, Connection, KubeError, NotFound
from tenancy.compare import labels_of, metadata_of
from tenancy.desired import CONSOLE
from tenancy.proof_pods import PREFIX, PROOF, selector

JSON = dict[str, Any]

NAMESPACES = "/api/v1/namespaces"
MOST_LOG = 256 * 1024
MOST_CAUSE = 500


def pods_path(namespace: str, name: str = "") -> str:
    """The path of a pod, or of a namespace's pods."""
    return object_path("v1", "pods", namespace, name)


def pod_of(connection: Connection, namespace: str, name: str) -> JSON | None:
    """A pod, or None where there is none. Raises KubeError."""
    try:
        return connection.get_json(pods_path(namespace, name))
    except NotFound:
        return None


def address_of(pod: JSON) -> str:
    """The pod's address once it runs, "" before."""
    status = as_map(pod.get("status"))
    found = text(status.get("podIP")) if status.get("phase") == "Running" else ""
    return found if is_address(found) else ""


def is_ready(pod: JSON) -> bool:
    """Whether the kubelet's probe of it was answered."""
    conditions = as_maps(as_map(pod.get("status")).get("conditions"))
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def has_ended(pod: JSON) -> bool:
    """Whether its containers will run no more."""
    return as_map(pod.get("status")).get("phase") in ("Succeeded", "Failed")


def why_not_up(connection: Connection, pod: JSON) -> str:
    """Why a pod has not come up, by its own status and the events about it."""
    status = as_map(pod.get("status"))
    found = [
        text(one.get("message"))
        for one in as_maps(status.get("conditions"))
        if one.get("type") == "PodScheduled" and one.get("status") == "False"
    ]
    for container in as_maps(status.get("containerStatuses")):
        state = as_map(container.get("state"))
        waits = as_map(state.get("waiting") or state.get("terminated"))
        found.append(": ".join(filter(None, (text(waits.get(k)) for k in ("reason", "message")))))
    found.append(text(status.get("message")))
    found += _warnings(connection, pod)
    said = list(dict.fromkeys(filter(None, found)))
    return " · ".join(said)[:MOST_CAUSE] or _("The pod did not come up, and nothing says why.")


def _warnings(connection: Connection, pod: JSON) -> list[str]:
    metadata = metadata_of(pod)
    of = {"fieldSelector": f"involvedObject.name={metadata.get('name')},type=Warning"}
    path = object_path("v1", "events", text(metadata.get("namespace")))
    try:
        events = connection.listing(path, of).items
    except KubeError as error:
        return [str(error)]
    uid = metadata.get("uid")
    about = [one for one in events if as_map(one.get("involvedObject")).get("uid") == uid]
    return [text(one.get("message")) for one in about[-2:]]


def log_of(connection: Connection, namespace: str, name: str) -> list[str]:
    """The lines of a probe pod's log. Raises KubeError."""
    path = f"{pods_path(namespace, name)}/log?limitBytes={MOST_LOG}"
    return list(connection.lines(path, timeout=10.0, limit=2 * MOST_LOG))


def dns_of(connection: Connection) -> str:
    """The address of the cluster's DNS service, "" where there is none that may be read."""
    try:
        service = connection.get_json(object_path("v1", "services", "kube-system", "kube-dns"))
    except (NotFound, AccessRefused):
        return ""
    found = text(as_map(service.get("spec")).get("clusterIP"))
    return found if is_address(found) else ""


def api_server_of(connection: Connection) -> tuple[str, int] | None:
    """Address and port of an API server as pods see it: something outside of the pod network.

    None where that may not be read.
    """
    try:
        body = connection.get_json(object_path("v1", "endpoints", "default", "kubernetes"))
    except (NotFound, AccessRefused):
        return None
    for subset in as_maps(body.get("subsets")):
        for address in as_maps(subset.get("addresses")):
            for port in as_maps(subset.get("ports")):
                ip, number = text(address.get("ip")), port.get("port")
                if is_address(ip) and isinstance(number, int):
                    return ip, number
    return None


def is_address(value: str) -> bool:
    """Whether it is an IP address and nothing else."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def sweep(
    connection: Connection, console: str, running: set[str], held: Callable[[], None]
) -> bool:
    """Remove what this console's proofs have left, but that of the running ones (tokens).

    Found by label, whoever forgot it. Returns whether nothing is left now. Raises KubeError.
    """
    query = {"labelSelector": selector(console)}
    left = False
    for path in ("/api/v1/pods", NAMESPACES):
        for body in connection.listing(path, query).items:
            metadata, labels = metadata_of(body), labels_of(body)
            name, space = text(metadata.get("name")), text(metadata.get("namespace"))
            ours = labels.get(CONSOLE) == console and name.startswith(PREFIX)
            if not ours or labels.get(PROOF, "") in {*running, ""}:
                continue
            left = True
            if path == NAMESPACES and metadata.get("deletionTimestamp"):
                continue
            held()
            target = f"{NAMESPACES}/{name}" if path == NAMESPACES else pods_path(space, name)
            remove(connection, target, now=path != NAMESPACES)
    return not left


def remove(connection: Connection, path: str, *, now: bool = False) -> None:
    """Delete something that may be gone already. Raises KubeError."""
    try:
        connection.delete(path, {"gracePeriodSeconds": 0} if now else None)
    except NotFound:
        return
