"""Channels, and time that passes."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.db.models import F

from console.notices.models import Channel, Delivery, Notice, Rule


@pytest.fixture
def local_receivers(settings) -> None:
    """Tests' receivers listen on this machine, which is refused otherwise."""
    settings.OUTBOUND_ALLOWED = [ip_network("127.0.0.0/8")]


def make_channel(name: str = "ops", min_seconds: int = 0, **fields: object) -> Channel:
    """A webhook that gets everything."""
    rule = fields.pop("rule", {})
    fields = {"type": "webhook", "address": "https://hooks.example/x", "secret": "whsec_s"} | fields
    channel = Channel.objects.create(name=name, **fields)
    Rule.objects.create(channel=channel, min_seconds=min_seconds, **rule)
    return channel


def pass_time(seconds: float) -> None:
    """Let time pass: everything that was is so much longer ago."""
    span = timedelta(seconds=seconds)
    Delivery.objects.update(due=F("due") - span, created=F("created") - span)
    Delivery.objects.exclude(claimed_until=None).update(claimed_until=F("claimed_until") - span)
    Notice.objects.update(occurred=F("occurred") - span)
    Notice.objects.exclude(resolved=None).update(resolved=F("resolved") - span)
