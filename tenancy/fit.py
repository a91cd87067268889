"""Will it fit? What an apply of a text would meet in a namespace, before anything is applied.

From the console's database alone: the namespace's limits, quota and pod security, its
tenant's quota and what it allows, and the nodes as the inventory has them. It foretells what
LimitRanger, ResourceQuota, PodSecurity and the scheduler will say; admission webhooks and the
API server's own validation of fields are not foretold (a dry run asks those).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from django.utils.translation import gettext as _

from clusters import manifest_text
from clusters.kube.skew import minor_of
from clusters.manifest_text import Manifest
from tenancy import enforced, quotas, use
from tenancy.amounts import NAMESPACES, RESOURCES, Amounts, Resource, human, read, total
from tenancy.fit_nodes import Placement, Room, place, release, rooms_of
from tenancy.fit_objects import (
    There,
    added_by,
    added_by_pods,
    claims_of,
    kind_of,
    makes_pods,
    of_one_pod,
    there,
)
from tenancy.fit_pods import Default, Pods, as_map, images_of, pods_of, rolls_only_with
from tenancy.fit_security import Violation, violations
from tenancy.models import Namespace

Topic = Literal["object", "limits", "quota", "security", "nodes", "allowed"]

# What the console keeps in a namespace itself, and a tenant's roles do not let write.
KEPT = frozenset({"ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding"})
# Known to belong to no namespace, besides those of the inventory.
_OF_CLUSTERS = frozenset(
    {"APIService", "CSIDriver", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
     "IngressClass", "MutatingWebhookConfiguration", "PriorityClass", "RuntimeClass",
     "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
     "ValidatingWebhookConfiguration", "CertificateSigningRequest", "VolumeAttachment"}
)  # fmt: skip
# A quota of these refuses every container that does not state them ("Resource Quotas").
_MUST_STATE = ("requests.cpu", "limits.cpu", "requests.memory", "limits.memory")
_NEWEST = 10**6


@dataclass(frozen=True)
class Finding:
    """One sentence about one object. blocks: it, or its pods, would be refused."""

    topic: Topic
    about: str
    text: str
    blocks: bool = True


@dataclass(frozen=True)
class Figure:
    """One line of the namespace's quota: what the text would take of it.

    used: None when it is not known. wanted: negative for what a change gives back.
    tenant_left: what the tenant could still give to the namespace; None: not limited.
    """

    resource: Resource
    limit: int
    used: int | None
    wanted: int
    tenant_left: int | None

    @property
    def left(self) -> int | None:
        """What would be left; negative when it does not fit."""
        return None if self.used is None else self.limit - self.used - self.wanted

    @property
    def short_by(self) -> int:
        """How much is missing. What asks for no more is never short, as the API server has it."""
        used = self.used or 0
        return max(used + self.wanted - self.limit, 0) if self.wanted > 0 else 0

    def text(self) -> str:
        """The sentence for a figure that blocks, with what would mend it."""
        key = self.resource.key
        figures = {
            "resource": key,
            "limit": human(key, self.limit),
            "used": human(key, self.used or 0),
            "wanted": human(key, self.wanted),
            "short": human(key, self.short_by),
            "rest": human(key, self.tenant_left or 0),
        }
        said = (
            _("%(resource)s: %(used)s of %(limit)s used, %(wanted)s more wanted: %(short)s short.")
            % figures
        )
        if self.tenant_left is None or self.tenant_left >= self.short_by:
            return f"{said} " + _("The namespace's quota can be raised by that.")
        return f"{said} " + _("The tenant has %(rest)s left: more must be asked for.") % figures

    @property
    def limit_text(self) -> str:
        """ "4 CPU"."""
        return human(self.resource.key, self.limit)

    @property
    def used_text(self) -> str:
        """ "1.5 CPU", or "" when it is not known."""
        return "" if self.used is None else human(self.resource.key, self.used)

    @property
    def wanted_text(self) -> str:
        """ "0.5 CPU", with a minus for what is given back."""
        return human(self.resource.key, self.wanted)

    @property
    def left_text(self) -> str:
        """ "2 CPU", or "" when it is not known."""
        return "" if self.left is None else human(self.resource.key, self.left)


@dataclass
class Report:
    """What would happen.

    objects: (about, whether it is new). violations: (about, what pod security refuses).
    enforced: whether the cluster enforces pod security here. seen: when the cluster
    last answered; figures are as old as that. None: never, and nothing is known of it.
    """

    namespace: Namespace
    seen: datetime | None
    enforced: bool = True
    objects: list[tuple[str, bool]] = field(default_factory=list)
    defaults: list[Default] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    violations: list[tuple[str, Violation]] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        """Whether nothing is known that would stand in the way."""
        return not any(one.blocks for one in self.findings) and all(
            one.fits for one in self.placements
        )

    @property
    def blocking(self) -> list[Finding]:
        """What stands in the way, nodes aside."""
        return [one for one in self.findings if one.blocks]


def report(namespace: Namespace, text: str) -> Report:
    """What an apply of the text to the namespace would meet, in some twenty queries.

    namespace: with tenant, cluster and pool (select_related). text: YAML as
    clusters.manifest_text reads it. Raises manifest_text.Refused with lines.
    """
    manifests = manifest_text.read(text)
    fit = _Fit(namespace, manifests)
    fit.look_at_objects()
    fit.look_at_nodes()
    fit.look_at_quota()
    return fit.report


class _Fit:
    """One examination."""

    def __init__(self, namespace: Namespace, manifests: list[Manifest]) -> None:
        self._namespace, self._tenant = namespace, namespace.tenant
        self._cluster = namespace.cluster
        self._minor = _minor(self._cluster.version)
        holds = enforced.holds_pod_security(namespace)
        self.report = Report(namespace, self._cluster.seen, holds)
        self._quota = read(namespace.quota)
        self._manifests = [one for one in manifests if self._belongs_here(one)]
        self._there = there(namespace, self._manifests)
        self._pods: list[tuple[Manifest, Pods, There]] = []
        self._added: list[Amounts] = []

    def look_at_objects(self) -> None:
        """What each object is, and what is wrong with it by itself."""
        for number, manifest in enumerate(self._manifests):
            found = self._there[number]
            self.report.objects.append((_about(manifest), found.row is None))
            problems: list[str] = []
            self._added.append(added_by(manifest, found, problems))
            self._find("object", manifest, problems)
            self._find("allowed", manifest, self._not_allowed(manifest), blocks=False)
            pods = pods_of(manifest, self._namespace.limits)
            if pods is not None:
                self._pods.append((manifest, pods, found))
                self._look_at_pods(manifest, pods)

    def look_at_nodes(self) -> None:
        """Whether there is room; what is replaced makes room."""
        coming = [(pods, found) for _manifest, pods, found in self._pods if makes_pods(pods, found)]
        asked = {name for pods, _found in coming for name in pods.requests()}
        rooms = rooms_of(self._namespace, asked) if coming else []
        for pods, found in coming:
            if pods.kind != "CronJob":
                _release(rooms, found)
        self.report.placements = place(rooms, [pods for pods, _found in coming])

    def look_at_quota(self) -> None:
        """What all of it takes of the quota. After the nodes, which DaemonSets count."""
        on_nodes = {one.about: one.wanted for one in self.report.placements}
        for manifest, pods, found in self._pods:
            many = on_nodes.get(pods.about, 0) if pods.replicas is None else pods.replicas
            problems: list[str] = []
            self._added.append(added_by_pods(pods, found, many, problems))
            self._added.append(claims_of(manifest, many, found, problems))
            self._find("object", manifest, problems)
        wanted, used = total(self._added), use.used([self._namespace])[self._namespace.pk]
        rest = quotas.left(self._tenant, self._cluster)
        for key, resource in RESOURCES.items():
            if key not in self._quota or key == NAMESPACES:
                continue
            figure = Figure(
                resource, self._quota[key], used.get(key), wanted.get(key, 0), rest.get(key)
            )
            self.report.figures.append(figure)
            if figure.short_by:
                self.report.findings.append(Finding("quota", "", figure.text()))
            elif figure.used is None and figure.wanted > 0:
                said = _("%(resource)s: what is used already is not known.") % {"resource": key}
                self.report.findings.append(Finding("quota", "", said, blocks=False))
        self._look_at_rollouts()

    def _look_at_rollouts(self) -> None:
        """A change that fits in the end can still be stuck: old and new pods side by side."""
        for manifest, pods, found in self._pods:
            more = rolls_only_with(manifest, pods.replicas or 0) if found.pods else 0
            one = of_one_pod(pods, []) if more else {}
            for figure in self.report.figures:
                key = figure.resource.key
                peak = (figure.used or 0) + more * one.get(key, 0)
                if one.get(key, 0) and peak > figure.limit and not figure.short_by:
                    said = _(
                        "%(resource)s: a change starts a new pod before an old one goes, and "
                        "%(short)s are missing for that. Allow maxUnavailable: 1, or raise the "
                        "quota."
                    ) % {"resource": key, "short": human(key, peak - figure.limit)}
                    self._find("quota", manifest, [said], blocks=False)

    def _belongs_here(self, manifest: Manifest) -> bool:
        kind = kind_of(manifest)
        why = ""
        if (kind and not kind.namespaced) or manifest.kind in _OF_CLUSTERS:
            why = _("It belongs to the whole cluster: a tenant cannot apply it.")
        elif manifest.namespace not in ("", self._namespace.name):
            why = _("It names the namespace %(other)s, not %(this)s.") % {
                "other": manifest.namespace,
                "this": self._namespace.name,
            }
        elif manifest.kind in KEPT:
            why = _("The console keeps the namespace's own: a tenant cannot apply another.")
        if why:
            self._find("object", manifest, [why])
        return not why

    def _look_at_pods(self, manifest: Manifest, pods: Pods) -> None:
        self.report.defaults += pods.defaults
        self._find("limits", manifest, pods.problems)
        missing = [
            _("%(container)s must state %(what)s, which the namespace's quota limits.")
            % {"container": container.name, "what": key}
            for container in pods.containers
            for key in _MUST_STATE
            if key in self._quota and not _states(container.requests, container.limits, key)
        ]
        self._find("quota", manifest, missing)
        level = self._namespace.pod_security
        refused = violations(level, pods.template, self._minor)
        self.report.violations += [(_about(manifest), one) for one in refused]
        said = [_of_violation(one) for one in refused]
        self._find("security", manifest, said, blocks=self.report.enforced)

    def _not_allowed(self, manifest: Manifest) -> Iterator[str]:
        """What the tenant's settings do not name, where they name any."""
        spec = as_map(manifest.body.get("spec"))
        for kind, name, allowed, said in (
            ("PersistentVolumeClaim", "storageClassName", self._tenant.storage_classes,
             _("The storage class %(name)s is not among the tenant's: %(allowed)s.")),
            ("Ingress", "ingressClassName", self._tenant.ingress_classes,
             _("The ingress class %(name)s is not among the tenant's: %(allowed)s.")),
        ):  # fmt: skip
            told = spec.get(name)
            if manifest.kind == kind and allowed and told and told not in allowed:
                yield said % {"name": str(told)[:253], "allowed": ", ".join(allowed)}
        pods = pods_of(manifest, {}) if self._tenant.registries else None
        for container, image in images_of(pods) if pods else ():
            if not from_one_of(image, self._tenant.registries):
                yield _(
                    "%(container)s: the image %(image)s is from none of the tenant's "
                    "registries: %(allowed)s."
                ) % {
                    "container": container,
                    "image": image,
                    "allowed": ", ".join(self._tenant.registries),
                }

    def _find(
        self, topic: Topic, manifest: Manifest, said: list[str] | Iterator[str], blocks: bool = True
    ) -> None:
        about = _about(manifest)
        self.report.findings += [Finding(topic, about, text, blocks) for text in said]


