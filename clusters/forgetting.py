"""To forget an imported cluster: what is lost here, what the console made there, cleaned up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from clusters import console_account, ending
from clusters.console_account import Made
from clusters.kube import KubeError, connect, disconnect
from clusters.models import Cluster
from console.audit.record import record

# For all calls together: a person waits for them, and so does a thread of the web process. What
# is left then is named, with the commands that remove it.
SECONDS = 5.0


@dataclass(frozen=True)
class There:
    """What the console made in the cluster; away: why the cluster could not be asked."""

    made: list[Made] = field(default_factory=list)
    away: str = ""

    @property
    def commands(self) -> list[str]:
        """kubectl commands that remove it."""
        if self.away:
            return console_account.by_hand()
        return [item.kubectl for item in self.made]


def there(cluster: Cluster, ends: float | None = None) -> There:
    """Ask the cluster what of this console is in it; three short calls within five seconds."""
    if ends is None:
        ends = time.monotonic() + SECONDS
    try:
        return There(console_account.made_there(connect(cluster), ends))
    except KubeError as error:
        return There(away=str(error))


def forget(cluster: Cluster, *, clean_up: bool, request: Any) -> There:
    """Remove the cluster from this console; clean_up: what was made there first.

    Returns what is left there, after at most some five seconds. The cluster itself
    and its workloads stay as they are.
    """
    ends = time.monotonic() + SECONDS
    left = there(cluster, ends) if clean_up else There()
    if clean_up and not left.away:
        try:
            left = There(console_account.remove(connect(cluster), left.made, ends))
        except KubeError as error:
            left = There(away=str(error))
    before = {"endpoint": cluster.endpoint, "version": cluster.version, "uid": cluster.uid}
    after = {
        "clean_up": clean_up,
        "left": [f"{item.kind} {item.name}" for item in left.made],
        "away": left.away,
    }
    pk = cluster.pk
    with transaction.atomic():
        record("cluster.forgotten", cluster, request=request, before=before, after=after)
        ending.remove(cluster, stays=True)
    disconnect(pk)
    return left
