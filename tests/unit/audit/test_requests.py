"""Request ids and log lines."""

from __future__ import annotations

import json
import logging
import uuid

import pytest
from django.test import Client

from console.audit.logs import formatter
from console.audit.models import AuditEvent
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_every_answer_carries_an_id_of_its_own(client: Client) -> None:
    ids = {client.get("/sign-in/")["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3
    assert all(uuid.UUID(one).version == 4 for one in ids)


def test_an_id_from_outside_is_not_believed(client: Client) -> None:
    response = client.get("/sign-in/", headers={"X-Request-ID": "mine\r\nSet-Cookie: a=b"})
    assert uuid.UUID(response["X-Request-ID"])


def test_refusals_carry_it_too(client: Client) -> None:
    response = client.get("/api/v1/audit-events/")
    assert response.status_code == 401
    assert response.json()["instance"] == f"urn:uuid:{response['X-Request-ID']}"


def test_events_carry_it(client: Client, admin: object) -> None:
    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD})
    assert AuditEvent.objects.get(action="auth.sign_in").request_id == response["X-Request-ID"]


def line(record: logging.LogRecord) -> str:
    return formatter().format(record)


def make(message: str, *args: object, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("test", logging.INFO, "f.py", 1, message, args, None)
    record.__dict__.update(extra)
    return record


def test_a_log_line_is_json_and_one_line() -> None:
    text = line(make("two\nlines %s", "中文"))
    assert "\n" not in text
    assert json.loads(text)["event"] == "two\nlines 中文"


def test_a_log_line_carries_no_secret() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"
    text = line(make("key %s token %s", key, "flo_abcdefghijklmnopqrstuvwxyz"))
    assert "b3Blbn" not in text
    assert "abcdefgh" not in text


def test_a_traceback_carries_no_secret() -> None:
    import sys

    try:
        raise ValueError("flo_abcdefghijklmnopqrstuvwxyz")
    except ValueError:
        record = make("failed")
        record.exc_info = sys.exc_info()
    text = line(record)
    assert "ValueError" in text
    assert "abcdefgh" not in text
