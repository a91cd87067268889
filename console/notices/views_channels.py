"""Pages of channels: where notices go out to, and how that went."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from console.accounts.permissions import requires
from console.notices import actions, mail
from console.notices.catalogue import label, sentence
from console.notices.forms import ChannelForm
from console.notices.models import (
    Channel,
    ChannelType,
    Delivery,
    DeliveryState,
    Message,
    Rule,
    Severity,
)
from console.ui.forms import ConfirmNameForm
from console.ui.lists import keyset


@requires(GET="notices.change")
def channels(request: HttpRequest) -> HttpResponse:
    """All channels with their last result."""
    rows = list(Channel.objects.annotate(rule_count=Count("rules"))[:500])
    context = {
        "channels": [(row, actions.shown_address(row)) for row in rows],
        "no_server": not mail.is_set_up() and any(r.type == ChannelType.EMAIL for r in rows),
    }
    return render(request, "notices/channels.html", context)


@requires(GET="notices.change", POST="notices.change")
@never_cache
def channel_add(request: HttpRequest, kind: str) -> HttpResponse:
    """A new channel. Its signing secret is in this one answer and nowhere else."""
    if kind not in ChannelType.values:
        raise Http404
    made = ChannelType(kind)
    form = ChannelForm(request.POST or None, kind=made)
    if form.is_valid():
        values = {**form.cleaned_data, "enabled": True}
        try:
            channel, plain = actions.create_channel(made, values, request)
        except IntegrityError:
            form.add_error("name", _("This name was taken just now: choose another one."))
        else:
            if plain:
                return _show_secret(request, channel, plain)
            messages.success(request, _("The channel was added. Send a test to see it arrive."))
            return redirect("notices:channel", pk=channel.pk)
    form.fields.pop("enabled")
    context = {"form": form, "kind": made, "no_server": _lacks_server(made)}
    return render(request, "notices/channel_form.html", context)


@requires(GET="notices.change")
def channel(request: HttpRequest, pk: int) -> HttpResponse:
    """One channel: its settings, its rules, and its log; htmx asks for the log again."""
    row = get_object_or_404(Channel, pk=pk)
    rows = Delivery.objects.filter(channel=row).select_related("notice").annotate(
        part_count=Count("parts")
    )  # fmt: skip
    page, now = keyset(request, rows, sorts=("-id",), size=25), timezone.now()
    for delivery in page.rows:
        delivery.text = _text(delivery)
        delivery.is_due = delivery.due <= now
        waits = delivery.state == DeliveryState.PENDING and delivery.attempts
        delivery.may_retry = delivery.state == DeliveryState.GIVEN_UP or waits
    moving = any(d.state in (DeliveryState.PENDING, DeliveryState.SENDING) for d in page.rows)
    context = {"channel": row, "page": page, "moving": moving}
    if request.headers.get("HX-Request") == "true":
        return render(request, "notices/_deliveries.html", context)
    context |= {
        "shown_address": actions.shown_address(row),
        "rules": [described(rule) for rule in row.rules.all()],
        "break_through": _severities(row.break_through),
        "no_server": _lacks_server(row.type),
    }
    return render(request, "notices/channel.html", context)


@requires(GET="notices.change", POST="notices.change")
def channel_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Other settings."""
    row = get_object_or_404(Channel, pk=pk)
    form = ChannelForm(request.POST or None, kind=ChannelType(row.type), channel=row)
    if form.is_valid():
        try:
            actions.change_channel(row, form.cleaned_data, request)
        except IntegrityError:
            form.add_error("name", _("This name was taken just now: choose another one."))
        else:
            messages.success(request, _("The channel was changed."))
            return redirect("notices:channel", pk=pk)
    context = {"form": form, "channel": row, "kind": row.type}
    return render(request, "notices/channel_form.html", context)


@requires(GET="notices.change", POST="notices.change")
def channel_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a channel."""
    row = get_object_or_404(Channel, pk=pk)
    form = ConfirmNameForm(request.POST or None, expected=row.name)
    if form.is_valid():
        actions.remove_channel(row, request)
        messages.success(request, _("The channel “%(name)s” was removed.") % {"name": row.name})
        return redirect("notices:channels")
    context = {
        "form": form,
        "channel": row,
        "object_name": row.name,
        "losses": [_("its rules and the log of what was sent"), _("what waits to be sent to it")],
        "keeps": [_("the notices themselves, in the feed")],
    }
    return render(request, "notices/channel_remove.html", context)


@requires(POST="notices.change")
@never_cache
def channel_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Another signing secret, shown once; the old one signs nothing more."""
    row = get_object_or_404(Channel, pk=pk)
    try:
        plain = actions.renew_secret(row, request)
    except actions.Refused as error:
        messages.error(request, str(error))
        return redirect("notices:channel", pk=pk)
    return _show_secret(request, row, plain)


@requires(POST="notices.change")
def channel_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Want a test message."""
    row = get_object_or_404(Channel, pk=pk)
    try:
        actions.send_test(row, request)
    except actions.Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("A test is on its way: the log below shows how it went."))
    return redirect("notices:channel", pk=pk)


@requires(POST="notices.change")
def delivery_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a message once more."""
    row = get_object_or_404(Delivery.objects.select_related("channel"), pk=pk)
    try:
        actions.retry(row, request)
    except actions.Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is sent once more."))
    return redirect("notices:channel", pk=row.channel_id)


def described(rule: Rule) -> dict[str, object]:
    """A rule in words."""
    return {
        "rule": rule,
        "kinds": ", ".join(label(kind) for kind in rule.kinds) or _("All kinds"),
        "severities": _severities(rule.severities) or _("All severities"),
        "clusters": rule.clusters or _("All clusters"),
    }


def _severities(names: list[str]) -> str:
    return ", ".join(str(Severity(name).label) for name in names if name in Severity.values)


def _lacks_server(kind: str) -> bool:
    return kind == ChannelType.EMAIL and not mail.is_set_up()


def _show_secret(request: HttpRequest, channel: Channel, plain: str) -> HttpResponse:
    context = {"channel": channel, "plain": plain}
    return render(request, "notices/channel_secret.html", context)


def _text(delivery: Delivery) -> str:
    if delivery.notice is None:
        return str(Message(delivery.message).label)
    over = delivery.message == Message.RESOLVED
    return sentence(delivery.notice.kind, delivery.notice.values, over=over)
