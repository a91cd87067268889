"""A key ring that cannot be used, and a clock that goes back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from console.accounts.models import User
from console.audit import sealing
from console.audit.models import AuditEvent, Checkpoint, Leaf
from console.audit.record import record
from console.audit.verifying import verify
from console.secrets.keyring import key_ring
from console.ui.unwritable import unwritable
from tests.unit.audit.tampering import guard

pytestmark = pytest.mark.django_db
CREATE = "/settings/groups/create/"


@pytest.fixture
def ring(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FLOTILLA_KEY_RING", raising=False)
    settings.KEY_RING_FILE = tmp_path / "ring"
    key_ring()
    return tmp_path / "ring"


def test_without_a_key_ring_nothing_changes_and_looking_goes_on(
    ring: Path, admin_client: Client, admin_api: APIClient, client: Client
) -> None:
    for one in (admin_client, admin_api, client):
        one.raise_request_exception = False
    good = ring.read_text()
    ring.write_text("nonsense\n")
    refused = admin_client.post(CREATE, {"name": "team"})
    text = refused.content.decode()
    assert refused.status_code == 503 and "key ring cannot be used" in text
    assert "no Fernet key" in text and "Put the key ring back" in text
    assert not Group.objects.exists()
    answer = admin_api.post("/api/v1/hosts/", {"name": "h", "address": "10.0.0.1"}, format="json")
    assert answer.status_code == 503 and "Put the key ring back" in answer.json()["detail"]
    # Who is not signed in is not told where the ring is and what is wrong with it.
    outside = client.post("/sign-in/", {"username": "ada", "password": "x"})
    assert outside.status_code == 503 and "Fernet" not in outside.content.decode()
    assert admin_client.get("/hosts/").status_code == 200
    # Looking at the record is an event itself.
    assert admin_client.get("/audit/").status_code == 503
    ring.write_text(good)
    assert admin_client.get("/audit/").status_code == 200
    assert admin_client.post(CREATE, {"name": "team"}).status_code == 302


def test_a_full_disk_is_known_on_postgresql_too() -> None:
    try:
        try:
            raise psycopg.errors.DiskFull("could not extend file")
        except psycopg.Error as error:
            raise RuntimeError("wrapped") from error
    except RuntimeError as error:
        found = unwritable(error)
    assert found is not None and "full" in found.title
    assert unwritable(RuntimeError("x")) is None and unwritable(None) is None


def test_a_clock_that_goes_back_changes_no_order(
    admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = timezone.now()
    steps = (0, -3600, 60, -8 * 3600, 5, -86400, 30 * 3600)
    for hours in steps:
        now = start + timedelta(seconds=hours)
        monkeypatch.setattr(timezone, "now", lambda now=now: now)
        record("host.added", actor=admin)
        sealing.round_of_sealing()
        sealing.checkpoint(force=True)
    guard(connection)
    numbers = list(Leaf.objects.order_by("position").values_list("event_id", flat=True))
    assert numbers == list(AuditEvent.objects.order_by("pk").values_list("pk", flat=True))
    assert Checkpoint.objects.order_by("size").last().size == len(steps)
    assert verify().findings == []
