"""What happened in a tenant, for its owners."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import SIGNED_IN, requires
from console.audit import exporting, lookback, looking
from console.audit.catalogue import ACTIONS
from console.audit.diff import diff
from console.audit.record import record
from console.audit.views_export import download, joined
from console.ui.lists import keyset
from tenancy import tenant_page
from tenancy.audit_events import TenantAuditFilter, events_of, withholding
from tenancy.models import Tenant
from tenancy.permissions import demand_audit, tenant_or_404


@requires(GET=SIGNED_IN)
def audit(request: HttpRequest, slug: str) -> HttpResponse:
    """The tenant's events, newest first, narrowed down by the filter bar."""
    tenant = _tenant(request, slug)
    found = TenantAuditFilter(request.GET, queryset=events_of(tenant))
    if found.is_valid() and found.searches:
        page = lookback.page(request, found.qs)
    else:
        page = keyset(request, found.qs, sorts=("-id",))
    page = replace(page, filtered=bool(looking.chosen(found)))
    withhold = withholding(request.user, tenant)
    for event in page.rows:
        event.withheld = withhold(event) if withhold else []
        event.action_text = ACTIONS.get(event.action, event.action)
        event.changed = diff(event).changed
    chosen = {"tenant": tenant.slug, **looking.chosen(found)}
    looking.looked(request, chosen, rows=len(page), form="page")
    context = tenant_page.context(
        request, tenant, "audit", filter=found, form=found.form, page=page,
    )  # fmt: skip
    return render(request, "tenancy/audit.html", context)


@requires(GET=SIGNED_IN)
def export(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The tenant's events of the list's filter as JSON Lines, each with its proof."""
    tenant = _tenant(request, slug)
    found = TenantAuditFilter(request.GET, queryset=events_of(tenant))
    if not found.form.is_valid():
        messages.error(request, _("Nothing was exported: a part of the filter is not right."))
        return redirect("tenants:audit", slug=slug)
    chosen = {**looking.chosen(found), "tenant": tenant.slug}
    record("audit.exported", request=request, after=chosen, object_name="audit", tenant=tenant)
    point = exporting.covered()
    filters = "&".join(f"{name}={text}" for name, text in sorted(chosen.items()))
    lines = exporting.lines(point, found.qs, filters, withhold=withholding(request.user, tenant))
    name = f"{slug}-audit-{point.size}.jsonl"
    return download(request, joined(lines), "application/x-ndjson", name)


def _tenant(request: HttpRequest, slug: str) -> Tenant:
    tenant = tenant_or_404(request.user, slug)
    demand_audit(request.user, tenant)
    return tenant
