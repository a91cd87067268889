"""The numbered log: no holes, no doubles, secrets masked, the same on every way out."""

from __future__ import annotations

import threading

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning import logs
from provisioning.lease import Lease, LeaseLost, claim
from provisioning.logs import Line, LogWriter, Mask, chunked
from provisioning.models import LogChunk, Task
from tests.factories import TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lease() -> Lease:
    TaskFactory()
    task = claim("default", "here:1:1")
    assert task is not None
    return Lease(task)


def written(lease: Lease, texts: list[str]) -> list[str]:
    writer = LogWriter(lease, 0)
    for text in texts:
        writer.write(text)
    writer.close()
    return [line["text"] for line in logs.read(lease.task_id, limit=10**6)]


def test_lines_from_many_threads_have_numbers_without_holes(lease: Lease) -> None:
    writer = LogWriter(lease, 0)

    def write(name: str) -> None:
        for number in range(500):
            writer.write(f"{name} {number}", host=name)

    threads = [threading.Thread(target=write, args=(f"h{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    lines = logs.read(lease.task_id, limit=10**6)
    assert [line["seq"] for line in lines] == list(range(1, 2001))
    for name in ("h0", "h1", "h2", "h3"):
        own = [line["text"] for line in lines if line["host"] == name]
        assert own == [f"{name} {n}" for n in range(500)]
    assert Task.objects.get(pk=lease.task_id).last_seq == 2000


def test_markup_colours_and_broken_text_come_back_as_they_are(lease: Lease) -> None:
    texts = ["<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "节点", "\ufffd", '"\\', ""]
    assert written(lease, texts) == texts


def test_a_line_with_a_lone_surrogate_is_kept_readable(lease: Lease) -> None:
    assert written(lease, ["a\ud800b"]) == ["a?b"]


def test_a_worker_that_lost_the_task_writes_nothing_more(lease: Lease) -> None:
    writer = LogWriter(lease, 0)
    writer.write("mine")
    writer.flush()
    Task.objects.filter(pk=lease.task_id).update(fence=lease.fence + 1)
    with pytest.raises(LeaseLost):
        for _ in range(100_000):
            writer.write("stale")
    writer.close()
    assert [line["text"] for line in logs.read(lease.task_id)] == ["mine"]


def test_secrets_are_masked_before_they_are_written(lease: Lease) -> None:
    mask = Mask()
    mask.add(["hunter2-hunter2", "-----BEGIN KEY-----\nAAAABBBBCCCC\n-----END KEY-----\n", "ab"])
    writer = LogWriter(lease, 0, mask)
    writer.write("password=hunter2-hunter2 key AAAABBBBCCCC ab")
    writer.close()
    assert "hunter2" not in LogChunk.objects.get().body
    assert [line["text"] for line in logs.read(lease.task_id)] == ["password=•••• key •••• ab"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=12), st.data())
def test_every_way_of_reading_gives_the_same_lines(sizes: list[int], data: st.DataObject) -> None:
    task = TaskFactory()
    try:
        for size in sizes:
            logs.append(task, [f"line {n}" for n in range(size)])
        total = sum(sizes)
        after = data.draw(st.integers(0, total))
        bodies, last = logs.bodies_after(task.pk, after, most_characters=10**6)
        wire = orjson.loads("[" + ",".join(bodies) + "]")
        read = logs.read(task.pk, after=after, limit=10**6)
        assert wire == read
        assert [line["seq"] for line in read] == list(range(after + 1, total + 1))
        assert last == (total if read else after)
        before = data.draw(st.integers(1, total + 1))
        limit = data.draw(st.integers(1, total))
        backwards = logs.read(task.pk, before=before, limit=limit)
        assert [line["seq"] for line in backwards] == list(range(max(1, before - limit), before))
    finally:
        task.delete()


def test_filters_keep_the_numbers(lease: Lease) -> None:
    writer = LogWriter(lease, 0)
    writer.write("alpha", host="a", step="s1")
    writer.write("Beta", host="b", step="s1")
    writer.write("gamma beta", host="a", step="s2")
    writer.close()
    found = logs.read(lease.task_id, text="beta")
    assert [(line["seq"], line["text"]) for line in found] == [(2, "Beta"), (3, "gamma beta")]
    assert [line["seq"] for line in logs.read(lease.task_id, host="a")] == [1, 3]
    assert [line["seq"] for line in logs.read(lease.task_id, step="s1", host="b")] == [2]


def test_a_bound_on_bytes_keeps_the_nearest_lines_and_at_least_one(lease: Lease) -> None:
    writer = LogWriter(lease, 0)
    for _ in range(10):
        writer.write("x" * 8000)
    writer.close()
    tail = logs.read(lease.task_id, before=11, max_bytes=20_000)
    assert [line["seq"] for line in tail] == [9, 10]
    assert [line["seq"] for line in logs.read(lease.task_id, max_bytes=10)] == [1]


@given(st.lists(st.integers(0, 200_000), max_size=30))
def test_chunks_hold_every_line_once_and_stay_small(sizes: list[int]) -> None:
    lines = [Line(n, "x" * size) for n, size in enumerate(sizes)]
    groups = list(chunked(lines))
    assert [line for group in groups for line in group] == lines
    for group in groups:
        assert len(group) == 1 or sum(len(line.wire) for line in group) <= logs.CHUNK_BYTES


@pytest.mark.parametrize("text", ["x" * 500, "控制台" * 160, "\U0001f6a2" * 480])
def test_no_batch_is_larger_than_the_web_server_sends(lease: Lease, text: str) -> None:
    """A viewer that is far behind gets everything, in messages under daphne's limit of 1 MiB."""
    writer = LogWriter(lease, 0)
    for _number in range(6000):
        writer.write(text)
    writer.close()
    after, seen = 0, 0
    while True:
        bodies, last = logs.bodies_after(lease.task_id, after)
        if not bodies:
            break
        assert len(",".join(bodies).encode()) < 2**20 - 1024
        seen += sum(len(logs.parse(body)) for body in bodies)
        assert last > after
        after = last
    assert (after, seen) == (6000, 6000)
