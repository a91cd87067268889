"""Bytes from a real host over SSH: whole and unchanged, or an error that says why."""

from __future__ import annotations

import errno
import hashlib
import threading
import time
from collections.abc import Iterator

import pytest

from lab import requirements
from provisioning.models import Host
from provisioning.ssh import Link, connect
from provisioning.ssh_bytes import LATE_SECONDS
from provisioning.ssh_types import Payload
from provisioning.targets import target_of

LACKS = requirements.missing()
WHY_NOT = "the lab cannot run here: " + "; ".join(f"{m.what} ({m.how})" for m in LACKS)
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(LACKS), reason=WHY_NOT),
    pytest.mark.timeout(600),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def link(host: Host) -> Iterator[Link]:
    link = connect(target_of(host))
    yield link
    link.close()


def no_line(text: str) -> None:
    raise AssertionError(f"not expected on stderr: {text}")


def test_every_byte_comes_as_it_is(link: Link) -> None:
    digest, sizes, said = hashlib.sha256(), [], []

    def sink(data: bytes) -> None:
        digest.update(data)
        sizes.append(len(data))

    script = "f=$(mktemp); head -c 20000001 /dev/urandom >$f; sha256sum <$f >&2; cat $f; rm $f"
    result = link.fetch(script, sink, said.append, seconds=60)
    assert result.status == 0
    assert sum(sizes) == 20_000_001
    assert said == [f"{digest.hexdigest()}  -"]


def test_the_exit_status_and_what_came_before_it(link: Link) -> None:
    got: list[bytes] = []
    said: list[str] = []
    script = "printf 'a\\0b\\r\\n\\377'; echo why >&2; printf 'no newline' >&2; exit 7"
    result = link.fetch(script, got.append, said.append, seconds=20)
    assert (result.status, b"".join(got)) == (7, b"a\0b\r\n\xff")
    assert said == ["why", "no newline"]


def test_bytes_that_come_after_the_shell_has_ended_count_too(link: Link) -> None:
    got: list[bytes] = []
    script = "{ sleep 1; printf late; } & printf early"
    assert link.fetch(script, got.append, no_line, seconds=20).status == 0
    assert b"".join(got) == b"earlylate"


def lines_of(link: Link, script: str) -> tuple[int, list[str]]:
    got: list[str] = []

    def on_line(stream: str, text: str) -> None:
        got.append(f"{stream} {text}")

    return link.run(script, on_line, seconds=30).status, got


def test_lines_that_come_after_the_shell_has_ended_count_too(link: Link) -> None:
    status, got = lines_of(link, "{ sleep 1; echo late; echo why >&2; } & echo early; exit 3")
    assert (status, got[0], sorted(got)) == (
        3,
        "stdout early",
        ["stderr why", "stdout early", "stdout late"],
    )


def test_whoever_reads_slowly_gets_every_line(link: Link) -> None:
    count, slept = 0, 0.0

    def on_line(_stream: str, text: str) -> None:
        nonlocal count, slept
        count += 1
        assert text == str(count)
        if count % 20000 == 0:  # longer in all than a script's end is waited for
            time.sleep(0.2)
            slept += 0.2

    assert link.run("seq 1000000", on_line, seconds=60).status == 0
    assert count == 1_000_000 and slept > LATE_SECONDS


def test_what_a_script_leaves_running_is_not_waited_for(link: Link) -> None:
    started = time.monotonic()
    assert lines_of(link, "sleep 25 & echo early") == (0, ["stdout early"])
    assert time.monotonic() - started < 20


def test_a_full_disk_here_is_no_broken_connection(link: Link) -> None:
    def sink(_data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space") as refused:
        link.fetch("head -c 9000000 /dev/zero", sink, no_line, seconds=20)
    assert refused.value.errno == errno.ENOSPC
    # The host is still sending when the channel is closed: often enough, and nothing breaks.
    for _again in range(60):
        with pytest.raises(OSError, match="No space"):
            link.fetch("head -c 9000000 /dev/zero", sink, no_line, seconds=20)
    got: list[bytes] = []
    assert link.fetch("printf ok", got.append, no_line, seconds=20).status == 0
    assert got == [b"ok"]


def test_a_slow_sink_slows_the_host_down_and_fills_no_memory(link: Link) -> None:
    count = 0

    def sink(data: bytes) -> None:
        nonlocal count
        count += len(data)
        time.sleep(0.002)

    assert link.fetch("head -c 60000000 /dev/zero", sink, no_line, seconds=120).status == 0
    assert count == 60_000_000


def test_it_ends_when_it_is_told_to_and_when_its_time_is_over(link: Link) -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    started = time.monotonic()
    result = link.fetch("printf x; sleep 60", lambda _d: None, no_line, seconds=60, stop=stop)
    assert result.stopped and time.monotonic() - started < 10
    result = link.fetch("printf x; sleep 60", lambda _d: None, no_line, seconds=1)
    assert result.timed_out


def test_a_payload_may_come_from_a_function(link: Link) -> None:
    said: list[str] = []

    def on_line(stream: str, text: str) -> Payload | None:
        said.append(f"{stream} {text}")
        if text != "want":
            return None
        return Payload("made", 700_000, lambda: (bytes([n % 256]) * 100_000 for n in range(7)))

    result = link.run("echo want; head -c 700000 | sha256sum", on_line, seconds=30)
    whole = b"".join(bytes([n]) * 100_000 for n in range(7))
    assert result.status == 0
    assert said[-1] == f"stdout {hashlib.sha256(whole).hexdigest()}  -"
