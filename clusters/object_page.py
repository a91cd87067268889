"""What an object's page shows of its row: summary by kind, family, events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clusters import cells
from clusters.inventory.kinds import KINDS
from clusters.links import (
    CLUSTER_WIDE,
    RESOURCES,
    kind_address,
    link,
    owner_link,
    tab_address,
    unlinked,
)
from clusters.models import Object
from clusters.object_family import (
    children,
    ingresses_of,
    pods_of,
    selected_pods,
    services_of,
    siblings,
    tree,
    users_of_claim,
    volume_kind,
)
from clusters.rights import grants_on, namespace_page, seen_of, sees_all, visible_events
from clusters.views_lists import event_rows
from clusters.words import cause_text, listed, text
from console.ui.lists import keyset

SHOWN = 50
WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
# The kinds with a summary of their own under templates/clusters/objects/.
OWN_TEMPLATES = {
    **dict.fromkeys(WORKLOAD_KINDS, "workload"),
    "Pod": "pod", "Job": "job", "CronJob": "cronjob", "Service": "service", "Ingress": "ingress",
    "PersistentVolumeClaim": "persistentvolumeclaim", "PersistentVolume": "persistentvolume",
    "StorageClass": "storageclass", "ConfigMap": "configmap", "Secret": "secret",
    "Namespace": "namespace", "Node": "node",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """An object in a short list below another: where it is, and how it is."""

    row: Object
    href: str
    badge: Any
    cause: str


def lines(rows: list[Object]) -> list[Line]:
    """Objects as short lists show them."""
    return [
        Line(
            row,
            kind_address(row.cluster_id, row.kind, row.namespace, row.name),
            cells.health_badge(row.status, row.health) if row.status or row.health else "",
            cause_text(row),
        )
        for row in rows
    ]


def summary_context(request: HttpRequest, row: Object) -> dict[str, Any]:
    """What the summary shows: facts for everything, and what the kind has besides."""
    more, whole = BY_KIND.get(row.kind, _nothing)(row), sees_all(request.user)
    if not whole:
        more |= {key: unlinked(more[key]) for key in ("bound", "storage_class") if key in more}
        if "volumes" in more and not grants_on(request.user, "get", row, "secrets"):
            more["volumes"] = [
                (name, kind, unlinked(ref) if kind == "secret" else ref)
                for name, kind, ref in more["volumes"]
            ]
    return {
        "summary_template": f"clusters/objects/summary_{OWN_TEMPLATES.get(row.kind, 'other')}.html",
        "conditions": [_condition(one) for one in listed(row.summary, "conditions")],
        "facts": facts_of(request.user, row),
        "labels": sorted(row.labels.items()) if isinstance(row.labels, dict) else [],
        "images": row.images.split(),
        **more,
    }


def facts_of(user: Any, row: Object) -> list[tuple[str, Any]]:
    """What every object has, with links to what it belongs to as far as the user may open that."""
    found: list[tuple[str, Any]] = []
    whole = sees_all(user)
    if row.namespace:
        href = namespace_page(user, row.cluster, row.namespace)
        found.append((_("Namespace"), link(href, row.namespace)))
    if row.owner_name:
        outside = not whole and RESOURCES.get(row.owner_kind, "") in CLUSTER_WIDE
        found.append((_("Owner"), unlinked(owner_link(row)) if outside else owner_link(row)))
    if row.node:
        found.append((_("Node"), cells.node(row) if whole else unlinked(cells.node(row))))
    if row.address:
        found.append((_("IP address"), cells.address(row)))
    if account := text(row.summary, "service_account"):
        found.append((_("Service account"), account))
    found.append((_("Created"), cells.created(row)))
    return found


def related_context(request: HttpRequest, row: Object) -> dict[str, Any]:
    """The tree of owners and children, and what else is tied to the object."""
    others: list[tuple[str, list[Line]]] = []
    if row.kind == "Pod":
        others.append((_("Services that lead here"), lines(services_of(row))))
    if row.kind == "Service":
        others.append((_("Ingresses that lead here"), lines(ingresses_of(row))))
        pods = selected_pods(row, row.summary.get("selector"))
        others.append((_("Pods that it selects"), lines(pods)))
    if row.kind == "PersistentVolumeClaim":
        others.append((_("Pods that mount it"), lines(users_of_claim(row))))
    if row.kind == "Node":
        pods = list(siblings(row, "pods").filter(node=row.name).order_by("name")[:SHOWN])
        others.append((_("Pods on this node"), lines(pods)))
    family = tree(row)
    seen = {one.pk for one in seen_of(request.user, [place.row for place in family])}
    places = [(place, lines([place.row])[0]) for place in family if place.row.pk in seen]
    return {"places": places, "others": [(title, rows) for title, rows in others if rows]}


def events_context(request: HttpRequest, row: Object) -> dict[str, Any]:
    """The events of the object and of what it owns, the newest first."""
    below = children([row])
    family = [row, *below, *children(below)]
    uids = {one.uid for one in family if one.uid}
    if row.kind == "Node":
        uids.add(row.name)  # the kubelet names a node by its name where a UID belongs
    events = visible_events(request.user).filter(cluster_id=row.cluster_id, about_uid__in=uids)
    page = keyset(request, events, sorts=("-last",))
    return {"page": page, "rows": event_rows(page, whole=sees_all(request.user))}


def _nothing(_row: Object) -> dict[str, Any]:
    return {}


def _pod(row: Object) -> dict[str, Any]:
    containers = [
        {
            **container,
            "last": container.get("last") if isinstance(container.get("last"), dict) else {},
            "since": cells.moment(container.get("since")),
            "badge": _container_badge(container),
            "resources": _resources(container),
            "probes": _pairs(container.get("probes")),
        }
        for container in listed(row.summary, "containers")
    ]
    return {"containers": containers, "volumes": _volumes(row)}


def _volumes(row: Object) -> list[tuple[str, str, SafeString]]:
    """(name, kind, what is behind it): a link where that is there, which it need not be."""
    found = [
        (volume_kind(volume), text(volume, "ref"), volume)
        for volume in listed(row.summary, "volumes")
    ]
    there = set(
        Object.objects.filter(
            cluster=row.cluster_id,
            namespace=row.namespace,
            kind__in={kind for kind, _ref, _volume in found if kind},
            name__in={ref for _kind, ref, _volume in found if ref},
        ).values_list("kind", "name")
    )
    return [
        (
            text(volume, "name"),
            text(volume, "kind"),
            link(
                kind_address(row.cluster_id, kind, row.namespace, ref)
                if (kind, ref) in there
                else "",
                ref,
            ),
        )
        for kind, ref, volume in found
    ]


def _pairs(mapping: object) -> list[tuple[Any, Any]]:
    """Keys and values: a template must not look for `.items`, which may be a key."""
    return list(mapping.items()) if isinstance(mapping, dict) else []


def _container_badge(container: dict[str, Any]) -> Any:
    state, reason = text(container, "state"), text(container, "reason")
    if state == "running":
        health = "good" if container.get("ready") else "moving"
    elif state == "terminated":
        health = "good" if container.get("exit_code") == 0 else "bad"
    else:
        health = "moving" if reason in ("", "ContainerCreating", "PodInitializing") else "bad"
    return cells.health_badge(reason or state or _("not started"), health)


def _resources(container: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(resource, request, limit) as Kubernetes wrote them."""
    requests, limits = container.get("requests"), container.get("limits")
    asked = requests if isinstance(requests, dict) else {}
    capped = limits if isinstance(limits, dict) else {}
    names = sorted({*asked, *capped})
    return [(str(n), str(asked.get(n, "–")), str(capped.get(n, "–"))) for n in names]


