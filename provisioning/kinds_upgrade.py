"""Upgrade: what is asked for, what speaks against it before the cluster is asked, the task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from clusters.kube.skew import Rule, minor_of, skew, step
from clusters.models import Cluster, Node
from clusters.models_health import ControlPlaneHealth
from provisioning import upgrading
from provisioning.action_nodes import DRAIN_SECONDS
from provisioning.cluster_operations import Kind, Wanted, register
from provisioning.cluster_spec import DEFAULT_ARCH
from provisioning.models import Release, ReleaseState
from provisioning.steps.base import Problem


def upgrade(cluster: Cluster, values: Mapping[str, Any]) -> Wanted:
    """values: release, accept_removed_apis, drain_seconds, force (pods without a controller go)."""
    release = values.get("release")
    version = release.version if isinstance(release, Release) else ""
    title = _("Upgrade %(name)s to %(version)s") % {"name": cluster.name, "version": version}
    if not isinstance(release, Release):
        what, mend = _("No release is chosen."), _("Choose one.")
        return Wanted(title, [Problem("no_release", what, mend, field="release")], {}, {})
    accepted = bool(values.get("accept_removed_apis"))
    told = {
        "from": cluster.version,
        "to": version,
        "accept_removed_apis": accepted,
        "force": bool(values.get("force")),
    }
    parameters = {
        **told,
        "release": release.pk,
        "drain_seconds": int(values.get("drain_seconds") or DRAIN_SECONDS),
    }
    return Wanted(title, problems_of(cluster, release), parameters, told)


def problems_of(cluster: Cluster, release: Release) -> list[Problem]:
    """Everything that speaks against this release, by what the console knows already."""
    try:
        problems = [*_release(cluster, release), *_step(cluster, release)]
        return problems or [*_nodes(cluster, release), *_health(cluster)]
    except ValueError as error:
        return [Problem("version", str(error), _("Choose another release."), field="release")]


def candidates(cluster: Cluster) -> list[Release]:
    """The releases that the cluster may go to now, oldest first."""
    ready = Release.objects.filter(state=ReleaseState.READY)
    fit = [r for r in ready if not [*_release(cluster, r), *_step(cluster, r)]]
    return sorted(fit, key=lambda r: _number(r.version))


def _number(version: str) -> tuple[int, int]:
    patch = version.removeprefix("v").split(".")[2].split("-")[0].split("+")[0]
    return minor_of(version), int(patch)


def _release(cluster: Cluster, release: Release) -> Iterator[Problem]:
    if release.state != ReleaseState.READY:
        what = _("The release %(release)s is not ready: %(state)s.") % {
            "release": release,
            "state": release.get_state_display(),
        }
        yield Problem("release", what, _("Wait until it is, or choose another."), field="release")
    arch = str(cluster.options.get("arch", DEFAULT_ARCH))
    if release.arch != arch:
        what = _("The release is for %(other)s, the cluster's hosts are %(arch)s.") % {
            "other": release.arch,
            "arch": arch,
        }
        yield Problem("architecture", what, _("Choose another release."), field="release")


def _step(cluster: Cluster, release: Release) -> Iterator[Problem]:
    """One minor version up, or within the same one; an unfinished upgrade only goes on."""
    begun, target = upgrading.upgrading_to(cluster), release.version
    if begun and begun != target:
        what = _("An upgrade to %(version)s has begun.") % {"version": begun}
        mend = _("Bring it to its end first: retry it.")
        yield Problem("upgrading", what, mend, field="release")
        return
    if target == cluster.version:
        what = _("%(cluster)s has %(version)s already.")
        what %= {"cluster": cluster.name, "version": target}
        yield Problem("same_version", what, _("Choose a newer release."), field="release")
    for violation in step(cluster.version, target):
        mend = _next_step(cluster) if violation.rule is Rule.ONE_MINOR else ""
        yield Problem(violation.rule.value, violation.text, mend, field="release")


def _next_step(cluster: Cluster) -> str:
    """Which release to take first."""
    minor = minor_of(cluster.version) + 1
    arch = cluster.options.get("arch", DEFAULT_ARCH)
    there = Release.objects.filter(state=ReleaseState.READY, arch=arch)
    versions = [r.version for r in there if minor_of(r.version) == minor]
    if versions:
        return _("Take %(version)s first.") % {"version": max(versions, key=_number)}
    return _("Add a release of v1.%(minor)d and take that first.") % {"minor": minor}


def _nodes(cluster: Cluster, release: Release) -> Iterator[Problem]:
    nodes = list(Node.objects.filter(cluster=cluster))
    for node in nodes:
        if not node.ready:
            what = _("The node %(node)s is not Ready: %(reason)s") % {
                "node": node.name,
                "reason": node.reason,
            }
            mend = _("Mend it, or remove it from the cluster, before the upgrade.")
            yield Problem("not_ready", what.rstrip(": "), mend)
    kubelets = {node.name: node.version for node in nodes if node.version}
    for violation in skew(kubelets, (), release.version):
        yield Problem(violation.rule.value, violation.text, "")


def _health(cluster: Cluster) -> Iterator[Problem]:
    """What the watcher has seen in the last half minute; older news decides nothing."""
    row = ControlPlaneHealth.objects.filter(cluster=cluster).first()
    if row is None or not row.fresh:
        return
    mend = _("Bring it back, or replace the host, before the upgrade.")
    for member in row.data.get("members", ()):
        for layer, name in (("api", "kube-apiserver"), ("etcd", "etcd")):
            if member[layer]["state"] != "up":
                what = _("%(program)s on %(host)s is not well.")
                what %= {"program": name, "host": member["name"]}
                yield Problem("member_ill", what, mend)


def begun(cluster: Cluster, wanted: Wanted) -> None:
    """From now on only the upgrade may go on, until it has come to its end."""
    upgrading.begin(cluster, str(wanted.parameters["to"]))


register(Kind("upgrade", "cluster.upgraded", upgrade, begun=begun))
