"""What people do with channels and rules: each change with its audit event, without secrets."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from console.audit.record import record
from console.notices import webhook
from console.notices.courier import switch_off
from console.notices.models import Channel, ChannelType, Delivery, DeliveryState, Message, Rule

CHANNEL_FIELDS = (
    "name", "address", "enabled", "language", "quiet_from", "quiet_until", "time_zone",
    "break_through",
)  # fmt: skip
RULE_FIELDS = ("kinds", "severities", "clusters", "min_seconds")


class Refused(Exception):
    """It cannot be done; the message says why."""


def shown_address(channel: Channel) -> str:
    """The address as lists and audit events have it: the path of a webhook often is a password."""
    if channel.type == ChannelType.EMAIL:
        return channel.address
    return webhook.shown(channel.address)


def create_channel(kind: ChannelType, values: dict[str, Any], request: Any) -> tuple[Channel, str]:
    """A new channel with a rule for everything that needs somebody.

    Also its signing secret, to be shown once; empty for e-mail.
    """
    with transaction.atomic():
        channel = Channel(type=kind, **_of_channel(values))
        plain = channel.new_secret() if kind == ChannelType.WEBHOOK else ""
        channel.save()
        record("notice_channel.created", channel, request=request, after=_told(channel))
        rule = {"kinds": [], "severities": ["warning", "critical"], "clusters": "",
                "min_seconds": 120}  # fmt: skip
        create_rule(channel, rule, request)
    return channel, plain


def change_channel(channel: Channel, values: dict[str, Any], request: Any) -> None:
    """Other settings. Switched off, what waits is dropped."""
    with transaction.atomic():
        row = Channel.objects.select_for_update().get(pk=channel.pk)
        before, was_on = _told(row), row.enabled
        for name, value in _of_channel(values).items():
            setattr(row, name, value)
        row.disabled_reason = "" if row.enabled else row.disabled_reason
        row.save(update_fields=[*_of_channel(values), "disabled_reason"])
        if was_on and not row.enabled:
            switch_off(row)
        after = _told(row)
        if values.get("address", channel.address) != channel.address:
            after["address_changed"] = True
        record("notice_channel.changed", row, request=request, before=before, after=after)
    channel.refresh_from_db()


def remove_channel(channel: Channel, request: Any) -> None:
    """Forget a channel with its rules and its log."""
    with transaction.atomic():
        record("notice_channel.removed", channel, request=request, before=_told(channel))
        channel.delete()


def renew_secret(channel: Channel, request: Any) -> str:
    """Another signing secret, to be shown once. Raises Refused for what is not signed."""
    if channel.type != ChannelType.WEBHOOK:
        raise Refused(_("Only webhooks are signed."))
    with transaction.atomic():
        plain = channel.new_secret()
        channel.save(update_fields=["secret"])
        record("notice_channel.secret_renewed", channel, request=request)
    return plain


def send_test(channel: Channel, request: Any) -> Delivery:
    """Want a test message; the watcher process sends it. Raises Refused for one that is off."""
    if not channel.enabled:
        raise Refused(_("The channel is off: switch it on first."))
    with transaction.atomic():
        delivery = Delivery.objects.create(channel=channel, message=Message.TEST)
        record("notice_channel.tested", channel, request=request)
    return delivery


def retry(delivery: Delivery, request: Any) -> None:
    """Send once more what was given up, or now what waits. Raises Refused when it is neither."""
    if not delivery.channel.enabled:
        raise Refused(_("The channel is off: switch it on first."))
    again = (DeliveryState.GIVEN_UP, DeliveryState.PENDING, DeliveryState.HELD)
    with transaction.atomic():
        rows = Delivery.objects.filter(pk=delivery.pk, state__in=again, summary=None)
        if not rows.update(state=DeliveryState.PENDING, due=timezone.now(), ended=None, attempts=0):
            raise Refused(_("This message is not waiting and was not given up."))
        parts = Delivery.objects.filter(summary=delivery, state=DeliveryState.GIVEN_UP)
        parts.update(state=DeliveryState.MERGED)
        after = {"delivery": str(delivery.uuid)}
        record("notice_channel.retried", delivery.channel, request=request, after=after)


def create_rule(channel: Channel, values: dict[str, Any], request: Any) -> Rule:
    """A new rule of a channel."""
    with transaction.atomic():
        rule = Rule.objects.create(channel=channel, **_of_rule(values))
        record(
            "notice_rule.created", rule, request=request, after=_of_rule(values),
            object_name=channel.name,
        )  # fmt: skip
    return rule


def change_rule(rule: Rule, values: dict[str, Any], request: Any) -> None:
    """Another content."""
    with transaction.atomic():
        before = {name: getattr(rule, name) for name in RULE_FIELDS}
        for name, value in _of_rule(values).items():
            setattr(rule, name, value)
        rule.save(update_fields=list(_of_rule(values)))
        after = {name: getattr(rule, name) for name in RULE_FIELDS}
        record(
            "notice_rule.changed", rule, request=request, before=before, after=after,
            object_name=rule.channel.name,
        )  # fmt: skip


def remove_rule(rule: Rule, request: Any) -> None:
    """Forget a rule."""
    with transaction.atomic():
        before = {name: getattr(rule, name) for name in RULE_FIELDS}
        name = rule.channel.name
        record("notice_rule.removed", rule, request=request, before=before, object_name=name)
        rule.delete()


def _of_channel(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in CHANNEL_FIELDS if name in values}


def _of_rule(values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in RULE_FIELDS if name in values}


def _told(channel: Channel) -> dict[str, Any]:
    """A channel as audit events have it."""
    plain = {name: getattr(channel, name) for name in CHANNEL_FIELDS if name != "address"}
    return {"type": channel.type, "address": shown_address(channel), **plain}
