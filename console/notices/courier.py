"""Sends what is due: a thread of the watcher process. Any number of processes share the work.

Each delivery is claimed by compare-and-swap and counts as claimed for a minute, so one
that a process died with is sent by another; its uuid tells the receiver that it is the
same. A channel gets one message at a time, and what it is told of one thing comes in order.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.db import DatabaseError, connections, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from console.audit.record import record
from console.notices import mail, messages, webhook
from console.notices.mail import one_line
from console.notices.models import Channel, ChannelType, Delivery, DeliveryState, Message
from console.notices.models_deliveries import COMING
from console.notices.rules import quiet_until
from console.notices.webhook import Undelivered
from console.secrets.keyring import SecretError
from console.secrets.redact import mask_text

logger = logging.getLogger(__name__)

SENDERS = 4
LOOK_SECONDS = 2.0
CLAIM = timedelta(seconds=60)
# 30 s, 1, 2, 4, 8, 16, 32 minutes, then every hour: about a day in all.
FIRST_PAUSE, LONGEST_PAUSE, MOST_ATTEMPTS = 30, 3600, 30
ANSWER_LIMIT = 300
GONE = "The receiver answered 410: it wants nothing more."


class Courier(threading.Thread):
    """Looks for what is due and has it sent, until stop()."""

    def __init__(self, look_seconds: float = LOOK_SECONDS) -> None:
        super().__init__(name="notices-courier", daemon=True)
        self._look_seconds = look_seconds
        self._ended = threading.Event()
        self._free = threading.Semaphore(SENDERS)

    def stop(self) -> None:
        """End after the messages that are under way."""
        self._ended.set()

    def run(self) -> None:
        """Claim and send."""
        with ThreadPoolExecutor(SENDERS, thread_name_prefix="notices-sender") as senders:
            while not self._ended.is_set():
                self._free.acquire()
                claimed = self._claim()
                if claimed is None:
                    self._free.release()
                    self._ended.wait(self._look_seconds)
                else:
                    senders.submit(self._send, claimed)

    def _claim(self) -> Delivery | None:
        try:
            return claim()
        except DatabaseError as error:
            logger.warning("notices: database: %s", error)
            return None
        except Exception:
            # One channel that cannot be read must not silence all of them for good.
            logger.exception("notices: nothing could be claimed")
            return None
        finally:
            connections.close_all()

    def _send(self, delivery: Delivery) -> None:
        try:
            send(delivery)
        except DatabaseError as error:
            # The claim runs out and somebody sends it again.
            logger.warning("notices: database: %s", error)
        except Exception:
            logger.exception("notices: delivery %s", delivery.uuid)
        finally:
            self._free.release()
            connections.close_all()


def claim(now: datetime | None = None) -> Delivery | None:
    """The next delivery that is due, now this caller's to send; None when nothing is."""
    now = now or timezone.now()
    left = Delivery.objects.filter(state=DeliveryState.SENDING, claimed_until__lt=now)
    if left.exists():  # asked first: an update of nothing would take SQLite's write lock
        left.update(state=DeliveryState.PENDING, claim="", claimed_until=None)
    states = (DeliveryState.PENDING, DeliveryState.HELD)
    due = Delivery.objects.filter(state__in=states, due__lte=now).values("channel")
    busy = Delivery.objects.filter(state=DeliveryState.SENDING).values("channel")
    channels = Channel.objects.filter(enabled=True, pk__in=due).exclude(pk__in=busy)
    for channel in channels.order_by("?"):
        _merge(channel, now)
        for delivery in _due(channel, now):
            if taken := _take(delivery, now):
                return taken
    return None


def send(delivery: Delivery) -> None:
    """Send a claimed delivery and note how it went."""
    channel = delivery.channel
    gone = False
    try:
        if channel.type == ChannelType.EMAIL:
            subject, text = messages.email(delivery)
            answer = mail.send(channel.addresses, subject, text, str(delivery.uuid))
        else:
            got = _post(delivery)
            gone, answer = got.status == 410, f"{got.status} {got.text}"
            if not 200 <= got.status < 300:
                raise Undelivered(webhook.refusal(got))
    except (Undelivered, SecretError) as error:
        finish(delivery, ok=False, answer=str(error), gone=gone)
    else:
        finish(delivery, ok=True, answer=answer)


