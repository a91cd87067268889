"""The outage meter: its rules, and a real TLS server that goes away and comes back."""

from __future__ import annotations

import json
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube import CertificateRefused, ClusterUnreachable
from clusters.kube.credentials import Credentials
from clusters.kube.outage import OutageMeter, spans
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.tls_server import Tls

# On a machine with much other work an attempt may take a second of waiting for a processor. A long
# limit keeps that from looking like an outage; the default is for real measurements.
PATIENT = 10.0


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(tmp_path, authority):
    with Tls(tmp_path, authority) as running:
        yield running


def meter_of(server: Tls, authority: Authority, **options) -> OutageMeter:
    certificate, key = authority.client()
    options = {"limit": PATIENT, **options}
    return OutageMeter(Credentials(server.endpoint, authority.crt, certificate, key), **options)


def bounds(went: tuple[float, float], came: tuple[float, float]) -> tuple[float, float]:
    """The least and the most ms that the server was away, by its own clock."""
    return (came[0] - went[1]) * 1000, (came[1] - went[0]) * 1000


def found(text: str, settled: int = 100):
    """Outages of a string of "." and "x", one attempt each second."""
    starts = [float(number) for number in range(len(text))]
    return [
        (one.first, one.end, one.failed, one.passed, one.open)
        for one in spans(starts, [letter == "." for letter in text], settled)
    ]


def test_the_rules_by_hand():
    assert found("....") == []
    assert found("") == []
    assert found("..xxx..") == [(2, 5, 3, 0, False)]
    assert found("xx..") == [(0, 2, 2, 0, False)]
    # A success between failures ends nothing ...
    assert found("..xx.x...x....") == [(2, 10, 4, 4, False)]
    # ... unless nothing fails for long enough after it.
    assert found("x.....x..", settled=3) == [(0, 1, 1, 0, False), (6, 7, 1, 0, False)]
    assert found("..xx") == [(2, 3, 2, 0, True)]
    assert found("..xx.x") == [(2, 5, 3, 1, True)]
    assert found("x") == [(0, 0, 1, 0, True)]


@given(st.text("x.", max_size=60), st.integers(0, 5))
def test_the_rules_hold_for_any_attempts(text, settled):
    outages = found(text, settled)
    assert sum(failed for *_x, failed, _passed, _open in outages) == text.count("x")
    for first, end, failed, passed, is_open in outages:
        assert text[first] == "x"
        assert first == 0 or text[first - 1] == "."
        assert failed + passed == end - first + is_open
        if is_open:
            assert text[end] == "x"
            assert end == len(text) - 1
            continue
        # It ends at the first success after which nothing fails for `settled`.
        ends = [
            n
            for n in range(first, len(text))
            if text[n] == "." and "x" not in text[n : n + settled + 1]
        ]
        assert end == ends[0]


def test_a_server_that_is_always_there_has_no_outage(server, authority):
    meter = meter_of(server, authority)
    meter.start()
    time.sleep(1)
    meter.stop()
    result = meter.result()
    assert result.failed == 0
    assert result.ok > 10
    assert result.outages == ()
    assert result.longest_ms == 0
    assert 0 < result.slowest_ms < PATIENT * 1000


def test_a_gap_of_known_length_is_measured_to_a_few_steps(server, authority):
    meter = meter_of(server, authority)
    meter.start()
    known = []
    time.sleep(0.5)
    for length in (0.15, 0.6):
        went = server.do("down")
        time.sleep(length)
        known.append(bounds(went, server.do("up")))
        time.sleep(2)
    meter.stop()
    result = meter.result()
    assert len(result.outages) == 2, result
    for outage, (least, most) in zip(result.outages, known, strict=True):
        # A connection that waits to be accepted when the server goes has started before that.
        before = result.slowest_ms
        assert least - outage.margin_ms <= outage.length_ms <= most + outage.margin_ms + before
        assert outage.error in ("Connection refused", "Connection reset by peer") or (
            "TLS" in outage.error
        )
        assert not outage.open
    assert json.loads(json.dumps(result.as_json()))["longest_ms"] == result.longest_ms


def test_attempts_that_hang_do_not_hide_the_recovery(server, authority):
    meter = meter_of(server, authority, limit=6.0)
    meter.start()
    time.sleep(0.3)
    went = server.do("mute")
    time.sleep(0.4)
    least, most = bounds(went, server.do("talk"))
    time.sleep(1.5)
    meter.stop()
    result = meter.result()
    (outage,) = result.outages
    late = result.slowest_ms + outage.margin_ms
    # Each of them hung for 6 s; the service was away for 0.4.
    assert least - late <= outage.length_ms <= most + late
    assert outage.length_ms < 6000
    assert outage.error == "timed out"
    assert result.skipped == 0


def test_more_hanging_attempts_than_threads_are_counted(server, authority):
    meter = meter_of(server, authority, threads=5, limit=2.0)
    server.do("mute")
    meter.start()
    ends = time.monotonic() + 1.5
    while meter.result().skipped < 5 and time.monotonic() < ends:
        time.sleep(0.05)
    meter.stop()
    result = meter.result()
    assert result.failed == 5
    assert result.skipped >= 5
    assert result.outages[0].open


def test_a_server_that_is_not_ready_does_not_serve(server, authority):
    server.do("unready")
    meter = meter_of(server, authority)
    meter.start()
    time.sleep(0.2)
    meter.stop()
    assert meter.result().ok == 0
    assert meter.result().outages[0].error == "answered 500"
    assert meter.result().slowest_ms is None


def test_a_stranger_at_the_address_counts_as_away(server, authority):
    certificate, key = authority.client()
    stranger = Credentials(server.endpoint, Authority("other").crt, certificate, key)
    meter = OutageMeter(stranger, limit=PATIENT)
    meter.start()
    time.sleep(0.2)
    meter.stop()
    assert meter.result().ok == 0
    assert "TLS" in meter.result().outages[0].error


def test_a_result_before_the_end_leaves_out_what_may_change(server, authority):
    meter = meter_of(server, authority, limit=2.0)
    meter.start()
    time.sleep(0.3)
    server.do("mute")
    time.sleep(0.2)
    early = meter.result()
    assert early.failed == 0
    assert early.ok > 0
    assert early.outages == ()
    meter.stop()
    assert meter.result().outages[0].open


def test_no_thread_stays_behind(server, authority):
    meter = meter_of(server, authority)
    before = threading.active_count()
    meter.start()
    time.sleep(0.2)
    meter.stop()
    assert threading.active_count() == before


def test_what_cannot_be_measured_is_refused_at_the_start(authority):
    certificate, key = authority.client()
    unknown = Credentials("https://no-such-host.invalid:6443", authority.crt, certificate, key)
    with pytest.raises(ClusterUnreachable, match="DNS"):
        OutageMeter(unknown).start()
    with pytest.raises(CertificateRefused):
        OutageMeter(Credentials("https://127.0.0.1:1", authority.crt, "no", "PEM"))
