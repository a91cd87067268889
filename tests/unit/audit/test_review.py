"""What an auditor does with the record: one event's page, ways from it, and looking is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from console.accounts.models import User
from console.audit import looking, sealing
from console.audit.diff import MOST, diff
from console.audit.models import AuditEvent
from console.audit.record import record
from console.audit.trails import trails
from tests.conftest import signed_in
from tests.factories import ClusterFactory, UserFactory

pytestmark = pytest.mark.django_db
PAGE, API = "/audit/", "/api/v1/audit-events/"


def looks(action: str = "audit.viewed") -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))


def test_the_page_of_an_event_shows_each_field_side_by_side(
    auditor_client: Client, admin: User
) -> None:
    before = {"labels": {"app": "web", "old": "x"}, "ports": [80], "same": 1}
    after = {"labels": {"app": "<b>api</b>"}, "ports": [80, 443], "same": 1, "big": "y" * 1000}
    event = record("host.changed", object_name="alpha", actor=admin, before=before, after=after)
    fields = diff(event)
    assert [(f.path, f.before, f.after, f.mark) for f in fields.changed] == [
        ("labels.app", "web", "<b>api</b>", "changed"),
        ("labels.old", "x", None, "removed"),
        ("ports[1]", None, "443", "added"),
        ("big", None, "y" * 1000, "added"),
    ]
    assert [f.path for f in fields.same] == ["ports[0]", "same"]
    page = auditor_client.get(f"{PAGE}{event.pk}/").content.decode()
    assert "labels.app" in page and "&lt;b&gt;api" in page and "<b>api" not in page
    assert "~ changed" in page and "+ added" in page and "− removed" in page
    assert "(1000 characters)" in page and "2 fields stayed as they were" in page


def test_a_value_of_a_megabyte_does_not_make_a_page_of_one(
    auditor_client: Client, admin: User, unbounded: None
) -> None:
    deep: object = 1
    for _level in range(60):
        deep = [deep]
    event = record("host.changed", actor=admin, after={"v": "é" * 1_000_000, "deep": deep})
    answer = auditor_client.get(f"{PAGE}{event.pk}/")
    assert answer.status_code == 200 and len(answer.content) < 10 * MOST
    assert len(auditor_client.get(f"{PAGE}{event.pk}/raw/").content) > 1_000_000


def test_the_page_says_what_is_proved_and_what_was_altered(
    auditor_client: Client, admin: User
) -> None:
    event = record("host.added", object_name="alpha", actor=admin)
    address = f"{PAGE}{event.pk}/"
    assert "none yet: it gets one within seconds" in auditor_client.get(address).content.decode()
    early = auditor_client.get(f"{address}proof/", follow=True).content.decode()
    assert "No checkpoint covers this event yet" in early
    sealing.seal()
    sealing.checkpoint(force=True)
    page = auditor_client.get(address).content.decode()
    assert "The event is what was hashed." in page and "Written by this console" in page
    told = json.loads(auditor_client.get(f"{address}proof/").content)
    raw = json.loads(auditor_client.get(f"{address}raw/").content)
    assert told["event"] == raw and raw["object_name"] == "alpha" and told["checkpoint"]
    AuditEvent.objects.filter(pk=event.pk).update(object_name="beta")
    assert "it was altered afterwards" in auditor_client.get(address).content.decode()


def test_one_click_leads_to_all_of_a_request_a_person_a_cluster_and_so_on(
    auditor_client: Client, admin: User, rf: object
) -> None:
    eve, cluster = UserFactory(username="eve"), ClusterFactory(name="prod")
    wanted = record("cluster.changed", cluster, actor=admin)
    others = [
        record("cluster.changed", ClusterFactory(name="lab"), actor=eve),
        record("host.added", object_name="alpha", actor=eve),
    ]
    AuditEvent.objects.filter(pk=wanted.pk).update(
        request_id="r-1", session="0123456789abcdef", address="2001:db8::1"
    )
    wanted.refresh_from_db()
    ways = trails(wanted)
    assert list(ways) == ["request", "person", "cluster", "object", "session", "address"]
    for way in ways.values():
        rows = auditor_client.get(way.address).context["events"]
        assert wanted in rows and not set(others) & set(rows), way.name
        assert way.address.replace("&", "&amp;") in auditor_client.get(PAGE).content.decode()
    day = ways["person"].query
    AuditEvent.objects.filter(pk=wanted.pk).update(time=timezone.now() - timedelta(days=3))
    answer = auditor_client.get(PAGE, day)
    assert wanted not in answer.context["events"] and not answer.context["form"].errors
    assert auditor_client.get(f"{PAGE}?address=2001:DB8:0::1").context["events"][0] == wanted
    assert len(auditor_client.get(f"{PAGE}?address=%27nonsense").context["events"]) == 0


def test_neighbours_of_an_event_are_one_click_away(auditor_client: Client, admin: User) -> None:
    cluster = ClusterFactory(name="prod")
    first, second, third = [record("cluster.changed", cluster, actor=admin) for _ in range(3)]
    ways = auditor_client.get(f"{PAGE}{second.pk}/").context["neighbours"]
    assert {str(way.label) for way in ways} == {"Of this object", f"Of {admin.username}"}
    assert all((way.older, way.newer) == (first, third) for way in ways)


def test_looking_is_recorded_once_for_each_filter_and_session(
    auditor_client: Client, auditor: User, django_assert_max_num_queries: Callable
) -> None:
    for number in range(60):
        record("host.added", object_name=f"h{number}", actor=auditor)
    page = auditor_client.get(f"{PAGE}?action=host.added").context["page"]
    auditor_client.get(f"{PAGE}{page.next}")
    auditor_client.get(f"{PAGE}{page.last}")
    auditor_client.get(f"{PAGE}?action=host.added&who=")
    assert [(look.actor, look.after) for look in looks()] == [
        (auditor, {"filter": {"action": "host.added"}, "rows": 50, "form": "page"})
    ]
    auditor_client.get(f"{PAGE}?action=host.removed")
    signed_in(auditor).get(f"{PAGE}?action=host.added")
    assert len(looks()) == 3
    old = timezone.now() - looking.SAME_LOOK
    AuditEvent.objects.filter(action="audit.viewed").update(time=old)
    auditor_client.get(f"{PAGE}?action=host.added")
    assert len(looks()) == 4


def test_a_program_that_polls_floods_nothing(auditor_api: APIClient) -> None:
    for minute in range(5):
        auditor_api.get(f"{API}?since=2026-01-01T00:0{minute}:00Z")
    assert [look.after["form"] for look in looks()] == ["api"]
    auditor_api.get(f"{API}?outcome=denied")
    assert looks()[-1].after["filter"] == {"outcome": "denied"}


def test_looking_at_one_event_is_recorded(
    auditor_client: Client, auditor_api: APIClient, admin: User
) -> None:
    event = record("host.added", object_name="alpha", actor=admin)
    for part in ("", "raw/", "proof/", ""):
        auditor_client.get(f"{PAGE}{event.pk}/{part}")
    auditor_api.get(f"{API}{event.pk}/")
    found = looks("audit.event_viewed")
    assert [(one.object_type, one.object_id) for one in found] == [
        ("audit.auditevent", str(event.pk))
    ] * 2
    assert [bool(one.token_name) for one in found] == [False, True]


def test_a_secret_that_was_typed_into_the_filter_is_not_kept(auditor_client: Client) -> None:
    for _twice in range(2):
        auditor_client.get(f"{PAGE}?object=flo_abcdefghijklmnopqrstuvwxyz")
    assert len(looks()) == 1 and "abcdefgh" not in str(looks()[0].after)


def test_both_ends_of_the_list_are_one_click_away(auditor_client: Client, admin: User) -> None:
    made = [record("host.added", object_name=f"h{n}", actor=admin).pk for n in range(120)]
    page = auditor_client.get(f"{PAGE}?action=host.added").context["page"]
    assert (page.first, page.previous) == ("", "")
    last = auditor_client.get(f"{PAGE}{page.last}").context["page"]
    assert [row.pk for row in last] == made[:50][::-1]
    assert (last.last, last.next) == ("", "") and last.previous
    middle = auditor_client.get(f"{PAGE}{last.previous}").context["page"]
    assert [row.pk for row in middle] == made[50:100][::-1]
    first = auditor_client.get(f"{PAGE}{middle.first}").context["page"]
    assert [row.pk for row in first] == made[70:][::-1]
