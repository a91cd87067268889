"""The Version Skew Policy's own examples, and the steps of an upgrade."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube.skew import Rule, kubelet_fits, minor_of, skew, step


@pytest.mark.parametrize(
    ("kubelet", "apiserver", "rule"),
    [
        ("v1.20.2", "v1.20.2", None),
        ("v1.20.2", "v1.22.0", None),
        ("v1.20.2", "v1.23.0", Rule.KUBELET_TOO_OLD),
        ("v1.24.9", "v1.27.1", Rule.KUBELET_TOO_OLD),
        ("v1.25.0", "v1.28.0", None),
        ("v1.32.0", "v1.35.0", None),
        ("v1.31.0", "v1.35.0", Rule.KUBELET_TOO_OLD),
        ("v1.21.0", "v1.20.2", Rule.KUBELET_NEWER),
        ("v1.20.9", "v1.20.2", None),
        ("v1.20.2-eks-1-2", "1.21.0+k3s1", None),
    ],
)
def test_a_kubelet_beside_an_api_server(kubelet, apiserver, rule):
    assert kubelet_fits(kubelet, apiserver) is rule


@pytest.mark.parametrize(
    ("current", "target", "rules"),
    [
        ("v1.20.2", "v1.20.2", []),
        ("v1.20.2", "v1.20.9", []),
        ("v1.20.2", "v1.21.0", []),
        ("v1.20.2", "v1.22.0", [Rule.ONE_MINOR]),
        ("v1.21.0", "v1.20.2", [Rule.DOWNGRADE]),
        ("v1.20.2", "v1.20.1", [Rule.DOWNGRADE]),
    ],
)
def test_one_step_of_a_control_plane(current, target, rules):
    found = step(current, target)
    assert [one.rule for one in found] == rules
    for one in found:
        assert current in one.text
        assert target in one.text


def test_a_worker_that_was_forgotten_stops_the_upgrade_and_is_named():
    found = skew({"w1": "v1.20.2", "w2": "v1.18.3", "cp1": "v1.20.2"}, ["v1.20.2"] * 3, "v1.21.0")
    assert [(one.node, one.rule) for one in found] == [("w2", Rule.KUBELET_TOO_OLD)]
    assert "w2" in found[0].text


def test_an_upgrade_that_stopped_half_way_may_go_on():
    nodes = {"cp1": "v1.21.0", "cp2": "v1.20.2", "w": "v1.20.2"}
    assert skew(nodes, ["v1.21.0", "v1.20.2"], "v1.21.0") == []


def test_it_may_not_go_further_before_the_last_one_is_finished():
    found = skew({}, ["v1.21.0", "v1.20.2"], "v1.22.0")
    assert [(one.rule, one.version) for one in found] == [(Rule.SERVERS, "v1.20.2")]


@given(st.text(max_size=12))
def test_what_is_no_version_is_refused(text):
    try:
        assert 0 <= minor_of(text) < 1000
    except ValueError:
        return
    assert text.removeprefix("v").startswith("1.")
