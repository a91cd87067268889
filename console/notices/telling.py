"""The only way to make a notice: what is told, what is over, and what goes out because of it.

Everything here works in the caller's transaction, so that a change and what is told of
it are kept or lost together. Nothing is sent from here: see console.notices.courier.

For each channel and key, what is sent alternates: it happened, it is over, it happened
again. It is over only goes where it happened went; what comes and goes quickly is counted
on one notice and told with growing pauses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from console.accounts.models import User
from console.notices.catalogue import KINDS
from console.notices.models import Delivery, DeliveryState, Message, Notice, Severity
from console.notices.rules import receivers

# What comes back within this time is the same thing once more.
STRETCH = timedelta(minutes=10)
FIRST_PAUSE, LONGEST_PAUSE = 60, 1800  # seconds
VALUE_LIMIT = 500


@dataclass(frozen=True)
class Subject:
    """What a notice is about: a type and id for programs, a name for people."""

    type: str = ""
    id: str = ""
    name: str = ""
    cluster: str = ""


@dataclass(frozen=True)
class Told:
    """What tell() takes, to be handed round. key: at most 320 characters."""

    kind: str
    key: str
    values: Mapping[str, Any]
    severity: str
    link: str = ""
    subject: Subject = field(default_factory=Subject)
    # None: the kind's own. Who owns it sees it without.
    permission: str | None = None
    owner: User | None = None
    # Of console.notices.audiences: who belongs to it sees it without as well.
    audience: str = ""


def tell(
    kind: str,
    key: str,
    values: Mapping[str, Any],
    severity: str,
    link: str = "",
    *,
    subject: Subject | None = None,
    permission: str | None = None,
    owner: User | None = None,
    audience: str = "",
) -> Notice:
    """Say that something holds, or happened. An open notice of this kind and key is kept.

    values: plain values for the kind's sentence, cut to 500 characters each. Raises
    ValueError for a kind that console.notices.catalogue does not list.
    """
    told = Told(
        kind, key, values, severity, link, subject or Subject(), permission, owner, audience
    )
    return tell_all([told])[0]


def tell_all(things: Iterable[Told]) -> list[Notice]:
    """The same for several."""
    with transaction.atomic():
        return [_tell(thing) for thing in things]


def over(kind: str, key: str, *, quiet: bool = False) -> bool:
    """Say that it no longer holds; whether it was open. quiet: nobody is told.

    "It is over" goes to the channels that "it happened" went to, and to no other.
    """
    with transaction.atomic():
        notice = _open(kind, key).select_for_update().first()
        if notice is None or not KINDS[kind].lasting:
            return False
        now = timezone.now()
        # Compare-and-swap: of two processes that say it, one does it.
        if not Notice.objects.filter(pk=notice.pk, resolved=None).update(resolved=now):
            return False
        notice.resolved = now
        _settle(notice, quiet=quiet)
    return True


def reconcile(
    kinds: Iterable[str],
    holding: Iterable[Told],
    *,
    undecided: Iterable[str] = (),
    quiet: Iterable[str] = (),
) -> None:
    """Make the open notices of these kinds those that hold now.

    undecided: subject ids of which nothing is known at present, left as they are;
    quiet: subject ids that are gone, so that nobody is told that they are well again.
    """
    now = {(told.kind, told.key): told for told in holding}
    unknown, gone = set(undecided), set(quiet)
    known = Notice.objects.filter(kind__in=list(kinds), resolved=None)
    opened = {(row.kind, row.key): row for row in known}
    for place, told in now.items():
        row = opened.get(place)
        if row is None or row.values != _plain(told.values) or row.severity != told.severity:
            tell_all([told])
    for place, row in opened.items():
        if place not in now and row.subject_id not in unknown:
            over(*place, quiet=row.subject_id in gone)


def page(name: str, *arguments: object) -> str:
    """The address of a page for a notice's link; empty where there is no such page."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


