"""Why a cluster is not simply active, beyond what its control plane's layers tell."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.kube import AccessRefused, KubeError
from clusters.kube.credentials import CERTIFICATE
from clusters.kube.errors import CertificateRefused
from clusters.kube.skew import Rule, kubelet_fits
from clusters.models import Cluster, ClusterSecret, Origin


def away_reason(cluster: Cluster, error: KubeError) -> str:
    """What keeps the console out: an expired certificate or refused credentials by their name."""
    if not isinstance(error, AccessRefused | CertificateRefused):
        return str(error)
    ended = _ended(cluster)
    imported = cluster.origin != Origin.PROVISIONED
    if ended is not None and ended < timezone.now():
        mend = _("Replace the cluster's credentials.") if imported else _("Repair the cluster.")
        told = _("The console's client certificate for this cluster expired on %(date)s.")
        return f"{told % {'date': ended.date().isoformat()}} {mend}"
    if isinstance(error, AccessRefused) and imported:
        told = _(
            "The cluster refuses the console's credentials (%(status)s): they have expired or "
            "were withdrawn. Replace the cluster's credentials."
        )
        return told % {"status": error.status or 401}
    return str(error)


def _ended(cluster: Cluster) -> datetime | None:
    """When the console's client certificate ends; None when it signs in by a token."""
    row = ClusterSecret.objects.filter(cluster=cluster, name=CERTIFICATE).first()
    if row is None or not row.value:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(str(row.value).encode())
    except ValueError:
        return None
    return certificate.not_valid_after_utc.astimezone(UTC)


def skew_reason(cluster: Cluster) -> str:
    """Kubelets that must not run with this API server; "" when all may.

    Clusters of this console's own are upgraded by it, and pass through a skew then.
    """
    if cluster.origin == Origin.PROVISIONED:
        return ""
    for version in cluster.nodes.order_by().values_list("version", flat=True).distinct():
        try:
            rule = kubelet_fits(version, cluster.version)
        except ValueError:
            continue  # the provider's own way to count
        if rule is None:
            continue
        nodes = cluster.nodes.filter(version=version).values_list("name", flat=True)
        values = {"node": nodes[0], "kubelet": version, "version": cluster.version}
        told = {
            Rule.KUBELET_NEWER: _(
                "The kubelet of %(node)s (%(kubelet)s) is newer than the API server "
                "(%(version)s). Upgrade the control plane."
            ),
            Rule.KUBELET_TOO_OLD: _(
                "The kubelet of %(node)s (%(kubelet)s) is too old for the API server "
                "(%(version)s). Upgrade this node."
            ),
        }
        return told[rule] % values
    return ""
