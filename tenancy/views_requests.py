"""Pages of requests: asking, the list, one request with its answer."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from clusters.models import Cluster
from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN, allowed, requires
from console.ui.lists import keyset
from tenancy import quotas, raises, request_actions
from tenancy.filters_requests import RequestFilter
from tenancy.forms_requests import (
    AnswerForm,
    MemberRequestForm,
    NamespaceRequestForm,
    PlaceRequestForm,
    QuotaRequestForm,
    ReasonedForm,
)
from tenancy.models import Request, RequestKind, RequestState, Tenant
from tenancy.permissions import ASK, rights, tenant_or_404, visible_tenants
from tenancy.request_actions import RequestRefusedError
from tenancy.request_notices import in_words

Form = QuotaRequestForm | PlaceRequestForm | MemberRequestForm | NamespaceRequestForm


def visible_requests(user: Any) -> QuerySet[Request]:
    """The requests of the tenants that the user may see."""
    rows = Request.objects.select_related("tenant", "cluster", "pool__cluster", "by", "decided_by")
    return rows.filter(tenant__in=visible_tenants(user))


@requires(GET=SIGNED_IN)
def requests(request: HttpRequest) -> HttpResponse:
    """All requests that concern the reader; those that wait first."""
    filters = RequestFilter(request.GET, queryset=visible_requests(request.user))
    page = keyset(request, filters.qs, sorts=("-id", "state", "tenant__name"))
    context = {
        "page": page,
        "form": filters.form,
        "rows": [(row, in_words(row)) for row in page],
        "policies": allowed(request.user, "tenants.change"),
        "tenants": _may_ask(cast(User, request.user)),
    }
    return render(request, "tenancy/request_list.html", context)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def request_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One request; those who may answer it do it here."""
    row = get_object_or_404(visible_requests(request.user), pk=pk)
    user = cast(User, request.user)
    may_decide = request_actions.may_decide(user, row)
    if request.method == "POST" and not may_decide:
        raise PermissionDenied
    decides = may_decide and row.state == RequestState.OPEN
    if request.method == "POST" and not decides:
        text = _("This request was answered already: %(state)s.")
        messages.error(request, text % {"state": row.get_state_display()})
    form = None
    if decides:
        refusing = request.POST.get("decision") == "refuse"
        form = AnswerForm(request.POST or None, row=row, refusing=refusing)
        if form.is_valid() and _answered(request, row, form):
            return redirect("requests:request", pk=pk)
    context = {
        "row": row,
        "what": in_words(row),
        "form": form,
        "withdraws": row.state == RequestState.OPEN and request_actions.may_withdraw(user, row),
        "figures": [r for r in quotas.overview(row.tenant) if r.cluster == row.cluster]
        if row.kind == RequestKind.QUOTA
        else [],
    }
    return render(request, "tenancy/request_detail.html", context)


@requires(POST=SIGNED_IN)
def request_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a request back."""
    row = get_object_or_404(visible_requests(request.user), pk=pk)
    user = cast(User, request.user)
    if not request_actions.may_withdraw(user, row):
        raise PermissionDenied
    try:
        request_actions.withdraw(row, by=user, request=request)
    except RequestRefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The request was withdrawn."))
    return redirect("requests:request", pk=pk)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def ask_quota(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for more of what a quota limits; `?cluster=` names one, else it is that over all."""
    tenant = tenant_or_404(request.user, slug, ASK)
    cluster = _cluster(request, tenant)
    limited = raises.in_scope(tenant, cluster)
    form = QuotaRequestForm(request.POST or None, tenant=tenant, cluster=cluster)
    scopes = tenant.quotas.select_related("cluster").exclude(hard={})
    context = {"limited": limited, "cluster": cluster, "scopes": scopes}
    return _ask(request, tenant, form, "tenancy/request_quota.html", context)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def ask_place(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for a cluster or a pool."""
    tenant = tenant_or_404(request.user, slug, ASK)
    form = PlaceRequestForm(request.POST or None, tenant=tenant)
    return _ask(request, tenant, form, "tenancy/request_place.html", {})


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def ask_namespace(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask somebody who manages the tenant's namespaces for one."""
    tenant = tenant_or_404(request.user, slug, ASK)
    form = NamespaceRequestForm(request.POST or None, tenant=tenant)
    return _ask(request, tenant, form, "tenancy/request_namespace.html", {})


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def ask_member(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask that somebody belongs to the tenant."""
    tenant = tenant_or_404(request.user, slug, ASK)
    form = MemberRequestForm(request.POST or None, tenant=tenant)
    return _ask(request, tenant, form, "tenancy/request_member.html", {})


def _ask(
    request: HttpRequest, tenant: Tenant, form: Form, template: str, context: dict[str, Any]
) -> HttpResponse:
    assert isinstance(form, ReasonedForm)
    if form.is_valid():
        try:
            row = request_actions.ask(
                tenant, form.wish(), by=cast(User, request.user), request=request
            )
        except RequestRefusedError as error:
            form.add_error(None, str(error))
        else:
            if row.state == RequestState.APPROVED:
                messages.success(request, _("Approved at once, %(by)s.") % {"by": row.answer})
            else:
                messages.success(request, _("Asked. You are told as soon as there is an answer."))
            return redirect("requests:request", pk=row.pk)
    return render(request, template, {"tenant": tenant, "form": form, **context})


def _answered(request: HttpRequest, row: Request, form: AnswerForm) -> bool:
    user = cast(User, request.user)
    answer = form.cleaned_data["answer"]
    try:
        if form.refusing:
            request_actions.refuse(row, by=user, answer=answer, request=request)
            messages.success(request, _("The request was refused; the one who asked is told."))
        else:
            request_actions.approve(
                row, by=user, granted=form.granted, until=form.cleaned_data.get("until"),
                answer=answer, request=request,
            )  # fmt: skip
            messages.success(request, _("The request was approved; the one who asked is told."))
    except RequestRefusedError as error:
        form.add_error(None, str(error))
        return False
    return True


def _cluster(request: HttpRequest, tenant: Tenant) -> Cluster | None:
    """The cluster of the address, which must be one that the tenant has a quota on."""
    number = request.GET.get("cluster", "")
    if not number:
        return None
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise Http404
    quota = tenant.quotas.filter(cluster_id=int(number)).select_related("cluster").first()
    if quota is None:
        raise Http404
    return quota.cluster


def _may_ask(user: User) -> list[Tenant]:
    """The person's tenants in which they may ask, for the buttons of an empty list."""
    if allowed(user, "tenants.view"):
        return []
    return [tenant for tenant in visible_tenants(user)[:20] if ASK in rights(user, tenant)]
