"""Pages of rules: which notices a channel gets."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from console.accounts.permissions import requires
from console.notices import actions
from console.notices.forms import RuleForm
from console.notices.models import Channel, Rule


@requires(GET="notices.change", POST="notices.change")
def rule_add(request: HttpRequest, pk: int) -> HttpResponse:
    """A new rule of the channel."""
    channel = get_object_or_404(Channel, pk=pk)
    form = RuleForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        actions.create_rule(channel, form.cleaned_data, request)
        messages.success(request, _("The rule was added."))
        return redirect("notices:channel", pk=pk)
    return render(request, "notices/rule_form.html", {"form": form, "channel": channel})


@requires(GET="notices.change", POST="notices.change")
def rule_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Another content."""
    rule = get_object_or_404(Rule.objects.select_related("channel"), pk=pk)
    form = RuleForm(request.POST if request.method == "POST" else None, rule=rule)
    if form.is_valid():
        actions.change_rule(rule, form.cleaned_data, request)
        messages.success(request, _("The rule was changed."))
        return redirect("notices:channel", pk=rule.channel_id)
    context = {"form": form, "channel": rule.channel, "rule": rule}
    return render(request, "notices/rule_form.html", context)


@requires(POST="notices.change")
def rule_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a rule."""
    rule = get_object_or_404(Rule.objects.select_related("channel"), pk=pk)
    actions.remove_rule(rule, request)
    messages.success(request, _("The rule was removed."))
    return redirect("notices:channel", pk=rule.channel_id)
