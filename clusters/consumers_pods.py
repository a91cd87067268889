"""What the websockets of logs and terminals share: the object that they are about."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from clusters import pod_audit
from clusters.kube import KubeError
from clusters.kube.streams import Doer
from clusters.models import Object
from clusters.operate import doer
from clusters.rights import reachable_clusters, visible_objects, why_not_here
from console.accounts.models import User
from console.live.guarded import GuardedConsumer


class ObjectConsumer(GuardedConsumer):
    """A websocket below an object's address: pk, namespace, name, and resource or pods."""

    in_namespaces = True
    audit = ""  # the action whose failure a refusal is
    row: Object | None = None
    user: User
    _seen: Object | None = None  # as it was at the last look
    _judged = False
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
            self._seen = seen
            return True
        gone = self.row is not None and not Object.objects.filter(**place).exists()
        return gone and reachable_clusters(user).filter(pk=self.values["pk"]).exists()

    def refused(self, user: User) -> tuple[str, str]:
        """Why only admins may do this where the object is; recorded when it begins with that."""
        row = self._seen
        if row is None:
            return "", ""
        why = why_not_here(user, self.permission, row.cluster, row.namespace)
        if why and not self._judged:
            pod_audit.recorded(
                self.audit, user, row.cluster, pod_audit.place(row), scope=self.scope,
                reason=why, failed=True,
            )  # fmt: skip
        self._judged = True
        return why, _("Ask a platform admin to do it.") if why else ""

    def _prepare(self, user: User, row: Object) -> None:
        try:
            self.doer = doer(row, user, self.permission)
        except KubeError as error:
            self.trouble = error
