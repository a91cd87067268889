"""The bell, the feed, channels and rules: pages and REST, rights, audit, no secret anywhere."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from console.accounts.models import User
from console.audit.models import AuditEvent
from console.notices.context import bell
from console.notices.models import Channel, Delivery, DeliveryState, Notice, Rule
from console.notices.reading import mark_read, unread_count, visible_notices
from console.notices.telling import Subject, over, tell
from tests.factories import ClusterFactory
from tests.unit.notices.conftest import make_channel

pytestmark = pytest.mark.django_db
CHANNELS = "/settings/notice-channels/"
API = "/api/v1/notice-channels/"
WEBHOOK = {"name": "chat", "address": "https://hooks.example/services/T0/path-is-a-secret"}


def told(n: int = 1, name: str = "prod", **more: object) -> Notice:
    return tell(
        "cluster.away",
        f"cluster/{n}",
        {"name": name, "reason": "connection refused"},
        "critical",
        f"/clusters/{n}/",
        subject=Subject("cluster", str(n), name, name),
        **more,
    )


def page(client: Client, path: str = "/notices/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def secret_in(text: str) -> str:
    (found,) = re.findall(r"whsec_[\w-]{40,}", text)
    return found


# -- bell and feed ------------------------------------------------------------------------


def test_the_bell_counts_what_is_unread_for_each_person(
    admin_client: Client, operator_client: Client, admin: User, operator: User
) -> None:
    for n in range(3):
        told(n)
    assert "Notices: 3 unread" in page(admin_client, "/clusters/")
    admin_client.post("/notices/read/", {"notice": Notice.objects.first().pk})
    assert "Notices: 2 unread" in page(admin_client, "/clusters/")
    admin_client.post("/notices/read/")
    assert "Notices: nothing unread" in page(admin_client, "/clusters/")
    assert unread_count(operator) == 3
    told(9)
    assert unread_count(admin) == 1


def test_the_bell_follows_with_the_polls_that_pages_have_already(
    operator_client: Client,
) -> None:
    assert 'id="bell-wide"' in page(operator_client, "/clusters/")
    told()
    again = {"HX-Request": "true"}
    for path in ("/", "/notices/"):
        answer = operator_client.get(path, headers=again).content.decode()
        assert answer.count("Notices: 1 unread") == 4, "two bells, each with title and words"
        assert 'id="bell-narrow" hx-swap-oob="true"' in answer
        whole = page(operator_client, path)
        assert "hx-swap-oob" not in whole and whole.count('id="bell-wide"') == 1
    cluster = ClusterFactory()
    polled = f"/clusters/{cluster.pk}/pods/?live=0"
    assert 'id="bell-wide" hx-swap-oob="true"' in operator_client.get(polled).content.decode()


def test_the_bell_costs_one_query_and_none_where_nobody_is_signed_in(
    admin: User, nobody: User, django_assert_num_queries
) -> None:
    for n in range(5):
        told(n)
    request = RequestFactory().get("/")
    request.user = admin
    with django_assert_num_queries(1):
        shown = bell(request)["bell"]
        assert (shown.shown, shown.unread, shown.figure) == (True, 5, "5")
        assert "5" in shown.title
    request.user = nobody
    with django_assert_num_queries(1):
        shown = bell(request)["bell"]
        assert shown.shown and shown.unread == 0
    request.user = AnonymousUser()
    with django_assert_num_queries(0):
        shown = bell(request)["bell"]
        assert not shown.shown and shown.unread == 0


def test_more_than_can_be_read_is_not_counted_to_the_end(admin: User) -> None:
    rows = [Notice(kind="cluster.away", severity="info", key=str(n)) for n in range(150)]
    Notice.objects.bulk_create(rows)
    assert unread_count(admin) == 100


def test_what_came_before_a_person_is_not_unread_for_them(sign_in) -> None:
    told()
    late = User.objects.create_user("late", role="auditor")
    assert unread_count(late) == 0
    assert visible_notices(late).count() == 1


def test_the_feed_says_what_holds_and_what_is_over(admin_client: Client) -> None:
    told(1, "prod")
    told(2, "edge")
    over("cluster.away", "cluster/2")
    text = page(admin_client)
    assert "The cluster prod does not answer: connection refused" in text
    assert "The cluster edge answers again." in text
    assert 'href="/clusters/1/"' in text
    still = page(admin_client, "/notices/?state=open")
    assert "cluster prod" in still and "cluster edge" not in still
    assert "No notice matches" in page(admin_client, "/notices/?about=nothing")
    assert "cluster edge" in page(admin_client, "/notices/?about=edg&severity=critical")
    mark_read(User.objects.get(username="ada"), [Notice.objects.get(key="cluster/1").pk])
    unread = page(admin_client, "/notices/?state=unread")
    assert "cluster edge" in unread and "cluster prod" not in unread


def test_the_feed_asks_again_and_hears_nothing_while_nothing_changed(admin_client: Client) -> None:
    told()
    stamp = re.search(r'"Feed-Stamp": "(\w+)"', page(admin_client))[1]
    headers = {"HX-Request": "true", "Feed-Stamp": stamp}
    assert admin_client.get("/notices/", headers=headers).status_code == 204
    over("cluster.away", "cluster/1")
    answer = admin_client.get("/notices/", headers=headers)
    assert answer.status_code == 200
    assert b"<html" not in answer.content and b"answers again" in answer.content


def test_a_page_of_many_costs_what_a_page_of_few_does(admin_client: Client) -> None:
    for n in range(3):
        told(n)
    with CaptureQueriesContext(connection) as few:
        page(admin_client)
    for n in range(3, 120):
        told(n)
    with CaptureQueriesContext(connection) as many:
        text = page(admin_client)
    assert len(many) == len(few)
    assert 'rel="next"' in text


def test_what_clusters_say_is_text(admin_client: Client) -> None:
    told(1, "<script>alert(1)</script>")
    assert "<script>alert(1)" not in page(admin_client)


def test_who_may_not_know_of_a_thing_is_not_told_of_it(
    operator: User, auditor: User, nobody: User
) -> None:
    values = {"type": "token", "name": "ci", "expires": "2026-12-01"}
    tell("expiry.near", "token/1/30", values, "warning", permission="users.view", owner=operator)
    tell("expiry.near", "token/2/30", values, "warning", permission="users.view", owner=nobody)
    keys = {user: [n.key for n in visible_notices(user)] for user in (operator, auditor, nobody)}
    assert keys == {
        operator: ["token/1/30"],
        auditor: ["token/2/30", "token/1/30"],
        nobody: ["token/2/30"],
    }


def test_marking_what_one_may_not_see_does_nothing(operator: User, operator_client: Client) -> None:
    hidden = told(permission="users.view")
    operator_client.post("/notices/read/", {"notice": hidden.pk})
    assert not hidden.marks.exists()


def test_reading_leads_back_to_the_console_only(admin_client: Client) -> None:
    answer = admin_client.post("/notices/read/", {"next": "https://evil.example/"})
    assert answer["Location"] == "/notices/"
    answer = admin_client.post("/notices/read/", {"next": "/notices/?state=open"})
    assert answer["Location"] == "/notices/?state=open"


def test_the_feed_over_rest(admin_api: APIClient, operator: User) -> None:
    told(1)
    told(2)
    first = admin_api.get("/api/v1/notices/?state=open").json()["results"]
    assert [row["subject_id"] for row in first] == ["2", "1"]
    assert first[0]["unread"] and "does not answer" in first[0]["text"]
    assert admin_api.post("/api/v1/notices/read/", {"ids": [first[0]["id"]]}, format="json")
    one = admin_api.get(f"/api/v1/notices/{first[0]['id']}/").json()
    assert one["unread"] is False
    assert admin_api.post("/api/v1/notices/read/", {}, format="json").status_code == 400
    done = admin_api.post("/api/v1/notices/read/", {"all": True}, format="json")
    assert done.status_code == 204
    assert admin_api.get("/api/v1/notices/?state=unread").json()["results"] == []
    assert unread_count(operator) == 2


# -- channels -----------------------------------------------------------------------------


def test_a_secret_is_shown_once_and_its_address_nowhere_else(admin_client: Client) -> None:
    answer = admin_client.post(f"{CHANNELS}add/webhook/", {**WEBHOOK, "time_zone": "UTC"})
    plain = secret_in(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    channel = Channel.objects.get()
    assert channel.secret == plain and channel.enabled
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM notices_channel")
        assert plain not in cursor.fetchone()[0]
    rule = Rule.objects.get()
    assert (rule.severities, rule.min_seconds) == (["warning", "critical"], 120)
    for path in ("", f"{channel.pk}/", f"{channel.pk}/edit/"):
        assert plain not in page(admin_client, CHANNELS + path)
    told_of = str(list(AuditEvent.objects.values()))
    assert plain not in told_of and "path-is-a-secret" not in told_of
    assert "path-is-a-secret" not in page(admin_client, CHANNELS)
    assert AuditEvent.objects.filter(action="notice_channel.created").count() == 1


def test_another_secret(admin_client: Client) -> None:
    channel = make_channel()
    old = channel.secret
    answer = admin_client.post(f"{CHANNELS}{channel.pk}/secret/")
    channel.refresh_from_db()
    assert channel.secret == secret_in(answer.content.decode()) != old
    assert AuditEvent.objects.filter(action="notice_channel.secret_renewed").exists()


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        ("webhook", {"address": "http://169.254.169.254/"}, "address"),
        ("webhook", {"address": "http://0x7f.1/"}, "address"),
        ("webhook", {"address": "ftp://example.com/"}, "address"),
        ("email", {"address": "nobody"}, "address"),
        ("email", {"address": "a@example.com", "quiet_from": "22:00"}, "quiet_until"),
        (
            "email",
            {"address": "a@example.com", "quiet_from": "7:00", "quiet_until": "07:00"},
            "quiet_until",
        ),
        ("email", {"address": "a@example.com", "quiet_from": "25:00"}, "quiet_from"),
        ("email", {"address": "a@example.com", "time_zone": "../etc/passwd"}, "time_zone"),
        ("email", {"address": "a@example.com", "name": "taken"}, "name"),
        ("email", {"address": "a@example.com", "name": "a\x1bb"}, "name"),
    ],
)
def test_bad_input_stands_beside_its_field(
    admin_client: Client, admin_api: APIClient, kind: str, values: dict, field: str
) -> None:
    make_channel("taken")
    given = {"name": "new", **values}
    text = admin_client.post(f"{CHANNELS}add/{kind}/", given).content.decode()
    assert f'id="id_{field}_error"' in text
    answer = admin_api.post(API, {**given, "type": kind}, format="json")
    assert answer.status_code == 400 and field in answer.json()["errors"]
    assert Channel.objects.count() == 1


def test_changing_and_removing(admin_client: Client) -> None:
    channel = make_channel(address=WEBHOOK["address"])
    told()
    values = {**WEBHOOK, "name": "other", "quiet_from": "22:00", "quiet_until": "07:00",
              "time_zone": "Europe/Berlin", "break_through": ["critical"],
              "enabled": "on"}  # fmt: skip
    admin_client.post(f"{CHANNELS}{channel.pk}/edit/", values)
    channel.refresh_from_db()
    assert (channel.name, channel.time_zone, channel.secret) == (
        "other",
        "Europe/Berlin",
        "whsec_s",
    )
    assert Delivery.objects.get().state == DeliveryState.PENDING
    del values["enabled"]
    admin_client.post(f"{CHANNELS}{channel.pk}/edit/", values)
    assert Delivery.objects.get().state == DeliveryState.DROPPED
    event = AuditEvent.objects.filter(action="notice_channel.changed").first()
    assert (event.before["enabled"], event.after["enabled"]) == (True, False)
    admin_client.post(f"{CHANNELS}{channel.pk}/remove/", {"confirm_name": "wrong"})
    assert Channel.objects.exists()
    admin_client.post(f"{CHANNELS}{channel.pk}/remove/", {"confirm_name": "other"})
    assert not Channel.objects.exists() and Notice.objects.exists()
    assert AuditEvent.objects.filter(action="notice_channel.removed").exists()


def test_a_test_is_wanted_and_recorded(admin_client: Client) -> None:
    channel = make_channel()
    admin_client.post(f"{CHANNELS}{channel.pk}/test/")
    assert Delivery.objects.get().message == "test"
    assert AuditEvent.objects.filter(action="notice_channel.tested").exists()
    text = page(admin_client, f"{CHANNELS}{channel.pk}/")
    assert 'hx-trigger="every 3s"' in text, "the log is live while a message is on its way"
    Channel.objects.update(enabled=False)
    admin_client.post(f"{CHANNELS}{channel.pk}/test/")
    assert Delivery.objects.count() == 1


def test_sending_again(admin_client: Client) -> None:
    channel = make_channel()
    told()
    Delivery.objects.update(state=DeliveryState.GIVEN_UP, attempts=30, answer="500 no")
    delivery = Delivery.objects.get()
    text = page(admin_client, f"{CHANNELS}{channel.pk}/")
    assert "500 no" in text and "Send again" in text
    admin_client.post(f"/settings/notice-deliveries/{delivery.pk}/retry/")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, 0)
    assert AuditEvent.objects.filter(action="notice_channel.retried").exists()


def test_rules(admin_client: Client) -> None:
    channel = make_channel()
    address = f"{CHANNELS}{channel.pk}/rules/add/"
    values = {"kinds": ["node.not_ready"], "clusters": "prod-*", "min_seconds": "300"}
    admin_client.post(address, values)
    rule = Rule.objects.last()
    assert (rule.kinds, rule.clusters, rule.min_seconds) == (["node.not_ready"], "prod-*", 300)
    assert "Node not ready" in page(admin_client, f"{CHANNELS}{channel.pk}/")
    admin_client.post(f"/settings/notice-rules/{rule.pk}/", {**values, "severities": ["critical"]})
    rule.refresh_from_db()
    assert rule.severities == ["critical"]
    bad = admin_client.post(address, {"kinds": ["nothing"], "min_seconds": "-1"}).content.decode()
    assert 'id="id_min_seconds_error"' in bad and 'id="id_kinds_error"' in bad
    admin_client.post(f"/settings/notice-rules/{rule.pk}/remove/")
    assert Rule.objects.count() == 1
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"notice_rule.created", "notice_rule.changed", "notice_rule.removed"} <= actions


def test_channels_and_rules_over_rest(admin_api: APIClient) -> None:
    made = admin_api.post(API, {**WEBHOOK, "type": "webhook"}, format="json")
    assert made.status_code == 201
    plain, pk = made.json()["secret"], made.json()["id"]
    assert Channel.objects.get().secret == plain
    for path in ("", f"{pk}/", f"{pk}/deliveries/"):
        answer = admin_api.get(API + path)
        assert answer.status_code == 200 and plain not in answer.content.decode()
    quiet = {"quiet_from": "22:00", "quiet_until": "07:00", "time_zone": "Asia/Shanghai"}
    changed = admin_api.patch(f"{API}{pk}/", quiet, format="json").json()
    assert changed["quiet_from"] == "22:00:00" and changed["enabled"] is True
    assert (
        admin_api.patch(f"{API}{pk}/", {"enabled": False}, format="json").json()["enabled"] is False
    )
    assert admin_api.post(f"{API}{pk}/test/").status_code == 409
    admin_api.patch(f"{API}{pk}/", {"enabled": True}, format="json")
    assert admin_api.post(f"{API}{pk}/test/").json()["state"] == "pending"
    assert admin_api.get(f"{API}{pk}/deliveries/").json()["results"][0]["message"] == "test"
    assert admin_api.post(f"{API}{pk}/secret/").json()["secret"] != plain
    rules = "/api/v1/notice-rules/"
    body = {"channel": pk, "kinds": ["task.succeeded"], "severities": []}
    rule = admin_api.post(rules, body, format="json").json()
    assert rule["kinds"] == ["task.succeeded"] and rule["min_seconds"] == 0
    one = admin_api.patch(f"{rules}{rule['id']}/", {"clusters": "a-*"}, format="json").json()
    assert (one["clusters"], one["kinds"]) == ("a-*", ["task.succeeded"])
    assert admin_api.post(rules, {"channel": 999}, format="json").status_code == 400
    assert admin_api.delete(f"{rules}{rule['id']}/").status_code == 204
    assert admin_api.delete(f"{API}{pk}/").status_code == 204
    assert not Channel.objects.exists()


@pytest.mark.parametrize("body", [[], "x", {"name": {"a": 1}}, {"break_through": [1]}])
def test_bodies_of_another_shape_are_refused(admin_api: APIClient, body: object) -> None:
    channel = make_channel()
    answer = admin_api.patch(f"{API}{channel.pk}/", body, format="json")
    assert answer.status_code == 400


def test_only_admins_see_where_notices_go(
    operator_client: Client, auditor_client: Client, operator_api: APIClient
) -> None:
    channel = make_channel()
    for client in (operator_client, auditor_client):
        assert client.get(CHANNELS).status_code == 403
        assert client.get(f"{CHANNELS}{channel.pk}/").status_code == 403
        assert client.post(f"{CHANNELS}{channel.pk}/test/").status_code == 403
    assert operator_api.get(API).status_code == 403
    assert not Delivery.objects.exists()
