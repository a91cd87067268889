"""Verifications that the watcher carries out: progress, cancel, what a killed watcher leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from console.accounts.models import User
from console.audit import review, sealing, verifications, verifying, witness
from console.audit.models import AuditEvent, Verification
from console.audit.record import record
from tests.unit.audit.tampering import guard, tamper

pytestmark = pytest.mark.django_db
SIZE = 30


@pytest.fixture
def log(admin: User, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of 30 events with a checkpoint; a request waits for 5."""
    numbers = [record("host.added", object_name=f"h{n}", actor=admin).pk for n in range(SIZE)]
    sealing.seal()
    sealing.checkpoint(force=True)
    monkeypatch.setattr(review, "PAGE_EVENTS", 5)
    monkeypatch.setattr(verifying, "BATCH", 10)
    guard(connection)
    return numbers


def begun() -> Verification:
    found = verifications.claim()
    assert found is not None
    return found


def test_a_long_one_is_the_watchers_and_its_page_tells(
    log: list[int], auditor_client: Client, auditor: User
) -> None:
    answer = auditor_client.post("/audit/proof/", {"whole": "1"})
    row = Verification.objects.get()
    assert answer["Location"] == f"/audit/verifications/{row.pk}/"
    page = auditor_client.get(answer["Location"]).content.decode()
    assert 'hx-trigger="every 2s"' in page and "Cancel" in page
    verifications.carry_out(begun())
    page = auditor_client.get(answer["Location"]).content.decode()
    assert "Verified: nothing was altered." in page and "hx-trigger" not in page
    row.refresh_from_db()
    assert (row.state, row.percent, row.findings) == ("ended", 100, [])
    event = AuditEvent.objects.get(action="audit.verified")
    assert (event.actor, event.outcome) == (auditor, "success")
    asked = AuditEvent.objects.get(action="audit.verification_asked")
    assert event.request_id == asked.request_id != ""
    assert "nothing was altered" in auditor_client.get("/audit/proof/").content.decode()


def test_what_was_altered_is_on_the_page_and_in_the_api(
    log: list[int], auditor_client: Client, auditor_api: APIClient
) -> None:
    tamper(f"UPDATE audit_auditevent SET actor_name = 'eve' WHERE id = {log[17]}")
    answer = auditor_api.post("/api/v1/audit-events/verify/?whole=true")
    assert answer.status_code == 202
    path = answer["Location"].removeprefix("http://testserver")
    assert auditor_api.get(path).json()["state"] == "waiting"
    verifications.carry_out(begun())
    told = auditor_api.get(path).json()
    text = f"Position 17: event {log[17]} was altered."
    assert told["findings"] == [{"kind": "altered", "position": 17, "text": text}]
    assert (told["state"], told["ok"]) == ("ended", False)
    assert text in auditor_client.get(f"/audit/verifications/{told['id']}/").content.decode()
    assert AuditEvent.objects.get(action="audit.verified").after["findings"] == [text]


def test_another_one_who_asks_gets_the_one_that_runs(log, auditor: User, admin: User) -> None:
    first = verifications.ask(whole=True, by=auditor)
    begun()
    assert verifications.ask(whole=True, by=admin) == first
    assert AuditEvent.objects.filter(action="audit.verification_asked").count() == 1


def test_cancel_while_it_runs_and_while_it_waits(
    log: list[int], auditor: User, auditor_client: Client, auditor_api: APIClient
) -> None:
    row = verifications.ask(whole=True, by=auditor)
    run = verifications._Run(begun())
    auditor_client.post(f"/audit/verifications/{row.pk}/cancel/")
    run.beat()
    with pytest.raises(verifications._Stopped):
        run.verify()
    run.end("canceled")
    row.refresh_from_db()
    assert (row.state, row.active) == ("canceled", False)
    waiting = verifications.ask(whole=True, by=auditor)
    path = f"/api/v1/audit-verifications/{waiting.pk}/cancel/"
    assert auditor_api.post(path).json()["state"] == "canceled"
    assert auditor_api.post(path).status_code == 409
    assert verifications.claim() is None
    assert not AuditEvent.objects.filter(action="audit.verified").exists()
    assert AuditEvent.objects.filter(action="audit.verification_canceled").count() == 2


def test_progress_is_kept_while_it_runs(log, auditor: User, monkeypatch) -> None:
    row = verifications.ask(whole=True, by=auditor)
    run, seen = verifications._Run(begun()), []
    told = run._progress

    def progress(position: int) -> None:
        told(position)
        run.beat()
        seen.append(Verification.objects.values_list("position", flat=True).get(pk=row.pk))

    monkeypatch.setattr(run, "_progress", progress)
    run.verify()
    assert seen == [10, 20, 30]


def test_a_killed_watcher_is_followed_by_another(log, auditor: User) -> None:
    row = verifications.ask(whole=True, by=auditor)
    dead = begun()
    assert verifications.claim() is None, "it may live"
    later = timezone.now() - timedelta(seconds=1)
    Verification.objects.filter(pk=row.pk).update(claimed_until=later)
    verifications.carry_out(begun())
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("ended", 2)
    # The first was only slow: what it finds now is nobody's.
    verifications._Run(dead).verify()
    assert AuditEvent.objects.filter(action="audit.verified").count() == 1


def test_one_that_kills_its_watcher_each_time_ends(log, auditor: User) -> None:
    row = verifications.ask(whole=True, by=auditor)
    for _attempt in range(3):
        begun()
        Verification.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert verifications.claim() is None
    row.refresh_from_db()
    assert (row.state, row.problem) == ("failed", "The watcher was interrupted each time.")


def test_a_witness_that_cannot_be_read_is_said(
    log, auditor: User, settings: Any, tmp_path: Any
) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path)  # a folder
    row = verifications.ask(whole=True, by=auditor)
    verifications.carry_out(begun())
    row.refresh_from_db()
    assert row.state == "failed" and "cannot be read" in row.problem


def test_operators_and_others_see_none(log, auditor: User, operator_client: Client) -> None:
    row = verifications.ask(whole=True, by=auditor)
    assert operator_client.get(f"/audit/verifications/{row.pk}/").status_code == 404
    assert operator_client.post(f"/audit/verifications/{row.pk}/cancel/").status_code == 404


def test_the_page_says_what_no_witness_has(
    log, admin: User, auditor_client: Client, settings: Any, tmp_path: Any
) -> None:
    assert "At no witness yet" not in auditor_client.get("/audit/proof/").content.decode()
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "witness")
    sealing.seal()
    sealing.checkpoint(force=True)
    witness.send_new()
    for number in range(3):
        record("host.added", object_name=f"late{number}", actor=admin)
    sealing.seal()
    sealing.checkpoint(force=True)
    told = auditor_client.get("/audit/proof/")
    assert (told.context["unproved"], told.context["unwitnessed"]) == (0, 3)
    assert "3 events of the last" in told.content.decode()
