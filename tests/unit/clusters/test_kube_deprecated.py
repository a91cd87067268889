"""Deprecated APIs in use: what /metrics and managedFields tell."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube.deprecated import Evidence, Requested, parse, requests_removed, use_of
from clusters.kube.removed_apis import REMOVED


def sample(group: str, version: str, resource: str, release: str, value: int = 1) -> str:
    labels = (
        f'group="{group}",removed_release="{release}",resource="{resource}",'
        f'subresource="",version="{version}"'
    )
    return f"apiserver_requested_deprecated_apis{{{labels}}} {value}"


LINES = [
    "# HELP apiserver_requested_deprecated_apis [ALPHA] Gauge of deprecated APIs",
    "# TYPE apiserver_requested_deprecated_apis gauge",
    'apiserver_request_total{code="200",verb="LIST",resource="pods"} 17',
    sample("batch", "v1beta1", "cronjobs", "1.25"),
    sample("rbac.authorization.k8s.io", "v1beta1", "roles", "1.22"),
    sample("extensions", "v1beta1", "ingresses", "1.22"),
    sample("", "v1", "componentstatuses", ""),
    sample("storage.k8s.io", "v1beta1", "csinodes", "1.22", 0),
    "process_start_time_seconds 1.76717e+09",
]


def test_it_names_what_the_target_serves_no_more():
    read = parse(LINES)
    assert len(read.requested) == 4
    uses = requests_removed(read, 22)
    # Ingresses of "extensions" are watched by the garbage collector of every cluster.
    assert [(use.resource, use.group_version, use.removed_in) for use in uses] == [
        ("roles", "rbac.authorization.k8s.io/v1beta1", "1.22")
    ]
    assert uses[0].instead == "rbac.authorization.k8s.io/v1"
    assert uses[0].last.startswith("2025-12-3")
    assert "rbac.authorization.k8s.io/v1beta1" in uses[0].text
    assert {use.resource for use in requests_removed(read, 25)} == {"roles", "cronjobs"}
    assert requests_removed(read, 21) == []


LABEL_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
REQUESTED = st.builds(
    Requested, LABEL_TEXT, LABEL_TEXT, LABEL_TEXT, LABEL_TEXT, st.sampled_from(["", "1.22", "1.25"])
)


def written(one: Requested, spaced: bool) -> str:
    """The line as Prometheus' client writes it, and as the format allows it too."""
    names = ("group", "removed_release", "resource", "subresource", "version")
    pairs = []
    for name in names:
        value = getattr(one, name).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        pairs.append(f'{name} = "{value}"' if spaced else f'{name}="{value}"')
    inside = " , ".join(pairs) + "," if spaced else ",".join(pairs)
    return f"apiserver_requested_deprecated_apis{{{inside}}} 1" + (" 1700000000000" * spaced)


@given(st.lists(REQUESTED, max_size=4), st.booleans(), st.lists(st.text(max_size=30), max_size=4))
def test_any_label_is_read_as_it_was_written(requested, spaced, noise):
    lines = [written(one, spaced) for one in requested]
    others = [f"other_metric {text!r}" for text in noise]
    assert set(parse([*others, *lines, *others]).requested) == set(requested)


@given(st.text(max_size=60))
def test_a_broken_line_is_an_error_and_nothing_else(rest):
    try:
        parse([f"apiserver_requested_deprecated_apis{rest}"])
    except ValueError:
        return


def row(resource: str, minor: int):
    return next(api for api in REMOVED if api.resource == resource and api.minor == minor)


def test_the_last_program_that_wrote_the_old_version_is_named():
    fields = [
        {"manager": "helm", "apiVersion": "batch/v1beta1", "time": "2026-01-02T00:00:00Z"},
        {"manager": "argo", "apiVersion": "batch/v1beta1", "time": "2026-03-02T00:00:00Z"},
        {"manager": "new", "apiVersion": "batch/v1", "time": "2026-05-02T00:00:00Z"},
    ]
    use = use_of({"namespace": "a", "name": "b", "managedFields": fields}, row("cronjobs", 25))
    assert (use.evidence, use.by, use.last) == (
        Evidence.WRITTEN,
        "argo",
        "2026-03-02T00:00:00Z",
    )
    assert "a/b" in use.text
    assert "batch/v1" in use.text


@pytest.mark.parametrize("manager", ["kube-controller-manager", "kube-apiserver", "kubelet"])
def test_kubernetes_own_programs_are_left_out(manager):
    fields = [{"manager": manager, "apiVersion": "discovery.k8s.io/v1beta1"}]
    assert use_of({"name": "b", "managedFields": fields}, row("endpointslices", 25)) is None


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        (json.dumps({"apiVersion": "policy/v1beta1"}), True),
        (json.dumps({"apiVersion": "policy/v1"}), False),
        ("{", False),
        ("[1]", False),
        ("", False),
    ],
)
def test_a_manifest_that_kubectl_applied_counts(manifest, found):
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": manifest}
    use = use_of({"name": "b", "annotations": annotations}, row("poddisruptionbudgets", 25))
    assert (use is not None) == found


def test_an_object_without_a_successor_counts_whoever_wrote_it():
    use = use_of({"name": "restricted"}, row("podsecuritypolicies", 25))
    assert use.evidence is Evidence.EXISTS
    assert use.instead == ""


def test_the_table_is_about_beta_versions_that_have_a_resource_each():
    assert len({(a.group, a.version, a.resource) for a in REMOVED}) == len(REMOVED)
    assert all("beta" in a.version and a.resource.isalpha() for a in REMOVED)
    assert {a.minor for a in REMOVED} == {22, 25, 26, 27, 29, 32}
