"""Looking into a cluster's own audit log: the script on real files, and what lines become."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning.cluster_audit_lines import MOST, NO_LOG, Entry, Query, entries, merged, script
from provisioning.steps.audit_policy import FOLDER

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
CLICK = "6f1c2a0e-0000-4000-8000-00000000000a"
CONSOLE = {"username": "flotilla:console", "groups": ["system:masters", "system:authenticated"]}


def line(at: datetime = NOW, **fields: object) -> str:
    """As an API server writes it: Go's order of fields, and its escapes."""
    person = fields.pop("person", "")
    entry = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
        "auditID": "0b5ad1b5-6a5f-4f6c-8f6b-3f1f4e1f8b1d", "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods/web", "verb": "delete",
        "user": CONSOLE,
        **({"impersonatedUser": {"username": person, "groups": ["x"]}} if person else {}),
        "sourceIPs": ["10.0.0.1"], "userAgent": "flotilla",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "stageTimestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    } | fields  # fmt: skip
    text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + "\n"


class Log:
    """A control plane's folder; look() is what the page does on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, *lines: str, name: str = "audit.log", ended: datetime = NOW) -> None:
        path = self.folder / name
        path.write_text("".join(lines))
        os.utime(path, (ended.timestamp(), ended.timestamp()))

    def answer(self, query: Query) -> subprocess.CompletedProcess[bytes]:
        text = script(query).replace(FOLDER, str(self.folder))
        return subprocess.run(["sh", "-c", text], capture_output=True, check=False)

    def look(self, **asked: object) -> list[Entry]:
        values = {"since": NOW - timedelta(minutes=15), "until": NOW + timedelta(minutes=15)}
        query = Query(**values | asked)  # type: ignore[arg-type]
        done = self.answer(query)
        assert done.returncode in (0, 1) and not done.stderr, done.stderr
        return merged([entries(query, "n1", done.stdout)])


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_everything_of_one_click_is_found_and_nothing_else(log: Log) -> None:
    log.write(
        line(auditID=f"{CLICK}.aaaaaaaa", person="flotilla:user:7"),
        line(auditID=f"{CLICK}.bbbbbbbb", verb="get", person="flotilla:user:7"),
        line(person="flotilla:user:7", requestURI=f'/api?x="auditID":"{CLICK}.cccccccc'),
    )
    found = log.look(request=CLICK)
    assert {entry.verb for entry in found} == {"delete", "get"}
    assert {entry.request for entry in found} == {CLICK}


def test_a_time_between_two_files_is_read_from_both_and_older_files_are_not(log: Log) -> None:
    rotated = NOW - timedelta(minutes=1)
    log.write(
        line(NOW - timedelta(hours=9), person="a"), line(rotated, person="b"),
        name="audit-2026-03-04T10-29-00.000.log", ended=rotated,
    )  # fmt: skip
    log.write(line(NOW, person="c"), line(NOW + timedelta(minutes=16), person="d"))
    log.write(line(NOW, person="old"), name="audit-0.log", ended=NOW - timedelta(days=2))
    log.write(line(NOW, person="other"), name="secrets.log")
    assert [entry.person for entry in log.look()] == ["c", "b"]


@pytest.mark.parametrize("days", [0.01, 0.5, 4, 20])
def test_any_length_of_time(log: Log, days: float) -> None:
    far = timedelta(days=days)
    log.write(
        line(NOW - far - timedelta(seconds=2), person="before"), line(NOW - far, person="first"),
        line(NOW, person="middle"), line(NOW + far, person="last"),
        line(NOW + far + timedelta(seconds=2), person="after"), ended=NOW + far,
    )  # fmt: skip
    found = log.look(since=NOW - far, until=NOW + far)
    assert [entry.person for entry in found] == ["last", "middle", "first"]


def test_the_clusters_chatter_and_the_consoles_own_are_left_out_unless_asked_for(log: Log) -> None:
    extra = {**CONSOLE, "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=1"]}}
    log.write(
        line(user={"username": "system:kube-controller-manager", "groups": []}),
        line(), line(user=extra),
        line(person="flotilla:user:7"), line(user=extra, person="flotilla:user:8"),
        line(user={"username": "kubernetes-admin", "groups": ["system:masters"]}),
    )  # fmt: skip
    assert sorted(e.who for e in log.look()) == [
        "flotilla:user:7", "flotilla:user:8", "kubernetes-admin",
    ]  # fmt: skip
    assert len(log.look(everybody=True)) == 6


def test_by_person_verb_and_resource(log: Log) -> None:
    roles = {"resource": "roles", "apiGroup": "rbac.authorization.k8s.io", "namespace": "shop"}
    log.write(
        line(person="flotilla:user:7"), line(person="flotilla:user:70"),
        line(person="flotilla:user:7", verb="create", objectRef=roles),
        line(user={"username": "a<b'c", "groups": []}),
    )  # fmt: skip
    assert len(log.look(users=("anna", "flotilla:user:7"))) == 2
    assert [e.verb for e in log.look(users=("flotilla:user:7",), verbs=("create",))] == ["create"]
    assert [e.what for e in log.look(resource="roles")] == ["roles shop"]
    assert [e.user for e in log.look(users=("a<b'c",))] == ["a<b'c"]


@pytest.mark.parametrize(
    "text", ["'; touch {0}/hit; '", "$(touch {0}/hit)", "`touch {0}/hit`", "-f", "a\nb", '"', "\\"]
)
def test_nothing_that_is_asked_for_is_a_command(log: Log, text: str) -> None:
    log.write(line(person="x"))
    bad = text.format(log.folder)
    assert log.look(users=(bad,), resource=bad, verbs=(bad,), request=bad) == []
    assert not (log.folder / "hit").exists()


def test_the_newest_come_where_there_are_too_many(log: Log) -> None:
    log.write(*(line(NOW - timedelta(milliseconds=n), person=f"p{n}") for n in range(2000, -1, -1)))
    found = log.look()
    assert len(found) == MOST + 1
    assert (found[0].person, found[-1].person) == ("p0", f"p{MOST}")


def test_what_is_no_entry_is_left_out(log: Log) -> None:
    stamp = '"stageTimestamp":"2026-03-04T10:30:00.000000Z"'
    log.write(
        line(person="x")[5:], "[" * 5000 + stamp + "\n", f"{{{stamp}}}\n",
        f'{{"user":7,"sourceIPs":"x","objectRef":[],"responseStatus":{{"code":"9"}},{stamp}}}\n',
        line(person="good"), line(person="half")[:-30],
    )  # fmt: skip
    found = log.look(everybody=True)
    assert [e.person for e in found if e.person] == ["good"]
    assert all(e.status in (0, 200) for e in found)


def test_a_host_without_a_log_says_so(tmp_path: Path) -> None:
    query = Query(since=NOW, until=NOW)
    assert Log(tmp_path / "none").answer(query).returncode == NO_LOG


def test_nothing_that_fits_is_an_empty_answer(log: Log) -> None:
    assert log.look() == []