def _workload(row: Object) -> dict[str, Any]:
    pods = pods_of(row)
    desired = cells.figure(row, "desired") or 0
    rollout = [
        (label, cells.figure(row, key) or 0)
        for label, key in (
            (_("Desired"), "desired"), (_("Updated"), "updated"), (_("Ready"), "ready"),
            (_("Available"), "available"),
        )
    ]  # fmt: skip
    behind = cells.figure(row, "observed") != cells.figure(row, "generation")
    return {"pods": lines(pods[:SHOWN]), "rollout": rollout, "desired": desired, "behind": behind}


def _job(row: Object) -> dict[str, Any]:
    return {"pods": lines(pods_of(row)[:SHOWN])}


def _cron_job(row: Object) -> dict[str, Any]:
    return {"jobs": lines(children([row], SHOWN))}


def _service(row: Object) -> dict[str, Any]:
    selector = row.summary.get("selector")
    return {
        "pods": lines(selected_pods(row, selector, SHOWN)),
        "selector": _pairs(selector),
    }


def _ingress(row: Object) -> dict[str, Any]:
    rules = [
        (rule, kind_address(row.cluster_id, "Service", row.namespace, text(rule, "service")))
        for rule in listed(row.summary, "rules")
    ]
    return {"rules": rules}


def _claim(row: Object) -> dict[str, Any]:
    return {
        "pods": lines(users_of_claim(row)[:SHOWN]),
        "size": cells.capacity(row),
        "bound": cells.bound(row),
        "storage_class": cells.storage_class(row),
    }


