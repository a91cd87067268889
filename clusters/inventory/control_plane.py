"""Looks at a cluster's control plane for as long as the lease holds, and keeps what it sees."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db import DatabaseError, connections
from django.utils import timezone
from django.utils.translation import ngettext

from clusters.busy import is_busy
from clusters.inventory import control_plane_data as kept
from clusters.inventory.control_plane_problems import Problem, degrading, problems_of
from clusters.inventory.lease import Lease, LeaseLost
from clusters.inventory.timing import Timing
from clusters.kube import KubeError
from clusters.kube.credentials import (
    ETCD_NAMES,
    NAMES,
    Stamp,
    credentials_of,
    etcd_credentials_of,
    stamp,
    tls_context,
)
from clusters.kube.members import UP, ControlPlaneProbe, Layout, Member, Ports, Sight
from clusters.models import Cluster, ClusterStatus, ControlPlaneHealth

logger = logging.getLogger(__name__)

MOST_MEMBERS = 9  # etcd's FAQ advises at most 7; a member that is being replaced comes on top
MOST_WAYS = 2


@dataclass(frozen=True)
class _View:
    """The last look, for the pulse beside this thread. reason: "" unless it is degraded."""

    at: float
    ways: tuple[str, ...] = ()
    reason: str = ""


class ControlPlaneWatch(threading.Thread):
    """One cluster's looks. changed() is called when a look may mean another status."""

    def __init__(self, lease: Lease, timing: Timing, changed: Callable[[], None]) -> None:
        super().__init__(name=f"control-plane-{lease.cluster_id}", daemon=True)
        self._lease = lease
        self._timing = timing
        self._changed = changed
        self._ended = threading.Event()
        self._probe: ControlPlaneProbe | None = None
        self._made_of: tuple[Layout, Stamp] | None = None
        self._known: dict[str, Any] | None = None
        self._troubled = 0  # looks in a row with a problem that degrades
        self._view = _View(0.0)

    def stop(self) -> None:
        """End soon."""
        self._ended.set()

    def ways_in(self) -> tuple[str, ...]:
        """Endpoints of members whose API servers were ready a moment ago."""
        recent = 2 * (self._timing.look_calm + self._timing.look)
        return self._view.ways if time.monotonic() - self._view.at < recent else ()

    def reason(self) -> str:
        """Why a cluster whose API answers is degraded; "" when it is not."""
        return self._view.reason

    def run(self) -> None:
        """Look after look until stopped or the lease is lost."""
        try:
            while not self._ended.is_set():
                pause = self._timing.look_calm
                try:
                    pause = self._once()
                except KubeError as error:
                    # No certificate yet, or one that cannot be used: the pulse says it too.
                    logger.info("cluster %s: %s", self._lease.cluster_id, error.cause)
                except DatabaseError as error:
                    logger.warning("cluster %s: database: %s", self._lease.cluster_id, error)
                finally:
                    connections.close_all()
                self._ended.wait(pause)
        except LeaseLost:
            return
        finally:
            if self._probe is not None:
                self._probe.close()

    def _once(self) -> float:
        """One look, kept; the seconds to pause after it."""
        cluster = Cluster.objects.filter(pk=self._lease.cluster_id).first()
        if cluster is None:
            raise LeaseLost
        layout = layout_of(cluster, self._timing.ports)
        if not layout.members:
            self._view = _View(time.monotonic())
            return self._timing.look_calm
        busy = is_busy(cluster) or cluster.status == ClusterStatus.PROVISIONING
        probe = self._probe_of(cluster, layout)
        connections.close_all()  # a look may take seconds
        sight = probe.look(self._timing.look)
        now = timezone.now()
        data = kept.merged(sight, self._before(cluster), now)
        problems = problems_of(data, layout.vip, now, busy)
        self._keep(data, problems, sight, now)
        self._tell(sight, problems, layout)
        calm = not busy and not degrading(problems)
        return self._timing.look_calm if calm else self._timing.look_soon

    def _before(self, cluster: Cluster) -> dict[str, Any]:
        if self._known is None:
            row = ControlPlaneHealth.objects.filter(cluster=cluster).first()
            self._known = row.data if row else {}
        return self._known

    def _keep(
        self, data: dict[str, Any], problems: list[Problem], sight: Sight, now: datetime
    ) -> None:
        with self._lease.holding() as cluster:
            row = ControlPlaneHealth.objects.filter(cluster=cluster).first()
            row = row or ControlPlaneHealth(cluster=cluster, changed=now)
            told = [problem.as_json() for problem in problems]
            if kept.shape(row.data) != kept.shape(data) or row.problems != told:
                row.changed = now
            row.data, row.problems, row.probed = data, told, now
            row.etcd_revision = max(row.etcd_revision, kept.revision(sight))
            row.save()
        self._known = data

    def _tell(self, sight: Sight, problems: list[Problem], layout: Layout) -> None:
        """Let the pulse know. One look alone may fall into a failover that takes a second."""
        wrong = degrading(problems)
        self._troubled = self._troubled + 1 if wrong else 0
        reason = self._view.reason if wrong else ""
        if self._troubled >= self._timing.lasting:
            reason = _reason(wrong)
        ready = [m.member for m in sight.members if m.api.seen.state == UP]
        ways = tuple(_endpoint(member, layout.ports) for member in ready[:MOST_WAYS])
        before, self._view = self._view, _View(time.monotonic(), ways, reason)
        if before.reason != reason or bool(before.ways) != bool(ways):
            self._changed()

    def _probe_of(self, cluster: Cluster, layout: Layout) -> ControlPlaneProbe:
        """The probe with the layout and the certificates of this moment."""
        made_of = (layout, stamp(cluster, NAMES + ETCD_NAMES))
        if self._probe is not None and self._made_of == made_of:
            return self._probe
        kube = tls_context(credentials_of(cluster))
        etcd = etcd_credentials_of(cluster)
        context: ssl.SSLContext | None = tls_context(etcd) if etcd else None
        if self._probe is not None:
            self._probe.close()
        self._probe, self._made_of = ControlPlaneProbe(layout, kube, context), made_of
        return self._probe


def layout_of(cluster: Cluster, ports: Ports) -> Layout:
    """What there is to ask of a cluster; no members when the console does not know them."""
    vip = cluster.vip or ""
    if not vip:
        # Its API entry is the API server of the one member itself.
        ports = Ports(urlsplit(cluster.endpoint).port or ports.api, ports.stats, ports.etcd)
    places = (cluster.options.get("places") or {}).get("control_plane") or []
    members = tuple(Member(place["name"], place["address"]) for place in places[:MOST_MEMBERS])
    return Layout(members, cluster.endpoint, vip, ports)


def _endpoint(member: Member, ports: Ports) -> str:
    host = f"[{member.address}]" if ":" in member.address else member.address
    return f"https://{host}:{ports.api}"


def _reason(problems: list[Problem]) -> str:
    """The worst problem with its mend, and how many there are besides."""
    first, others = problems[0], len(problems) - 1
    text = f"{first.what} {first.mend}"
    if others:
        more = ngettext("There is %(n)s more problem.", "There are %(n)s more problems.", others)
        text += " " + more % {"n": others}
    return text
