"""What is told of requests: to those who answer, to the one who asked, and before an end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from console.notices.models import Notice, Severity
from console.notices.telling import Subject, Told, over, page, tell, tell_all
from tenancy import amounts
from tenancy.audiences import holders
from tenancy.models import Request, RequestKind, RequestState, TenantRole
from tenancy.permissions import ASK, MEMBERS, NAMESPACES

SOON = timedelta(days=1)
# What the tenant's own people may answer, and the right that they need; the rest is the
# platform admins'.
DECIDES = {RequestKind.MEMBERSHIP: MEMBERS, RequestKind.NAMESPACE: NAMESPACES}


def tell_of(row: Request, exceeded: Sequence[str] = ()) -> None:
    """Say how a request stands now, in the caller's transaction.

    exceeded: of one that ended, what the tenant has too much now, a sentence each.
    """
    if row.state == RequestState.OPEN:
        tell(
            "request.open",
            _key(row),
            _values(row),
            Severity.INFO,
            _link(row),
            subject=_subject(row),
            audience=_deciders(row),
        )
        return
    over("request.open", _key(row))
    if row.state == RequestState.ENDED:
        values = {**_values(row), "over": " ".join(exceeded)}
        tell(
            "request.ended", _key(row), values, Severity.WARNING if exceeded else Severity.INFO,
            _link(row), subject=_subject(row), owner=row.by, audience=holders(row.tenant, ASK),
        )  # fmt: skip
    elif row.state == RequestState.APPROVED or row.by_id != row.decided_by_id:
        with override("en"):  # each reader gets the catalogue's word in their language
            state = str(row.get_state_display())
        values = {**_values(row), "state": state, "answer": row.answer}
        tell(
            "request.answered", _key(row), values, Severity.INFO, _link(row),
            subject=_subject(row), owner=row.by, audience=holders(row.tenant, ASK),
        )  # fmt: skip


def tell_ending(now: datetime | None = None) -> None:
    """Say a day before what ends, once for each request."""
    now = now or timezone.now()
    rows: QuerySet[Request] = Request.objects.filter(
        state=RequestState.APPROVED, until__gt=now, until__lte=now + SOON
    )
    for row in rows.select_related("tenant", "cluster", "pool", "by"):
        if Notice.objects.filter(kind="request.ending", key=_key(row)).exists():
            continue
        assert row.until is not None  # by the filter
        # Somebody who asked for less than a day knows when it ends.
        if row.decided is not None and row.until - row.decided <= SOON:
            continue
        values = {**_values(row), "until": row.until.strftime("%Y-%m-%d %H:%M %Z")}
        told = Told(
            "request.ending", _key(row), values, Severity.WARNING, _link(row), _subject(row),
            owner=row.by, audience=holders(row.tenant, ASK),
        )  # fmt: skip
        tell_all([told])


def in_words(row: Request) -> str:
    """What is asked for, or what was given, in one line."""
    if row.kind == RequestKind.QUOTA:
        given = row.granted or row.wish
        listed = ", ".join(
            f"{amounts.RESOURCES[key].label} +{amounts.human(key, amounts.parse(key, text))}"
            for key, text in given.items()
            if key in amounts.RESOURCES
        )
        return f"{listed} · {row.cluster or _('all clusters')}"
    if row.kind == RequestKind.MEMBERSHIP:
        given = row.granted or row.wish
        role = str(given.get("role", ""))
        name = str(dict(TenantRole.choices).get(role, role))
        return _("%(user)s as %(role)s") % {"user": given.get("user", ""), "role": name}
    if row.kind == RequestKind.NAMESPACE:
        return _("the namespace %(name)s on %(cluster)s") % {
            "name": row.wish.get("name", ""),
            "cluster": row.cluster or "",
        }
    if row.kind == RequestKind.POOL and row.pool is not None:
        return _("the pool %(pool)s of %(cluster)s") % {
            "pool": row.pool.name,
            "cluster": row.pool.cluster.name,
        }
    return _("the cluster %(cluster)s") % {"cluster": row.cluster or ""}


def _deciders(row: Request) -> str:
    right = DECIDES.get(RequestKind(row.kind))
    return holders(row.tenant, right) if right else ""


def _values(row: Request) -> dict[str, Any]:
    by = row.by.get_username() if row.by else ""
    return {"by": by, "tenant": row.tenant.name, "what": in_words(row)}


def _key(row: Request) -> str:
    return f"request/{row.pk}"


def _link(row: Request) -> str:
    return page("requests:request", row.pk)


def _subject(row: Request) -> Subject:
    return Subject("request", str(row.pk), row.tenant.name, row.cluster.name if row.cluster else "")
