"""The page “Will it fit?” of a namespace, from SQL alone: nothing is asked of the cluster."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts.permissions import SIGNED_IN, requires
from tenancy import fit
from tenancy.forms_fit import FitForm
from tenancy.views_namespaces import namespace_or_404


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def will_it_fit(request: HttpRequest, pk: int) -> HttpResponse:
    """Paste or upload a manifest, and see what would happen before it is applied."""
    namespace = namespace_or_404(request.user, pk)
    form = FitForm(request.POST or None, request.FILES or None)
    report = None
    if form.is_valid():
        report = fit.report(namespace, form.cleaned_data["text"])
        form = FitForm({"text": form.cleaned_data["text"]})
    context = {"namespace": namespace, "form": form, "report": report}
    return render(request, "tenancy/namespace_fit.html", context)
