"""The pods that a manifest would make, and what they ask for once a LimitRange has spoken.

Sources: "Limit Ranges", "Resource Management for Pods and Containers", "Init Containers"
(resource sharing), and the defaults of the API itself: a limit without a request is a
request as well. Amounts are those of tenancy.amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from clusters.manifest_text import Manifest
from tenancy.amounts import DEFAULTED, Amounts, container_kind, human_of, of_container

JSON = Mapping[str, Any]

MOST_REPLICAS = 2**31 - 1
# Nodes offer a handful; what asks for thousands is not reckoned through.
MOST_NAMES = 64
# Kind: its group, and the field that says how many pods (None: one on every node).
_WORKLOADS: Mapping[str, tuple[str, str | None]] = {
    "Deployment": ("apps", "replicas"),
    "StatefulSet": ("apps", "replicas"),
    "ReplicaSet": ("apps", "replicas"),
    "ReplicationController": ("", "replicas"),
    "DaemonSet": ("apps", None),
    "Job": ("batch", "parallelism"),
    "CronJob": ("batch", "parallelism"),
}


@dataclass(frozen=True)
class Default:
    """What is put where a container says nothing. what: "requests.cpu"; text: "100m" for people."""

    about: str
    container: str
    what: str
    text: str


@dataclass
class Container:
    """One container's requests and limits, {resource: amount}."""

    name: str
    init: bool = False
    sidecar: bool = False
    requests: Amounts = field(default_factory=dict)
    limits: Amounts = field(default_factory=dict)


@dataclass
class Pods:
    """The pods of one object.

    about: "Deployment web". replicas: None for one on every node. template: {"metadata",
    "spec"}. problems: why the API server would refuse them. defaults: what was put in.
    """

    about: str
    kind: str
    name: str
    replicas: int | None
    template: JSON
    containers: list[Container] = field(default_factory=list)
    overhead: Amounts = field(default_factory=dict)
    defaults: list[Default] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def spec(self) -> JSON:
        """The pods' spec."""
        return as_map(self.template.get("spec"))

    def requests(self) -> Amounts:
        """What the scheduler and quotas reckon for one pod."""
        found = _effective([(c, c.requests) for c in self.containers])
        for key, amount in self.overhead.items():
            found[key] = found.get(key, 0) + amount
        return found

    def limits(self) -> Amounts:
        """The limits of one pod."""
        return _effective([(c, c.limits) for c in self.containers])


def pods_of(manifest: Manifest, limits: Mapping[str, Any]) -> Pods | None:
    """The pods that an object would make in a namespace with these defaults; None for none.

    limits: as in tenancy.models.Namespace.limits.
    """
    about = f"{manifest.kind} {manifest.name}"
    spec = as_map(manifest.body.get("spec"))
    if manifest.kind == "Pod" and not manifest.group:
        found = Pods(about, "Pod", manifest.name, 1, manifest.body)
    else:
        group, many = _WORKLOADS.get(manifest.kind, ("", ""))
        if many == "" or group != manifest.group:
            return None
        if manifest.kind == "CronJob":
            spec = as_map(as_map(spec.get("jobTemplate")).get("spec"))
        found = Pods(about, manifest.kind, manifest.name, None, as_map(spec.get("template")))
        if many is not None:
            found.replicas = _replicas(spec, many, found.problems)
    _read(found)
    for container in found.containers:
        _settle(found, container, limits)
    return found


def _replicas(spec: JSON, field: str, problems: list[str]) -> int:
    told = spec.get(field)
    if told is None:
        return 1
    if isinstance(told, bool) or not isinstance(told, int) or not 0 <= told <= MOST_REPLICAS:
        problems.append(
            _("spec.%(field)s must be a whole number from 0 on, not “%(value)s”.")
            % {"field": field, "value": str(told)[:40]}
        )
        return 0
    if field == "parallelism" and isinstance(most := spec.get("completions"), int):
        return min(told, max(most, 0))
    return told


