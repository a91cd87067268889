"""Verifications in the background: asked for on a page, carried out by the watcher.

In a thread of its own, so that sealing goes on meanwhile. One at a time. When the watcher dies in
the middle, the next one begins again from the start: half a verification proves nothing.
"""

from __future__ import annotations

import logging
import threading
import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.db import DatabaseError, IntegrityError, connections, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.audit import review, witness
from console.audit.cause import caused_by
from console.audit.findings import Report
from console.audit.models import Tree, Verification
from console.audit.models_verifications import ACTIVE, VerificationState
from console.audit.record import record, request_id
from console.audit.verifying import verify

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
BEAT_SECONDS = 1.0
CLAIM = timedelta(seconds=60)
MOST_ATTEMPTS = 3
KEPT = 100


class NotActiveError(Exception):
    """The verification has ended already."""


class _Stopped(Exception):
    """It was canceled, or another watcher has taken it."""


def is_long(*, whole: bool) -> bool:
    """Whether a verification is too much for a request."""
    size = Tree.objects.values_list("size", flat=True).first() or 0
    return size - (0 if whole else review.last_good()) > review.PAGE_EVENTS


def ask(*, whole: bool, by: User, request: Any = None) -> Verification:
    """Have the record verified; the one that is under way, where there is one."""
    try:
        with transaction.atomic():
            row = Verification.objects.create(
                whole=whole, by=by, by_name=by.get_username(), request_id=request_id(request),
                language=translation.get_language() or "",
            )  # fmt: skip
            record("audit.verification_asked", request=request, actor=by, after={"whole": whole},
                   object_name="audit")  # fmt: skip
            old = Verification.objects.order_by("-pk").values_list("pk", flat=True)[KEPT:]
            Verification.objects.filter(pk__in=list(old)).delete()
    except IntegrityError:
        found = Verification.objects.filter(state__in=ACTIVE).first()
        if found is None:
            raise
        return found
    return row


def cancel(row: Verification, *, by: User, request: Any = None) -> None:
    """End it early; the watcher follows within seconds. Raises NotActiveError."""
    with transaction.atomic():
        same = Verification.objects.filter(pk=row.pk)
        waiting = same.filter(state=VerificationState.WAITING)
        running = same.filter(state=VerificationState.RUNNING, cancel_wanted=False)
        now = timezone.now()
        if not (
            waiting.update(state=VerificationState.CANCELED, ended=now, cancel_wanted=True)
            or running.update(cancel_wanted=True)
        ):
            raise NotActiveError(_("This verification is not running any more."))
        record("audit.verification_canceled", request=request, actor=by,
               after={"verification": row.pk}, object_name="audit")  # fmt: skip


_thread: list[threading.Thread] = []


def look() -> None:
    """For the watcher: begin what waits, unless this process is busy with one."""
    if _thread and _thread[0].is_alive():
        return
    row = claim()
    if row is not None:
        _thread[:] = [threading.Thread(target=carry_out, args=(row,), name="audit-verification",
                                       daemon=True)]  # fmt: skip
        _thread[0].start()


def claim() -> Verification | None:
    """The verification that is to be carried out, now this caller's; None when there is none."""
    now = timezone.now()
    due = Verification.objects.filter(
        Q(state=VerificationState.WAITING)
        | Q(state=VerificationState.RUNNING, claimed_until__lt=now)
    )
    row = due.first()
    if row is None:
        return None
    if row.cancel_wanted or row.attempts >= MOST_ATTEMPTS:
        canceled = VerificationState.CANCELED if row.cancel_wanted else VerificationState.FAILED
        problem = "" if row.cancel_wanted else "The watcher was interrupted each time."
        due.filter(pk=row.pk).update(state=canceled, ended=now, problem=problem)
        return None
    # Compare-and-swap: of two watchers one has it.
    mine = {"claim": str(uuid.uuid4()), "claimed_until": now + CLAIM}
    taken = due.filter(pk=row.pk).update(
        state=VerificationState.RUNNING, begun=now, attempts=F("attempts") + 1, **mine
    )
    return Verification.objects.get(pk=row.pk) if taken else None


def carry_out(row: Verification) -> None:
    """Verify, and keep what was found; in the thread that calls, with a second one for signs of
    life."""
    run = _Run(row)
    beat = threading.Thread(target=run.beats, name="audit-verification-beat", daemon=True)
    beat.start()
    try:
        with caused_by(row.request_id), translation.override(row.language or None):
            run.verify()
    except _Stopped:
        run.end(VerificationState.CANCELED)
    except DatabaseError as error:
        # The claim runs out, and it begins again.
        logger.warning("audit: verification: database: %s", error)
    except Exception as error:
        logger.exception("audit: verification %s", row.pk)
        run.end(VerificationState.FAILED, problem=f"{type(error).__name__}: {error}"[:2000])
    finally:
        run.over.set()
        beat.join()
        if threading.current_thread() in _thread:
            connections.close_all()


class _Run:
    """One attempt."""

    def __init__(self, row: Verification) -> None:
        self._row = row
        self._position = 0
        self._stopped = False
        self.over = threading.Event()

    def _mine(self) -> QuerySet[Verification]:
        rows = Verification.objects.filter(pk=self._row.pk, claim=self._row.claim)
        return rows.filter(state=VerificationState.RUNNING)

    def verify(self) -> None:
        """Look at everything that is wanted. Raises _Stopped."""
        row = self._row
        start = 0 if row.whole else review.last_good()
        size = Tree.objects.values_list("size", flat=True).first() or 0
        self._mine().update(start=start, position=start, size=size)
        self._position = start
        try:
            notes = witness.kept()
        except OSError as error:
            text = _("The file of checkpoints cannot be read: %(error)s.") % {"error": error}
            self.end(VerificationState.FAILED, problem=text)
            return
        report = verify(start, notes, self._progress)
        self._keep(report)

    def _progress(self, position: int) -> None:
        self._position = position
        if self._stopped:
            raise _Stopped

    def _keep(self, report: Report) -> None:
        row = self._row
        found = [
            {"kind": one.kind, "position": one.position, "text": one.text}
            for one in report.findings
        ]
        values = {
            "start": report.start, "position": report.size, "size": report.size,
            "witnessed": report.witnessed, "findings": found,
        }  # fmt: skip
        with transaction.atomic():
            if self.end(VerificationState.ENDED, **values):
                asker = SimpleNamespace(META={}, user=row.by, request_id=row.request_id)
                review.told(report, request=asker)

    def end(self, state: VerificationState, **values: Any) -> bool:
        """Close the row, if it is still this attempt's."""
        return bool(self._mine().update(state=state, ended=timezone.now(), **values))

    def beats(self) -> None:
        """Write how far it is and that it lives, until it is over."""
        try:
            while not self.over.wait(BEAT_SECONDS):
                self.beat()
        finally:
            connections.close_all()

    def beat(self) -> None:
        """One sign of life; sees whether the verification is to stop."""
        try:
            until = timezone.now() + CLAIM
            alive = self._mine().update(position=self._position, claimed_until=until)
            if not alive or self._mine().filter(cancel_wanted=True).exists():
                self._stopped = True
        except DatabaseError as error:
            logger.warning("audit: verification: database: %s", error)
