"""What is told once, what is over, and what goes out because of it."""

from __future__ import annotations

import threading
from itertools import count, pairwise

import pytest
from django.db import connection, transaction
from hypothesis import example, given
from hypothesis import strategies as st

from console.notices import courier
from console.notices.catalogue import KINDS, label, sentence
from console.notices.models import Channel, Delivery, Notice
from console.notices.telling import Subject, Told, over, reconcile, tell
from tests.unit.notices.conftest import make_channel, pass_time

pytestmark = pytest.mark.django_db

VALUES = {"name": "prod", "reason": "connection refused"}
numbers = count(1)


def away(key: str = "cluster/1", **more: object) -> Notice:
    return tell("cluster.away", key, VALUES, "critical", **more)


def sent(ok: bool = True) -> list[str]:
    """Send all that is due now; what was said, in order."""
    said = []
    while (delivery := courier.claim()) is not None:
        courier.finish(delivery, ok=ok, answer="")
        if ok:
            said.append(str(delivery.message))
    return said


def test_what_is_told_again_is_told_once() -> None:
    make_channel()
    first, second = away(), away()
    assert first.pk == second.pk
    assert sent() == ["opened"]
    assert (Notice.objects.get().count, sent()) == (1, [])


def test_over_goes_where_it_happened_went() -> None:
    make_channel("all")
    make_channel("test only", rule={"clusters": "test-*"})
    away(subject=Subject("cluster", "1", "prod", "prod"))
    assert sent() == ["opened"]
    assert over("cluster.away", "cluster/1")
    assert sent() == ["resolved"]
    assert {d.channel.name for d in Delivery.objects.all()} == {"all"}
    assert Notice.objects.get().resolved is not None
    assert not over("cluster.away", "cluster/1")


def test_what_is_over_before_it_was_sent_is_not_told() -> None:
    make_channel(min_seconds=120)
    away()
    pass_time(119)
    assert sent() == []
    over("cluster.away", "cluster/1")
    pass_time(600)
    assert sent() == []


def test_what_lasts_longer_is() -> None:
    make_channel(min_seconds=120)
    away()
    pass_time(121)
    assert sent() == ["opened"]


def test_what_may_have_arrived_is_told_to_be_over() -> None:
    """A receiver that took the message and answered too late must hear that it is over."""
    make_channel()
    away()
    assert sent(ok=False) == []
    over("cluster.away", "cluster/1")
    assert sent() == [], "not before the message that it is about"
    pass_time(120)
    assert sent() == ["opened", "resolved"]


def test_flapping_is_counted_and_told_with_pauses() -> None:
    make_channel()
    away()
    assert sent() == ["opened"]
    over("cluster.away", "cluster/1")
    assert sent() == ["resolved"]
    for _ in range(20):
        away()
        over("cluster.away", "cluster/1")
        assert sent() == []
    away()
    assert (Notice.objects.count(), Notice.objects.get().count) == (1, 22)
    pass_time(1801)
    assert sent() == ["opened"]


def test_after_ten_minutes_it_is_another_one() -> None:
    make_channel()
    away()
    over("cluster.away", "cluster/1")
    pass_time(601)
    away()
    assert [n.count for n in Notice.objects.all()] == [1, 1]


def test_nothing_is_kept_of_a_change_that_was_not() -> None:
    make_channel()
    with transaction.atomic():
        away()
        transaction.set_rollback(True)
    assert not Notice.objects.exists() and not Delivery.objects.exists()


def test_what_only_happens_is_never_over_and_told_once_without_waiting() -> None:
    make_channel(min_seconds=120)
    for _ in range(2):
        tell("task.failed", "task/1/1", {"title": "x", "reason": "y"}, "warning")
    assert not over("task.failed", "task/1/1")
    assert sent() == ["opened"]
    tell("task.failed", "task/1/2", {"title": "x", "reason": "y"}, "warning")
    assert sent() == ["opened"]


def test_success_goes_out_only_where_a_rule_names_it() -> None:
    make_channel("all")
    make_channel("asked", rule={"kinds": ["task.succeeded"]})
    tell("task.succeeded", "task/1/1", {"title": "x"}, "info")
    assert [d.channel.name for d in Delivery.objects.all()] == ["asked"]


def test_the_newest_reason_is_the_one_that_is_shown() -> None:
    make_channel()
    away()
    tell("cluster.away", "cluster/1", {"name": "prod", "reason": "no route"}, "critical")
    assert Notice.objects.get().values["reason"] == "no route"
    assert Delivery.objects.count() == 1


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="catalogue"):
        tell("cluster.gone", "x", {}, "info")


def test_quietly_over_tells_nobody() -> None:
    make_channel()
    away()
    sent()
    over("cluster.away", "cluster/1", quiet=True)
    assert sent() == []


def test_reconcile_tells_what_holds_and_ends_what_does_not() -> None:
    def told(name: str) -> Told:
        return Told("node.not_ready", name, {"name": name}, "critical", subject=Subject(id=name))

    reconcile(["node.not_ready"], [told("a"), told("b"), told("c")])
    reconcile(["node.not_ready"], [told("b")], undecided=["c"])
    opened = Notice.objects.filter(resolved=None).values_list("key", flat=True)
    assert sorted(opened) == ["b", "c"]


@pytest.mark.django_db(transaction=True)
def test_processes_that_are_told_the_same_at_once_make_one_notice() -> None:
    make_channel()
    start = threading.Barrier(6)

    def say() -> None:
        start.wait()
        away()
        connection.close()

    threads = [threading.Thread(target=say) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (Notice.objects.count(), Delivery.objects.count()) == (1, 1)


# What is said, what becomes of the messages that are due then, and seconds that pass.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["tell", "over"]),
        st.sampled_from(["arrives", "fails", "waits"]),
        st.sampled_from([0, 1, 40, 130, 700]),
    ),
    max_size=12,
)


@given(STEPS, st.sampled_from([0, 120]))
@example([("tell", "fails", 0), ("over", "arrives", 0)], 0)
@example([("tell", "arrives", 0), ("over", "fails", 0), ("tell", "arrives", 40)], 0)
def test_whatever_happens_a_receiver_hears_it_in_turns(steps, min_seconds: int) -> None:
    key = f"cluster/{next(numbers)}"
    make_channel(key, min_seconds=min_seconds)
    heard: list[str] = []
    for say, then, seconds in steps:
        if say == "tell":
            away(key)
        else:
            over("cluster.away", key)
        if then != "waits":
            heard += sent(ok=then == "arrives")
        pass_time(seconds)
    for _ in range(5):
        pass_time(4000)
        heard += sent()
    assert all(a != b for a, b in pairwise(heard))
    assert heard[:1] in ([], ["opened"])
    holds = Notice.objects.filter(key=key, resolved=None).exists()
    assert (heard[-1:] == ["opened"]) == holds
    Channel.objects.filter(name=key).delete()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_even_without_its_values(kind: str) -> None:
    assert label(kind) != kind
    for is_over in (False, True):
        assert "%(" not in sentence(kind, {}, over=is_over)
    assert sentence(kind, {"name": "100%", "reason": "%(x)s", "title": "%s"})


def test_a_kind_of_another_version_is_shown_by_its_name() -> None:
    assert sentence("pod.lost", {}) == label("pod.lost") == "pod.lost"