def _open(kind: str, key: str) -> QuerySet[Notice]:
    return Notice.objects.filter(kind=kind, key=key, resolved=None)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON holds them, short enough for a message."""
    return {
        str(name): value
        if value is None or isinstance(value, bool | int | float)
        else str(value).replace("\0", "")[:VALUE_LIMIT]
        for name, value in values.items()
    }


def _tell(told: Told) -> Notice:
    if told.kind not in KINDS:
        raise ValueError(f"{told.kind!r} is not in console.notices.catalogue: add its words.")
    values = _plain(told.values)
    notice = _open(told.kind, told.key).first()
    if notice is None:
        notice = _again(told) or _new(told, values)
    if notice.values != values or notice.severity != told.severity:
        notice.values, notice.severity = values, Severity(told.severity)
        notice.save(update_fields=["values", "severity"])
    return notice


def _again(told: Told) -> Notice | None:
    """The notice of what has just been over, opened once more and counted."""
    since = timezone.now() - STRETCH
    last = (
        Notice.objects.filter(kind=told.kind, key=told.key, resolved__gte=since)
        .order_by("-id")
        .first()
    )
    if last is None:
        return None
    try:
        with transaction.atomic():
            swapped = Notice.objects.filter(pk=last.pk, resolved=last.resolved).update(
                resolved=None, count=last.count + 1
            )
    except IntegrityError:
        swapped = 0
    if not swapped:
        return _open(told.kind, told.key).first()
    last.resolved, last.count = None, last.count + 1
    _announce(last)
    return last


def _new(told: Told, values: dict[str, Any]) -> Notice:
    kind, subject = KINDS[told.kind], told.subject
    try:
        with transaction.atomic():
            notice = Notice.objects.create(
                kind=told.kind,
                severity=Severity(told.severity),
                key=told.key,
                subject_type=subject.type,
                subject_id=subject.id,
                subject_name=subject.name[:253],
                cluster=subject.cluster[:63],
                values=values,
                link=told.link[:500],
                permission=kind.permission if told.permission is None else told.permission,
                owner=told.owner,
                audience=told.audience,
            )
    except IntegrityError:
        # Another process was told the same at the same time.
        return Notice.objects.get(kind=told.kind, key=told.key, resolved=None)
    _announce(notice)
    return notice


def _announce(notice: Notice) -> None:
    """Want "it happened" on each channel that a rule names and that does not believe it already."""
    now = timezone.now()
    for channel, min_seconds in receivers(notice):
        if _withdrawn(notice, channel.pk, Message.RESOLVED):
            continue  # its receiver was never told that it was over
        # What only happens lasts no time: there is nothing to wait for.
        wait = timedelta(seconds=min_seconds if KINDS[notice.kind].lasting else 0)
        due = now + max(wait, _pause(notice))
        Delivery.objects.create(
            channel=channel, notice=notice, message=Message.OPENED, due=due, created=now
        )


def _settle(notice: Notice, *, quiet: bool) -> None:
    """Withdraw "it happened" where it is not out yet, want "it is over" where it is."""
    now = timezone.now()
    told = Delivery.objects.filter(notice=notice, channel__enabled=True)
    told = told.order_by("channel_id", "-id")
    latest: dict[int, Delivery] = {}
    for delivery in told.exclude(state=DeliveryState.DROPPED):
        latest.setdefault(delivery.channel_id, delivery)
    for channel_id, delivery in latest.items():
        if delivery.message != Message.OPENED or delivery.state == DeliveryState.GIVEN_UP:
            continue
        if _withdrawn(notice, channel_id, Message.OPENED) or quiet:
            continue
        Delivery.objects.create(
            channel_id=channel_id,
            notice=notice,
            message=Message.RESOLVED,
            due=now + _pause(notice),
            created=now,
        )


def _withdrawn(notice: Notice, channel_id: int, message: Message) -> bool:
    """Whether a message that nobody can have got yet was taken back.

    One that was tried and not confirmed stays: its receiver may have got it.
    """
    waiting = Delivery.objects.filter(
        notice=notice,
        channel_id=channel_id,
        message=message,
        attempts=0,
        state__in=(DeliveryState.PENDING, DeliveryState.HELD),
    )
    return bool(waiting.update(state=DeliveryState.DROPPED, ended=timezone.now()))


def _pause(notice: Notice) -> timedelta:
    """How long a message about what comes and goes waits: nothing at first, then more and more."""
    if notice.count < 2:
        return timedelta(0)
    return timedelta(seconds=min(FIRST_PAUSE * 2 ** min(notice.count - 2, 10), LONGEST_PAUSE))