def _volume(row: Object) -> dict[str, Any]:
    return {
        "size": cells.capacity(row),
        "bound": cells.bound(row),
        "storage_class": cells.storage_class(row),
    }


def _namespace(row: Object) -> dict[str, Any]:
    rows = Object.objects.filter(
        cluster_id=row.cluster_id,
        namespace=row.name,
        resource__in=[kind.resource for kind in KINDS if kind.namespaced],
    )
    counts = dict(rows.order_by().values_list("resource").annotate(Count("pk")))
    tabs = {"pods": "pods", "services": "network", "secrets": "config", "configmaps": "config"}
    contents = [
        (
            kind.kind,
            counts[kind.resource],
            tab_address(
                row.cluster_id, tabs.get(kind.plural, _tab_of(kind.resource)), namespace=row.name
            ),
        )
        for kind in KINDS
        if kind.resource in counts and kind.kind != "ReplicaSet"
    ]
    return {"contents": contents}


def _tab_of(resource: str) -> str:
    if resource.endswith((".apps", ".batch")):
        return "workloads"
    return "storage" if resource == "persistentvolumeclaims" else "network"


def _node(row: Object) -> dict[str, Any]:
    pods = list(siblings(row, "pods").filter(node=row.name).order_by("namespace", "name")[:500])
    living = [pod for pod in pods if text(pod.summary, "phase") not in ("Succeeded", "Failed")]
    used = {
        key: sum(cells.figure(pod, key) or 0 for pod in living)
        for key in ("cpu_request", "cpu_limit", "memory_request", "memory_limit")
    }
    have = {key: cells.figure(row, key) or 0 for key in ("cpu", "memory", "pods")}
    return {
        "pods": lines(pods),
        "cpu": {"have": have["cpu"], "asked": used["cpu_request"], "limit": used["cpu_limit"],
                "percent": percent(used["cpu_request"], have["cpu"])},
        "memory": {"have": have["memory"], "asked": used["memory_request"],
                   "limit": used["memory_limit"],
                   "percent": percent(used["memory_request"], have["memory"])},
        "pod_room": {"have": round(have["pods"]), "asked": len(living),
                     "percent": percent(len(living), have["pods"])},
        "taints": [
            f"{text(t, 'key')}={text(t, 'value')}:{text(t, 'effect')}".replace("=:", ":")
            for t in listed(row.summary, "taints")
        ],
    }  # fmt: skip


def percent(part: float, whole: float) -> int:
    """Of a whole, rounded; 0 where there is no whole."""
    return round(100 * part / whole) if whole else 0


def _condition(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": text(one, "type"),
        "status": text(one, "status"),
        "reason": text(one, "reason"),
        "message": text(one, "message"),
        "since": cells.moment(one.get("since")),
    }


BY_KIND: dict[str, Callable[[Object], dict[str, Any]]] = {
    **dict.fromkeys(WORKLOAD_KINDS, _workload),
    "Pod": _pod,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "Ingress": _ingress,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "Namespace": _namespace,
    "Node": _node,
}
