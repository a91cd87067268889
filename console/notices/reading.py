"""Which notices a person sees, and which of them they have read."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import (
    BooleanField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from console.accounts.models import User
from console.accounts.permissions import ALL_PERMISSIONS, allowed
from console.notices import audiences
from console.notices.models import Notice, ReadMark, ReadUpTo

MOST_COUNTED = 100


def visible_notices(user: User | AnonymousUser) -> QuerySet[Notice]:
    """What the user may see: what their role may know of, what is told to them or to an audience.

    Who has no role on the platform sees the last two alone.
    """
    if not isinstance(user, User) or not user.is_active:
        return Notice.objects.none()
    seen = Q(owner=user) | audiences.of(user)
    if allowed(user, "notices.view"):
        held = [name for name in ALL_PERMISSIONS if allowed(user, name)]
        seen |= Q(permission="") | Q(permission__in=held)
    return Notice.objects.filter(seen)


def with_read(notices: QuerySet[Notice], user: User) -> QuerySet[Any]:
    """The notices with `unread`, whether the user has yet to read each."""
    return notices.annotate(unread=ExpressionWrapper(_unread(user), BooleanField()))


def unread(user: User) -> QuerySet[Notice]:
    """What came since the user is known here and was not read."""
    rows = visible_notices(user).filter(occurred__gte=user.date_joined)
    return rows.filter(_unread(user))


def unread_count(user: User | AnonymousUser) -> int:
    """How many; never more than 100, so that it costs little. One query."""
    if not isinstance(user, User):
        return 0
    return int(unread(user).order_by()[:MOST_COUNTED].count())


def mark_read(user: User, notices: list[int] | None = None) -> None:
    """Note that the user has read these notices (ids; those not visible are passed over), or all.

    All: those that are there now.
    """
    rows = visible_notices(user)
    if notices is None:
        last = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
        ReadUpTo.objects.update_or_create(user=user, defaults={"last": last})
        ReadMark.objects.filter(user=user, notice__lte=last).delete()
        return
    wanted = rows.filter(pk__in=notices).values_list("pk", flat=True)
    ReadMark.objects.bulk_create(
        [ReadMark(user=user, notice_id=pk) for pk in wanted], ignore_conflicts=True
    )


def _unread(user: User) -> Combinable:
    read_to = Subquery(ReadUpTo.objects.filter(user=user).values("last")[:1])
    marked = ReadMark.objects.filter(user=user, notice=OuterRef("pk"))
    return Q(pk__gt=Coalesce(read_to, 0)) & ~Exists(marked)
