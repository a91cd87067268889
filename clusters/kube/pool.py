"""One connection for each cluster of this process, dropped when its credentials change."""

from __future__ import annotations

import threading

from clusters.kube.connection import Connection
from clusters.kube.credentials import Stamp, credentials_of, stamp
from clusters.models import Cluster

_lock = threading.Lock()
_open: dict[int, tuple[Stamp, Connection]] = {}


def connect(cluster: Cluster) -> Connection:
    """The connection to a cluster's API server; nothing is sent yet.

    Raises CredentialsMissing or CertificateRefused.
    """
    now = stamp(cluster)
    with _lock:
        kept = _open.get(cluster.pk)
        if kept is not None and kept[0] == now:
            return kept[1]
    connection = Connection(credentials_of(cluster))
    with _lock:
        kept = _open.get(cluster.pk)
        _open[cluster.pk] = (now, connection)
    if kept is not None:
        kept[1].close()
    return connection


def disconnect(cluster_id: int) -> None:
    """Forget a cluster's connection."""
    with _lock:
        kept = _open.pop(cluster_id, None)
    if kept is not None:
        kept[1].close()
