"""How far each stream is behind: for the page, the API, the proof and the notice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.audit.models import AuditEvent, Leaf, Pending, Stream
from console.audit.streams import sending
from console.audit.streams.actions import shown_address
from console.notices.models import Notice, Severity
from console.notices.telling import Subject, Told, page, reconcile

BEHIND = timedelta(minutes=10)
LOOK_SECONDS = 60.0
KIND = "audit_stream.behind"


@dataclass(frozen=True)
class Lag:
    """events: that the receiver has not confirmed. seconds: age of the oldest of them."""

    stream: Stream
    events: int
    seconds: int

    @property
    def state(self) -> str:
        """In one word of console.ui.statuses."""
        if self.stream.paused:
            return "disabled"
        if self.stream.failures:
            return "failure"
        return "active" if self.seconds < BEHIND.total_seconds() else "warning"

    @property
    def word(self) -> str | Promise:
        """The same for people."""
        words = {
            "disabled": _("Paused"),
            "failure": _("Does not arrive"),
            "active": _("Sending"),
            "warning": _("Behind"),
        }
        return words[self.state]

    @property
    def address(self) -> str:
        """Where to, without what may be a password."""
        return shown_address(self.stream)

    @property
    def plain(self) -> bool:
        """Whether events cross the network readable."""
        return self.stream.address.startswith(("http://", "tcp://"))


@dataclass(frozen=True)
class Holder:
    """A receiver of checkpoints, as the page of the proof names it. size: of the last one."""

    name: str
    size: int
    error: str


def holders() -> list[Holder]:
    """The streams that have confirmed something: each is a witness of the record."""
    rows = Stream.objects.exclude(last_success=None)
    return [
        Holder(f"{row.kind} {shown_address(row)}", row.checkpoint, row.last_error) for row in rows
    ]


def lags() -> list[Lag]:
    """Every stream with its lag, by name."""
    size, _point = sending.ends()
    waiting = Pending.objects.count()
    return [_lag(stream, size, waiting) for stream in Stream.objects.all()]


def lag(stream: Stream) -> Lag:
    """One stream's lag."""
    return _lag(stream, sending.ends()[0], Pending.objects.count())


def look() -> None:
    """Tell of streams that are more than ten minutes behind, and of those that are no more."""
    found = lags()
    late = [one for one in found if one.seconds > BEHIND.total_seconds()]
    known = {str(one.stream.pk) for one in found}
    reconcile([KIND], [_told(one) for one in late], quiet=_gone(known))


def _lag(stream: Stream, size: int, waiting: int) -> Lag:
    events = max(size - stream.position, 0) + waiting
    leaf = Leaf.objects.filter(position__gte=stream.position).order_by("position").first()
    first = Pending.objects.order_by("event_id").first()
    number = leaf.event_id if leaf else first.event_id if first else 0
    event = AuditEvent.objects.filter(pk=number).only("time").first()
    age = (timezone.now() - event.time).total_seconds() if event else 0
    return Lag(stream, events, max(round(age), 0))


def _told(one: Lag) -> Told:
    stream = one.stream
    reason = "paused" if stream.paused else stream.last_error
    return Told(
        kind=KIND,
        key=f"audit-stream/{stream.pk}",
        values={"name": stream.name, "reason": reason},
        severity=Severity.WARNING,
        link=page("audit:streams"),
        subject=Subject("audit_stream", str(stream.pk), stream.name),
    )


def _gone(known: set[str]) -> set[str]:
    opened = Notice.objects.filter(kind=KIND, resolved=None)
    return set(opened.values_list("subject_id", flat=True)) - known
