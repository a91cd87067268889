"""Verifications that people ask for, each recorded, and what the page of the proof shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from console.audit import sealing, witness
from console.audit.canonical import stamp_fits
from console.audit.findings import Report
from console.audit.models import AuditEvent, AuditKey, Checkpoint, Tree, Witness
from console.audit.record import record
from console.audit.streams import lag
from console.audit.verifier import Checkpoint as Note
from console.audit.verifying import verify

ACTION = "audit.verified"
# A page waits for so many events at most; more are for the command.
PAGE_EVENTS = 20_000


def verified(
    *,
    whole: bool,
    request: Any = None,
    more: Sequence[Note] = (),
    progress: Callable[[int], None] = lambda _position: None,
) -> Report:
    """Verify the record and write down that and with what result it was done.

    whole: everything, or what is new since the last verification, where that found nothing.
    more: checkpoints of witnesses besides the configured file's. progress is told the position
    that it has come to. Raises OSError when that file cannot be read.
    """
    start = 0 if whole else last_good()
    report = verify(start, [*witness.kept(), *more], progress)
    told(report, request=request)
    return report


def told(report: Report, *, request: Any = None) -> None:
    """The event of a verification and its result."""
    record(
        ACTION,
        request=request,
        after={
            "start": report.start,
            "size": report.size,
            "proved": report.proved,
            "witnessed": report.witnessed,
            "findings": [finding.text for finding in report.findings[:10]],
        },
        outcome="success" if report.ok else "failure",
        object_name="audit",
    )


def last_good() -> int:
    """How many events the last verification has proved; 0 when it found something.

    So what was found shows until a verification of everything finds it no more.
    """
    last = AuditEvent.objects.filter(action=ACTION).order_by("-pk").first()
    if last is None or last.outcome != "success" or not stamp_fits(last):
        return 0
    return int(last.after.get("proved", 0))


def state() -> dict[str, Any]:
    """What the page and the API say about the proof."""
    tree = Tree.objects.first()
    point = Checkpoint.objects.first()
    key = AuditKey.objects.order_by("-created").first()
    count, age = sealing.unproved()
    kept = [row for row in Witness.objects.order_by("name") if row.name in witness.places()]
    away: list[Witness | lag.Holder] = [*kept, *lag.holders()]
    outside = max((row.size for row in away), default=0)
    beyond, beyond_age = sealing.unproved(covered=outside) if away else (0, None)
    last = AuditEvent.objects.filter(action=ACTION).order_by("-pk").first()
    return {
        "size": tree.size if tree else 0,
        "adopted": tree.adopted if tree else 0,
        "checkpoint": point,
        "key": key.public if key else "",
        "unproved": count,
        "unproved_seconds": round(age.total_seconds()) if age else 0,
        "witnesses": away,
        "outside": outside,
        "unwitnessed": beyond,
        "unwitnessed_seconds": round(beyond_age.total_seconds()) if beyond_age else 0,
        "last": last,
        "too_many": (tree.size if tree else 0) - last_good() > PAGE_EVENTS,
    }
