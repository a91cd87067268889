"""Audit events: who, what, from where, and never a secret."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.test import RequestFactory

from console.accounts.models import User
from console.audit.models import AuditEvent
from console.audit.record import record, snapshot
from console.secrets.redact import MASK
from tests.factories import HostFactory

pytestmark = pytest.mark.django_db
CANARY = "canary-secret-4711"


def test_it_takes_who_and_where_from_the_request(admin: User) -> None:
    request = RequestFactory().post("/", REMOTE_ADDR="2001:db8::1")
    request.user, request.request_id = admin, "5f0c"
    event = record("user.changed", admin, request=request, before={"a": 1}, after={"a": 2})
    event.refresh_from_db()
    assert (event.actor, event.actor_name) == (admin, "ada")
    assert (event.object_type, event.object_id) == ("accounts.user", str(admin.pk))
    assert (event.address, event.request_id) == ("2001:db8::1", "5f0c")
    assert (event.before, event.after, event.outcome) == ({"a": 1}, {"a": 2}, "success")


def test_it_stays_when_the_user_is_removed(operator: User) -> None:
    event = record("user.changed", operator, actor=operator)
    operator.delete()
    event.refresh_from_db()
    assert (event.actor, event.actor_name) == (None, "otto")


def test_it_belongs_to_the_callers_transaction(admin: User) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        record("user.changed", admin)
        raise RuntimeError
    assert not AuditEvent.objects.exists()


def test_an_action_must_be_in_the_catalogue(db: None) -> None:
    with pytest.raises(ValueError, match="catalogue"):
        record("user.teleported")


@pytest.mark.parametrize(
    "fields",
    [
        {"password": CANARY},
        {"sudo_password": CANARY},
        {"client_secret": CANARY},
        {"api_token": CANARY},
        {"Private-Key": CANARY},
        {"passphrase": CANARY},
        {"nested": {"deep": [{"token": CANARY}]}},
        {"secrets": [CANARY, {"x": CANARY}]},
        {"tokens": {"first": CANARY}},
        {"note": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----"},
        {"note": f"cut off -----BEGIN RSA PRIVATE KEY-----\n{CANARY}"},
        {"note": "flo_" + CANARY.replace("-", "_") + "A" * 20},
    ],
)
def test_secrets_are_dropped(fields: dict[str, object]) -> None:
    reason = str(fields.get("note", ""))
    event = record("host.changed", before=fields, after=fields, reason=reason)
    event.refresh_from_db()
    kept = f"{event.before} {event.after} {event.reason}"
    assert "canary" not in kept
    assert MASK in kept


def test_what_is_no_secret_stays() -> None:
    fields = {"must_change_password": True, "password": "", "token": None, "name": "alpha"}
    assert record("user.changed", after=fields).after == fields


def test_a_snapshot_shows_that_a_secret_is_set_and_not_which() -> None:
    host = HostFactory(sudo_password=CANARY, first_password="")
    for row in (host, type(host).objects.get(pk=host.pk)):
        fields = snapshot(row)
        assert fields["sudo_password"] == MASK
        assert fields["first_password"] == ""
        assert fields["name"] == host.name
        assert CANARY not in str(record("host.added", row, after=row).after)


def test_long_names_are_cut_and_odd_values_kept_as_text() -> None:
    event = record("host.changed", object_name="x" * 1000, after={"path": object, "n": {1, 2}})
    assert len(event.object_name) == 255
    assert sorted(event.after["n"]) == [1, 2]


def test_a_nul_in_what_is_recorded_fails_no_event(admin: User) -> None:
    event = record(
        "user.changed",
        admin,
        after={"na\x00me": ["a\x00b", {"x": "\x00"}]},
        reason="it said \x00",
        object_name="a\x00",
    )
    event.refresh_from_db()
    told = f"{event.after} {event.reason} {event.object_name}"
    assert "\x00" not in told and "\\x00" not in told
    assert event.after["na\ufffdme"][0] == "a\ufffdb"