def _read(pods: Pods) -> None:
    for kind, init in (("initContainers", True), ("containers", False)):
        for raw in as_maps(pods.spec.get(kind)):
            name = str(raw.get("name") or "")[:63]
            resources = as_map(raw.get("resources"))
            container = Container(name, init, init and raw.get("restartPolicy") == "Always")
            container.requests = _amounts(pods, name, resources, "requests")
            container.limits = _amounts(pods, name, resources, "limits")
            for resource, limit in container.limits.items():
                container.requests.setdefault(resource, limit)
            pods.containers.append(container)
    if not any(not container.init for container in pods.containers):
        pods.problems.append(_("It has no containers."))
    pods.overhead = _amounts(pods, "", pods.spec, "overhead")
    if len({name for container in pods.containers for name in container.requests}) > MOST_NAMES:
        pods.problems.append(_("It asks for more than %(most)d resources.") % {"most": MOST_NAMES})
        pods.containers = []


def _amounts(pods: Pods, container: str, of: JSON, part: str) -> Amounts:
    found = {}
    for name, value in as_map(of.get(part)).items():
        try:
            found[str(name)] = of_container(str(name), value)
        except ValueError as error:
            pods.problems.append(
                _("%(container)s, %(part)s.%(name)s: %(why)s")
                % {"container": container, "part": part, "name": str(name)[:80], "why": error}
            )
    return found


def _settle(pods: Pods, container: Container, limits: Mapping[str, Any]) -> None:
    """Put in what the container does not say, and check what comes of it."""
    put = set()
    for name in DEFAULTED:
        pair = limits.get(name) or {}
        default_limit = pair.get("limit") or None
        for part, value in (
            ("requests", pair.get("request") or default_limit),
            ("limits", default_limit),
        ):
            has: Amounts = getattr(container, part)
            if value is not None and name not in has:
                has[name] = of_container(name, value)
                if part == "limits":
                    put.add(name)
                shown = human_of(container_kind(name), has[name])
                pods.defaults.append(Default(pods.about, container.name, f"{part}.{name}", shown))
    for name, limit in container.limits.items():
        if container.requests.get(name, 0) <= limit:
            continue
        kind = container_kind(name)
        figures = {
            "container": container.name,
            "resource": name[:80],
            "request": human_of(kind, container.requests[name]),
            "limit": human_of(kind, limit),
        }
        pods.problems.append(
            _(
                "%(container)s asks for %(request)s (%(resource)s) and says no limit: the "
                "namespace's default of %(limit)s is below it. State a limit."
            )
            % figures
            if name in put
            else _(
                "%(container)s: the limit of %(resource)s (%(limit)s) is below the request "
                "(%(request)s)."
            )
            % figures
        )


def _effective(containers: list[tuple[Container, Amounts]]) -> Amounts:
    """The containers' sum, or the largest moment of the init containers, sidecars in both."""
    running: Amounts = {}
    sidecars: Amounts = {}
    most: Amounts = {}
    for container, amounts in containers:
        for name, amount in amounts.items():
            before = sidecars.get(name, 0)
            if not container.init:
                running[name] = running.get(name, 0) + amount
                continue
            most[name] = max(most.get(name, 0), before + amount)
            if container.sidecar:
                sidecars[name] = before + amount
    return {
        name: max(running.get(name, 0) + sidecars.get(name, 0), most.get(name, 0))
        for name in {**running, **most}
    }


def rolls_only_with(manifest: Manifest, replicas: int) -> int:
    """How many pods more a Deployment needs at once to be changed at all; 0: it can wait.

    Source: "Deployments", rolling update: where maxUnavailable (rounded down) comes to
    none, an old pod goes only once a new one is there.
    """
    strategy = as_map(as_map(manifest.body.get("spec")).get("strategy"))
    if manifest.kind != "Deployment" or strategy.get("type") == "Recreate" or not replicas:
        return 0
    rolling = as_map(strategy.get("rollingUpdate"))
    told = rolling.get("maxUnavailable", "25%")
    if isinstance(told, str) and re.fullmatch(r"[0-9]{1,3}%", told):
        told = int(told[:-1]) * replicas // 100
    return 1 if told == 0 else 0


def images_of(pods: Pods) -> Iterator[tuple[str, str]]:
    """Each container's name and image."""
    for kind in ("initContainers", "containers"):
        for raw in as_maps(pods.spec.get(kind)):
            if isinstance(image := raw.get("image"), str):
                yield str(raw.get("name") or "")[:63], image[:500]


def as_map(value: Any) -> JSON:
    """A JSON object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def as_maps(value: Any) -> list[JSON]:
    """The objects of a list, all of them: what is looked at is not shortened."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
