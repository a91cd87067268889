"""One connection for each way into a cluster, dropped when its credentials change."""

from __future__ import annotations

import threading
from dataclasses import replace

from clusters.kube.connection import Connection
from clusters.kube.credentials import Stamp, credentials_of, stamp
from clusters.models import Cluster

_lock = threading.Lock()
_open: dict[tuple[int, str], tuple[Stamp, Connection]] = {}


def connect(cluster: Cluster, through: str = "") -> Connection:
    """The connection to a cluster's API server; nothing is sent yet.

    through: "https://host:port" of one member's own API server, for as long as
    the cluster's endpoint does not answer; empty means the endpoint. CA and
    client certificate are the same. Raises CredentialsMissing or
    CertificateRefused.
    """
    now, key = stamp(cluster), (cluster.pk, through)
    with _lock:
        kept = _open.get(key)
        if kept is not None and kept[0] == now:
            return kept[1]
    credentials = credentials_of(cluster)
    if through:
        credentials = replace(credentials, endpoint=through)
    connection = Connection(credentials)
    with _lock:
        kept = _open.get(key)
        _open[key] = (now, connection)
    if kept is not None:
        kept[1].close()
    return connection


def disconnect(cluster_id: int) -> None:
    """Forget a cluster's connections."""
    with _lock:
        kept = [_open.pop(key) for key in list(_open) if key[0] == cluster_id]
    for _stamp, connection in kept:
        connection.close()
