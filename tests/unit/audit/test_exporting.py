"""Exports, checked by the stand-alone verifier in a process without the console."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.test import Client
from rest_framework.test import APIClient

from console.accounts.models import User
from console.audit import sealing, verifier, witness
from console.audit.models import AuditEvent
from console.audit.record import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(auditor_client: Client, admin: User) -> Client:
    for number in range(20):
        name = f"h{number} <b>é😀"
        record("host.added", object_name=name, actor=admin, after={"n": 1e20, "f": 1.5})
    return auditor_client


def download(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/audit/export/{query}")
    assert answer.status_code == 200
    return b"".join(answer).decode().splitlines(keepends=True)


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The verifier alone, in a folder where no console is to be found."""
    command = [sys.executable, "-I", verifier.__file__, str(path), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=path.parent, check=False, timeout=60
    )


def key(client: Client) -> str:
    return str(client.get("/audit/proof/").context["key"])


@pytest.mark.parametrize("query", ["", "?action=host.added"])
def test_an_export_is_good_and_what_is_altered_in_it_is_found(
    page: Client, tmp_path: Path, query: str
) -> None:
    lines = download(page, query)
    file = tmp_path / "log.jsonl"
    file.write_text("".join(lines))
    good = run(file, "--key", key(page))
    assert (good.returncode, good.stderr) == (0, "")
    assert f"{len(lines) - 2} events are what the checkpoint covers" in good.stdout
    row = json.loads(lines[3])
    row["event"]["actor_name"] = "eve"
    for altered in (
        [*lines[:3], json.dumps(row) + "\n", *lines[4:]],  # edited
        [*lines[:3], *lines[4:]],  # removed
        [*lines[:3], lines[4], lines[3], *lines[5:]],  # reordered
        [*lines[:-2], lines[-1]],  # cut
    ):
        file.write_text("".join(altered))
        bad = run(file, "--key", key(page))
        assert bad.returncode == 1 and "WRONG" in bad.stdout
    file.write_text("".join(lines[:-1]))
    assert run(file).returncode == 2


def test_an_export_of_somebody_elses_key_is_not_believed(page: Client, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text("".join(download(page)))
    name = key(page).split("+", maxsplit=1)[0]
    other = str(verifier.PublicKey(name, bytes(range(32))))
    bad = run(file, "--key", other)
    assert bad.returncode == 1 and "not by a key that is trusted" in bad.stdout
    assert run(file, "--key", "nonsense").returncode == 2
    assert "only compared with itself" in run(file).stdout


def test_a_rebuilt_log_is_found_by_what_the_witness_kept(
    page: Client, tmp_path: Path, settings
) -> None:
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "points")
    sealing.seal()
    sealing.checkpoint(force=True)
    witness.send_new()
    file = tmp_path / "log.jsonl"
    file.write_text("".join(download(page)))
    points = tmp_path / "points"
    assert run(file, "--checkpoints", str(points)).returncode == 0
    note = verifier.witnessed(points.read_text())[0]
    other = verifier.checkpoint_text(note.origin, note.size, bytes(32))
    signature = note.signatures[0]
    tail = base64.b64encode(signature[0] + signature[1]).decode()
    points.write_text(f"{other}\n— {note.origin} {tail}\n")
    bad = run(file, "--checkpoints", str(points))
    assert bad.returncode == 1 and "has another root" in bad.stdout


def table(client: Client, query: str = "") -> bytes:
    answer = client.get(f"/audit/export/?format=csv{query}")
    assert answer.status_code == 200 and answer["Content-Type"] == "application/zip"
    return b"".join(answer)


