"""A container's log: whole lines whatever the network does, bounded, and ended at once."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube import ClusterUnreachable, Forbidden, Impersonation, KubeError, NotFound
from clusters.kube.credentials import credentials_of
from clusters.kube.logs import LINE_LIMIT, LineSplitter, LogQuery, LogStream, moment
from clusters.kube.streams import Doer
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.pod_server import LogEndpoint
from tests.unit.clusters.rows import cluster_of

WHO = Impersonation("flotilla:user:7", ("flotilla:platform:operator", "flotilla:other"))


@pytest.fixture
def server():
    with ApiServer() as server:
        yield server


@pytest.fixture
def log(server) -> LogEndpoint:
    return LogEndpoint(server)


@pytest.fixture
def doer(server, db) -> Doer:
    return Doer(credentials_of(cluster_of(server)), WHO)


def read(doer: Doer, query: LogQuery | None = None, seconds: float | None = 5) -> list:
    return list(LogStream(doer, "default", "web", query or LogQuery(), seconds))


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)), st.data())
def test_lines_come_out_whole_however_they_are_cut(texts: list[str], data) -> None:
    texts = [text.replace("\n", " ") for text in texts]
    raw = "".join(f"2026-01-02T03:04:05.000000001Z {text}\n" for text in texts).encode()
    splitter, found = LineSplitter(), []
    while raw:
        size = data.draw(st.integers(1, len(raw)))
        found += splitter.feed(raw[:size])
        raw = raw[size:]
    found += splitter.end()
    assert [line.text for line in found] == texts
    assert {line.time for line in found} <= {"2026-01-02T03:04:05.000000001Z"}


@given(st.integers(1, 20), st.text(min_size=30, max_size=60))
def test_a_long_line_is_cut_between_characters_and_its_rest_forgotten(part: int, text: str) -> None:
    text = text.replace("\n", "é")
    raw = text.encode("utf-8", "replace") + b"\nnext\n"
    splitter, found = LineSplitter(16), []
    for start in range(0, len(raw), part):
        found += splitter.feed(raw[start : start + part])
        assert len(splitter._rest) <= 16 + part
    first, after = found
    assert first.cut and after.text == "next" and not after.cut
    assert text.encode("utf-8", "replace").decode().startswith(first.text)


def test_a_line_without_an_end_never_fills_the_memory(doer, log) -> None:
    log.raw = b"x" * (3 * LINE_LIMIT) + b"\nshort\n"
    lines = read(doer)
    assert [(len(line.text), line.cut) for line in lines] == [(LINE_LIMIT, True), (5, False)]


def test_what_is_no_utf8_and_what_has_no_time_is_shown_all_the_same(doer, log) -> None:
    log.raw = b"caf\xe9\nunable to retrieve container logs\n"
    assert [(x.time, x.text) for x in read(doer)] == [
        ("", "caf\ufffd"),
        ("", "unable to retrieve container logs"),
    ]


def test_every_wish_reaches_the_api_server_in_the_persons_name(doer, log) -> None:
    log.write("one")
    query = LogQuery("side-car", previous=True, since_seconds=300, tail=7, limit=1000)
    read(doer, query)
    assert log.queries == [
        {
            "container": "side-car",
            "previous": "true",
            "sinceSeconds": "300",
            "tailLines": "7",
            "limitBytes": "1000",
            "timestamps": "true",
        }
    ]
    sent = [pair for pair in log.headers[0] if pair[0].startswith("Impersonate")]
    assert sent == [
        ("Impersonate-User", "flotilla:user:7"),
        ("Impersonate-Group", "flotilla:platform:operator"),
        ("Impersonate-Group", "flotilla:other"),
    ]


def test_it_follows(doer, log) -> None:
    log.write("before")
    stream = LogStream(doer, "default", "web", LogQuery(follow=True))
    lines = iter(stream)
    assert next(lines).text == "before"
    log.write("after 鯨")
    assert next(lines).text == "after 鯨"
    log.end()
    assert list(lines) == []


@pytest.mark.parametrize("silent", [True, False])
def test_another_thread_stops_it_while_the_server_is_silent(doer, log, silent: bool) -> None:
    log.silent = silent
    stream = LogStream(doer, "default", "web", LogQuery(follow=True))
    found: list[object] = []

    def run() -> None:
        try:
            found.append(list(stream))
        except KubeError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not log.queries:
        time.sleep(0.01)
    stream.stop()
    thread.join(5)
    assert found == [[]]


def test_a_server_that_never_answers_is_given_up(doer, log) -> None:
    log.silent = True
    with pytest.raises(ClusterUnreachable, match="did not answer in time"):
        read(doer, seconds=0.5)


def test_an_answer_without_an_end_is_given_up(doer, log) -> None:
    stream = LogStream(doer, "default", "web", LogQuery(follow=True), 0.5)
    stream._endless = False
    log.write("one")
    with pytest.raises(ClusterUnreachable, match=r"within 0\.5 s"):
        list(stream)


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Forbidden), (404, NotFound), (400, KubeError), (500, KubeError)]
)
def test_refusals_say_who_and_why(doer, log, status: int, kind: type) -> None:
    log.refuses = (status, "container main is waiting to start")
    with pytest.raises(kind, match="waiting to start") as caught:
        read(doer)
    assert caught.value.status == status
    if status == 403:
        assert "flotilla:user:7" in caught.value.cause


def test_a_cut_connection_is_an_error_not_an_end(server, doer, log) -> None:
    log.write("one")
    lines = iter(LogStream(doer, "default", "web", LogQuery(follow=True)))
    assert next(lines).text == "one"
    server.cut()
    with pytest.raises(ClusterUnreachable):
        next(lines)


def test_moments_are_compared_to_the_nanosecond_over_zones() -> None:
    assert moment("2026-01-02T03:04:05.1Z") < moment("2026-01-02T03:04:05.12Z")
    assert moment("2026-01-02T04:04:05.5+01:00") == moment("2026-01-02T03:04:05.500000000Z")
    assert moment("no time") == 0 == moment("2026-99-99T99:99:99Z")
