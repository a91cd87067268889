"""Ports without a protocol: filled in where the API itself would, and nowhere else."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube.port_protocols import with_protocols

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "template", "ports", "containers", "protocol", "x"]), inner
        )
    ),
    max_leaves=20,
)


def test_a_service_gets_tcp_where_it_says_nothing() -> None:
    ports = [{"port": 80}, {"port": 53, "protocol": "UDP"}]
    body = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}}
    before = copy.deepcopy(body)
    assert with_protocols(body)["spec"]["ports"] == [
        {"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"},
    ]  # fmt: skip
    assert body == before


@pytest.mark.parametrize(
    ("kind", "api_version", "path"),
    [
        ("Pod", "v1", ()),
        ("Deployment", "apps/v1", ("template", "spec")),
        ("CronJob", "batch/v1beta1", ("jobTemplate", "spec", "template", "spec")),
    ],
)
def test_containers_of_pods_and_of_templates(kind: str, api_version: str, path: tuple) -> None:
    pod: dict = {"containers": [{"ports": [{"containerPort": 80}]}], "initContainers": [{}]}
    spec = pod
    for key in reversed(path):
        spec = {key: spec}
    found = with_protocols({"apiVersion": api_version, "kind": kind, "spec": spec})["spec"]
    for key in path:
        found = found[key]
    assert found["containers"] == [{"ports": [{"containerPort": 80, "protocol": "TCP"}]}]


def test_other_kinds_are_left_alone() -> None:
    for api_version, kind in (("serving.example/v1", "Service"), ("example/v1", "Deployment")):
        body = {"apiVersion": api_version, "kind": kind, "spec": {"ports": [{"port": 80}]}}
        assert with_protocols(body) is body


@given(spec=JSON, kind=st.sampled_from(["Service", "Pod", "Deployment", "CronJob"]))
def test_nothing_that_is_built_otherwise_makes_it_fail(spec: object, kind: str) -> None:
    found = with_protocols({"apiVersion": "v1", "kind": kind, "spec": spec})
    assert with_protocols(found) == found
