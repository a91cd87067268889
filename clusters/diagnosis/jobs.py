"""Jobs that failed and CronJobs that do not run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from clusters.diagnosis import admission
from clusters.diagnosis.reading import (
    Cause,
    condition,
    condition_evidence,
    event_evidence,
    make,
    mapping,
    message,
    newest,
    text,
    whole,
)

_REASONS = {
    "BackoffLimitExceeded": "job_backoff",
    "DeadlineExceeded": "job_deadline",
    "PodFailurePolicy": "job_policy",
    "FailedIndexes": "job_indexes",
    "MaxFailedIndexesExceeded": "job_indexes",
}
_MISSED = re.compile(r"missed start times?", re.IGNORECASE)


def cause_of_job(row: Any, _now: datetime) -> Cause:
    """From the row alone."""
    summary = mapping(row.summary)
    for kind in ("Failed", "FailureTarget"):
        found = condition(summary, kind)
        if found.get("status") != "True":
            continue
        reason = text(found.get("reason"), 100)
        code = _REASONS.get(reason, "job_failed")
        said = text(found.get("message")) if code in ("job_failed", "job_policy") else ""
        return make(
            code,
            condition_evidence(found),
            failed=whole(summary.get("failed")),
            completions=whole(summary.get("completions")) or None,
            said=said,
        )
    return {}


def refine_job(row: Any, found: Cause, events: Sequence[Any], _now: datetime) -> Cause:
    """With the job's events: who refuses its pods."""
    summary = mapping(row.summary)
    idle = not whole(summary.get("active")) and not summary.get("finished")
    if not found and idle and not whole(summary.get("succeeded")):
        return admission.of_events(events)
    return found


def cause_of_cron_job(row: Any, _now: datetime) -> Cause:
    """Suspended, which is meant, and easily forgotten."""
    if mapping(row.summary).get("suspended") is True:
        return make("cron_suspended", {"kind": "status", "name": "Suspended"})
    return {}


def refine_cron_job(_row: Any, found: Cause, events: Sequence[Any], _now: datetime) -> Cause:
    """With its events: missed schedules, a schedule that nobody understands, refused jobs."""
    if found:
        return found
    for event in newest(
        events, "FailedNeedsStart", "TooManyMissedTimes", "MissSchedule", "UnparseableSchedule",
        "UnparseableCronJobSchedule", "InvalidSchedule", "UnknownTimeZone", "FailedCreate",
    )[:5]:  # fmt: skip
        said, reason = message(getattr(event, "message", "")), getattr(event, "reason", "")
        evidence = event_evidence(event)
        if reason == "FailedCreate":
            if refused := admission.of_event(event):
                return refused
            continue
        if reason in ("FailedNeedsStart", "TooManyMissedTimes") and _MISSED.search(said):
            return make("cron_too_many_missed", evidence)
        if reason == "MissSchedule":
            return make("cron_missed", evidence, said=text(said), times=_times(event))
        return make("cron_schedule", evidence, said=text(said))
    return {}


def _times(event: Any) -> int:
    return max(1, whole(getattr(event, "count", 1)))
