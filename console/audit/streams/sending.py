"""Who sends, what moves a stream on, and what happens when its receiver is away.

A stream is claimed by compare-and-swap, so that one process sends at a time. The place moves
only after the receiver confirmed: a process that is killed in between sends the same again,
from the same place in the same order.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from console.audit.models import Checkpoint, Stream, StreamKind, Tree
from console.audit.streams import files, syslog, webhooks
from console.audit.streams.batches import Batch, next_batch
from console.audit.streams.outlet import Refused, Wanted
from console.notices.mail import one_line
from console.secrets.keyring import SecretError
from console.secrets.redact import mask_text

logger = logging.getLogger(__name__)

OUTLETS: Mapping[str, Callable[[Stream, Batch, float], None]] = {
    StreamKind.WEBHOOK: webhooks.send,
    StreamKind.SYSLOG: syslog.send,
    StreamKind.FILE: files.send,
}
# A batch has so long. Whoever claims has more than that for it, so nobody else begins before.
SECONDS = 20.0
CLAIM = timedelta(seconds=60)
FIRST_PAUSE, LONGEST_PAUSE = 5, 300
ERROR_LIMIT = 500


@dataclass
class Claimed:
    """A stream that this process may send to. since: on the monotonic clock."""

    stream: Stream
    word: str
    since: float

    @property
    def row(self) -> QuerySet[Stream]:
        """The stream while it is ours."""
        return Stream.objects.filter(pk=self.stream.pk, claim=self.word)


def claim(now: datetime | None = None) -> Claimed | None:
    """A stream that has something to send and may be tried now; None when there is none."""
    now = now or timezone.now()
    since = time.monotonic()
    for row in _due(now).order_by("next_try"):
        word = secrets.token_hex(16)
        mine = Stream.objects.filter(pk=row.pk, claim=row.claim, paused=False)
        if mine.update(claim=word, claimed_until=now + CLAIM):
            row.refresh_from_db()  # somebody may have sent meanwhile
            return Claimed(row, word, since)
    return None


def send(claimed: Claimed, ended: Callable[[], bool] = lambda: False) -> None:
    """Send what there is, until nothing is left, the receiver fails or `ended`."""
    stream = claimed.stream
    while not ended():
        batch = next_batch(stream.position, stream.checkpoint)
        if not batch.items:
            break
        if time.monotonic() - claimed.since > CLAIM.total_seconds() - 2 * SECONDS:
            return  # reading took too long: another process may have begun
        try:
            OUTLETS[stream.kind](stream, batch, SECONDS)
        except Wanted as wish:
            _go_to(claimed, wish.position)
            return
        except (Refused, SecretError) as error:
            _failed(claimed, str(error))
            return
        if not _moved(claimed, batch):
            return
        stream.refresh_from_db()
        if stream.paused:
            break
    claimed.row.update(claim="", claimed_until=None)


def pause(failures: int) -> timedelta:
    """How long to wait after so many failures, give or take a fifth."""
    seconds = min(FIRST_PAUSE * 2 ** min(max(failures - 1, 0), 12), LONGEST_PAUSE)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  (no secret)


def ends() -> tuple[int, int]:
    """How many events have a place, and how many the last checkpoint covers."""
    size = Tree.objects.values_list("size", flat=True).first() or 0
    return size, Checkpoint.objects.values_list("size", flat=True).first() or 0


def needed_from() -> int | None:
    """The first position that a stream has still to send; None where there is no stream.

    What comes from there on must not leave the database.
    """
    return Stream.objects.order_by("position").values_list("position", flat=True).first()


def _due(now: datetime) -> QuerySet[Stream]:
    size, point = ends()
    behind = Q(position__lt=size) | Q(checkpoint__lt=point)
    # A clock that went back must not make anybody wait until it has caught up.
    far = now + timedelta(seconds=2 * LONGEST_PAUSE)
    tried = Q(next_try__lte=now) | Q(next_try__gt=far)
    free = Q(claimed_until=None) | Q(claimed_until__lt=now) | Q(claimed_until__gt=far)
    return Stream.objects.filter(behind, tried, free, paused=False)


def _moved(claimed: Claimed, batch: Batch) -> bool:
    since, now = time.monotonic(), timezone.now()
    moved = claimed.row.update(
        position=batch.position,
        checkpoint=batch.checkpoint,
        last_success=now,
        last_error="",
        failures=0,
        next_try=now,
        claimed_until=now + CLAIM,
    )
    claimed.since = since
    return bool(moved)


def _go_to(claimed: Claimed, position: int) -> None:
    """Go on where the receiver says; not at once, for it may say so each time."""
    failures, point = claimed.stream.failures + 1, claimed.stream.checkpoint
    claimed.row.update(
        position=position,
        checkpoint=min(point, max(position - 1, 0)),
        last_error=f"The receiver asked for position {position}.",
        failures=failures,
        next_try=timezone.now() + pause(failures),
        claim="",
        claimed_until=None,
    )


def _failed(claimed: Claimed, error: str) -> None:
    stream = claimed.stream
    told = mask_text(one_line(error))[:ERROR_LIMIT]
    if told != stream.last_error:
        logger.warning("audit: the stream %s does not arrive: %s", stream, told)
    failures = stream.failures + 1
    claimed.row.update(
        last_error=told,
        failures=failures,
        next_try=timezone.now() + pause(failures),
        claim="",
        claimed_until=None,
    )
