"""Pages of SSH credentials. The private half is never shown again."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.db import IntegrityError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from console.accounts.models import User
from console.accounts.permissions import requires
from console.ui.forms import ConfirmNameForm
from console.ui.lists import keyset
from provisioning import credential_actions as actions
from provisioning.forms_credentials import CredentialForm, GenerateForm, PasteForm
from provisioning.models import SSHCredential


@requires(GET="credentials.view")
def credentials(request: HttpRequest) -> HttpResponse:
    """All credentials with how many hosts each opens."""
    rows = SSHCredential.objects.annotate(host_count=Count("hosts"))
    page = keyset(request, rows, sorts=("name", "-created"))
    return render(request, "credentials/list.html", {"page": page})


@requires(GET="credentials.change", POST="credentials.change")
def credential_add(request: HttpRequest) -> HttpResponse:
    """A key that the console makes."""
    form = GenerateForm(request.POST or None)
    if form.is_valid() and (made := _created(request, form)):
        return redirect("provisioning:credential", pk=made.pk)
    return render(request, "credentials/add.html", {"form": form})


@requires(GET="credentials.change", POST="credentials.change")
@sensitive_post_parameters("private_key", "passphrase")
def credential_paste(request: HttpRequest) -> HttpResponse:
    """A key that somebody has already."""
    form = PasteForm(request.POST or None)
    if form.is_valid() and (made := _created(request, form)):
        return redirect("provisioning:credential", pk=made.pk)
    if form.is_bound:
        form.forget_secrets()
    return render(request, "credentials/paste.html", {"form": form})


def _created(request: HttpRequest, form: GenerateForm | PasteForm) -> SSHCredential | None:
    cleaned = form.cleaned_data
    try:
        made = actions.create(
            actions.Named.of(cleaned), form.pair(), cast(User, request.user), request
        )
    except IntegrityError:
        form.add_error("name", _("This name was taken just now: choose another one."))
        return None
    messages.success(
        request,
        _("The credential was added. Put its public half on your hosts with the line below."),
    )
    return made


@requires(GET="credentials.view")
def credential(request: HttpRequest, pk: int) -> HttpResponse:
    """The public half, how to install it, and the hosts that are reached with it."""
    row = get_object_or_404(SSHCredential, pk=pk)
    context = {
        "credential": row,
        "command": actions.install_command(row),
        "hosts": row.hosts.select_related("cluster")[:200],
        "host_count": row.hosts.count(),
    }
    return render(request, "credentials/detail.html", context)


@requires(GET="credentials.change", POST="credentials.change")
def credential_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another name or user; the key itself cannot be changed."""
    row = get_object_or_404(SSHCredential, pk=pk)
    form = CredentialForm(request.POST or None, credential=row)
    if form.is_valid():
        cleaned = form.cleaned_data
        user = cast(User, request.user)
        try:
            actions.change(row, actions.Named.of(cleaned), user, request)
        except IntegrityError:
            form.add_error("name", _("This name was taken just now: choose another one."))
        else:
            messages.success(request, _("The credential was changed."))
            return redirect("provisioning:credential", pk=pk)
    return render(request, "credentials/edit.html", {"form": form, "credential": row})


@requires(GET="credentials.change", POST="credentials.change")
def credential_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a key; refused while hosts are reached with it."""
    row = get_object_or_404(SSHCredential, pk=pk)
    form = ConfirmNameForm(request.POST or None, expected=row.name)
    if form.is_valid():
        try:
            actions.remove(row, cast(User, request.user), request)
        except actions.CredentialInUseError as error:
            messages.error(request, str(error))
            return redirect("provisioning:credential", pk=pk)
        messages.success(request, _("The credential “%(name)s” was removed.") % {"name": row.name})
        return redirect("provisioning:credentials")
    context = {
        "form": form,
        "credential": row,
        "refused": actions.why_not_removed(row),
        "object_name": row.name,
        "losses": [_("the private key: nobody can get it back from here")],
        "keeps": [_("its public half on the hosts, where somebody installed it")],
    }
    return render(request, "credentials/remove.html", context)