def full_image(image: str) -> str:
    """An image's name with its registry: "nginx:1" is "docker.io/library/nginx:1"."""
    first, slash, _rest = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    if "." in first or ":" in first or first == "localhost":
        return image
    return f"docker.io/{image}"


def from_one_of(image: str, registries: list[str]) -> bool:
    """Whether an image is from one of these registries ("registry.example/team")."""
    full = full_image(image)
    return any(full.startswith(f"{registry.rstrip('/')}/") for registry in registries)


def _about(manifest: Manifest) -> str:
    return f"{manifest.kind} {manifest.name}"


def _of_violation(one: Violation) -> str:
    return _("Pod security (%(level)s, %(rule)s): %(field)s: %(why)s.") % {
        "level": one.level,
        "rule": one.rule,
        "field": one.field,
        "why": one.why,
    }


def _states(requests: Amounts, limits: Amounts, key: str) -> bool:
    part, _dot, name = key.partition(".")
    return name in (requests if part == "requests" else limits)


def _release(rooms: list[Room], found: There) -> None:
    for node, amounts in found.pods:
        requests = {
            name.removeprefix("requests."): amount
            for name, amount in amounts.items()
            if name.startswith("requests.")
        }
        release(rooms, node, requests)


def _minor(version: str) -> int:
    try:
        return minor_of(version)
    except ValueError:
        return _NEWEST  # not known yet: the strictest that there is
