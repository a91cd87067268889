"""What a manifest's objects count for in quotas, and what of them is on the cluster already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from clusters.inventory.kinds import KINDS, Kind
from clusters.manifest_text import Manifest
from clusters.models import Object
from tenancy.amounts import RESOURCES, Amounts, of_container, total
from tenancy.fit_pods import JSON, Pods, as_map, as_maps
from tenancy.models import Namespace
from tenancy.use import CLAIMS, PODS, RUNNING, SERVICES, of_claim, of_pod, of_service

_KINDS: Mapping[tuple[str, str], Kind] = {(kind.group, kind.kind): kind for kind in KINDS}
# An apply of one that is there makes no new pods.
_ONCE = ("Job", "Pod")


@dataclass
class There:
    """What is on the cluster of one object of a text. row: None when it is new."""

    row: Object | None = None
    # Its pods that run now, (node, what they count for).
    pods: list[tuple[str, Amounts]] = field(default_factory=list)

    @property
    def pods_use(self) -> Amounts:
        """What its pods count for in quotas."""
        return total(amounts for _node, amounts in self.pods)


def kind_of(manifest: Manifest) -> Kind | None:
    """The kind of an object, where it is one that every cluster is watched for."""
    return _KINDS.get((manifest.group, manifest.kind))


def there(namespace: Namespace, manifests: Iterable[Manifest]) -> dict[int, There]:
    """{the manifest's place among them: what is there}, in three queries."""
    listed = list(manifests)
    keys = {
        (kind.resource, manifest.name): place
        for place, manifest in enumerate(listed)
        if (kind := kind_of(manifest)) is not None
    }
    found = {place: There() for place in range(len(listed))}
    rows = Object.objects.filter(cluster=namespace.cluster_id, namespace=namespace.name).order_by()
    named = rows.filter(
        resource__in={resource for resource, _name in keys}, name__in={name for _r, name in keys}
    )
    owners: dict[str, int] = {}
    for row in named:
        if (place := keys.get((row.resource, row.name))) is not None:
            found[place].row = row
            if row.uid:
                owners[row.uid] = place
    # Between a Deployment and its pods are ReplicaSets, between a CronJob and its pods Jobs.
    between = rows.filter(owner_uid__in=list(owners)).exclude(resource=PODS).exclude(uid="")
    owners |= {uid: owners[owner] for uid, owner in between.values_list("uid", "owner_uid")}
    pods = rows.filter(RUNNING, Q(owner_uid__in=owners) | Q(uid__in=owners), resource=PODS)
    for uid, owner, node, summary in pods.values_list("uid", "owner_uid", "node", "summary"):
        owned = owners.get(owner, owners.get(uid))
        if owned is not None:
            found[owned].pods.append((node, of_pod(summary)))
    return found


def makes_pods(pods: Pods, found: There) -> bool:
    """Whether an apply makes new pods."""
    return found.row is None or pods.kind not in _ONCE


def added_by(manifest: Manifest, found: There, problems: list[str]) -> Amounts:
    """What the object itself adds to what is used; negative for what a change gives back.

    problems: gets a sentence for each quantity that is none.
    """
    kind = kind_of(manifest)
    if kind is None:
        return {}
    row, resource = found.row, kind.resource
    amounts: Amounts = {}
    for key in (f"count/{resource}", resource):
        if key in RESOURCES and key != PODS:
            amounts[key] = 0 if row else 1
    spec = as_map(manifest.body.get("spec"))
    if resource == CLAIMS:
        before = of_claim(row.summary) if row else {}
        now = {"requests.storage": _size(spec, problems)}
        amounts |= _difference(before, now)
    elif resource == SERVICES:
        before = of_service(row.summary) if row else {}
        amounts |= _difference(before, _of_service(spec))
    return amounts


def added_by_pods(pods: Pods, found: There, replicas: int, problems: list[str]) -> Amounts:
    """What its pods and their volumes add to what is used, those that they replace taken off."""
    if not makes_pods(pods, found):
        return {}
    one = of_one_pod(pods, problems)
    before = {} if pods.kind == "CronJob" else found.pods_use
    return _difference(before, {key: amount * replicas for key, amount in one.items()})


def of_one_pod(pods: Pods, problems: list[str]) -> Amounts:
    """What one of the pods counts for, with the volumes that are made for it alone."""
    one: Amounts = {PODS: 1}
    for part, amounts in (("requests", pods.requests()), ("limits", pods.limits())):
        one |= {
            key: amount
            for name, amount in amounts.items()
            if (key := f"{part}.{name}") in RESOURCES
        }
    claims = [
        as_map(as_map(as_map(volume.get("ephemeral")).get("volumeClaimTemplate")).get("spec"))
        for volume in as_maps(pods.spec.get("volumes"))
        if volume.get("ephemeral") is not None
    ]
    if claims:
        sizes = [_size(spec, problems) for spec in claims]
        one |= {CLAIMS: len(sizes), "requests.storage": sum(sizes)}
    return one


def claims_of(manifest: Manifest, replicas: int, found: There, problems: list[str]) -> Amounts:
    """What the volumes of a new StatefulSet's pods claim; a changed one keeps its own."""
    if manifest.kind != "StatefulSet" or found.row is not None:
        return {}
    templates = as_maps(as_map(manifest.body.get("spec")).get("volumeClaimTemplates"))
    if not templates:
        return {}
    size = sum(_size(as_map(template.get("spec")), problems) for template in templates)
    return {CLAIMS: len(templates) * replicas, "requests.storage": size * replicas}


def _of_service(spec: JSON) -> Amounts:
    kind = spec.get("type")
    ports = len(as_maps(spec.get("ports")))
    on_nodes = kind == "NodePort" or (
        kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    )
    return {
        "services.loadbalancers": int(kind == "LoadBalancer"),
        "services.nodeports": ports if on_nodes else 0,
    }


def _size(spec: JSON, problems: list[str]) -> int:
    told: Any = as_map(as_map(spec.get("resources")).get("requests")).get("storage")
    if told is None:
        return 0
    try:
        return of_container("storage", told)
    except ValueError as error:
        problems.append(str(error))
        return 0


def _difference(before: Mapping[str, int], now: Mapping[str, int]) -> Amounts:
    return {key: now.get(key, 0) - before.get(key, 0) for key in {*before, *now}}
