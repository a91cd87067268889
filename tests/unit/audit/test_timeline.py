"""The timeline: days, requests and gaps of the same list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from console.audit import timeline
from console.audit.models import AuditEvent
from console.audit.record import record

pytestmark = pytest.mark.django_db
PAGE = "/audit/?action=host.added&view=timeline"


def at(moment: datetime, request: str = "", outcome: str = "success", name: str = "") -> None:
    event = record("host.added", outcome=outcome, object_name=name)
    AuditEvent.objects.filter(pk=event.pk).update(time=moment, request_id=request)


@pytest.fixture
def morning() -> datetime:
    start = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
    at(start - timedelta(days=1))
    at(start, "r-1", name="<b>first")
    at(start + timedelta(seconds=1), "r-1", outcome="failure")
    at(start + timedelta(hours=3))
    at(start + timedelta(hours=3, minutes=5))
    return start


def test_events_stand_by_day_and_request_with_their_gaps(
    auditor_client: Client, morning: datetime
) -> None:
    answer = auditor_client.get(PAGE)
    days = answer.context["days"]
    shape = [[(len(group.events), group.gap) for group in day.groups] for day in days]
    assert shape == [[(1, ""), (1, "2 h 59 min"), (2, "1 d 0 h")], [(1, "")]]
    text = answer.content.decode()
    assert "2 events of request r-1" in text and "&lt;b&gt;first" in text
    assert "nothing for" in text and 'name="view" value="timeline"' in text
    assert "Failure" in text


def test_bars_count_the_page_by_hour_or_by_day(auditor_client: Client, morning: datetime) -> None:
    bars = auditor_client.get(PAGE).context["bars"]
    assert [(bar.count, bar.failed) for bar in bars if bar.count] == [(1, 0), (2, 1), (2, 0)]
    assert len(bars) == 28 and max(bar.height for bar in bars) == timeline.BAR_HEIGHT
    at(morning - timedelta(days=20))
    by_day = auditor_client.get(PAGE).context["bars"]
    assert [bar.count for bar in by_day if bar.count] == [1, 1, 4] and len(by_day) == 21
    at(morning - timedelta(days=4000))
    assert auditor_client.get(PAGE).context["bars"] == []


def test_the_timeline_of_nothing_says_so(auditor_client: Client) -> None:
    assert "No event matches" in auditor_client.get(PAGE).content.decode()


def test_pages_and_other_views_keep_what_they_should(auditor_client: Client) -> None:
    for _number in range(60):
        record("host.added")
    answer = auditor_client.get(PAGE)
    assert "view=timeline" in answer.context["page"].next
    assert AuditEvent.objects.filter(action="audit.viewed").get().after["form"] == "timeline"
    assert 'href="?action=host.added"' in answer.content.decode()
