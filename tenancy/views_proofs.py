"""Having a namespace's isolation proved, from its page."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from console.accounts.permissions import SIGNED_IN, requires
from tenancy import proof_actions
from tenancy.permissions import NAMESPACES
from tenancy.views_namespaces import namespace_or_404


@requires(POST=SIGNED_IN)
def prove(request: HttpRequest, pk: int) -> HttpResponse:
    """Have it proved now; the page tells how far it is."""
    user: Any = request.user
    row = namespace_or_404(user, pk, NAMESPACES)
    try:
        proof_actions.start(row, by=user, request=request)
    except proof_actions.ProofRefusedError as error:
        messages.error(request, str(error))
    return redirect("namespaces:namespace", pk=pk)


@requires(POST=SIGNED_IN)
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """End the proof that is running; its pods go with it."""
    user: Any = request.user
    row = namespace_or_404(user, pk, NAMESPACES)
    proof = row.proofs.filter(ended=None).first()
    try:
        if proof is None:
            raise proof_actions.ProofRefusedError(_("No proof is running."))
        proof_actions.cancel(proof, by=user, request=request)
    except proof_actions.ProofRefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The proof ends, and its pods are taken away."))
    return redirect("namespaces:namespace", pk=pk)
