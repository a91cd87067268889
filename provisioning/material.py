"""A cluster's secrets as a mapping: encrypted rows behind it, fenced writes."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from clusters.models import Cluster, ClusterSecret
from provisioning.lease import Lease


class ClusterMaterial(MutableMapping[str, str]):
    """Names to texts of one cluster. Without a lease it can only be read."""

    def __init__(self, cluster: Cluster, lease: Lease | None = None) -> None:
        self._cluster, self._lease = cluster, lease
        # Rows, not values(): only a row's attribute opens an encrypted field.
        rows = ClusterSecret.objects.filter(cluster=cluster)
        self._known = {row.name: str(row.value) for row in rows}

    def __getitem__(self, name: str) -> str:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __setitem__(self, name: str, value: str) -> None:
        if self._known.get(name) == value:
            return
        with self._writing().write():
            ClusterSecret.objects.update_or_create(
                cluster=self._cluster, name=name, defaults={"value": value}
            )
        self._known[name] = value

    def __delitem__(self, name: str) -> None:
        with self._writing().write():
            ClusterSecret.objects.filter(cluster=self._cluster, name=name).delete()
        del self._known[name]

    def _writing(self) -> Lease:
        if self._lease is None:
            raise TypeError("this material can only be read")
        return self._lease
