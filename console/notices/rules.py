"""Which channels a notice goes to, and when a channel is quiet."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from console.notices.catalogue import KINDS
from console.notices.models_channels import Channel, Rule

if TYPE_CHECKING:
    from console.notices.models import Notice

MINUTES_A_DAY = 24 * 60


def matches(rule: Rule, notice: Notice) -> bool:
    """Whether the rule wants the notice."""
    if rule.kinds:
        wanted = notice.kind in rule.kinds
    else:
        wanted = not KINDS[notice.kind].asked
    if not wanted or (rule.severities and notice.severity not in rule.severities):
        return False
    globs = [glob.strip() for glob in rule.clusters.split(",") if glob.strip()]
    return not globs or any(fnmatchcase(notice.cluster, glob) for glob in globs)


def receivers(notice: Notice) -> list[tuple[Channel, int]]:
    """The channels that a rule sends the notice to, with the shortest wait in seconds."""
    waits: dict[int, tuple[Channel, int]] = {}
    for rule in Rule.objects.filter(channel__enabled=True).select_related("channel"):
        if not matches(rule, notice):
            continue
        known = waits.get(rule.channel_id)
        if known is None or rule.min_seconds < known[1]:
            waits[rule.channel_id] = (rule.channel, rule.min_seconds)
    return list(waits.values())


def quiet_until(channel: Channel, severity: str, now: datetime) -> datetime | None:
    """When the channel's quiet hours end that it is in now; None when it may be told.

    Quiet is what the clock on the wall shows, whatever it was set to: an hour that
    comes twice is quiet twice, one that is left out is not waited for.
    """
    if severity in channel.break_through or not _is_quiet(channel, now):
        return None
    whole = now.replace(second=0, microsecond=0)
    # Two hours more than a day: clocks are set back.
    for minute in range(1, MINUTES_A_DAY + 121):
        moment = whole + timedelta(minutes=minute)
        if not _is_quiet(channel, moment):
            return moment
    return None


def _is_quiet(channel: Channel, now: datetime) -> bool:
    begin, end = channel.quiet_from, channel.quiet_until
    if begin is None or end is None or begin == end:
        return False
    shown = _wall(now, channel.time_zone)
    if begin < end:
        return begin <= shown < end
    return shown >= begin or shown < end


def _wall(now: datetime, zone: str) -> time:
    return now.astimezone(ZoneInfo(zone)).time()
