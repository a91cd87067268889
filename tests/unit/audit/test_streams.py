"""Streams to real receivers: order, no gap, doubles only where something was cut."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection, connections
from django.utils import timezone

from console.audit import sealing, verifier, witness
from console.audit.models import AuditEvent, Checkpoint, Leaf, Stream, Tree, Witness
from console.audit.record import record
from console.audit.signing import known_keys
from console.audit.streams import batches, sending
from console.audit.streams.streamer import Streamer
from console.audit.verifier import Checkpoint as Note
from console.audit.verifier import Frontier, content, leaf_hash
from tests.unit.audit.syslog_server import SyslogServer
from tests.unit.clusters.authority import Authority
from tests.unit.notices.receiver import Receiver
from tests.unit.notices.test_webhooks import hmac_by_hand

pytestmark = pytest.mark.django_db
DOCS = Path(__file__).resolve().parents[3] / "docs/audit.md"


@pytest.fixture(autouse=True)
def here(settings, tmp_path, monkeypatch) -> None:
    """Tests' receivers listen on this machine; nobody waits long for one that hangs."""
    settings.OUTBOUND_ALLOWED = [ip_network("127.0.0.0/8")]
    settings.AUDIT_STREAM_DIR = tmp_path / "streams"
    monkeypatch.setattr(sending, "SECONDS", 1.5)


def events(count: int, first: int = 0, **more: object) -> None:
    """So many events with their places, and a checkpoint."""
    for number in range(first, first + count):
        record("host.added", object_name=f"h{number}", **more)
    sealing.seal()
    sealing.checkpoint(force=True)


def stream(kind: str, address: str, **more: object) -> Stream:
    return Stream.objects.create(name=kind, kind=kind, address=address, secret="whsec_s", **more)


def pass_time() -> None:
    """Whatever waits for its time may be tried, and a claim of somebody who died has run out."""
    past = timezone.now() - timedelta(hours=1)
    Stream.objects.update(next_try=past)
    Stream.objects.exclude(claimed_until=None).update(claimed_until=past)


def turn() -> Stream:
    """What a watcher does for one stream."""
    pass_time()
    claimed = sending.claim()
    assert claimed is not None
    sending.send(claimed)
    return Stream.objects.get(pk=claimed.stream.pk)


def posted(receiver: Receiver) -> list[dict]:
    return [json.loads(got.body) for got in receiver.got]


