"""An upgrade that has begun and has not come to its end: the cluster has two versions."""

from __future__ import annotations

from django.utils.translation import gettext as _

from clusters.models import Cluster
from provisioning.steps.base import Problem

UPGRADING = "upgrading"  # in the cluster's options: the version that it is on its way to
# What may be done meanwhile: go on, secure the data, or bring back what was before.
EVEN_UPGRADING = frozenset({"upgrade", "snapshot", "restore"})


def upgrading_to(cluster: Cluster) -> str:
    """The version that an unfinished upgrade leads to; "" when there is none."""
    return str(cluster.options.get(UPGRADING, ""))


def begin(cluster: Cluster, version: str) -> None:
    """Note on the cluster's row (locked) where it is going."""
    cluster.options = {**cluster.options, UPGRADING: version}
    cluster.save(update_fields=["options"])


def end(cluster: Cluster) -> None:
    """The upgrade is over, or never changed anything."""
    cluster.options = {key: value for key, value in cluster.options.items() if key != UPGRADING}
    cluster.save(update_fields=["options"])


def upgrade_problem(cluster: Cluster) -> Problem | None:
    """Why nothing else may be done to a cluster whose upgrade is not finished."""
    version = upgrading_to(cluster)
    if not version:
        return None
    what = _("The upgrade of %(cluster)s from %(old)s to %(new)s has not come to its end.")
    what %= {"cluster": cluster.name, "old": cluster.version, "new": version}
    mend = _("Retry the upgrade: it goes on where it stopped.")
    return Problem("upgrading", what, mend)
