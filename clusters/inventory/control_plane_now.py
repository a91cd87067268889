"""One look at a control plane right now, for tasks that must not rely on the watcher's last."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from clusters.inventory import control_plane_data as kept
from clusters.inventory.control_plane import layout_of
from clusters.inventory.control_plane_problems import Problem, degrading, problems_of
from clusters.kube.credentials import credentials_of, etcd_credentials_of, tls_context
from clusters.kube.members import STANDARD_PORTS, ControlPlaneProbe
from clusters.models import Cluster


@dataclass(frozen=True)
class Now:
    """Who holds the virtual IP ("": nobody, or there is none), and what is wrong."""

    holder: str
    problems: tuple[Problem, ...]


def look_now(cluster: Cluster) -> Now:
    """Ask every part; takes about 2 s. Raises KubeError when the console has no credentials."""
    layout = layout_of(cluster, STANDARD_PORTS)
    etcd = etcd_credentials_of(cluster)
    probe = ControlPlaneProbe(
        layout, tls_context(credentials_of(cluster)), tls_context(etcd) if etcd else None
    )
    try:
        sight = probe.look()
    finally:
        probe.close()
    now = timezone.now()
    problems = problems_of(kept.merged(sight, {}, now), layout.vip, now, busy=False)
    return Now(sight.vip.holder if sight.vip else "", tuple(degrading(problems)))