def finish(delivery: Delivery, *, ok: bool, answer: str, gone: bool = False) -> None:
    """Note the outcome, unless the claim was lost meanwhile. gone: switch the channel off."""
    answer = mask_text(one_line(answer))[:ANSWER_LIMIT]
    now = timezone.now()
    # A test is tried once: somebody is waiting for its result.
    last = delivery.attempts >= MOST_ATTEMPTS or delivery.message == Message.TEST or gone
    state = DeliveryState.SENT if ok else DeliveryState.PENDING
    if not ok and last:
        state = DeliveryState.GIVEN_UP
    with transaction.atomic():
        mine = Delivery.objects.filter(
            pk=delivery.pk, state=DeliveryState.SENDING, claim=delivery.claim
        )
        if not mine.update(
            state=state,
            answer=answer,
            due=now + pause(delivery.attempts),
            ended=None if state == DeliveryState.PENDING else now,
            claim="",
            claimed_until=None,
        ):
            return
        Channel.objects.filter(pk=delivery.channel_id).update(
            last_at=now, last_ok=ok, last_answer=answer
        )
        if state == DeliveryState.GIVEN_UP:
            _give_up(delivery, now)
        if gone:
            switch_off(delivery.channel, GONE)
    logger.log(
        logging.INFO if ok else logging.WARNING,
        "notices: %s to %s: %s", delivery.message, delivery.channel, state,
    )  # fmt: skip


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts, give or take a fifth."""
    seconds = min(FIRST_PAUSE * 2 ** min(max(attempts - 1, 0), 12), LONGEST_PAUSE)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  (no secret)


def switch_off(channel: Channel, reason: str = "") -> None:
    """Send nothing more to a channel; what waits is dropped. reason: when nobody asked for it."""
    now = timezone.now()
    Channel.objects.filter(pk=channel.pk).update(enabled=False, disabled_reason=reason)
    waiting(channel).update(state=DeliveryState.DROPPED, ended=now)
    if reason:
        record(
            "notice_channel.switched_off",
            channel,
            before={"enabled": True},
            after={"enabled": False},
            reason=reason,
        )


def waiting(channel: Channel) -> QuerySet[Delivery]:
    """What has not gone out to a channel yet."""
    states = (DeliveryState.PENDING, DeliveryState.HELD)
    return Delivery.objects.filter(channel=channel, state__in=states)


def _post(delivery: Delivery) -> webhook.Answer:
    channel = delivery.channel
    body = messages.webhook_body(delivery)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Flotilla",
        "Flotilla-Delivery": str(delivery.uuid),
        "Flotilla-Signature": webhook.signature(channel.secret, body, int(time.time())),
    }
    return webhook.post(channel.address, body, headers)


def _due(channel: Channel, now: datetime) -> list[Delivery]:
    """What may go out to a channel now, in order, without what must wait for something before."""
    rows = Delivery.objects.filter(channel=channel, state=DeliveryState.PENDING, due__lte=now)
    return [
        row
        for row in rows.select_related("notice", "channel").order_by("id")[:50]
        if not _before(row).exists()
    ]


def _before(delivery: Delivery) -> QuerySet[Delivery]:
    """What must have gone out first: earlier news of the same thing, and summaries of it."""
    earlier = Delivery.objects.filter(
        channel_id=delivery.channel_id, pk__lt=delivery.pk, state__in=COMING
    )
    if delivery.notice is None:
        return earlier.filter(notice__in=delivery.parts.values("notice"))
    same = {"kind": delivery.notice.kind, "key": delivery.notice.key}
    alone = Q(**{f"notice__{name}": value for name, value in same.items()})
    within = Q(**{f"parts__notice__{name}": value for name, value in same.items()})
    return earlier.filter(alone | within)


def _take(delivery: Delivery, now: datetime) -> Delivery | None:
    """Claim it, or hold it back where the channel is quiet."""
    rows = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING)
    if delivery.notice is not None:
        ends = quiet_until(delivery.channel, delivery.notice.severity, now)
        if ends is not None:
            rows.update(state=DeliveryState.HELD, due=ends)
            return None
    word = secrets.token_hex(16)
    attempts = delivery.attempts + 1
    taken = rows.filter(attempts=delivery.attempts).update(
        state=DeliveryState.SENDING, claim=word, claimed_until=now + CLAIM, attempts=attempts
    )
    if not taken:
        return None
    delivery.state, delivery.claim, delivery.attempts = DeliveryState.SENDING, word, attempts
    return delivery


def _merge(channel: Channel, now: datetime) -> None:
    """Put what the quiet hours held back into one summary; a single one goes as it is."""
    rows = Delivery.objects.filter(channel=channel, state=DeliveryState.HELD, due__lte=now)
    if not rows.exists():
        return
    with transaction.atomic():
        # What was tried before keeps its uuid: its receiver may have it.
        rows.filter(attempts__gt=0).update(state=DeliveryState.PENDING)
        held = rows.filter(attempts=0)
        ids = list(held.select_for_update().values_list("pk", flat=True))
        if len(ids) == 1:
            held.filter(pk__in=ids).update(state=DeliveryState.PENDING)
        if len(ids) < 2:
            return
        summary = Delivery.objects.create(channel=channel, message=Message.SUMMARY)
        merged = held.filter(pk__in=ids).update(
            state=DeliveryState.MERGED, summary=summary, ended=now
        )
        if merged < 2:
            transaction.set_rollback(True)  # another process did it


def _give_up(delivery: Delivery, now: datetime) -> None:
    """What nobody was told need not be told to be over."""
    parts = delivery.parts.all()
    notices = {part.notice_id for part in parts} | {delivery.notice_id}
    parts.update(state=DeliveryState.GIVEN_UP)
    if delivery.message in (Message.OPENED, Message.SUMMARY):
        waiting(delivery.channel).filter(
            pk__gt=delivery.pk, notice__in=notices - {None}, message=Message.RESOLVED
        ).update(state=DeliveryState.DROPPED, ended=now)