def places(items: list[dict]) -> list[int]:
    return [item["position"] for item in items if "position" in item]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class Kind:
    """One kind of receiver, and what it has got."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.file = kind, folder / "streams/all.jsonl"
        authority = Authority("authority")
        self.ca = authority.crt
        tls = authority.server("127.0.0.1")
        folder.mkdir(exist_ok=True)
        if kind == "webhook":
            self.server = Receiver(tls, folder)
            self.address = self.server.url
        elif kind == "syslog":
            self.server = SyslogServer(tls, folder)
            self.address = self.server.address
        else:
            self.server, self.address = None, "all.jsonl"

    def items(self) -> list[dict]:
        if self.kind == "webhook":
            return [item for body in posted(self.server) for item in body["items"]]
        if self.kind == "syslog":
            return [message.item for message in self.server.got]
        return lines(self.file) if self.file.exists() else []


@pytest.fixture(params=["webhook", "syslog", "file"])
def kind(request, tmp_path):
    made = Kind(request.param, tmp_path / "kind")
    made.file = tmp_path / "streams/all.jsonl"
    if made.server is None:
        yield made
        return
    with made.server:
        yield made


def test_everything_arrives_in_order_and_proves_itself(kind: Kind) -> None:
    row = stream(kind.kind, kind.address, ca=kind.ca)
    events(3)
    events(1200, first=3)
    done = turn()
    assert done.last_error == "" and done.position == 1203 and done.checkpoint == 1203
    events(2, first=1203)
    turn()
    items = kind.items()
    assert places(items) == list(range(1205))
    # Each checkpoint comes right after what it covers, and is what the events add up to.
    frontier, keys, seen = Frontier(), known_keys(Tree.objects.get()), []
    for item in items:
        if "event" in item:
            frontier.add(leaf_hash(content(item["event"])))
            continue
        note = Note.of(item["checkpoint"])
        assert note.signer(keys) and note.root == frontier.root()
        seen.append(note.size)
    assert seen == [3, 1203, 1205]
    row.refresh_from_db()
    assert (row.failures, row.claim, row.last_error) == (0, "", "")
    assert row.last_success is not None
    pass_time()
    assert sending.claim() is None


def test_two_watchers_never_send_out_of_order(kind: Kind, transactional_db) -> None:
    stream(kind.kind, kind.address, ca=kind.ca)
    watchers = [Streamer(look_seconds=0.01) for _number in range(3)]
    for watcher in watchers:
        watcher.start()
    for start in range(0, 200, 20):
        events(20, first=start)
        time.sleep(0.05)
    ends = time.monotonic() + 30
    while Stream.objects.get().checkpoint < 200 and time.monotonic() < ends:
        time.sleep(0.05)
    for watcher in watchers:
        watcher.stop()
    for watcher in watchers:
        watcher.join(10)
    connections.close_all()
    assert places(kind.items()) == list(range(200))


def test_who_dies_before_moving_on_has_the_same_sent_again(kind: Kind) -> None:
    row = stream(kind.kind, kind.address, ca=kind.ca)
    events(5)
    claimed = sending.claim()
    batch = batches.next_batch(0, 0)
    sending.OUTLETS[kind.kind](row, batch, 5)  # killed here
    assert sending.claim() is None  # nobody else begins while it may still be sending
    turn()
    assert places(kind.items()) == [*range(5), *range(5)]
    # It comes to itself and finds that it has nothing to say any more.
    assert not sending._moved(claimed, batch)
    assert Stream.objects.get().position == 5


def test_a_pause_delays_and_loses_nothing(kind: Kind) -> None:
    stream(kind.kind, kind.address, ca=kind.ca, paused=True)
    events(5)
    pass_time()
    assert sending.claim() is None and kind.items() == []
    Stream.objects.update(paused=False)
    turn()
    assert places(kind.items()) == list(range(5))


def test_an_event_that_was_removed_shows_as_a_hole(kind: Kind) -> None:
    stream(kind.kind, kind.address, ca=kind.ca)
    events(3)
    leaf = Leaf.objects.get(position=1)
    AuditEvent.objects.filter(pk=leaf.event_id).delete()
    turn()
    items = kind.items()
    assert places(items) == [0, 1, 2]
    assert items[1] == {"position": 1, "event": None, "hash": bytes(leaf.hash).hex()}


def test_text_of_strangers_and_a_megabyte_arrive_as_they_are(kind: Kind, unbounded: None) -> None:
    odd = 'a"]\\b\n\r\t\0\x1b[31m<script>\u2028\ud83d😀中' + "]" * 10
    stream(kind.kind, kind.address, ca=kind.ca)
    events(1, after={"text": odd, "large": "x" * 10**6}, reason=odd)
    turn()
    if kind.kind == "syslog":
        messages = kind.server.got[:-1]
        assert len(messages) > 100 and all(m.size <= 8000 for m in kind.server.got)
        assert [int(m.fields["part"]) for m in messages] == list(range(1, len(messages) + 1))
        item = json.loads("".join(message.text for message in messages))
    else:
        item = kind.items()[0]
    event = AuditEvent.objects.get()
    assert item["event"]["after"] == event.after and len(event.after["large"]) == 10**6
    assert leaf_hash(content(item["event"])) == bytes(Leaf.objects.get().hash)


def test_what_is_large_goes_in_several_batches(tmp_path, unbounded: None) -> None:
    stream("file", "all.jsonl")
    events(6, after={"large": "x" * 400_000})
    assert [len(batches.next_batch(p, 6).items) for p in (0, 2, 4, 6)] == [2, 2, 2, 0]
    turn()
    assert places(lines(tmp_path / "streams/all.jsonl")) == list(range(6))


def test_the_check_in_the_documentation_finds_what_was_altered(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "verifier", verifier)
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    found: dict = {}
    exec(code, found)
    check, key = found["check"], ""
    stream("file", "all.jsonl")
    for first in (0, 3):
        events(3, first=first)
        turn()
        key = str(known_keys(Tree.objects.get())[0])
    Stream.objects.update(position=1, checkpoint=0)
    turn()  # what comes twice is passed over
    got = (tmp_path / "streams/all.jsonl").read_text().splitlines()
    assert len(got) == 15 and check(got, key) == 6
    with pytest.raises(AssertionError, match="altered before 3"):
        check([got[0].replace('"h0"', '"h9"'), *got[1:]], key)
    with pytest.raises(AssertionError, match="position 1 is missing"):
        check([got[0], *got[2:]], key)
    with pytest.raises(AssertionError, match="altered before 3"):
        check([got[0], got[1].replace('"h1"', '"h2"'), *got[2:]], key)
    with pytest.raises(AssertionError, match="not signed"):
        check(got, str(verifier.PublicKey(key.split("+")[0], b"x" * 32)))
    # What `jq -r '.checkpoint // empty'` prints is a witness's file.
    notes = [item["checkpoint"] for item in map(json.loads, got) if "checkpoint" in item]
    assert [n.size for n in verifier.witnessed("".join(f"{note}\n" for note in notes))] == [
        3,
        6,
        3,
        6,
    ]


# -- webhooks


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


@pytest.mark.parametrize("status", [500, 503, 404, 302, 410])
def test_a_webhook_that_refuses_gets_the_same_later(receiver: Receiver, status: int) -> None:
    stream("webhook", receiver.url)
    events(3)
    receiver.answers = [status, status, 200]
    for failures in (1, 2):
        row = turn()
        assert (row.position, row.failures) == (0, failures)
        assert f"answered {status}" in row.last_error and row.next_try > timezone.now()
    events(2, first=3)
    row = turn()
    assert (row.position, row.failures, row.last_error) == (5, 0, "")
    assert [places(body["items"]) for body in posted(receiver)] == [
        [0, 1, 2],
        [0, 1, 2],
        [*range(5)],
    ]


def test_what_a_webhook_answers_is_kept_as_one_plain_line(receiver: Receiver) -> None:
    stream("webhook", receiver.url)
    events(1)
    receiver.answers, receiver.body = (
        [500],
        b"a\0b\x1b[31m\nflo_0123456789abcdef0123 " + b"x" * 2000,
    )
    told = turn().last_error
    assert told.isprintable() and len(told) <= 500 and "answered 500" in told
    assert "flo_0123" not in told


@pytest.mark.parametrize("what", ["hang", "drip", "cut"])
def test_a_webhook_that_never_answers_is_given_up_in_time(receiver: Receiver, what: str) -> None:
    stream("webhook", receiver.url)
    events(1)
    receiver.answers = [what, 200]
    begun = time.monotonic()
    row = turn()
    assert time.monotonic() - begun < 4 and row.failures == 1 and row.last_error
    assert turn().position == 1


def test_one_that_hangs_keeps_neither_sealing_nor_others_waiting(
    receiver: Receiver, tmp_path, transactional_db, monkeypatch
) -> None:
    monkeypatch.setattr(sending, "SECONDS", 8)
    stream("webhook", receiver.url)
    stream("file", "all.jsonl")
    receiver.answers = ["hang"]
    events(2)
    streamer = Streamer(look_seconds=0.01)
    streamer.start()
    receiver.wait_for(1)
    begun = time.monotonic()
    events(3, first=2)
    while Stream.objects.get(kind="file").position < 5 and time.monotonic() - begun < 7:
        time.sleep(0.02)
    assert places(lines(tmp_path / "streams/all.jsonl")) == list(range(5))
    assert time.monotonic() - begun < 4 and Stream.objects.get(kind="webhook").position == 0
    streamer.stop()
    receiver.ended.set()
    streamer.join(15)


def test_a_webhook_is_signed_and_says_where_it_is(receiver: Receiver) -> None:
    stream("webhook", receiver.url)
    events(2)
    turn()
    (got,) = receiver.got
    moment, signed = (word.split("=")[1] for word in got.headers["flotilla-signature"].split(","))
    assert hmac_by_hand(b"whsec_s", moment.encode() + b"." + got.body) == signed
    body = json.loads(got.body)
    assert (body["version"], body["first"], body["next"]) == (1, 0, 2)
    assert body["log"] == Tree.objects.get().name
    assert "whsec_s" not in str(got)


def test_a_webhook_may_ask_for_what_it_lost_and_pass_over_what_it_has(receiver: Receiver) -> None:
    stream("webhook", receiver.url)
    events(10)
    turn()
    receiver.got.clear()
    receiver.answers, receiver.body = [409, 200], b'{"next": 4}'
    events(2, first=10)
    assert "position 4" in turn().last_error
    row = turn()
    assert (row.position, row.checkpoint, row.last_error) == (12, 12, "")
    assert [places(body["items"]) for body in posted(receiver)] == [[10, 11], [*range(4, 12)]]
    # One that has some of the batch already.
    receiver.got.clear()
    receiver.answers, receiver.body = [409, 200], b'{"next": 13}'
    events(2, first=12)
    turn()
    turn()
    assert [places(body["items"]) for body in posted(receiver)] == [[12, 13], [13]]


@pytest.mark.parametrize("word", ['{"next": 99}', '{"next": -1}', '{"next": true}', "[", "{}"])
def test_a_webhook_cannot_make_the_console_pass_over_events(receiver: Receiver, word: str) -> None:
    stream("webhook", receiver.url)
    events(3)
    receiver.answers, receiver.body = [409], word.encode()
    row = turn()
    assert row.position == 0 and "409" in row.last_error


@pytest.mark.parametrize("kind_of", ["webhook", "syslog"])
@pytest.mark.parametrize("trusted", ["another", "none", "name"])
def test_a_wrong_certificate_is_refused_and_said(tmp_path, kind_of: str, trusted: str) -> None:
    authority, another = Authority("one"), Authority("two")
    tls = authority.server("127.0.0.2" if trusted == "name" else "127.0.0.1")
    ca = {"another": another.crt, "none": "", "name": authority.crt}[trusted]
    make = Receiver if kind_of == "webhook" else SyslogServer
    with make(tls, tmp_path) as server:
        address = server.url if kind_of == "webhook" else server.address
        stream(kind_of, address, ca=ca)
        events(1)
        row = turn()
    assert row.position == 0 and server.got == []
    assert "certificate of 127.0.0.1:" in row.last_error and "is not trusted" in row.last_error


@pytest.mark.parametrize(
    ("kind_of", "address"),
    [("webhook", "http://127.0.0.1:9/x"), ("syslog", "tcp://127.0.0.1:9"),
     ("syslog", "tls://169.254.169.254:6514"), ("webhook", "http://localhost:9/")],
)  # fmt: skip
def test_streams_do_not_go_where_webhooks_may_not(settings, kind_of: str, address: str) -> None:
    settings.OUTBOUND_ALLOWED = []
    stream(kind_of, address)
    events(1)
    row = turn()
    assert row.position == 0 and "does not connect to" in row.last_error


# -- syslog


@pytest.fixture
def plain_syslog():
    with SyslogServer() as running:
        yield running


@pytest.mark.parametrize("what", ["away", "hang", "stay", "cut"])
def test_a_syslog_server_that_did_not_read_all_gets_it_again(
    plain_syslog: SyslogServer, what: str
) -> None:
    stream("syslog", plain_syslog.address)
    events(100, after={"large": "x" * 4000})
    plain_syslog.behaviours = [what, "well"]
    row = turn()
    assert row.position == 0 and row.failures == 1 and row.last_error
    plain_syslog.got.clear()  # "stay" has read everything, and the console cannot know
    row = turn()
    assert row.position == 100 and row.last_error == ""
    assert places([message.item for message in plain_syslog.got]) == list(range(100))


def test_a_syslog_server_that_is_not_there_gets_everything_when_it_is_back() -> None:
    with SyslogServer() as gone:
        address = gone.address
    stream("syslog", address)
    events(3)
    row = turn()
    assert row.position == 0 and "refused" in row.last_error.lower()


def test_a_message_says_who_and_what_besides(plain_syslog: SyslogServer, admin) -> None:
    stream("syslog", plain_syslog.address)
    events(1, actor=admin)
    record("auth.sign_in_failed", object_name="eve", outcome="failure")
    sealing.seal()
    sealing.checkpoint(force=True)
    turn()
    added, point, failed, _last = plain_syslog.got
    assert (added.kind, added.priority, added.fields["actor"]) == ("host.added", 13 * 8 + 6, "ada")
    assert added.fields["object"] == "h0" and added.fields["position"] == "0"
    assert (failed.kind, failed.priority) == ("auth.sign_in_failed", 13 * 8 + 4)
    assert (point.kind, point.fields["size"]) == ("audit-checkpoint", "1")


# -- files


def test_a_file_that_is_rotated_away_is_made_again(tmp_path) -> None:
    file = tmp_path / "streams/all.jsonl"
    stream("file", "all.jsonl")
    events(2)
    turn()
    file.rename(file.with_suffix(".1"))
    events(2, first=2)
    turn()
    file.write_text("")  # copied and emptied
    events(1, first=4)
    turn()
    assert places(lines(file.with_suffix(".1"))) == [0, 1]
    assert places(lines(file)) == [4]
    assert (file.stat().st_mode & 0o777) == 0o640


def test_half_a_line_that_a_power_cut_left_is_taken_away(tmp_path) -> None:
    file = tmp_path / "streams/all.jsonl"
    stream("file", "all.jsonl")
    events(2)
    turn()
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"position": 2, "event": {' + b"x" * 100_000)
    events(1, first=2)
    turn()
    assert file.read_bytes().startswith(whole) and places(lines(file)) == [0, 1, 2]


def test_a_full_disk_leaves_no_half_event_and_is_said(tmp_path, monkeypatch) -> None:
    file = tmp_path / "streams/all.jsonl"
    stream("file", "all.jsonl")
    events(2)
    turn()
    whole, write = file.read_bytes(), os.write

    def full(descriptor: int, data: object) -> int:
        if len(data) > 10:
            return write(descriptor, bytes(data[:10]))
        raise OSError(28, "No space left on device")

    events(1, first=2)
    monkeypatch.setattr(os, "write", full)
    row = turn()
    assert "No space left on device" in row.last_error and str(file) in row.last_error
    assert row.position == 2 and file.read_bytes() == whole
    monkeypatch.undo()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", ".hidden", "", "a\nb", "a b"])
def test_a_file_is_in_its_folder(tmp_path, name: str) -> None:
    stream("file", name)
    events(1)
    assert turn().position == 0
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_nothing_but_a_plain_file_is_written(tmp_path, what: str) -> None:
    folder = tmp_path / "streams"
    folder.mkdir()
    target = tmp_path / "precious"
    target.write_text("precious")
    if what == "link":
        (folder / "all.jsonl").symlink_to(target)
    elif what == "pipe":
        os.mkfifo(folder / "all.jsonl")
    else:
        (folder / "all.jsonl").mkdir()
    stream("file", "all.jsonl")
    events(1)
    row = turn()
    assert row.position == 0 and "cannot be written" in row.last_error
    assert target.read_text() == "precious"


# -- time


def test_pauses_grow_and_end_at_five_minutes() -> None:
    seconds = [sending.pause(n).total_seconds() for n in (1, 2, 3, 7, 50)]
    assert 4 <= seconds[0] <= 6 and 8 <= seconds[1] <= 12 and 16 <= seconds[2] <= 24
    assert all(240 <= one <= 360 for one in seconds[3:])


def test_a_clock_that_went_back_delays_nobody() -> None:
    stream("file", "all.jsonl")
    tomorrow = timezone.now() + timedelta(days=1)
    Stream.objects.update(next_try=tomorrow, claim="x", claimed_until=tomorrow)
    events(1)
    assert sending.claim() is not None


def test_what_no_receiver_has_yet_is_known(receiver: Receiver) -> None:
    assert sending.needed_from() is None
    stream("webhook", receiver.url)
    stream("file", "all.jsonl", paused=True, position=2)
    events(3)
    assert sending.needed_from() == 0
    turn()
    assert sending.needed_from() == 2


# -- checkpoints alone, as the settings have them


@pytest.mark.parametrize("secure", [False, True])
def test_checkpoints_go_to_the_syslog_server_of_the_settings(
    settings, tmp_path, monkeypatch, secure: bool
) -> None:
    settings.OUTBOUND_ALLOWED = []  # what the machine's administrator sets may be the machine
    monkeypatch.setattr(witness, "SECONDS", 1.0)
    authority = Authority("authority")
    (tmp_path / "ca.pem").write_text(authority.crt)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    tls = authority.server("127.0.0.1") if secure else None
    with SyslogServer(tls, tmp_path) as server:
        settings.AUDIT_CHECKPOINT_SYSLOG = server.address
        server.behaviours = ["away", "stay", "well"]
        events(2)
        for size in (0, 0, 2):
            server.got.clear()
            witness.send_new()
            row = Witness.objects.get()
            assert row.size == size and bool(row.error) is (size == 0)
        events(1, first=2)
        witness.send_new()
        witness.send_new()
    told = [json.loads(message.text) for message in server.got]
    assert told == list(Checkpoint.objects.order_by("size").values_list("note", flat=True))
    assert {message.kind for message in server.got} == {"audit-checkpoint"}


def test_a_syslog_server_of_the_settings_needs_an_address(settings) -> None:
    settings.AUDIT_CHECKPOINT_SYSLOG = "udp://192.0.2.1:514"
    events(1)
    witness.send_new()
    assert "tcp://host:port or tls://host:port" in Witness.objects.get().error


# -- kill -9


@pytest.mark.timeout(400)
def test_senders_that_are_killed_leave_no_gap_and_no_disorder(
    receiver: Receiver, transactional_db, tmp_path
) -> None:
    """Watchers die in the middle of what they do, again and again, while events are written."""
    stream("webhook", receiver.url)
    stream("file", "all.jsonl")
    code = (
        "import django; django.setup()\n"
        "from console.audit.streams import sending\n"
        "from console.audit.streams.streamer import Streamer\n"
        "sending.next_batch.__defaults__ = (3,)\n"
        "Streamer(look_seconds=0.01).run()\n"
    )
    # With the name of a test process it would make a key ring of its own.
    own = {name: text for name, text in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    environment = own | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database(),
        "FLOTILLA_OUTBOUND_ALLOWED": "127.0.0.0/8",
        "FLOTILLA_AUDIT_STREAM_DIR": str(tmp_path / "streams"),
    }
    for turns in range(2):
        events(60, first=60 * turns)
        pass_time()  # the claims of who died have run out
        before = len(receiver.got)
        sender = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=environment)
        try:
            receiver.wait_for(before + 4, seconds=130)
        finally:
            sender.kill()
            sender.wait(10)
    assert len(receiver.got) >= 8
    while Stream.objects.filter(position__lt=120).exists():
        turn()
    file = tmp_path / "streams/all.jsonl"
    offered = [item for body in posted(receiver) for item in body["items"]]
    for items in (offered, lines(file)):
        seen = 0
        for position in places(items):
            assert position <= seen  # never past one that was not sent
            seen = max(seen, position + 1)
        assert seen == 120


def database() -> str:
    """The address of the tests' database, for another process."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    person = f"{quote(given['USER'])}:{quote(given['PASSWORD'])}"
    return f"postgres://{person}@{quote(given['HOST'], safe='')}:{given['PORT']}/{given['NAME']}"
