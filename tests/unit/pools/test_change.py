"""What a pool does to one node: joined, drifted, left, and whatever was there before."""

from __future__ import annotations

import copy

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from clusters.pools import Mark, change_of
from clusters.pools_rules import POOL_LABEL, labels_of, namespaces_of, taints_of


def node(labels: dict[str, str] | None = None, taints: list[dict] | None = None) -> dict:
    return {
        "metadata": {"name": "n1", "labels": labels or {}, "resourceVersion": "7"},
        "spec": {"taints": taints or []},
    }


def patched(node: dict, patch: dict | None) -> dict:
    """The node after a merge patch (RFC 7386), as an API server makes it."""
    node = copy.deepcopy(node)
    for key, value in ((patch or {}).get("metadata", {}).get("labels") or {}).items():
        if value is None:
            node["metadata"]["labels"].pop(key, None)
        else:
            node["metadata"]["labels"][key] = value
    if patch and "spec" in patch:
        node["spec"]["taints"] = patch["spec"]["taints"] or []
    return node


def wanted(labels: dict[str, str] | None = None, **taints: str) -> Mark:
    return Mark(
        {POOL_LABEL: "gold", **(labels or {})}, {(k, "NoSchedule"): v for k, v in taints.items()}
    )


def join(of: dict, want: Mark, put: Mark | None = None) -> tuple[dict, Mark]:
    change = change_of(of, put or Mark(), want)
    return patched(of, change.patch), change.put


def test_a_node_gets_labels_and_taints_once_and_then_is_left_alone() -> None:
    after, put = join(node({"a": "1"}), wanted({"disk": "ssd"}, team="shop"))
    assert after["metadata"]["labels"] == {"a": "1", "disk": "ssd", POOL_LABEL: "gold"}
    assert after["spec"]["taints"] == [{"key": "team", "effect": "NoSchedule", "value": "shop"}]
    again = change_of(after, put, wanted({"disk": "ssd"}, team="shop"))
    assert again.patch is None and again.put == put


def test_drift_is_put_right() -> None:
    want = wanted({"disk": "ssd"}, team="shop")
    after, put = join(node(), want)
    after["metadata"]["labels"]["disk"] = "hdd"
    del after["metadata"]["labels"][POOL_LABEL]
    after["spec"]["taints"] = [{"key": "other", "effect": "NoExecute", "timeAdded": "t"}]
    right, put = join(after, want, put)
    assert right["metadata"]["labels"] == {"disk": "ssd", POOL_LABEL: "gold"}
    assert {"key": "other", "effect": "NoExecute", "timeAdded": "t"} in right["spec"]["taints"]
    assert len(right["spec"]["taints"]) == 2
    left, _put = join(right, Mark(), put)
    assert left["metadata"]["labels"] == {}
    assert left["spec"]["taints"] == [{"key": "other", "effect": "NoExecute", "timeAdded": "t"}]


def test_what_was_there_as_wanted_is_somebody_elses_and_stays() -> None:
    taint = {"key": "team", "value": "shop", "effect": "NoSchedule"}
    before = node({"disk": "ssd"}, [taint])
    after, put = join(before, wanted({"disk": "ssd"}, team="shop"))
    left, _put = join(after, Mark(), put)
    assert left == before


def test_what_had_another_value_gets_it_back() -> None:
    before = node({"disk": "hdd"}, [{"key": "team", "value": "x", "effect": "NoSchedule"}])
    after, put = join(before, wanted({"disk": "ssd"}, team="shop"))
    after, put = join(after, wanted({"disk": "nvme"}, team="lab"), put)
    assert after["metadata"]["labels"]["disk"] == "nvme"
    left, _put = join(after, Mark(), put)
    assert left["metadata"]["labels"] == {"disk": "hdd"}
    assert left["spec"]["taints"] == [{"key": "team", "effect": "NoSchedule", "value": "x"}]


def test_what_somebody_changed_meanwhile_is_not_taken_away() -> None:
    after, put = join(node(), wanted({"disk": "ssd"}, team="shop"))
    after["metadata"]["labels"]["disk"] = "mine"
    after["spec"]["taints"][0]["value"] = "mine"
    left, _put = join(after, Mark(), put)
    assert left["metadata"]["labels"] == {"disk": "mine"}
    assert left["spec"]["taints"][0]["value"] == "mine"