def rewritten(data: bytes, **changed: bytes) -> bytes:
    """The .zip with other content of a file."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, changed.get(name.partition(".")[0], old.read(name)))
    return out.getvalue()


def test_a_table_opens_in_a_spreadsheet_and_no_cell_is_a_formula(page: Client, admin: User) -> None:
    nasty = ["=cmd|'/c calc'!A1", "+1", "-1", "@x", "\tx", "\rx", "＝1", 'two\r\nlines, "quoted"']
    for name in nasty:
        record("host.changed", object_name=name, reason=name, actor=admin, after={"=n": name})
    data = table(page, "&action=host.changed")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        raw = archive.read("events.csv").decode()
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    assert [row["object_name"] for row in rows] == [*(f"'{n}" for n in nasty[:-1]), nasty[-1]]
    assert not [
        cell for row in rows for cell in row.values() if cell[:1] in ("=", "+", "-", "@", "\t")
    ]
    assert json.loads(rows[0]["after"]) == {"=n": nasty[0]}
    assert raw.startswith("position,time,actor_name,") and raw.count("\r\n") >= len(rows) + 1
    marked = b"".join(page.get("/audit/export/?format=csv-bom"))
    with zipfile.ZipFile(io.BytesIO(marked)) as archive:
        assert archive.read("events.csv").startswith(b"\xef\xbb\xbfposition")


def test_an_altered_table_is_found_without_the_console(page: Client, tmp_path: Path) -> None:
    data = table(page, "&action=host.added")
    file = tmp_path / "table.zip"
    file.write_bytes(data)
    good = run(file, "--key", key(page))
    assert (good.returncode, good.stderr) == (0, "")
    assert "The table of 20 events is as the console wrote it" in good.stdout
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        events, manifest = archive.read("events.csv"), archive.read("manifest.json")
    fewer = json.loads(manifest)
    fewer["manifest"]["count"] = 19
    filtered = json.loads(manifest)
    filtered["header"]["filter"] = ""
    for altered in (
        rewritten(data, events=events.replace(b"ada", b"eve")),
        rewritten(data, manifest=json.dumps(fewer).encode()),
        rewritten(data, manifest=json.dumps(filtered).encode()),
    ):
        file.write_bytes(altered)
        bad = run(file, "--key", key(page))
        assert bad.returncode == 1 and "WRONG" in bad.stdout
    for damaged in (data[: len(data) // 2], rewritten(data, manifest=b"[]"), b"PK"):
        file.write_bytes(damaged)
        assert run(file).returncode == 2


def test_a_long_export_is_streamed_in_parts(page: Client, monkeypatch) -> None:
    from console.audit import exporting_csv, views_export

    monkeypatch.setattr(exporting_csv, "BATCH", 5)
    monkeypatch.setattr(views_export, "PART_LINES", 5)
    for number in range(20):  # what cannot be packed
        record(
            "host.changed",
            object_name=f"h{number}",
            reason=random.Random(number).randbytes(1500).hex(),
        )
    assert len(list(page.get("/audit/export/?format=csv"))) > 2
    assert len(list(page.get("/audit/export/"))) > 3
    assert AuditEvent.objects.filter(action="audit.exported").first().after == {}
    with zipfile.ZipFile(io.BytesIO(table(page))) as archive:
        rows = list(csv.reader(io.StringIO(archive.read("events.csv").decode(), newline="")))
    positions = [int(row[0]) for row in rows[1:]]
    assert positions == list(range(len(positions))) and len(positions) > 20
    assert page.get("/audit/export/?format=xlsx").status_code == 302


@pytest.mark.django_db(transaction=True)
async def test_a_server_of_asynchronous_requests_streams_it_too(
    auditor: User, async_client
) -> None:
    await async_client.aforce_login(auditor)
    for form in ("jsonl", "csv"):
        answer = await async_client.get(f"/audit/export/?format={form}")
        assert answer.status_code == 200 and answer.is_async
        assert b"".join([part async for part in answer])


def test_exporting_is_recorded_and_the_rest_are_turned_away(
    page: Client, operator_client: Client
) -> None:
    download(page, "?action=host.added")
    assert AuditEvent.objects.get(action="audit.exported").after == {"action": "host.added"}
    assert page.get("/audit/export/?action=nonsense").status_code == 302
    for address in ("/audit/export/", "/audit/proof/"):
        assert operator_client.get(address).status_code == 404


def test_one_event_is_proved_over_rest(page: Client, auditor_api: APIClient) -> None:
    event = AuditEvent.objects.filter(action="host.added").first()
    address = f"/api/v1/audit-events/{event.pk}/proof/"
    assert auditor_api.get(address).status_code == 409
    sealing.seal()
    sealing.checkpoint(force=True)
    answer = auditor_api.get(address)
    assert len(answer.content) < 4096
    told = answer.json()
    point = verifier.Checkpoint.of(told["checkpoint"])
    path = [base64.b64decode(one) for one in told["proof"]]
    leaf = verifier.leaf_hash(verifier.content(told["event"]))
    assert verifier.root_from_inclusion(told["position"], point.size, leaf, path) == point.root
    last = auditor_api.get("/api/v1/audit-events/checkpoint/").json()
    keys = [verifier.PublicKey.of(row["key"]) for row in last["keys"]]
    assert verifier.Checkpoint.of(last["checkpoint"]).signer(keys)


def test_verifying_on_the_page_and_over_rest(page: Client, auditor_api: APIClient) -> None:
    told = page.get("/audit/proof/").content.decode()
    assert "whoever owns the database could remove them unseen" in told
    assert "Checkpoints go nowhere else" in told
    sealing.seal()
    sealing.checkpoint(force=True)
    # The tests' database has no triggers, which is what it finds.
    answer = page.post("/audit/proof/", {"whole": "1"}, follow=True).content.decode()
    assert "The record was altered" in answer and "audit_leaf_no_delete" in answer
    told = auditor_api.post("/api/v1/audit-events/verify/?whole=true").json()
    assert (told["ok"], [one["kind"] for one in told["findings"]]) == (False, ["triggers"])
    assert AuditEvent.objects.filter(action="audit.verified", outcome="failure").count() == 2


def test_a_log_too_long_for_a_page_is_left_to_the_watcher(
    page: Client, auditor_api: APIClient, monkeypatch
) -> None:
    from console.audit import review

    sealing.seal()
    monkeypatch.setattr(review, "PAGE_EVENTS", 5)
    assert "the watcher does it" in page.get("/audit/proof/").content.decode()
    assert auditor_api.post("/api/v1/audit-events/verify/").status_code == 202
    assert page.post("/audit/proof/")["Location"].startswith("/audit/verifications/")
    assert not AuditEvent.objects.filter(action="audit.verified").exists()
