"""The expiry radar: what ends soon, from sources that the apps register, and the notices of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from console.accounts.models import User
from console.accounts.permissions import allowed
from console.notices import audiences, telling
from console.notices.catalogue import EXPIRES
from console.notices.models import Notice, Severity

RADAR_DAYS = 90
# Days before the end; one message for each, the last also for what has ended.
THRESHOLDS = (30, 7, 1)
KIND = "expiry.near"


@dataclass(frozen=True)
class Expiring:
    """One thing that ends.

    type: a key of catalogue.EXPIRES; key: which one, the same for ever, at most 120
    characters; name: for people; link: its page. permission: what a reader must hold;
    owner and who belongs to audience (console.notices.audiences) see it without.
    since: when it was made, of what was made to be short-lived: that less is left than
    it had from the beginning is no news, and not told.
    """

    type: str
    key: str
    name: str
    expires: datetime
    link: str = ""
    permission: str = ""
    owner: User | None = None
    cluster: str = ""
    audience: str = ""
    since: datetime | None = None

    @property
    def what(self) -> str:
        """What kind of thing it is, in the reader's language."""
        return str(EXPIRES[self.type][0])

    @property
    def mend(self) -> str:
        """What to do about it, in the reader's language."""
        return str(EXPIRES[self.type][1])

    @property
    def level(self) -> str:
        """The status word of its badge: expired, error (a day), warning (30 days) or ok."""
        left = self.expires - timezone.now()
        if left <= timedelta(0):
            return "expired"
        if left <= timedelta(days=1):
            return "error"
        return "warning" if left <= timedelta(days=THRESHOLDS[0]) else "ok"


Source = Callable[[], Iterable[Expiring]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Add a source: called without arguments, it gives all that it knows to end, from SQL alone."""
    if source not in _sources:
        _sources.append(source)


def radar(user: User | AnonymousUser, days: int = RADAR_DAYS) -> list[Expiring]:
    """What ends within so many days or has ended, as far as the user may see it, soonest first."""
    if not isinstance(user, User) or not user.is_active:
        return []
    until, mine = timezone.now() + timedelta(days=days), audiences.names(user)
    found = [
        thing
        for source in _sources
        for thing in source()
        if thing.expires <= until and _sees(user, thing, mine)
    ]
    return sorted(found, key=lambda thing: (thing.expires, thing.name))


def scan(now: datetime | None = None) -> None:
    """Tell of what has come within 30, 7 or 1 days of its end; once for each of them."""
    now = now or timezone.now()
    things = {t.key: t for source in _sources for t in source() if _threshold(t, now)}
    telling.reconcile(
        [KIND],
        [_told(thing, _threshold(thing, now)) for thing in things.values()],
        quiet=_overtaken(things),
    )


def _threshold(thing: Expiring, now: datetime) -> int:
    """The narrowest threshold that it is within, in days; 0 for none."""
    born = thing.expires - thing.since if thing.since else None
    spans = [n for n in THRESHOLDS if born is None or born > timedelta(days=n)]
    return min((n for n in spans if thing.expires - now <= timedelta(days=n)), default=0)


def _told(thing: Expiring, days: int) -> telling.Told:
    return telling.Told(
        kind=KIND,
        key=f"{thing.key}/{days}",
        values={
            "type": thing.type,
            "name": thing.name,
            "expires": thing.expires.isoformat(),
            "days": days,
        },
        severity=Severity.CRITICAL if days == THRESHOLDS[-1] else Severity.WARNING,
        link=thing.link,
        subject=telling.Subject("expiry", thing.key, thing.name, thing.cluster),
        permission=thing.permission,
        owner=thing.owner,
        audience=thing.audience,
    )


def _overtaken(things: dict[str, Expiring]) -> list[str]:
    """What still ends soon: that it is no longer 30 days but 7 is no good news to tell."""
    opened = Notice.objects.filter(kind=KIND, resolved=None).values_list("subject_id", flat=True)
    return [key for key in opened if key in things]


def _sees(user: User, thing: Expiring, mine: frozenset[str]) -> bool:
    if allowed(user, thing.permission or "notices.view"):
        return True
    return thing.audience in mine or (thing.owner is not None and thing.owner.pk == user.pk)
