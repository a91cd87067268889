"""Merging by time, and going on from a place: no line lost, doubled or out of its order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clusters.kube.logs import LogLine
from clusters.log_backlog import Backlog, Place, Resume, newest
from clusters.log_follow import state_of
from clusters.log_sources import Source

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def stamp(milliseconds: int) -> str:
    return (START + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.data())
def test_going_on_from_any_place_gives_exactly_the_rest(steps: list[int], data) -> None:
    """steps: how many milliseconds later the next line was written, often none."""
    now, lines = 0, []
    for number, step in enumerate(steps):
        now += step
        lines.append(LogLine(stamp(now), str(number)))
    read = data.draw(st.integers(0, len(lines)))
    place = Place()
    for line in lines[:read]:
        place.move(line)
    # The server gives all of the place's second again, which here is everything.
    resume = Resume(place)
    assert [line for line in lines if resume.fresh(line)] == lines[read:]


@given(st.lists(st.lists(st.integers(0, 1000), max_size=15), min_size=1, max_size=4))
def test_merged_lines_keep_the_order_of_each_container(times: list[list[int]]) -> None:
    backlog = Backlog()
    for number, moments in enumerate(times):
        lines = [LogLine(stamp(ms), f"{number}.{i}") for i, ms in enumerate(moments)]
        backlog.lines[Source("web", str(number))] = lines
    merged = backlog.merged()
    for source, lines in backlog.lines.items():
        assert [line for found, line in merged if found == source] == lines
    if all(moments == sorted(moments) for moments in times):
        assert [line.time for _source, line in merged] == sorted(
            line.time for _source, line in merged
        )


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 3000))
def test_no_more_is_kept_than_the_budget_and_it_is_the_newest(sizes: list[int], budget: int):
    lines = [LogLine("", "x" * size) for size in sizes]
    kept, cut = newest(lines, budget)
    assert kept == lines[len(lines) - len(kept) :]
    assert cut == (len(kept) < len(lines))
    assert len(kept) <= 1 or sum(len(line.text) + 100 for line in kept) <= budget


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["status", "containerStatuses", "state", "lastState", "terminated",
                         "exitCode", "restartCount", "name", "spec", "restartPolicy", "phase"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["status", "spec", "metadata"]), anything))
def test_no_pod_that_a_server_may_send_breaks_the_follower(pod: dict) -> None:
    state = state_of(pod, "main")
    assert isinstance(state.restarts, int) and isinstance(state.final, bool)


def test_a_job_that_failed_is_started_again_and_one_that_succeeded_is_not() -> None:
    def final(policy: str, code: int) -> bool:
        row = {"name": "main", "state": {"terminated": {"exitCode": code, "reason": "x"}}}
        pod = {"spec": {"restartPolicy": policy}, "status": {"containerStatuses": [row]}}
        return state_of(pod, "main").final

    assert (final("OnFailure", 1), final("OnFailure", 0)) == (False, True)
    assert (final("Never", 1), final("Always", 0)) == (True, False)
