"""Which workload a pod belongs to: the topmost controller that the inventory knows."""

from __future__ import annotations

from collections.abc import Sequence

from clusters.models import Object
from clusters.models_metrics import Of

# Controllers that have a controller themselves: a Deployment's, a CronJob's.
BETWEEN = {"ReplicaSet": "replicasets.apps", "Job": "jobs.batch"}
_CHUNK = 400


def workloads_of(
    cluster_id: int, pods: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[str, str]]:
    """{(of, namespace, pod): (kind, name)} of the pods that have a controller that is known."""
    found: dict[tuple[str, str, str], tuple[str, str]] = {}
    for start in range(0, len(pods), _CHUNK):
        chunk = set(pods[start : start + _CHUNK])
        rows = Object.objects.filter(
            cluster_id=cluster_id, resource="pods", name__in={name for _of, _ns, name in chunk}
        ).exclude(owner_kind="")
        owners = {
            (str(Of.POD), namespace, name): (kind, owner, uid)
            for namespace, name, kind, owner, uid in rows.values_list(
                "namespace", "name", "owner_kind", "owner_name", "owner_uid"
            )
        }
        found |= _topmost(cluster_id, {key: owners[key] for key in owners if key in chunk})
    return found


def _topmost(
    cluster_id: int, owners: dict[tuple[str, str, str], tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[str, str]]:
    between = {uid for kind, _name, uid in owners.values() if kind in BETWEEN and uid}
    above = {
        uid: (kind, name)
        for uid, kind, name in Object.objects.filter(
            cluster_id=cluster_id, resource__in=BETWEEN.values(), uid__in=between
        )
        .exclude(owner_kind="")
        .values_list("uid", "owner_kind", "owner_name")
    }
    return {key: above.get(uid, (kind, name)) for key, (kind, name, uid) in owners.items()}
