"""What happens with requests: asked, approved, changed and approved, refused, withdrawn, over.

Each with its audit event in the same transaction, and a notice to whom it concerns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.models import Cluster, ResourcePool
from console.accounts.models import User
from console.accounts.permissions import allowed
from console.audit.record import record
from tenancy import (
    amounts,
    grant_actions,
    members,
    namespace_actions,
    quotas,
    raises,
    request_notices,
)
from tenancy.forms_namespaces import NamespaceForm, new_one
from tenancy.models import (
    ApprovalPolicy,
    Request,
    RequestKind,
    RequestState,
    Tenant,
)
from tenancy.permissions import ASK, rights

MOST_OPEN = 20  # of one tenant: nobody reads more


class RequestRefusedError(Exception):
    """What cannot be asked or answered as things are; the message says why and what to do."""


@dataclass(frozen=True)
class Wish:
    """What somebody asks for; the fields are those of models_requests.Request."""

    kind: str
    cluster: Cluster | None = None
    pool: ResourcePool | None = None
    wish: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    until: datetime | None = None


def ask(tenant: Tenant, wish: Wish, *, by: User, request: Any = None) -> Request:
    """Ask for something. A policy may approve it on the spot: the answer's state says so.

    Raises RequestRefusedError.
    """
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if ASK not in rights(by, tenant):
            raise RequestRefusedError(_("You may not ask for more in this tenant."))
        if tenant.requests.filter(state=RequestState.OPEN).count() >= MOST_OPEN:
            raise RequestRefusedError(
                _("%(count)d requests of this tenant wait for an answer: withdraw some first.")
                % {"count": MOST_OPEN}
            )
        row = Request.objects.create(
            tenant=tenant, kind=wish.kind, cluster=wish.cluster, pool=wish.pool,
            wish=dict(wish.wish), reason=wish.reason, until=wish.until, by=by,
        )  # fmt: skip
        record("tenant_request.created", row, request=request, actor=by, after=told(row))
        policy = policy_for(row)
        if policy is not None:
            _give(row, row.wish, row.until, by=by, request=request)
            answer = _("by the policy “%(name)s”") % {"name": policy.name}
            _decide(row, RequestState.APPROVED, answer, by=None)
            record(
                "tenant_request.approved",
                row,
                request=request,
                actor=by,
                after=told(row),
                reason=answer,
            )
        request_notices.tell_of(row)
    return row


def may_decide(user: User, row: Request) -> bool:
    """Whether the person may approve or refuse: admins, and who could do it in the tenant."""
    if allowed(user, "tenants.change"):
        return True
    right = request_notices.DECIDES.get(RequestKind(row.kind))
    return right is not None and right in rights(user, row.tenant)


def may_withdraw(user: User, row: Request) -> bool:
    """Whether the person may take it back: their own, or as somebody who may ask there."""
    return row.by_id == user.pk or ASK in rights(user, row.tenant)


def approve(
    row: Request,
    *,
    by: User,
    granted: Mapping[str, Any] | None = None,
    until: datetime | None = None,
    answer: str = "",
    request: Any = None,
) -> Request:
    """Give what was asked, or `granted` in its place, and until when.

    Raises RequestRefusedError when it was answered already or cannot be given.
    """
    with transaction.atomic():
        row = _open(row, by)
        _give(row, row.wish if granted is None else granted, until, by=by, request=request)
        _decide(row, RequestState.APPROVED, answer, by=by)
        record("tenant_request.approved", row, request=request, actor=by, after=told(row))
        request_notices.tell_of(row)
    return row


def refuse(row: Request, *, by: User, answer: str, request: Any = None) -> Request:
    """Refuse with a reason, which the asker reads. Raises RequestRefusedError."""
    if not answer.strip():
        raise RequestRefusedError(_("Say why: the one who asked reads it."))
    with transaction.atomic():
        row = _open(row, by)
        _decide(row, RequestState.REFUSED, answer, by=by)
        record(
            "tenant_request.refused", row, request=request, actor=by, after=told(row), reason=answer
        )
        request_notices.tell_of(row)
    return row


def withdraw(row: Request, *, by: User, request: Any = None) -> Request:
    """Take one's own request back, or as somebody who may ask in the tenant.

    Raises RequestRefusedError.
    """
    with transaction.atomic():
        row = _locked(row)
        if not may_withdraw(by, row):
            raise RequestRefusedError(_("You may not withdraw this request."))
        _still_open(row)
        _decide(row, RequestState.WITHDRAWN, "", by=by)
        record("tenant_request.withdrawn", row, request=request, actor=by, before=told(row))
        request_notices.tell_of(row)
    return row


def end_due(now: datetime | None = None) -> int:
    """Close what was given until a date that is over, and tell of it; how many.

    The amounts stopped counting at that date by themselves. For the watcher.
    """
    now = now or timezone.now()
    due = Request.objects.filter(state=RequestState.APPROVED, until__lte=now)
    count = 0
    for row in due.select_related("tenant", "cluster", "pool", "by"):
        with transaction.atomic():
            # Compare-and-swap: of two processes one says it.
            changed = Request.objects.filter(pk=row.pk, state=RequestState.APPROVED)
            if not changed.update(state=RequestState.ENDED, ended=now):
                continue
            row.state, row.ended = RequestState.ENDED, now
            record("tenant_request.ended", row, before={"granted": row.granted, "until": row.until})
            taken = quotas.taken(row.tenant, row.cluster)
            request_notices.tell_of(row, raises.exceeded(row.tenant, row.cluster, taken))
            count += 1
    request_notices.tell_ending(now)
    return count


def look() -> None:
    """`end_due` as the watcher calls it, every half minute."""
    end_due()


def policy_for(row: Request) -> ApprovalPolicy | None:
    """The policy that approves a request by itself, if there is one.

    What a tenant has until some date already counts as well, so that many small requests
    are no large one.
    """
    if row.kind != RequestKind.QUOTA or row.tenant.frozen:
        return None
    wanted = {key: amounts.parse(key, text) for key, text in row.wish.items()}
    given = _given_by_policies(row)
    policies = ApprovalPolicy.objects.filter(enabled=True)
    for policy in policies:
        if policy.tenant_id not in (None, row.tenant_id):
            continue
        if policy.days is not None and not _within(row, policy.days):
            continue
        most = {key: amounts.parse(key, text) for key, text in policy.most.items()}
        if all(wanted[key] + given.get(key, 0) <= most.get(key, 0) for key in wanted):
            return policy
    return None


def told(row: Request) -> dict[str, Any]:
    """What an audit event says of a request."""
    return {
        "tenant": row.tenant.slug,
        "kind": row.kind,
        "cluster": row.cluster.name if row.cluster else "",
        "pool": row.pool.name if row.pool else "",
        "wish": row.wish,
        "granted": row.granted,
        "until": row.until,
        "reason": row.reason,
        "state": row.state,
        "answer": row.answer,
    }


def _within(row: Request, days: int) -> bool:
    return row.until is not None and row.until <= row.created + timedelta(days=days, hours=1)


def _given_by_policies(row: Request) -> dict[str, int]:
    """What policies have given the tenant for the same quota and still counts, and was for good."""
    found: dict[str, int] = {}
    earlier = Request.objects.filter(
        tenant=row.tenant, kind=RequestKind.QUOTA, cluster=row.cluster,
        state=RequestState.APPROVED, decided_by=None,
    )  # fmt: skip
    for other in earlier.exclude(pk=row.pk):
        for key, text in other.granted.items():
            found[key] = found.get(key, 0) + amounts.parse(key, text)
    return found


def _locked(row: Request) -> Request:
    Tenant.objects.select_for_update().get(pk=row.tenant_id)
    return Request.objects.select_related("tenant", "cluster", "pool", "by").get(pk=row.pk)


def _open(row: Request, by: User) -> Request:
    row = _locked(row)
    if not may_decide(by, row):
        raise RequestRefusedError(_("You may not answer this request."))
    _still_open(row)
    return row


def _still_open(row: Request) -> None:
    if row.state != RequestState.OPEN:
        raise RequestRefusedError(
            _("This request was answered already: %(state)s.") % {"state": row.get_state_display()}
        )


def _decide(row: Request, state: RequestState, answer: str, *, by: User | None) -> None:
    row.state, row.answer, row.decided_by, row.decided = state, answer, by, timezone.now()
    row.save()


def _give(
    row: Request, granted: Mapping[str, Any], until: datetime | None, *, by: User, request: Any
) -> None:
    row.granted, row.until = dict(granted), until
    if until is not None and until <= timezone.now():
        raise RequestRefusedError(_("The date is over already: choose a later one, or none."))
    if row.kind == RequestKind.QUOTA:
        _give_quota(row, by=by, request=request)
    elif row.kind == RequestKind.MEMBERSHIP:
        _give_membership(row, by=by, request=request)
    elif row.kind == RequestKind.NAMESPACE:
        _give_namespace(row, by=by, request=request)
    else:
        _give_place(row, by=by, request=request)


def _give_quota(row: Request, *, by: User, request: Any) -> None:
    more = {key: amounts.parse(key, text) for key, text in row.granted.items()}
    _can_be(row, more)
    if row.until is None:  # else tenancy.raises counts this row until then
        hard = raises.hard(row.tenant, row.cluster)
        grown = hard | {
            key: amounts.text(key, amounts.parse(key, hard[key]) + plus)
            for key, plus in more.items()
            if key in hard
        }
        try:
            quotas.set_quota(row.tenant, row.cluster, grown, by=by, request=request)
        except (quotas.QuotaRefusedError, amounts.AmountsError) as error:
            raise RequestRefusedError(str(error)) from error


def _can_be(row: Request, more: Mapping[str, int]) -> None:
    """Raises RequestRefusedError when what the tenant would have then is no quota."""
    now = raises.limits(row.tenant).get(row.cluster_id, {})
    then = {key: limit + more.get(key, 0) for key, limit in now.items()}
    try:
        amounts.read(amounts.spelled(then), of_tenant=True)
    except amounts.AmountsError as error:
        raise RequestRefusedError(
            _("With it the tenant's quota could not be: %(problems)s Give another amount.")
            % {"problems": str(error)}
        ) from error


def _give_membership(row: Request, *, by: User, request: Any) -> None:
    name = str(row.granted.get("user", ""))
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise RequestRefusedError(
            _("Nobody is called “%(name)s” here any more: refuse the request.") % {"name": name}
        )
    try:
        members.set_role(row.tenant, user, str(row.granted["role"]), by=by, request=request)
    except members.MemberRefusedError as error:
        raise RequestRefusedError(str(error)) from error


def _give_namespace(row: Request, *, by: User, request: Any) -> None:
    assert row.cluster is not None  # forms and API refuse such a request
    named = {key: str(row.granted.get(key, "")) for key in ("name", "description")}
    data = {**new_one(row.tenant), **named}
    form = NamespaceForm(data, tenant=row.tenant, cluster=row.cluster)
    made = namespace_actions.create(form, by=by, request=request) if form.is_valid() else None
    if made is None:
        said = [str(text) for texts in form.errors.values() for text in texts]
        raise RequestRefusedError(" ".join(said))


def _give_place(row: Request, *, by: User, request: Any) -> None:
    cluster = row.pool.cluster if row.pool else row.cluster
    assert cluster is not None  # forms and API refuse such a request
    grant = row.tenant.clusters.filter(cluster=cluster).first()
    pools: list[ResourcePool] = []
    # A grant without pools is the whole cluster, which holds the pool as well.
    if row.pool is not None and (grant is None or grant.pools.exists()):
        pools = [row.pool, *(grant.pools.all() if grant else ())]
    try:
        grant_actions.grant(row.tenant, cluster, pools, by=by, request=request)
    except grant_actions.GrantRefusedError as error:
        raise RequestRefusedError(str(error)) from error
