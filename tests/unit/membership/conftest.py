"""A standard cluster with three control planes and a worker, and two free hosts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.utils import timezone

from clusters.models import Cluster, Profile
from provisioning.membership import note_places
from provisioning.models import Host
from tests.factories import ClusterFactory
from tests.unit.clusters.cast import host, release


@dataclass
class Cast:
    """The cluster, its hosts by name, and the free ones."""

    cluster: Cluster
    hosts: dict[str, Host]
    free: list[Host]

    def page(self, name: str) -> str:
        return f"/clusters/{self.cluster.pk}/{name}/"


@pytest.fixture
def standard(db) -> Cast:
    """prod: h1, h2, h3 are control planes, h4 is a worker; h5 and h6 are free."""
    release()
    cluster = ClusterFactory(
        name="prod",
        profile=Profile.STANDARD,
        vip="10.40.0.100",
        router_id=255,
        endpoint="https://10.40.0.100:8443",
        seen=timezone.now(),
        options={"arch": "amd64", "network": "routed", "schedule_on_control_plane": False},
    )
    hosts = {
        f"h{n}": host(
            n,
            cluster=cluster,
            cluster_index=n - 1,
            cluster_role="worker" if n == 4 else "control_plane",
        )
        for n in (1, 2, 3, 4)
    }
    note_places(cluster)
    return Cast(cluster, hosts, [host(5), host(6)])
