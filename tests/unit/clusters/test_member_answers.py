"""Parsers of what a control plane's parts answer: never an error, never more than was meant."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from clusters.kube import member_answers as answers

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=20,
)
keys = st.sampled_from(
    ["header", "members", "member_id", "revision", "leader", "errors", "spec", "ID", "name",
     "peerURLs", "clientURLs", "isLearner", "dbSize", "holderIdentity", "renewTime",
     "leaseDurationSeconds", "version", "raftTerm"]
)  # fmt: skip
objects = st.dictionaries(keys, st.one_of(values, st.dictionaries(keys, values)))
bodies = st.binary(max_size=300) | objects.map(lambda o: json.dumps(o).encode())


@given(bodies)
def test_no_body_makes_a_parser_fail(body):
    text = body.decode("utf-8", "replace")
    status, members = answers.etcd_status(body), answers.etcd_members(body)
    if status is not None:
        assert 0 < int(status.member, 16) < 2**64
        assert 0 <= status.revision < 2**53
    for member in members or []:
        assert 0 < int(member.id, 16) < 2**64
    answers.leader_lease(body)
    answers.back_ends(text)
    assert len(answers.failing_checks(text)) <= 20
    assert len(answers.holder(text)) <= 63


@given(st.text(max_size=400))
def test_texts_of_the_statistics_never_fail_and_names_stay_names(text):
    header = "# pxname,svname,status,check_status,check_code\n"
    for end in answers.back_ends(header + text) or []:
        assert end.state in ("up", "down", "out")
        assert answers.holder(end.name) == end.name
        assert end.check.isprintable()


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**53 - 1), st.booleans(), st.booleans())
def test_numbers_of_64_bits_stay_whole(member, revision, learner, as_text):
    number = str if as_text else int
    body = {
        "header": {"member_id": number(member), "revision": number(revision)},
        "leader": number(member),
        "isLearner": learner,
    }
    status = answers.etcd_status(json.dumps(body).encode())
    assert int(status.member, 16) == int(status.leader, 16) == member
    assert (status.revision, status.learner) == (revision, learner)


def test_alarms_and_other_errors_are_told_apart():
    body = {
        "header": {"member_id": "1"},
        "errors": ["memberID:10276657743932975437 alarm:NOSPACE ", "etcdserver: no leader"],
    }
    status = answers.etcd_status(json.dumps(body).encode())
    assert status.alarms == (("8e9e05c52164694d", "NOSPACE"),)
    assert status.errors == ("etcdserver: no leader",)
    assert status.leader == ""


def test_a_member_that_was_added_and_never_started_is_known_by_its_peer_address():
    body = {
        "members": [
            {"ID": "5", "name": "cp1", "peerURLs": ["https://10.0.0.1:2380"],
             "clientURLs": ["https://10.0.0.1:2379"]},
            {"ID": "6", "peerURLs": ["https://[fd00::2]:2380", "javascript:alert(1)"],
             "isLearner": True},
        ]
    }  # fmt: skip
    one, two = answers.etcd_members(json.dumps(body).encode())
    assert (one.started, one.learner, one.hosts) == (True, False, ("10.0.0.1",))
    assert (two.started, two.learner, two.hosts) == (False, True, ("fd00::2",))


def test_states_of_haproxy_in_its_own_words():
    words = ["UP", "UP 1/2", "DOWN", "DOWN 1/2", "MAINT", "DRAIN", "no check", "NOLB"]
    rows = [f"kubernetes-api,cp{n},{word}" for n, word in enumerate(words)]
    rows += ["kubernetes-api,BACKEND,UP", "console,FRONTEND,OPEN", "kubernetes-api,<b>x</b>,UP"]
    table = answers.back_ends("\n".join(["# pxname,svname,status", *rows]))
    assert [end.state for end in table] == [
        "up", "up", "down", "down", "out", "out", "up", "out",
    ]  # fmt: skip


def test_what_is_no_table_is_none():
    assert answers.back_ends("<html><body>503</body></html>") is None
    assert answers.back_ends("") is None


def test_a_lease_names_the_host_and_not_the_process():
    spec = {"holderIdentity": "cp2_0f-1", "renewTime": "2026-01-02T03:04:05.123456Z"}
    lease = answers.leader_lease(json.dumps({"spec": spec}).encode())
    assert (lease.holder, lease.renewed.year, lease.acquired) == ("cp2", 2026, None)
    assert answers.leader_lease(b'{"spec": {"renewTime": "2026-99-01T00:00:00Z"}}').renewed is None
    assert answers.leader_lease(b'{"kind": "Status"}') is None
