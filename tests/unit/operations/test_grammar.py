"""Labels and taints as lines: what Kubernetes takes is taken, everything else is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.grammar import EFFECTS, Wrong, label_lines, labels_of, taints_of

ALNUM = "abcXYZ019"
name = st.from_regex(r"[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?", fullmatch=True)
key = st.one_of(name, st.builds("{}/{}".format, st.sampled_from(["a.io", "x-1.example"]), name))


@given(st.dictionaries(key, st.one_of(st.just(""), name), max_size=8))
def test_what_is_right_comes_back_as_it_was(labels):
    assert labels_of(label_lines(labels)) == labels


@given(st.text(max_size=80))
def test_any_text_is_labels_or_is_refused_in_words(text):
    try:
        found = labels_of(text)
    except Wrong as wrong:
        assert str(wrong)
    else:
        assert all(len(value) <= 63 for value in found.values())


@given(key, st.one_of(st.just(""), name), st.sampled_from(EFFECTS))
def test_taints_come_back_as_kubectl_writes_them(key, value, effect):
    text = f"{key}={value}:{effect}" if value else f"{key}:{effect}"
    (taint,) = taints_of(text)
    assert (taint.key, taint.value, taint.effect) == (key, value, effect)
    assert taint.text == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "Line 1"),
        ("ok=1\n-bad=1", "Line 2.*-bad"),
        ("a=1\na=2", "Line 2.*twice"),
        ("UPPER.io/x=1", "DNS name"),
        ("a=" + "x" * 64, "no value"),
        ("x" * 64 + "=1", "no key"),
        ("<b>=1", "no key"),
        ("=1", "no key"),
        ("a/b/c=1", "DNS name"),
    ],
)
def test_a_wrong_label_is_named_with_its_line(text, said):
    with pytest.raises(Wrong, match=said):
        labels_of(text)


@pytest.mark.parametrize("text", ["a=b", "a=b:Never", "a=b:noschedule", "a=b c:NoSchedule", ":"])
def test_a_wrong_taint_is_named(text):
    with pytest.raises(Wrong, match="Line 1"):
        taints_of(text)


def test_a_thousand_lines_are_too_many():
    with pytest.raises(Wrong, match="more than"):
        labels_of("\n".join(f"k{n}=1" for n in range(1000)))
