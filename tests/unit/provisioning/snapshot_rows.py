"""Snapshots for tests: rows with their real, sealed files."""

from __future__ import annotations

import gzip
import hashlib
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from clusters.models import Cluster
from provisioning.models_snapshots import Snapshot, SnapshotOrigin, SnapshotState
from provisioning.snapshots_store import receiving

DATABASE = gzip.decompress((Path(__file__).parent / "etcd-3.4.23.db.gz").read_bytes())
UID = "0d8f7a52-6a0e-4c57-9d20-1f5b8c8d3e11"


def snapshot(
    cluster: Cluster, *, hours_ago: float = 0, content: bytes = DATABASE, **fields: object
) -> Snapshot:
    """A good snapshot, taken so many hours ago, whose file lies where it should."""
    values = {
        "origin": SnapshotOrigin.HAND,
        "state": SnapshotState.READY,
        "taken": timezone.now() - timedelta(hours=hours_ago),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "revision": 61,
        "cluster_uid": UID,
        "file_name": f"{cluster.name}.db",
        **fields,
    }
    row = Snapshot.objects.create(cluster=cluster, **values)
    with receiving(row) as incoming:
        incoming.writer.write(content)
        row.data_key = incoming.keep()
        row.stored_size = incoming.writer.stored
    row.save()
    return row
