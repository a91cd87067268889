"""Which pods a PodDisruptionBudget is about."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clusters.kube.disruption import budgets_of
from clusters.kube.selectors import matches

KEYS = st.sampled_from(["app", "tier", "track"])
VALUES = st.sampled_from(["a", "b", ""])
LABELS = st.dictionaries(KEYS, VALUES)
EXPRESSIONS = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        KEYS,
        st.sampled_from(["In", "NotIn"]),
        st.lists(VALUES, min_size=1),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator},
        KEYS,
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
SELECTORS = st.fixed_dictionaries(
    {}, optional={"matchLabels": LABELS, "matchExpressions": st.lists(EXPRESSIONS, max_size=3)}
)


def oracle(selector: dict, labels: dict) -> bool:
    """Every requirement is a set of allowed values, None standing for "has no such label"."""
    universe = {"a", "b", "", None}
    allowed = {key: set(universe) for key in ("app", "tier", "track")}
    for key, value in selector.get("matchLabels", {}).items():
        allowed[key] &= {value}
    for one in selector.get("matchExpressions", []):
        sets = {
            "In": set(one.get("values", ())),
            "NotIn": universe - set(one.get("values", ())),
            "Exists": universe - {None},
            "DoesNotExist": {None},
        }
        allowed[one["key"]] &= sets[one["operator"]]
    return all(labels.get(key) in values for key, values in allowed.items())


@given(SELECTORS, LABELS)
@example({}, {})
@example({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, {})
@example({"matchLabels": {"app": ""}}, {})
def test_it_selects_what_the_oracle_selects(selector, labels):
    assert matches(selector, labels) == oracle(selector, labels)


def test_an_unknown_requirement_selects_nothing():
    assert not matches({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, {})


@pytest.mark.parametrize(
    ("selector", "version", "names"),
    [
        ({}, "v1", ["web"]),
        ({}, "v1beta1", []),
        ({"matchLabels": {}, "matchExpressions": []}, "v1beta1", []),
        (None, "v1", []),
        ({"matchLabels": {"app": "web"}}, "v1beta1", ["web"]),
        ({"matchLabels": {"app": "db"}}, "v1", []),
    ],
)
def test_an_empty_selector_means_all_in_v1_and_none_in_v1beta1(selector, version, names):
    spec = {"maxUnavailable": 1} if selector is None else {"selector": selector}
    budget = {
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": spec,
        "status": {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2},
    }
    pod = {"metadata": {"namespace": "shop", "name": "p", "labels": {"app": "web"}}}
    found = budgets_of(pod, [budget], version)
    assert [one.name for one in found] == names
    for one in found:
        assert "currentHealthy 2" in one.text
        assert "expectedPods 0" in one.text
