"""Lists of ten million events: by key and by index; what no index finds is looked for in parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from console.accounts.models import User
from console.audit import lookback
from console.audit.filters import AuditEventFilter
from console.audit.models import AuditEvent
from console.audit.record import record

pytestmark = pytest.mark.django_db
PAGE, API = "/audit/", "/api/v1/audit-events/"
FILTERS = {
    "who": "ADMIN",
    "action": "host.added",
    "object": "provisioning.host/7",
    "outcome": "failure",
    "request": "8d8ac610-566d-4ef0-9c22-186b2a5ed793",
    "cluster": "prod",
    "tenant": "blue",
    "session": "0123456789abcdef",
    "address": "10.0.0.1",
}
SEARCHES: list[dict[str, str]] = [
    {"q": "x"},
    {"object": "alpha"},
    {"kind": "secrets"},
    {"who": "admin", "action": "host.added"},
]


def found(**query: str) -> list[str]:
    rows = AuditEventFilter(query, queryset=AuditEvent.objects.all()).qs
    return [row.object_name for row in rows.order_by("pk")]


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_goes_by_an_index_in_the_lists_order(name: str) -> None:
    day = {"since": "2026-01-01T00:00:00Z", "until": "2030-01-02T00:00:00Z"}
    record("host.added", object_name="one")
    for query in ({name: FILTERS[name]}, {name: FILTERS[name]} | day):
        filters = AuditEventFilter(query, queryset=AuditEvent.objects.all())
        assert filters.is_valid() and not filters.searches
        for order in ("-pk", "pk"):
            plan = filters.qs.order_by(order)[:51].explain()
            if connection.vendor == "sqlite":
                assert "USING INDEX audit_by_" in plan and "TEMP B-TREE" not in plan, plan


@pytest.mark.parametrize(
    "query", [{}, *({name: value} for name, value in FILTERS.items()), *SEARCHES], ids=str
)
def test_no_page_counts_or_skips(
    query: dict[str, str], auditor_client: Client, auditor_api: APIClient, admin: User
) -> None:
    for number in range(60):
        record("host.added", object_name=f"alpha-{number}", actor=admin)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        for place in ({}, {"before": "end"}):
            assert auditor_client.get(PAGE, query | place).status_code == 200
        answer = auditor_api.get(API, query)
        assert answer.status_code == 200
        if answer.json()["next"]:
            assert auditor_api.get(answer.json()["next"]).status_code == 200
    events = [q["sql"] for q in seen if '"audit_auditevent"' in q["sql"]]
    assert events
    for sql in events:
        assert "COUNT(" not in sql.upper() and "OFFSET" not in sql.upper(), sql


def test_text_is_found_wherever_it_stands(admin: User) -> None:
    record("host.added", object_name="Alpha", actor=admin, reason="disk FULL (50%)")
    record("cluster.changed", object_name="beta", after={"labels": {"zone": "Zürich"}})
    record("host.added", object_name="gamma", before={"path": 'C:\\"x"'})
    assert found(q="alph") == ["Alpha"]
    assert found(q="full (50%)") == ["Alpha"]
    assert found(q=admin.username.upper()) == ["Alpha"]
    assert found(q="Zürich") == ["beta"] and found(q="zone") == ["beta"]
    assert found(q='C:\\"x"') == ["gamma"]
    assert found(q="cluster.ch") == ["beta"]
    assert found(q="nowhere") == []


def test_names_are_found_in_any_case_and_whole(admin: User) -> None:
    record("host.added", object_name="one", actor=admin)
    record("host.added", object_name="two")
    assert found(who=admin.username.upper()) == ["one"]
    assert found(who=admin.username[:-1]) == []


def test_times_that_are_not_in_the_order_of_numbers_are_found() -> None:
    start = timezone.now().replace(microsecond=0)
    minutes = [0, 40, 10, 50, 20, 300, 310, 305]
    for minute in minutes:
        event = record("host.added", object_name=str(minute))
        AuditEvent.objects.filter(pk=event.pk).update(time=start + timedelta(minutes=minute))
    for low in minutes:
        for high in minutes:
            since, until = (start + timedelta(minutes=m) for m in (low, high))
            wanted = [str(m) for m in minutes if low <= m <= high]
            assert found(since=since.isoformat(), until=until.isoformat()) == wanted
    always = found(since="0001-01-01T00:30:00Z", until="9999-12-31T23:30:00Z")
    assert always == [str(m) for m in minutes]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookback, "PATIENCE", 0)
    monkeypatch.setattr(lookback, "FIRST_PART", 20)


@pytest.mark.usefixtures("_impatient")
def test_a_search_says_how_far_it_looked_and_goes_on(
    auditor_client: Client, auditor_api: APIClient, admin: User
) -> None:
    rare = record("host.added", object_name="needle", actor=admin)
    for number in range(60):
        record("host.added", object_name=f"hay-{number}", actor=admin)
    address, pages = f"{PAGE}?q=needle&action=host.added", 0
    while True:
        answer = auditor_client.get(address)
        page, pages = answer.context["page"], pages + 1
        if page.rows:
            break
        text = answer.content.decode()
        assert "Looked through the events to" in text and "Go on looking" in text
        assert "No event matches" not in text
        address = PAGE + page.next
    assert page.rows == [rare] and 3 <= pages <= 6
    api: dict[str, Any] = auditor_api.get(f"{API}?q=needle&action=host.added").json()
    asked = 1
    while api["next"] and not api["results"]:
        api, asked = auditor_api.get(api["next"]).json(), asked + 1
    assert [row["id"] for row in api["results"]] == [rare.pk] and asked >= 3


def test_pages_of_a_search_meet_without_a_gap_in_both_directions(
    auditor_client: Client, admin: User
) -> None:
    made = []
    for number in range(240):
        name = "needle" if number % 2 else "hay"
        event = record("host.added", object_name=name, actor=admin)
        made += [event.pk] if number % 2 else []
    address, seen, back = f"{PAGE}?object=needle", [], []
    page = auditor_client.get(address).context["page"]
    seen += [row.pk for row in page]
    while page.next:
        page = auditor_client.get(PAGE + page.next).context["page"]
        seen += [row.pk for row in page]
    assert seen == made[::-1]
    page = auditor_client.get(f"{address}&before=end").context["page"]
    back = [row.pk for row in page]
    assert back == made[:50][::-1] and not page.next
    while page.previous:
        page = auditor_client.get(PAGE + page.previous).context["page"]
        back = [row.pk for row in page] + back
    assert back == made[::-1]
