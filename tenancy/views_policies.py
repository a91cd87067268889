"""Pages of the policies that approve small requests by themselves."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import requires
from console.audit.record import record
from tenancy import amounts
from tenancy.forms_policies import PolicyForm
from tenancy.models import ApprovalPolicy


@requires(GET="tenants.change")
def policies(request: HttpRequest) -> HttpResponse:
    """Every policy, in words."""
    rows = [
        (
            policy,
            [
                f"{amounts.RESOURCES[key].label} +{amounts.human(key, amounts.parse(key, text))}"
                for key, text in policy.most.items()
            ],
        )
        for policy in ApprovalPolicy.objects.select_related("tenant")
    ]
    return render(request, "tenancy/policy_list.html", {"rows": rows})


@requires(GET="tenants.change", POST="tenants.change")
def policy_add(request: HttpRequest) -> HttpResponse:
    """A new policy."""
    return _edit(request, None)


@requires(GET="tenants.change", POST="tenants.change")
def policy_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Other amounts, another tenant, on or off."""
    return _edit(request, get_object_or_404(ApprovalPolicy, pk=pk))


@requires(POST="tenants.change")
def policy_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a policy; what it gave stays."""
    with transaction.atomic():
        policy = get_object_or_404(ApprovalPolicy.objects.select_for_update(), pk=pk)
        record("approval_policy.removed", policy, request=request, before=policy)
        policy.delete()
    messages.success(request, _("The policy was removed. What it has given stays given."))
    return redirect("requests:policies")


def _edit(request: HttpRequest, policy: ApprovalPolicy | None) -> HttpResponse:
    form = PolicyForm(request.POST or None, policy=policy)
    if form.is_valid():
        with transaction.atomic():
            row = policy or ApprovalPolicy()
            before = ApprovalPolicy.objects.get(pk=policy.pk) if policy else None
            form.apply(row)
            row.save()
            action = "approval_policy.changed" if before else "approval_policy.created"
            record(action, row, request=request, before=before, after=row)
        messages.success(request, _("The policy was saved."))
        return redirect("requests:policies")
    return render(request, "tenancy/policy_form.html", {"form": form, "policy": policy})
