"""What the websockets of logs and terminals share: the object that they are about."""

from __future__ import annotations

from typing import Any

from clusters.kube import KubeError
from clusters.kube.credentials import credentials_of
from clusters.kube.streams import Doer
from clusters.models import Object
from clusters.rights import acting, visible_clusters, visible_objects
from console.accounts.models import User
from console.live.guarded import GuardedConsumer


class ObjectConsumer(GuardedConsumer):
    """A websocket below an object's address: pk, namespace, name, and resource or pods."""

    row: Object | None = None
    user: User
    doer: Doer
    trouble: KubeError | None = None

    def found(self, user: User) -> bool:
        """Whether the person sees the object; one that has gone since ends by itself."""
        place: dict[str, Any] = {
            "cluster_id": self.values["pk"],
            "resource": self.values.get("resource", "pods"),
            "namespace": self.values["namespace"],
            "name": self.values["name"],
        }
        seen = visible_objects(user).select_related("cluster").filter(**place).first()
        if self.row is None and seen is not None:
            self.row, self.user = seen, user
            self._prepare(user, seen)
        if seen is not None:
            return True
        gone = self.row is not None and not Object.objects.filter(**place).exists()
        return gone and visible_clusters(user).filter(pk=self.values["pk"]).exists()

    def _prepare(self, user: User, row: Object) -> None:
        try:
            self.doer = Doer(credentials_of(row.cluster), acting(user))
        except KubeError as error:
            self.trouble = error
