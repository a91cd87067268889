"""One look at a control plane of real TLS servers: what each part says, and what it may not do."""

from __future__ import annotations

import time

import pytest

from clusters.kube.credentials import Credentials, tls_context
from clusters.kube.members import ControlPlaneProbe, Layout
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.controlplane import ControlPlane


@pytest.fixture
def plane():
    with ControlPlane(3) as running:
        yield running


def probe_of(plane: ControlPlane, layout: Layout | None = None, ca: str = "", etcd: bool = True):
    kube = Credentials("kube", ca or plane.kube.crt, *plane.kube.client())
    store = Credentials("etcd", plane.etcd_ca.crt, *plane.etcd_ca.client())
    return ControlPlaneProbe(
        layout or plane.layout(), tls_context(kube), tls_context(store) if etcd else None
    )


def look(plane: ControlPlane, **options):
    seconds = options.pop("seconds", 2.5)
    probe = probe_of(plane, **options)
    try:
        return probe.look(seconds)
    finally:
        probe.close()


def test_a_healthy_cluster_is_seen_whole(plane):
    sight = look(plane)
    assert sight.vip.api.seen.state == "up"
    assert sight.vip.holder == "cp1"
    for member, host in zip(sight.members, plane.hosts, strict=True):
        assert (member.api.seen.state, member.proxy.seen.state) == ("up", "up")
        assert [(b.name, b.state) for b in member.proxy.back_ends] == [
            ("cp1", "up"), ("cp2", "up"), ("cp3", "up"),
        ]  # fmt: skip
        assert member.etcd.seen.state == "up"
        assert member.etcd.status.member == f"{host.id:x}", "64 bit, exactly"
        assert member.etcd.status.revision == 1234
        assert len(member.etcd.members) == 3
    assert {lease.name: lease.lease.holder for lease in sight.leases} == {
        "kube-scheduler": "cp1", "kube-controller-manager": "cp1",
    }  # fmt: skip
    assert all(lease.age < 5 for lease in sight.leases)


def test_the_console_shows_its_own_certificate_everywhere(plane):
    look(plane)
    assert set(plane.hosts[0].stats.subjects) == {"flotilla:console"}
    assert set(plane.hosts[0].etcd.subjects) == {"flotilla:console"}
    assert set(plane.hosts[0].api.subjects) == {"flotilla:console"}


def test_each_part_can_be_down_alone(plane):
    one, two, three = plane.hosts
    one.api_down()
    two.relay.down()
    two.stats.down()
    three.etcd.down()
    plane.vip_down()
    sight = look(plane)
    first, second, third = sight.members
    assert (first.api.seen.state, first.api.seen.fault) == ("down", "refused")
    assert (first.proxy.seen.state, first.etcd.seen.state) == ("up", "up")
    assert [b.state for b in first.proxy.back_ends] == ["down", "up", "up"]
    assert first.proxy.back_ends[0].check == "L4CON"
    assert second.proxy.seen.state == "down"
    assert second.proxy.back_ends is None
    assert (third.etcd.seen.state, third.api.seen.state) == ("down", "up")
    assert sight.vip.api.seen.state == "down"
    assert sight.vip.holder == ""
    assert sight.leases, "asked of another member"


def test_an_api_server_that_is_not_ready_names_its_failing_checks(plane):
    api = plane.hosts[1].api
    api.failing = "[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/rbac failed: x\n"
    api.ready = False
    seen = look(plane).members[1].api
    assert seen.seen.state == "not_ready"
    assert seen.seen.status == 500
    assert seen.failing == ("etcd", "poststarthook/rbac")


def test_a_haproxy_without_any_back_end_is_told_from_one_that_is_down(plane):
    for host in plane.hosts:
        host.api_down()
    sight = look(plane)
    assert {m.proxy.seen.state for m in sight.members} == {"not_ready"}
    assert sight.leases == ()


def test_hosts_that_are_off_take_no_more_time_than_one(plane):
    for host in plane.hosts[1:]:
        host.power_off()
    began = time.monotonic()
    sight = look(plane)
    assert time.monotonic() - began < 3.5
    assert sight.members[0].api.seen.state == "up"
    for member in sight.members[1:]:
        for part in (member.api, member.proxy, member.etcd):
            assert (part.seen.state, part.seen.fault) == ("down", "timeout")


