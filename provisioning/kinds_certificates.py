"""Renewal of a cluster's certificates: whether they have ended already, and the task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from clusters.models import Cluster, ClusterSecret
from provisioning import pki
from provisioning.cluster_operations import Kind, Wanted, register

# A certificate that ends while the others are still being renewed counts as ended.
MARGIN = timedelta(minutes=15)


def renew(cluster: Cluster, _values: Mapping[str, Any]) -> Wanted:
    """No values: every leaf is made anew, the authorities stay."""
    now = datetime.now(UTC)
    title = _("Renew the certificates of %(name)s") % {"name": cluster.name}
    expired = control_plane_expired(cluster, now + MARGIN)
    parameters = {"since": now.isoformat(), "expired": expired}
    return Wanted(title, [], parameters, {"expired": expired})


def control_plane_expired(cluster: Cluster, at: datetime) -> bool:
    """Whether a certificate that members of the control plane trust one another by ends before."""
    rows = ClusterSecret.objects.filter(
        cluster=cluster, name__startswith="hosts/", name__endswith=".crt"
    )
    nodes = ("/kubelet-serving.crt", "/kube-proxy.crt")
    found = {row.name: str(row.value) for row in rows if not row.name.endswith(nodes)}
    return any(expiry.ends <= at for expiry in pki.expiries(found))


register(Kind("renew_certificates", "cluster.certificates_renewed", renew, even_unhealthy=True))
