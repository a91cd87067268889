"""Names and values that nobody expects: the event is written, bounded, shown as text, provable."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.accounts.models import User
from console.audit import bounds
from console.audit.canonical import plain, stamp_fits
from console.audit.models import AuditEvent
from console.audit.record import record
from console.audit.verifier import canonical, content, leaf_hash

pytestmark = pytest.mark.django_db


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for number in range(levels):
        value = [value] if number % 2 else {"deeper": value}
    return value


HOSTILE: dict[str, Any] = {
    "markup": "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
    "a megabyte": "x" * 2**20,
    "emoji": "👩‍👩‍👧‍👦🏴‍☠️" * 50,
    "NUL": "a\x00b",
    "half a character": "\ud83d and \udc00",
    "right to left": "\u202egnp.exe\u2066\u2069",
    "control": "\x1b[31m\x07\x85\u2028\u2029",
    "ten thousand keys": {f"key-{n}": n for n in range(10_000)},
    "a key of a megabyte": {"k" * 2**20: 1},
    "a long list": list(range(100_000)),
    "deep": nested(5_000),
    "many long texts": ["y" * 3999] * 500,
    "numbers": [10**5000, -(2**64), 1e308, 5e-324, float("nan"), float("-inf"), -0.0, 1e16],
    "names": {1: "one", None: "none", ("a", 1): "pair", "\ud800": "half", "": "empty"},
    "bytes": b"\xff\x00\xfe",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_written_bounded_and_provable(name: str, admin: User) -> None:
    value = HOSTILE[name]
    written = record(
        "host.added", object_name=str(value)[:5000] if isinstance(value, str) else name,
        reason=value if isinstance(value, str) else "", before={"was": value}, after={"is": value},
        actor=admin,
    )  # fmt: skip
    before = leaf_hash(content(plain(written)))
    event = AuditEvent.objects.get(pk=written.pk)
    assert leaf_hash(content(plain(event))) == before and stamp_fits(event)
    # Another one's verifier reads the export's JSON.
    again = json.loads(json.dumps(plain(event), ensure_ascii=True))
    assert leaf_hash(content(again)) == before
    assert len(content(plain(event))) < 4 * 2 * bounds.TOTAL_LIMIT


def test_what_was_left_out_is_said_with_its_digest(admin: User) -> None:
    event = record("host.added", actor=admin, after={"text": "x" * 10_000, "n": list(range(600))})
    assert event.after["text"].startswith("x" * bounds.TEXT_LIMIT + "… 6000 characters left out")
    assert event.after["text"].endswith(f"sha256 {sha256(b'x' * 10_000).hexdigest()}")
    assert event.after["n"][-1] == "… 100 entries left out" and len(event.after["n"]) == 501


def test_pages_show_it_as_text(auditor_client: Client, admin: User) -> None:
    for value in HOSTILE.values():
        name = value if isinstance(value, str) else "x"
        record("host.added", object_name=name, reason=name, after={"is": value}, actor=admin)
    html = auditor_client.get("/audit/?action=host.added").content.decode()
    assert "<script>alert" not in html and "<img src=x" not in html and "\x00" not in html


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.dictionaries(st.text(), JSON, max_size=4), after=JSON, name=st.text(max_size=300))
def test_whatever_it_is_the_database_gives_back_what_was_hashed(
    admin: User, before: dict[str, Any], after: Any, name: str
) -> None:
    written = record("host.added", actor=admin, object_name=name, before=before, after={"v": after})
    hashed = canonical(plain(written))
    event = AuditEvent.objects.get(pk=written.pk)
    assert canonical(plain(event)) == hashed
    assert canonical(json.loads(json.dumps(plain(event)))) == hashed
