"""The HA drill: what is asked for, and its task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clusters.models import Cluster, ControlPlaneHealth, Profile
from provisioning import power
from provisioning.cluster_operations import Kind, Wanted, register
from provisioning.models import Host
from provisioning.models_drills import DrillTarget
from provisioning.operation_clusters import register_recipe
from provisioning.steps.base import Problem


def drill(cluster: Cluster, values: Mapping[str, Any]) -> Wanted:
    """values: target, a word of DrillTarget."""
    title = _("HA drill of %(name)s") % {"name": cluster.name}
    word = str(values.get("target", ""))
    if word not in DrillTarget.values:
        what = _("“%(target)s” cannot be stopped by a drill.") % {"target": word[:40]}
        mend = _("Choose one of: %(targets)s.") % {"targets": ", ".join(DrillTarget.values)}
        return Wanted(title, [Problem("target", what, mend, field="target")], {}, {})
    target = DrillTarget(word)
    means, queue = _means(cluster, target)
    parameters = {"target": word, "means": means, "what": str(target.label)}
    return Wanted(title, _problems(cluster), parameters, {"target": word}, queue=queue)


def _means(cluster: Cluster, target: DrillTarget) -> tuple[str, str]:
    """Cut the power where somebody can of every control plane, else stop; and by which workers."""
    if target is not DrillTarget.HOST:
        return "stop", ""
    hosts = Host.objects.filter(cluster=cluster, cluster_role="control_plane")
    switches = [power.switch_of(host) for host in hosts]
    if not switches or None in switches:
        return "stop", ""
    queues = {switch.queue for switch in switches if switch is not None}
    return ("power", queues.pop()) if len(queues) == 1 else ("stop", "")


def _problems(cluster: Cluster) -> list[Problem]:
    if cluster.profile != Profile.STANDARD:
        what = _("A lightweight cluster has one control plane: stopping it is no drill.")
        return [Problem("profile", what, _("Drills are for standard clusters."), field="target")]
    row = ControlPlaneHealth.objects.filter(cluster=cluster).first()
    if row is None or not row.fresh:
        what = _("The console has not looked at the control plane lately.")
        return [Problem("not_whole", what, _("Look whether the watcher runs."))]
    ill = [p for p in row.problems if p.get("level") == "bad"]
    if ill:
        what = " ".join(str(problem["what"]) for problem in ill)
        return [Problem("not_whole", what, _("Mend this first; a drill takes one more away."))]
    return []


register(Kind("drill", "cluster.drilled", drill))
register_recipe("drill", gettext_noop("HA drill"))
