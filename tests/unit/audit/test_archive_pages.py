"""Archives as people see them: list, open, filter, download, verify; command and REST."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from console.accounts.models import User
from console.audit import archiving, sealing, verifier
from console.audit.archive_file import path_of
from console.audit.archive_reading import fits
from console.audit.canonical import plain
from console.audit.filters import AuditEventFilter
from console.audit.models import Archive, AuditEvent
from console.audit.record import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(admin: User, settings, tmp_path: Path) -> Archive:
    """An archive of 120 events."""
    settings.AUDIT_ARCHIVE_DIR = tmp_path / "archives"
    for number in range(120):
        record(
            "host.changed" if number % 40 == 0 else "host.added",
            object_name=f"h{number} <b>é😀",
            actor=admin,
            before={"port": 22},
            after={"port": 2200 + number},
        )
    sealing.seal()
    sealing.checkpoint(force=True)
    return archiving.archive(keep_events=0)[0]


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_shows_what_there_is_and_leads_to_it(row: Archive, auditor_client: Client) -> None:
    told = text(auditor_client, "/audit/archives/")
    for part in (row.file, row.sha256, "120 events", "positions 0 to 119", "File is there"):
        assert part in told
    assert "/audit/archives/0/" in told and "neither FLOTILLA_AUDIT_KEEP_DAYS" in told
    assert "Older events are in archives" in text(auditor_client, "/audit/")


def test_without_archives_nothing_speaks_of_them(auditor_client: Client) -> None:
    assert "Older events are in archives" not in text(auditor_client, "/audit/")
    assert "No archives yet" in text(auditor_client, "/audit/archives/")


def test_events_are_read_from_the_file_page_by_page(row: Archive, auditor_client: Client) -> None:
    first = auditor_client.get("/audit/archives/0/")
    assert [place for place, _event in first.context["rows"]] == list(range(50))
    told = first.content.decode()
    assert "h0 &lt;b&gt;é😀" in told and "From the archive" in told and "2200" in told
    second = auditor_client.get(f"/audit/archives/0/{first.context['page']['next']}")
    assert [place for place, _event in second.context["rows"]] == list(range(50, 100))
    third = auditor_client.get(f"/audit/archives/0/{second.context['page']['next']}")
    assert [place for place, _event in third.context["rows"]] == list(range(100, 120))
    assert third.context["page"]["next"] == ""
    back = auditor_client.get(f"/audit/archives/0/{third.context['page']['previous']}")
    assert [place for place, _event in back.context["rows"]] == list(range(50, 100))
    seen = AuditEvent.objects.filter(action="audit.archive_opened")
    assert [event.after for event in seen.order_by("pk")] == [
        {},
        {"at": 50},
        {"at": 100},
        {"at": 50},
    ]
    assert {event.object_name for event in seen} == {row.file}


def test_the_filter_works_on_the_file(row: Archive, auditor_client: Client) -> None:
    found = auditor_client.get("/audit/archives/0/?action=host.changed&who=ADA")
    assert [place for place, _event in found.context["rows"]] == [0, 40, 80]
    assert AuditEvent.objects.filter(action="audit.archive_opened").get().after == {
        "action": "host.changed",
        "who": "ADA",
    }
    assert "No event matches" in text(auditor_client, "/audit/archives/0/?who=nobody")
    for odd in ("?at=x", "?at=" + "9" * 40, "?since=x", "?action=x", "?at=²"):
        text(auditor_client, f"/audit/archives/0/{odd}")
    assert auditor_client.get("/audit/archives/77/").status_code == 404
    assert auditor_client.get(f"/audit/archives/{'9' * 30}/").status_code == 404


def test_an_archive_is_filtered_as_the_list_is(admin: User) -> None:
    record("host.added", admin, actor=admin, request=None)
    record("host.added", object_name="Web-1", actor=admin, outcome="failure")
    record("user.changed", admin)
    now = timezone.now()
    for chosen in (
        {"who": "ADA"},
        {"action": "host.added"},
        {"object": "WEB"},
        {"object": "accounts.User"},
        {"object": f"accounts.user/{admin.pk}"},
        {"object": f"accounts.user/{admin.pk}9"},
        {"outcome": "failure"},
        {"request": "none"},
        {"cluster": "c"},
        {"since": now - timedelta(hours=1)},
        {"since": now + timedelta(hours=1)},
        {"until": now - timedelta(hours=1)},
    ):
        asked = {
            name: value if isinstance(value, str) else value.isoformat()
            for name, value in chosen.items()
        }
        wanted = AuditEventFilter(asked, queryset=AuditEvent.objects.all()).qs
        here = [event for event in AuditEvent.objects.all() if fits(plain(event), chosen)]
        assert list(wanted) == here, chosen


def test_a_download_is_the_file_and_recorded(row: Archive, auditor_client: Client) -> None:
    answer = auditor_client.get("/audit/archives/0/download/")
    assert b"".join(answer) == path_of(row).read_bytes()
    assert row.file in answer["Content-Disposition"]
    assert AuditEvent.objects.get(action="audit.archive_downloaded").object_name == row.file


def test_an_altered_or_lost_file_is_neither_shown_nor_given(
    row: Archive, auditor_client: Client
) -> None:
    path = path_of(row)
    good = path.read_bytes()
    path.write_bytes(gzip.compress(gzip.decompress(good).replace(b"h5 ", b"h6 ")))
    told = text(auditor_client, "/audit/archives/0/")
    assert "was altered" in told and "h6 " not in told
    assert auditor_client.get("/audit/archives/0/download/").status_code == 302
    auditor_client.post("/audit/archives/0/verify/")
    assert "Not what was sealed" in text(auditor_client, "/audit/archives/")
    path.unlink()
    assert "is not in" in text(auditor_client, "/audit/archives/0/")
    assert "File is missing" in text(auditor_client, "/audit/archives/")
    path.write_bytes(good)
    answer = auditor_client.post("/audit/archives/0/verify/", follow=True).content.decode()
    assert "is what was sealed: 120 events" in answer and "File is there" in answer
    events = AuditEvent.objects.filter(action="audit.archive_verified").order_by("pk")
    assert [event.outcome for event in events] == ["failure", "success"]


def test_a_row_that_nobody_signed_opens_no_file(
    auditor_client: Client, settings, tmp_path: Path
) -> None:
    settings.AUDIT_ARCHIVE_DIR = tmp_path
    (tmp_path / "secret").write_text("hush")
    now = timezone.now()
    Archive.objects.create(
        start=0, end=9, first_time=now, last_time=now, time=now, bytes=4, file="../secret",
        sha256="5a1cdfd9dc3e5bf6a9fd0b6a6d7a1a4c1d2ef0f7a9a4c39bbf5d8ce41a6ffb61",
    )  # fmt: skip
    assert "is not signed by a key of this console" in text(auditor_client, "/audit/archives/0/")
    assert auditor_client.get("/audit/archives/0/download/").status_code == 302
    auditor_client.post("/audit/archives/0/verify/")
    assert AuditEvent.objects.get(action="audit.archive_verified").outcome == "failure"


def test_others_see_no_archives(row: Archive, operator_client: Client) -> None:
    for address in ("archives/", "archives/0/", "archives/0/download/"):
        assert operator_client.get(f"/audit/{address}").status_code == 404
    assert operator_client.post("/audit/archives/0/verify/").status_code in (403, 404)


def test_a_failed_attempt_is_said_on_the_page(
    auditor_client: Client, admin: User, settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    settings.AUDIT_ARCHIVE_DIR, settings.AUDIT_KEEP_EVENTS = tmp_path / "file" / "x", 1
    for _number in range(3):
        record("host.added", actor=admin)
    sealing.seal()
    sealing.checkpoint(force=True)
    record("host.added", actor=admin)
    sealing.seal()
    archiving.round_of_archiving()
    told = text(auditor_client, "/audit/archives/")
    assert "The last attempt to archive failed" in told and "set FLOTILLA_AUDIT_ARCHIVE_DIR" in told
    assert "before the last 1, leave" in told or "before the last 1 leave" in told


def test_archives_over_rest(row: Archive, auditor_api: APIClient) -> None:
    told = auditor_api.get("/api/v1/audit-archives/").json()["results"]
    assert [(one["start"], one["end"], one["is_there"]) for one in told] == [(0, 120, True)]
    assert auditor_api.get("/api/v1/audit-archives/0/").json()["sha256"] == row.sha256
    assert auditor_api.delete("/api/v1/audit-archives/0/").status_code == 405


# The command ------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("audit", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_archives_lists_and_opens(admin: User, settings, tmp_path: Path) -> None:
    settings.AUDIT_ARCHIVE_DIR = tmp_path / "archives"
    for number in range(20):
        record("host.added", object_name=f"h{number}", actor=admin, reason="why")
    sealing.seal()
    sealing.checkpoint(force=True)
    with pytest.raises(CommandError, match="--older-than"):
        run("archive")
    assert "Nothing is old enough" in run("archive", "--older-than", "1")
    assert "positions 0 to 19" in run("archive", "--keep-events", "0")
    row = Archive.objects.get()
    assert str(path_of(row)) in run("archives") and "MISSING" not in run("archives")
    moved = tmp_path / "away" / row.file
    moved.parent.mkdir()
    path_of(row).rename(moved)
    assert "IS MISSING" in run("archives")
    lines = run("open", str(moved), "--object", "h1").splitlines()
    assert [line.split()[0] for line in lines] == ["1", *map(str, range(10, 20))]
    assert "ada host.added h1 success (why)" in lines[0]
    told = json.loads(run("open", str(moved), "--object", "h19", "--json"))
    assert told["position"] == 19 and told["event"]["actor_name"] == "ada"
    event = AuditEvent.objects.filter(action="audit.archive_opened").first()
    assert event is not None and event.after == {"file": str(moved), "object": "h19"}
    with pytest.raises(CommandError, match="--since"):
        run("open", str(moved), "--since", "x")


def test_the_command_opens_nothing_that_is_wrong(row: Archive, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl.gz"
    bad.write_bytes(
        gzip.compress(gzip.decompress(path_of(row).read_bytes()).replace(b"h5 ", b"h6 "))
    )
    with pytest.raises(CommandError, match="altered"):
        run("open", str(bad))
    bad.write_bytes(path_of(row).read_bytes()[:-300])
    with pytest.raises(CommandError, match="cannot be read"):
        run("open", str(bad))
    other = str(verifier.PublicKey("other", bytes(range(32))))
    with pytest.raises(CommandError, match="not by a key that is trusted"):
        run("open", str(path_of(row)), "--key", other)
    outcomes = AuditEvent.objects.filter(action="audit.archive_opened").values_list("outcome")
    assert set(outcomes) == {("failure",)}