def test_slow_answers_end_at_the_deadline_and_do_not_pile_up(plane):
    plane.hosts[2].api.delay = 3
    probe = probe_of(plane)
    try:
        for _ in range(3):
            began = time.monotonic()
            sight = probe.look(0.8)
            assert time.monotonic() - began < 1.6
            assert sight.members[2].api.seen.state == "down"
            assert sight.members[0].api.seen.state == "up"
        assert plane.hosts[2].api.count("/readyz?verbose") <= 3
    finally:
        probe.close()


def test_an_answer_that_drips_for_ever_ends_too(plane):
    api = plane.hosts[0].api
    api.drip = True
    api.override = (200, {}, b"x" * 4000)
    began = time.monotonic()
    sight = look(plane, seconds=1.0)
    assert time.monotonic() - began < 2.5
    assert sight.members[0].api.seen.fault == "timeout"


def test_a_stranger_is_not_trusted_and_gets_no_certificate_of_ours(plane):
    sight = look(plane, ca=Authority("other").crt)
    assert {m.api.seen.state for m in sight.members} == {"stranger"}
    assert sight.vip.api.seen.state == "stranger"
    assert {m.etcd.seen.state for m in sight.members} == {"up"}
    assert plane.hosts[0].api.subjects == []
    assert sight.leases == ()


def test_without_a_certificate_for_etcd_its_state_is_unknown_and_nothing_is_asked(plane):
    sight = look(plane, etcd=False)
    assert {m.etcd.seen.state for m in sight.members} == {"unknown"}
    assert plane.hosts[0].etcd.paths == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html><script>alert(1)</script></html>" * 10,
        b"x" * 400_000,
        b'{"header": {"member_id": -5}, "members": {"a": 1}}',
        b'{"header": [], "members": [[], null, {"ID": "abc"}]}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
    ],
    ids=["empty", "html", "huge", "wrong", "wrong lists", "deep", "binary"],
)
def test_hostile_answers_are_no_status_and_no_table(plane, raw):
    plane.hosts[0].raw = raw
    sight = look(plane)
    assert sight.members[0].etcd.status is None
    assert sight.members[0].etcd.seen.state in ("not_ready", "down")
    assert not sight.members[0].proxy.back_ends
    assert sight.members[1].etcd.seen.state == "up"


def test_a_holder_that_is_no_host_name_is_nobody(plane):
    plane.holder = "<b>cp1</b>"
    assert look(plane).vip.holder == ""


def test_a_redirect_is_not_followed(plane):
    plane.hosts[0].api.override = (302, {"Location": plane.hosts[1].api.endpoint}, b"")
    seen = look(plane).members[0].api
    assert (seen.seen.state, seen.seen.status) == ("not_ready", 302)


def test_a_kept_connection_to_a_restarted_server_is_opened_anew(plane):
    probe = probe_of(plane)
    try:
        assert probe.look().members[0].etcd.seen.state == "up"
        plane.hosts[0].etcd.down()
        assert probe.look().members[0].etcd.seen.state == "down"
        plane.hosts[0].etcd.up()
        assert probe.look().members[0].etcd.seen.state == "up"
    finally:
        probe.close()


def test_each_look_comes_in_anew_through_haproxy_and_the_virtual_ip(plane):
    probe = probe_of(plane)
    try:
        for number in range(1, 4):
            sight = probe.look()
            assert sight.vip.api.seen.state == "up"
            assert {m.proxy.seen.state for m in sight.members} == {"up"}
            assert plane.vip_relay.accepted == number
            assert plane.hosts[2].relay.accepted == number
        plane.vip_down()
        assert probe.look().vip.api.seen.state == "down", "an old connection proves nothing"
    finally:
        probe.close()


def test_a_lightweight_cluster_has_neither_virtual_ip_nor_haproxy():
    with ControlPlane(1) as plane:
        full = plane.layout()
        endpoint = plane.hosts[0].api.endpoint
        sight = look(plane, layout=Layout(full.members, endpoint, "", full.ports))
        assert sight.vip is None
        assert sight.members[0].proxy is None
        assert sight.members[0].api.seen.state == "up"
        assert sight.members[0].etcd.seen.state == "up"
        assert plane.hosts[0].stats.paths == []
