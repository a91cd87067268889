"""The page that forgets an imported cluster."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from clusters import ending, forgetting
from clusters.views_imports import imported
from console.accounts.confirm import confirm_password
from console.accounts.permissions import requires
from console.ui.forms import ConfirmNameForm


class ForgetForm(ConfirmNameForm):
    """The cluster's name, and whether to clean up."""

    clean_up = forms.BooleanField(
        label=gettext_lazy("Remove what this console made there first"),
        required=False,
        initial=True,
    )
    field_order = ("clean_up", "confirm_name")


@requires(GET="clusters.import", POST="clusters.import")
@never_cache
@confirm_password
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """What is lost here, what was made there, and the end once the name is typed."""
    cluster = imported(request, pk)
    form = ForgetForm(request.POST or None, expected=cluster.name)
    if form.is_valid():
        clean_up = form.cleaned_data["clean_up"]
        left = forgetting.forget(cluster, clean_up=clean_up, request=request)
        messages.success(request, _("%s was forgotten. The cluster itself runs on.") % cluster.name)
        if clean_up and left.commands:
            text = _("Something of this console is left there. Remove it with: %s")
            messages.warning(request, text % " ; ".join(left.commands))
        return redirect("clusters:list")
    losses = [
        _("The credentials that this console keeps for it."),
        _("What was seen of it: its objects, events, figures and settings here."),
    ]
    keeps = [_("The cluster itself with everything that runs in it. It can be imported again.")]
    if tenants := ending.in_words(cluster):
        losses.append(
            _("Tenants' access to it, with their quotas, requests and kubeconfigs there.")
        )
        as_is = _("%(what)s, as it is, without this console")
        keeps += [as_is % {"what": text} for text in tenants]
        keeps.append(_("Kubeconfigs of theirs, until they end, if nothing is removed there."))
    context = {
        "cluster": cluster,
        "form": form,
        "object_name": cluster.name,
        "losses": losses,
        "keeps": [*keeps, _("The audit events about it.")],
        "back": reverse("clusters:detail", args=[cluster.pk]),
        "there_url": reverse("clusters:forget-there", args=[cluster.pk]),
    }
    return render(request, "clusters/forget.html", context)


@requires(GET="clusters.import")
@never_cache
def made_there(request: HttpRequest, pk: int) -> HttpResponse:
    """What the console made in the cluster; asked for by the page, so that it never waits."""
    cluster = imported(request, pk)
    context = {"cluster": cluster, "there": forgetting.there(cluster)}
    return render(request, "clusters/forget_there.html", context)
