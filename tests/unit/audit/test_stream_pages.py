"""Streams as admins set them up and auditors see them: pages and REST, and what is recorded."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from clusters.inventory.watcher import Watcher
from console.audit import sealing
from console.audit.models import AuditEvent, Stream
from console.audit.streams import actions, batches, lag, sending
from console.notices.models import Notice
from tests.unit.audit.test_streams import events, lines, turn
from tests.unit.clusters.authority import Authority

pytestmark = pytest.mark.django_db
PAGE, API = "/audit/streams/", "/api/v1/audit-streams/"
END = "-----END CERTIFICATE-----"
WEBHOOK = {
    "name": "siem",
    "address": "https://siem.example/in/path-is-a-secret?k=v",
    "start": "first",
}


@pytest.fixture(autouse=True)
def folder(settings, tmp_path) -> None:
    settings.AUDIT_STREAM_DIR = tmp_path / "streams"


def page(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def actions_recorded() -> list[str]:
    rows = AuditEvent.objects.filter(action__startswith="audit_stream.").order_by("pk")
    return list(rows.values_list("action", flat=True))


def made(kind: str = "file", address: str = "all.jsonl", **more: object) -> Stream:
    return Stream.objects.create(name=kind, kind=kind, address=address, **more)


def test_a_webhooks_secret_is_shown_once_and_nowhere_else(
    admin_client: Client, admin_api: APIClient, auditor_client: Client
) -> None:
    answer = admin_client.post(f"{PAGE}add/webhook/", WEBHOOK)
    (plain,) = re.findall(r"whsec_[\w-]{40,}", answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    row = Stream.objects.get()
    assert row.secret == plain
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM audit_stream")
        assert plain not in cursor.fetchone()[0]
    seen = [page(admin_client), page(admin_client, f"{PAGE}{row.pk}/edit/"), page(auditor_client)]
    seen += [
        admin_api.get(API).content.decode(),
        json.dumps(list(AuditEvent.objects.values("after"))),
    ]
    assert all(plain not in text for text in seen)
    # The path of a webhook often is a password: only who may change it sees it, in the form.
    assert ["path-is-a-secret" in text for text in seen] == [False, True, False, False, False]
    again = admin_client.post(f"{PAGE}{row.pk}/secret/").content.decode()
    (other,) = re.findall(r"whsec_[\w-]{40,}", again)
    row.refresh_from_db()
    assert other != plain and row.secret == other
    assert actions_recorded() == ["audit_stream.created", "audit_stream.secret_renewed"]


def test_every_change_is_an_event(admin_client: Client) -> None:
    answer = admin_client.post(
        f"{PAGE}add/file/", {"name": "disk", "address": "all.jsonl", "start": "first"}, follow=True
    )
    assert "The stream was added" in answer.content.decode()
    row = Stream.objects.get()
    for word in ("test", "pause", "pause", "test", "resume"):
        admin_client.post(f"{PAGE}{row.pk}/{word}/")
    admin_client.post(f"{PAGE}{row.pk}/edit/", {"name": "other", "address": "b.jsonl"})
    assert admin_client.post(f"{PAGE}{row.pk}/remove/", {"confirm_name": "x"}).status_code == 200
    admin_client.post(f"{PAGE}{row.pk}/remove/", {"confirm_name": "other"})
    assert not Stream.objects.exists()
    assert actions_recorded() == [
        f"audit_stream.{word}"
        for word in ("created", "tested", "paused", "resumed", "changed", "removed")
    ]
    changed = AuditEvent.objects.get(action="audit_stream.changed")
    assert (changed.before["address"], changed.after["address"]) == ("all.jsonl", "b.jsonl")


def test_a_test_is_an_event_that_arrives_in_its_turn(admin_client: Client, tmp_path) -> None:
    row = made()
    events(3)
    Stream.objects.update(next_try=timezone.now() + timedelta(minutes=4), failures=5)
    admin_client.post(f"{PAGE}{row.pk}/test/")
    sealing.seal()
    claimed = sending.claim()  # at once: nobody who waits for a test waits for a pause
    assert claimed is not None
    sending.send(claimed)
    told = [
        line["event"]["action"] for line in lines(tmp_path / "streams/all.jsonl") if "event" in line
    ]
    assert told[-4:] == ["host.added"] * 3 + ["audit_stream.tested"]


@pytest.mark.parametrize(
    ("kind", "values", "complaint"),
    [
        ("webhook", {"address": "ftp://x.example"}, "Begin the address with https://"),
        ("webhook", {"address": "https://169.254.169.254/"}, "does not connect to"),
        ("webhook", {"address": "https://a:b@x.example/"}, "Leave the user and password out"),
        ("syslog", {"address": "syslog.example"}, "tls://host:port"),
        ("syslog", {"address": "udp://syslog.example:514"}, "tls://host:port"),
        ("syslog", {"address": "tls://syslog.example:99999"}, "tls://host:port"),
        ("syslog", {"address": "tls://syslog.example/x"}, "tls://host:port"),
        ("syslog", {"address": "tcp://127.0.0.1:601"}, "does not connect to"),
        ("file", {"address": "../all.jsonl"}, "without folders"),
        ("file", {"address": "taken.jsonl"}, "Another stream writes this file"),
        ("webhook", {"ca": "nonsense"}, "This is no certificate"),
        ("webhook", {"ca": f"-----BEGIN CERTIFICATE-----\nAA\n{END}"}, "This is no certificate"),
        ("webhook", {"ca": "-----BEGIN PRIVATE KEY-----\nAAAA"}, "This holds a private key"),
        ("webhook", {"name": "taken"}, "There is a stream named"),
        ("webhook", {"start": "never"}, "Select a valid choice"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_a_mend(
    admin_client: Client, admin_api: APIClient, kind: str, values: dict, complaint: str
) -> None:
    Stream.objects.create(name="taken", kind="file", address="taken.jsonl")
    given = WEBHOOK | values
    text = admin_client.post(f"{PAGE}add/{kind}/", given).content.decode()
    assert complaint in text
    answer = admin_api.post(API, {"kind": kind, **given}, format="json")
    assert answer.status_code == 400 and complaint in json.dumps(answer.json())
    assert Stream.objects.count() == 1 and actions_recorded() == []


def test_certificates_are_kept_and_their_fingerprints_recorded(admin_client: Client) -> None:
    ca = Authority("one").crt + Authority("two").crt
    values = {"name": "s", "address": "tls://192.0.2.7", "start": "now", "ca": f"notes\n{ca}"}
    admin_client.post(f"{PAGE}add/syslog/", values)
    row = Stream.objects.get()
    assert row.ca == ca and row.address == "tls://192.0.2.7"
    told = AuditEvent.objects.get(action="audit_stream.created").after["ca"]
    assert len(told) == 2 and all(re.fullmatch("[0-9a-f]{64}", one) for one in told)


def test_there_is_a_most(admin_api: APIClient, monkeypatch) -> None:
    monkeypatch.setattr(actions, "MOST_STREAMS", 1)
    made()
    answer = admin_api.post(API, {"kind": "webhook", **WEBHOOK}, format="json")
    assert answer.status_code == 409 and "remove one first" in answer.json()["detail"]


def test_from_now_on_begins_with_the_last_checkpoint(admin_client: Client, tmp_path) -> None:
    events(5)
    values = {"name": "disk", "address": "all.jsonl", "start": "now"}
    admin_client.post(f"{PAGE}add/file/", values)
    sealing.seal()
    turn()
    first, second = lines(tmp_path / "streams/all.jsonl")
    assert first["size"] == 6 and first["checkpoint"]  # the sign-in and five
    assert (second["position"], second["event"]["action"]) == (6, "audit_stream.created")


def test_events_are_sent_again_from_an_earlier_place_and_none_left_out(
    admin_client: Client, admin_api: APIClient, tmp_path
) -> None:
    row = made()
    events(5)  # and the sign-in
    turn()
    values = {"name": "file", "address": "all.jsonl", "position": "7"}
    text = admin_client.post(f"{PAGE}{row.pk}/edit/", values).content.decode()
    assert "events would be left out" in text
    # One that sends just now must not move it on again.
    claimed = sending.Claimed(row, "mine", 0)
    Stream.objects.update(claim="mine", claimed_until=timezone.now() + timedelta(seconds=50))
    batch = batches.next_batch(6, 6)
    assert admin_api.patch(f"{API}{row.pk}/", {"position": 4}, format="json").status_code == 200
    assert not sending._moved(claimed, batch)
    assert sending.claim() is None  # and nobody begins beside it
    turn()
    got = [line["position"] for line in lines(tmp_path / "streams/all.jsonl") if "event" in line]
    assert got == [0, 1, 2, 3, 4, 5, 4, 5]
    # Another setting changes nothing of how far it is.
    admin_api.patch(f"{API}{row.pk}/", {"name": "disk"}, format="json")
    row.refresh_from_db()
    assert (row.name, row.position) == ("disk", 6)


def test_rest_does_what_the_pages_do(
    admin_api: APIClient, auditor_api: APIClient, operator_api: APIClient
) -> None:
    answer = admin_api.post(API, {"kind": "webhook", **WEBHOOK}, format="json")
    body = answer.json()
    assert answer.status_code == 201 and body["secret"].startswith("whsec_")
    one = f"{API}{body['id']}/"
    events(3)
    told = auditor_api.get(one).json()
    assert told["address"] == "https://siem.example/…" and "secret" not in told
    assert told["lag"]["events"] == 4 and told["lag"]["seconds"] >= 0
    assert admin_api.post(f"{one}pause/").json()["paused"] is True
    assert admin_api.post(f"{one}test/").status_code == 409
    assert admin_api.post(f"{one}resume/").json()["paused"] is False
    assert admin_api.post(f"{one}test/").status_code == 202
    assert admin_api.post(f"{one}secret/").json()["secret"] != body["secret"]
    for method, address in (
        ("post", API),
        ("post", f"{one}pause/"),
        ("delete", one),
        ("patch", one),
    ):
        assert getattr(auditor_api, method)(address, {}, format="json").status_code == 403
        assert getattr(operator_api, method)(address, {}, format="json").status_code == 404
    assert admin_api.post(API, [1], format="json").status_code == 400
    assert admin_api.post(API, {"kind": "file", "name": {}}, format="json").status_code == 400
    assert admin_api.delete(one).status_code == 204
    file = made(address="x.jsonl")
    assert admin_api.post(f"{API}{file.pk}/secret/").status_code == 409


def test_auditors_see_how_far_each_is_and_change_nothing(auditor_client: Client) -> None:
    made("webhook", "http://x.example/<script>", last_error="<b>No connection</b>", failures=3)
    events(2)
    text = page(auditor_client)
    assert "3 events" in text and "tried 3 times" in text and "not encrypted" in text
    assert "<b>No" not in text and "&lt;b&gt;No connection" in text
    assert f"{PAGE}add/" not in text and "/pause/" not in text


def test_who_is_late_is_told_once_and_over_when_it_is_not(tmp_path, admin_client: Client) -> None:
    row = made(paused=True)
    events(1)
    lag.look()
    assert not Notice.objects.exists()
    old = timezone.now() - timedelta(minutes=11)
    AuditEvent.objects.update(time=old)
    lag.look()
    lag.look()
    notice = Notice.objects.get()
    assert (notice.kind, notice.severity, notice.values["name"]) == (lag.KIND, "warning", "file")
    assert "has been behind for more than ten minutes: paused" in page(admin_client, "/notices/")
    actions.set_paused(row, False, None)
    AuditEvent.objects.update(time=old)
    sealing.seal()
    turn()
    lag.look()
    notice.refresh_from_db()
    assert notice.resolved is not None
    # One that is removed is no longer late, and nobody is told that it is well.
    Stream.objects.update(position=0)
    lag.look()
    row.delete()
    lag.look()
    assert not Notice.objects.filter(resolved=None).exists()


def test_what_a_receiver_confirmed_is_a_witness_on_the_page_of_the_proof(
    auditor_client: Client,
) -> None:
    made()
    events(2)  # and the sign-in
    assert "Checkpoints go nowhere else" in page(auditor_client, "/audit/proof/")
    turn()
    assert "file all.jsonl: 3 events" in page(auditor_client, "/audit/proof/")


def test_the_watcher_sends(monkeypatch, transactional_db, tmp_path) -> None:
    """The command itself, until it has sent and is asked to stop."""
    asked: dict[int, Callable[..., None]] = {}

    def run(_watcher: Watcher) -> None:
        ends = time.monotonic() + 20
        while Stream.objects.get().position < 3 and time.monotonic() < ends:
            time.sleep(0.05)
        asked[signal.SIGTERM](signal.SIGTERM, None)

    monkeypatch.setattr(Watcher, "run", run)
    monkeypatch.setattr(signal, "signal", asked.__setitem__)
    monkeypatch.setattr("clusters.management.commands.watcher.be_frugal", lambda: None)
    made()
    events(3)
    call_command("watcher")
    assert len(lines(tmp_path / "streams/all.jsonl")) == 4
    assert not [one for one in threading.enumerate() if one.name.startswith("audit-stream")]
