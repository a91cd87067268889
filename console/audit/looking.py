"""Looking at the record is itself recorded: once for each filter and event, not for each page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from console.accounts.models import User
from console.audit.models import AuditEvent
from console.audit.record import record, session_of, token_name_of
from console.secrets.redact import mask_value

# The same look again within this time is the same look: paging, reloading, polling.
SAME_LOOK = timedelta(minutes=10)
# So many of the last looks are compared; among more, one may be recorded once more.
LAST_LOOKS = 100
# Programs that poll ask for another time each time.
TIMES = ("since", "until")


def looked(request: Any, filters: Mapping[str, str], *, rows: int, form: str) -> None:
    """Record that somebody looked at a list.

    filters: what it was narrowed down by; rows: how many were on the page; form: page,
    timeline or api.
    """
    after = {"filter": mask_value("filter", dict(filters)), "rows": rows, "form": form}
    polled = form == "api"
    if not _again(request, "audit.viewed", lambda event: _same_list(event.after, after, polled)):
        record("audit.viewed", request=request, after=after, object_name="audit")


def looked_at(request: Any, event: AuditEvent) -> None:
    """Record that somebody looked at one event."""
    if not _again(request, "audit.event_viewed", lambda old: old.object_id == str(event.pk)):
        record("audit.event_viewed", event, request=request, object_name=event.action)


def chosen(filters: Any) -> dict[str, str]:
    """{filter: text} of a filter set's query, without what is empty or no filter."""
    return {name: text for name, text in filters.data.items() if text and name in filters.filters}


def _again(request: Any, action: str, same: Any) -> bool:
    user = request.user
    key = user.pk if isinstance(user, User) else None
    mine = (key, session_of(request), token_name_of(request))
    now = timezone.now()
    for event in AuditEvent.objects.filter(action=action).order_by("-pk")[:LAST_LOOKS]:
        who = (event.actor_key, event.session, event.token_name)
        # A clock that went back must not make every look a new one.
        if who == mine and abs(now - event.time) < SAME_LOOK and same(event):
            return True
    return False


def _same_list(old: Mapping[str, Any], new: Mapping[str, Any], polled: bool) -> bool:
    if old.get("form") != new["form"]:
        return False
    return _compared(old.get("filter"), polled) == _compared(new["filter"], polled)


def _compared(filters: Any, polled: bool) -> dict[str, Any]:
    given = filters if isinstance(filters, Mapping) else {}
    return {name: text for name, text in given.items() if not (polled and name in TIMES)}
