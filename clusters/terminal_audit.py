"""The audit events of terminals: each that was opened is closed once, whatever dies."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from clusters import pod_audit
from clusters.models import Object, OpenTerminal
from console.accounts.models import User
from console.audit.record import record

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
# Without a sign of life for so long the process that held it has ended, or is cut off.
LOST_AFTER = timedelta(seconds=60)
LOOK_SECONDS = 15.0


def opened(user: User, row: Object, scope: Mapping[str, Any], asked: Mapping[str, Any]) -> int:
    """Write the event of a terminal that has just been opened; returns the number of its row."""
    place = pod_audit.place(row)
    client = scope.get("client") or ("",)
    with transaction.atomic():
        pod_audit.recorded(
            "pod.terminal_opened", user, row.cluster, place, scope=scope, after=asked
        )
        made = OpenTerminal.objects.create(
            user=user,
            cluster=row.cluster,
            object_name=f"{row.cluster.name}: {place}",
            asked=dict(asked),
            address=str(client[0])[:64],
        )
    return int(made.pk)


def is_open(number: int) -> bool:
    """Say that the terminal is there; False when its end has been written already."""
    return bool(OpenTerminal.objects.filter(pk=number).update(seen=timezone.now()))


def closed(number: int, **values: Any) -> bool:
    """Write its closing event with these values (seconds, why, exit_code); False if it is there."""
    row = OpenTerminal.objects.select_related("user", "cluster").filter(pk=number).first()
    return row is not None and _close(row, OpenTerminal.objects.filter(pk=number), values)


def close_lost() -> None:
    """Write the closing events of terminals whose process is gone."""
    before = timezone.now() - LOST_AFTER
    lost = OpenTerminal.objects.select_related("user", "cluster").filter(seen__lt=before)
    for row in lost.order_by("pk"):
        seconds = round((row.seen - row.started).total_seconds())
        same = OpenTerminal.objects.filter(pk=row.pk, seen=row.seen)
        why = "ended with the console's process, at or after"
        values = {"seconds": seconds, "why": f"{why} {row.seen.isoformat(timespec='seconds')}"}
        if _close(row, same, values | {"exit_code": None}):
            logger.warning("terminal %s: its process is gone", row.pk)


def _close(row: OpenTerminal, same: QuerySet[OpenTerminal], values: Mapping[str, Any]) -> bool:
    """Remove the row and write the event, unless somebody else has removed it."""
    with transaction.atomic():
        # One statement, for nothing hangs on the row: of two who try one has removed it.
        if not same.delete()[0]:
            return False
        meta = {"REMOTE_ADDR": row.address}
        record(
            "pod.terminal_closed",
            row.cluster,
            request=SimpleNamespace(META=meta, user=row.user, request_id=""),
            actor=row.user,
            object_name=row.object_name,
            after={**row.asked, **values},
            tenant=pod_audit.tenant_of(row.cluster, row.object_name),
        )
    return True
