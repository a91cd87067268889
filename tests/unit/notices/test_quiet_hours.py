"""When a channel is quiet: over midnight, in every time zone, and when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.notices import courier, messages
from console.notices.models import Channel, Delivery, DeliveryState
from console.notices.rules import quiet_until
from console.notices.telling import over, tell
from tests.unit.notices.conftest import make_channel

BERLIN = "Europe/Berlin"
NIGHT = {"quiet_from": time(22), "quiet_until": time(7)}


def channel(begin: str, end: str, zone: str = "UTC", **fields: object) -> Channel:
    return Channel(
        quiet_from=time.fromisoformat(begin),
        quiet_until=time.fromisoformat(end),
        time_zone=zone,
        **fields,
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("begin", "end", "now", "ends"),
    [
        ("22:00", "07:00", "2026-03-10 23:30:20", "2026-03-11 07:00"),
        ("22:00", "07:00", "2026-03-11 00:00", "2026-03-11 07:00"),
        ("22:00", "07:00", "2026-03-11 06:59:59", "2026-03-11 07:00"),
        ("22:00", "07:00", "2026-03-11 07:00", None),
        ("22:00", "07:00", "2026-03-11 21:59:59", None),
        ("12:00", "13:30", "2026-03-11 12:00", "2026-03-11 13:30"),
        ("12:00", "13:30", "2026-03-11 13:30", None),
        ("00:00", "23:59", "2026-03-11 00:00", "2026-03-11 23:59"),
    ],
)
def test_they_go_over_midnight(begin: str, end: str, now: str, ends: str | None) -> None:
    found = quiet_until(channel(begin, end), "warning", at(now))
    assert found == (at(ends) if ends else None)


@pytest.mark.parametrize(
    ("end", "now", "ends"),
    [
        # 29 March 2026, 02:00 becomes 03:00: 02:30 does not come, 03:00 is later than it.
        ("02:30", "2026-03-29 00:30", "2026-03-29 01:00"),
        ("07:00", "2026-03-28 22:00", "2026-03-29 05:00"),
        # 25 October 2026, 03:00 becomes 02:00: 02:30 comes twice, and it is quiet before both.
        ("02:30", "2026-10-25 00:10", "2026-10-25 00:30"),
        ("02:30", "2026-10-25 01:10", "2026-10-25 01:30"),
        ("07:00", "2026-10-24 22:00", "2026-10-25 06:00"),
    ],
)
def test_they_follow_the_clock_on_the_wall(end: str, now: str, ends: str) -> None:
    assert quiet_until(channel("22:00", end, BERLIN), "info", at(now)) == at(ends)


@given(
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.sampled_from(["UTC", BERLIN, "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(0, 366 * 24 * 3600).map(lambda s: at("2026-01-01") + timedelta(seconds=s)),
)
def test_they_end_at_the_first_minute_that_is_not_quiet(begin, end, zone, now) -> None:
    quiet = Channel(quiet_from=begin, quiet_until=end, time_zone=zone)

    def shown_is_quiet(moment: datetime) -> bool:
        shown = moment.astimezone(ZoneInfo(zone)).time()
        return begin <= shown < end if begin <= end else not end <= shown < begin

    ends = quiet_until(quiet, "info", now)
    assert (ends is not None) == shown_is_quiet(now)
    if ends is not None:
        assert ends > now and not shown_is_quiet(ends)
        assert shown_is_quiet(ends - timedelta(seconds=1))


def test_what_breaks_through_is_not_held_back() -> None:
    night = channel("22:00", "07:00", break_through=["critical"])
    now = at("2026-03-10 23:00")
    assert quiet_until(night, "critical", now) is None
    assert quiet_until(night, "warning", now) is not None


def test_without_both_times_it_is_never_quiet() -> None:
    assert quiet_until(Channel(), "info", at("2026-03-10 23:00")) is None


def told(key: str, severity: str = "warning") -> None:
    tell("cluster.degraded", key, {"name": key, "reason": "etcd"}, severity)


def at_night() -> datetime:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return tomorrow.replace(hour=23, minute=0, second=0, microsecond=0)


@pytest.mark.django_db
def test_the_night_comes_as_one_summary_without_what_was_over() -> None:
    make_channel(break_through=["critical"], **NIGHT)
    night = at_night()
    for key in ("a", "b", "c"):
        told(key)
    told("loud", "critical")
    loud = courier.claim(night)
    assert loud is not None and loud.notice is not None and loud.notice.key == "loud"
    courier.finish(loud, ok=True, answer="")
    assert courier.claim(night + timedelta(hours=2)) is None
    assert Delivery.objects.filter(state=DeliveryState.HELD).count() == 3
    over("cluster.degraded", "b")
    assert courier.claim(night + timedelta(hours=7, minutes=59)) is None
    summary = courier.claim(night + timedelta(hours=8))
    assert summary is not None and summary.message == "summary"
    assert [notice.key for notice, _over in messages.parts_of(summary)] == ["a", "c"]
    subject, text = messages.email(summary)
    assert "2 notices from the quiet hours" in subject
    assert "cluster a is degraded" in text and "cluster b" not in text
    courier.finish(summary, ok=True, answer="")
    assert courier.claim(night + timedelta(hours=9)) is None


@pytest.mark.django_db
def test_what_is_over_after_the_summary_is_told() -> None:
    make_channel(**NIGHT)
    night = at_night()
    told("a")
    told("b")
    assert courier.claim(night) is None
    summary = courier.claim(night + timedelta(hours=8))
    assert summary is not None
    over("cluster.degraded", "a")
    courier.finish(summary, ok=False, answer="")
    Delivery.objects.filter(pk=summary.pk).update(due=night + timedelta(hours=8, minutes=1))
    assert courier.claim(night + timedelta(hours=8, seconds=1)) is None, "not before the summary"
    again = courier.claim(night + timedelta(hours=9))
    assert again is not None and again.uuid == summary.uuid
    courier.finish(again, ok=True, answer="")
    last = courier.claim(night + timedelta(hours=9))
    assert last is not None and last.message == "resolved"


@pytest.mark.django_db
def test_a_single_one_comes_as_it_is() -> None:
    make_channel(**NIGHT)
    night = at_night()
    told("a")
    assert courier.claim(night) is None
    one = courier.claim(night + timedelta(hours=8))
    assert one is not None and one.message == "opened"
