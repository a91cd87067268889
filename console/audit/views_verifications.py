"""Verifications of the record that the watcher carries out: how far they are, what they found."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from console.accounts.models import User
from console.accounts.permissions import requires
from console.audit import verifications
from console.audit.models import Verification


@requires(GET="audit.view")
def verification(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them; the page asks for itself while it runs."""
    row = get_object_or_404(Verification, pk=pk)
    return render(request, "audit/verification.html", {"row": row, **row.pace()})


@requires(POST="audit.view")
def verification_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """End it early."""
    row = get_object_or_404(Verification, pk=pk)
    try:
        verifications.cancel(row, by=cast(User, request.user), request=request)
    except verifications.NotActiveError as error:
        messages.warning(request, str(error))
    return redirect("audit:verification", pk=pk)