def test_a_label_that_the_pool_no_longer_wants_goes() -> None:
    after, put = join(node(), wanted({"disk": "ssd", "b": "2"}))
    after, put = join(after, wanted({"b": "2"}), put)
    assert after["metadata"]["labels"] == {"b": "2", POOL_LABEL: "gold"}
    assert set(put.labels) == {"b", POOL_LABEL}


def test_a_patch_of_taints_holds_only_for_the_version_it_was_made_from() -> None:
    change = change_of(node(), Mark(), wanted(team="shop"))
    assert change.patch["metadata"]["resourceVersion"] == "7"
    assert "resourceVersion" not in change_of(node(), Mark(), wanted()).patch["metadata"]


def test_answers_of_the_wrong_shape_break_nothing() -> None:
    for odd in (
        {},
        {"metadata": None, "spec": 5},
        {"metadata": {"labels": [1]}, "spec": {"taints": [3]}},
    ):
        assert change_of(odd, Mark(), wanted({"a": "1"}, t="x")).patch


keys = st.sampled_from(["a", "b", "c/d"])
labels = st.dictionaries(keys, st.sampled_from(["", "1", "2"]))
taints = st.dictionaries(
    st.tuples(keys, st.sampled_from(["NoSchedule", "NoExecute"])), st.sampled_from(["", "1", "2"])
)


def listed(taints: dict) -> list[dict]:
    return [{"key": k, "effect": e, **({"value": v} if v else {})} for (k, e), v in taints.items()]


@given(labels, taints, st.lists(st.tuples(labels, taints), min_size=1, max_size=4))
def test_who_joins_changes_and_leaves_is_as_before(had, had_taints, pools) -> None:
    before = node(had, listed(had_taints))
    now, put = before, Mark()
    for want_labels, want_taints in pools:
        want = Mark({**want_labels, POOL_LABEL: "gold"}, want_taints)
        now, put = join(now, want, put)
        assert {**now["metadata"]["labels"], **want.labels} == now["metadata"]["labels"]
        assert change_of(now, put, want).patch is None, "once is enough"
        assert Mark.of_json(put.as_json()) == put
    now, put = join(now, Mark(), put)
    assert not put
    assert now["metadata"]["labels"] == had
    key = str
    assert sorted(now["spec"]["taints"], key=key) == sorted(before["spec"]["taints"], key=key)


def test_labels_by_kubernetes_grammar() -> None:
    assert labels_of("disk=ssd\n example.com/tier=Gold_1.x \nempty=\n\n") == {
        "disk": "ssd", "example.com/tier": "Gold_1.x", "empty": "",
    }  # fmt: skip
    for text, says in (
        ("disk", "key=value"),
        ("=x", "is no key"),
        ("-a=x", "is no key"),
        ("a" * 64 + "=x", "is no key"),
        ("Example.com/a=x", "lower case"),
        ("/a=x", "lower case"),
        ("a=" + "x" * 64, "value"),
        ("a=ü", "value"),
        ("a=b=c", "value"),
        ("a=1\na=2", "twice"),
        ("kubernetes.io/hostname=x", "belongs to Kubernetes"),
        ("node-role.kubernetes.io/master=", "belongs to Kubernetes"),
        ("flotilla.dev/pool=x", "belongs to Kubernetes or to Flotilla"),
        ("\n".join(f"a{n}=1" for n in range(60)), "At most 50"),
    ):
        with pytest.raises(ValidationError, match=says):
            labels_of(text)
    assert labels_of("node-restriction.kubernetes.io/fips=true")


def test_taints_by_kubernetes_grammar() -> None:
    assert taints_of("a=1:NoSchedule\nx.io/b:NoExecute\na=2:NoExecute") == [
        {"key": "a", "value": "1", "effect": "NoSchedule"},
        {"key": "x.io/b", "value": "", "effect": "NoExecute"},
        {"key": "a", "value": "2", "effect": "NoExecute"},
    ]
    for text, says in (
        ("a=1", "is no taint"),
        ("a=1:Never", "is no taint"),
        (":NoSchedule", "is no key"),
        ("a=1:NoSchedule\na=2:NoSchedule", "twice"),
        ("node.kubernetes.io/not-ready:NoExecute", "belongs to Kubernetes"),
    ):
        with pytest.raises(ValidationError, match=says):
            taints_of(text)


@given(st.text(max_size=200))
def test_whatever_is_typed_is_taken_or_refused(text: str) -> None:
    for rule in (labels_of, taints_of, namespaces_of):
        try:
            rule(text)
        except ValidationError as error:
            assert error.messages
