"""What is said of a control plane, and what to do: from looks, without a network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clusters.inventory.control_plane_data import merged, revision, shape
from clusters.inventory.control_plane_problems import degrading, problems_of
from clusters.inventory.control_plane_words import WORDS, words
from clusters.kube.member_answers import BackEnd, EtcdMember, EtcdStatus, LeaderLease
from clusters.kube.members import (
    ApiSeen,
    EtcdSeen,
    LeaseSeen,
    Member,
    MemberSeen,
    ProxySeen,
    Seen,
    Sight,
    VipSeen,
)

NOW = datetime(2026, 5, 6, 7, 8, tzinfo=UTC)
UP = Seen("up", "ok", 200)
REFUSED = Seen("down", "refused")
OFF = Seen("down", "timeout")


def healthy(count: int = 3) -> Sight:
    names = [f"cp{n}" for n in range(1, count + 1)]
    listed = tuple(
        EtcdMember(f"{n:x}", name, (f"10.0.0.{n}",), False, True) for n, name in enumerate(names, 1)
    )
    ends = tuple(BackEnd(name, "up", "L7OK/200") for name in names)

    def etcd(n: int) -> EtcdSeen:
        status = EtcdStatus(
            f"{n:x}", "c", "3.4.23", 20480, 10000, "1", 3, 99, 1000 + n, False, (), ()
        )
        return EtcdSeen(UP, status, listed)

    members = tuple(
        MemberSeen(Member(name, f"10.0.0.{n}"), ApiSeen(UP), ProxySeen(UP, ends), etcd(n))
        for n, name in enumerate(names, 1)
    )
    lease = LeaseSeen("kube-scheduler", LeaderLease("cp1", NOW, NOW, 15), 1.0)
    return Sight(members, VipSeen(ApiSeen(UP), "cp1", "ok"), (lease,))


def change(sight: Sight, number: int, **parts) -> Sight:
    members = list(sight.members)
    members[number - 1] = replace(members[number - 1], **parts)
    return replace(sight, members=tuple(members))


def off(sight: Sight, *numbers: int) -> Sight:
    for number in numbers:
        sight = change(sight, number, api=ApiSeen(OFF), proxy=ProxySeen(OFF), etcd=EtcdSeen(OFF))
    return sight


def problems(sight: Sight, before: Sight | None = None, later: float = 0, busy: bool = False):
    kept = merged(before or healthy(len(sight.members)), {}, NOW)
    data = merged(sight, kept, NOW)
    if later:
        data = merged(sight, data, NOW + timedelta(seconds=later))
    return problems_of(data, "10.0.0.9", NOW + timedelta(seconds=later), busy)


def codes(*args, **options) -> list[str]:
    return [problem.code for problem in problems(*args, **options)]


def test_nothing_is_said_of_a_healthy_cluster():
    assert codes(healthy()) == []
    assert codes(healthy(5)) == []


def test_vip_down_members_up():
    away = VipSeen(ApiSeen(REFUSED), "", "refused")
    (problem,) = problems(replace(healthy(), vip=away))
    assert problem.what == "The virtual IP 10.0.0.9 is down, 3 of 3 API servers are up."
    assert "haproxy" in problem.mend
    silent = VipSeen(ApiSeen(OFF), "", "timeout")
    (problem,) = problems(replace(healthy(), vip=silent))
    assert problem.code == "vip_unheld"
    assert "keepalived" in problem.mend


def test_somebody_else_at_the_virtual_ip():
    stranger = VipSeen(ApiSeen(Seen("stranger", "stranger")), "", "stranger")
    assert codes(replace(healthy(), vip=stranger)) == ["vip_stranger"]


def test_a_holder_that_was_removed_is_named():
    foreign = VipSeen(ApiSeen(UP), "cp9", "ok")
    (problem,) = problems(replace(healthy(), vip=foreign))
    assert "cp9 holds the virtual IP" in problem.what


def test_a_host_that_is_off_is_one_problem_and_the_edge_of_the_quorum_another():
    found = problems(off(healthy(), 3))
    assert [(p.code, p.member) for p in found] == [("member_away", "cp3"), ("quorum_edge", "")]
    assert "one more failure stops the cluster" in found[1].what


def test_after_five_minutes_it_is_to_be_replaced():
    found = problems(off(healthy(), 3), later=301)
    assert found[0].code == "member_gone"
    assert "replace it" in found[0].mend
    assert codes(off(healthy(), 3), later=299)[0] == "member_away"


def test_two_of_three_away_is_a_lost_quorum():
    sight = off(healthy(), 2, 3)
    lonely = replace(sight.members[0].etcd.status, leader="", errors=("etcdserver: no leader",))
    etcd = replace(sight.members[0].etcd, seen=Seen("not_ready", "ok", 200), status=lonely)
    not_ready = ApiSeen(Seen("not_ready", "ok", 500), ("etcd",))
    sight = change(sight, 1, etcd=etcd, api=not_ready)
    found = {p.code: p for p in problems(sight)}
    assert "1 of 3 members are up, 2 needed" in found["quorum_lost"].what
    assert "restore a snapshot" in found["quorum_lost"].mend
    assert "Failing checks: etcd" in found["api_not_ready"].what
    assert "etcd_no_leader" in found


def test_five_members_may_lose_one_without_an_edge():
    assert codes(off(healthy(5), 5)) == ["member_away"]
    assert "quorum_edge" in codes(off(healthy(5), 4, 5))
    assert "quorum_lost" in codes(off(healthy(5), 3, 4, 5))


def test_when_nobody_answers_nothing_more_is_claimed():
    sight = replace(off(healthy(), 1, 2, 3), vip=VipSeen(ApiSeen(OFF), "", "timeout"))
    assert codes(sight) == ["all_away"]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"api": ApiSeen(REFUSED)}, "api_down"),
        ({"proxy": ProxySeen(REFUSED)}, "proxy_down"),
        ({"proxy": ProxySeen(Seen("not_ready", "cut"))}, "proxy_blocked"),
        ({"etcd": EtcdSeen(REFUSED)}, "etcd_down"),
        ({"etcd": EtcdSeen(Seen("not_ready", "ok", 500))}, "etcd_odd"),
        ({"api": ApiSeen(Seen("stranger", "stranger"))}, "stranger"),
        ({"etcd": EtcdSeen(Seen("not_ready", "client_refused"))}, "client_refused"),
    ],
)
def test_a_part_that_is_wrong_is_named_with_its_host(part, code):
    found = problems(change(healthy(), 2, **part))
    assert (found[0].code, found[0].member) == (code, "cp2")
    assert "cp2" in found[0].what
    assert degrading(found)


def test_a_back_end_is_named_only_when_the_console_reaches_it():
    ends = (BackEnd("cp1", "up", ""), BackEnd("cp2", "up", ""), BackEnd("cp3", "down", "L4TOUT"))
    sight = change(healthy(), 1, proxy=ProxySeen(UP, ends))
    (problem,) = problems(sight)
    assert problem.code == "back_end_unseen"
    assert "cp3" in problem.what
    assert "L4TOUT" in problem.what
    down = change(sight, 3, api=ApiSeen(REFUSED))
    assert [p for p in codes(down) if p == "back_end_unseen"] == []


def test_members_of_etcd_that_are_not_as_they_should_be():
    listed = healthy().members[0].etcd.members
    unstarted = (*listed[:2], EtcdMember("3", "", ("10.0.0.3",), False, False))
    sight = healthy()
    for number in (1, 2):
        etcd = replace(sight.members[number - 1].etcd, members=unstarted)
        sight = change(sight, number, etcd=etcd)
    sight = change(sight, 3, etcd=EtcdSeen(REFUSED))
    assert "etcd_not_started" in codes(sight)
    ghost = (*listed, EtcdMember("f", "gone", ("10.0.0.7",), False, True))
    sight = healthy()
    for number in (1, 2, 3):
        etcd = replace(sight.members[number - 1].etcd, members=ghost)
        sight = change(sight, number, etcd=etcd)
    found = {p.code: p for p in problems(sight)}
    assert "gone" in found["etcd_extra"].what
    assert "quorum_even" in found


def test_a_member_of_another_etcd_cluster_is_named():
    other = replace(healthy().members[2].etcd.status, cluster="d")
    etcd = replace(healthy().members[2].etcd, status=other)
    assert "etcd_other_cluster" in codes(change(healthy(), 3, etcd=etcd))


def test_alarms_are_said_once_of_the_member_that_has_them():
    sight = healthy()
    for number in (1, 2, 3):
        etcd = sight.members[number - 1].etcd
        status = replace(etcd.status, alarms=(("2", "NOSPACE"),))
        sight = change(sight, number, etcd=replace(etcd, status=status))
    (problem,) = problems(sight)
    assert (problem.code, problem.member) == ("etcd_nospace", "cp2")


def test_a_member_that_a_task_is_adding_is_no_fault_of_the_cluster():
    four = off(healthy(4), 4)
    listed = healthy().members[0].etcd.members
    for number in (1, 2, 3):
        etcd = replace(four.members[number - 1].etcd, members=listed)
        four = change(four, number, etcd=etcd)
    found = problems(four, before=healthy(3), busy=True)
    assert [(p.code, p.level) for p in found] == [("member_coming", "info")]
    assert degrading(found) == []
    assert "member_away" in codes(four, before=healthy(3), busy=False)


def test_a_leader_that_stopped_renewing():
    stale = LeaseSeen("kube-scheduler", LeaderLease("cp1", NOW, NOW, 15), 45.0)
    (problem,) = problems(replace(healthy(), leases=(stale,)))
    assert "kube-scheduler" in problem.what
    unknown = replace(stale, age=None)
    assert codes(replace(healthy(), leases=(unknown,))) == []


def test_a_lightweight_cluster_is_not_warned_of_its_one_member():
    sight = healthy(1)
    alone = replace(sight.members[0], proxy=None)
    assert codes(replace(sight, members=(alone,), vip=None)) == []


def test_since_moves_only_with_the_state():
    first = merged(healthy(), {}, NOW)
    later = merged(healthy(), first, NOW + timedelta(minutes=1))
    assert later == first
    gone = merged(off(healthy(), 2), later, NOW + timedelta(minutes=2))
    assert gone["members"][1]["api"]["since"] == (NOW + timedelta(minutes=2)).isoformat()
    assert gone["members"][0]["api"]["since"] == NOW.isoformat()
    assert shape(gone) != shape(first)


def test_figures_that_always_move_are_no_news():
    sight = healthy()
    etcd = sight.members[0].etcd
    moved = replace(etcd.status, index=100, revision=5000, db_size=30000)
    other = change(sight, 1, etcd=replace(etcd, status=moved))
    first = merged(sight, {}, NOW)
    second = merged(other, first, NOW)
    assert first != second
    assert shape(first) == shape(second)
    assert revision(other) == 5000


def test_every_problem_has_words_without_holes():
    values = dict.fromkeys(
        ["vip", "up", "all", "holder", "member", "part", "unit", "status", "failing", "server",
         "check", "error", "extra", "healthy", "voters", "needed", "name", "minutes"], "x",
    )  # fmt: skip
    for code in WORDS:
        what, mend = words(code, values)
        assert what
        assert mend
        assert "%(" not in what + mend
