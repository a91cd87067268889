"""YAML that people paste: bombs and tricks are refused by document and line, secrets masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters import manifest_text
from clusters.changed_fields import changed_fields
from clusters.manifest_text import MASK, Refused, difference, dump, read, read_one

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no object"),
        ("---\n---\n", "no object"),
        (BOMB, "Document 1, line 1: Aliases"),
        (GOOD + "---\n" + GOOD.replace("{name: a}", "&x {name: b}"), "Document 2, line 7: Aliases"),
        (GOOD + "data: {a: 1, a: 2}\n", "line 4: The key “a” is there twice"),
        (GOOD + "x: !!python/object/apply:os.system [id]\n", "line 4: The tag"),
        (GOOD + "x: !!binary aGk=\n", "The tag"),
        (GOOD + "x: !mine 1\n", "The tag"),
        (GOOD + "x: !!int twelve\n", "no value of its type"),
        (GOOD + "x: " + "9" * 5000 + "\n", "no value of its type"),
        ("[" * 500 + "]" * 500, "nested more than"),
        (GOOD + "x: {? [a] : b}\n", "A key must be a text"),
        ("a: [1,", "Document 1, line"),
        ("a: \x00", "no YAML"),
        ("a: \ud800", "UTF-8"),
        ("- 1\n", "no object: it has no apiVersion"),
        ("kind: ConfigMap\nmetadata: {name: a}\n", "apiVersion is missing"),
        (GOOD.replace("v1", "../v1"), "apiVersion"),
        (GOOD.replace("ConfigMap", "config/map"), "kind"),
        (GOOD.replace("{name: a}", "{generateName: a}"), "metadata.name"),
        (GOOD.replace("name: a", "name: ../../secrets/x"), "metadata.name"),
        (GOOD.replace("name: a", "name: .."), "metadata.name"),
        (GOOD.replace("name: a", "name: a, namespace: a/b"), "metadata.namespace"),
        (GOOD.replace("name: a", "name: 5"), "metadata.name"),
        (f"{GOOD}---\n{GOOD}", "in document 1 already"),
        ("x" * 1_100_000, "1 MiB"),
        ("---\na: 1\n" * 201, "more than 200 objects"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named(text, said):
    with pytest.raises(Refused) as caught:
        read(text)
    assert said in str(caught.value)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text):
    try:
        found = read(text)
    except Refused as refused:
        assert refused.problems
    else:
        assert all(manifest.kind for manifest in found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), JSON, max_size=4))
def test_what_is_written_is_read_again(more):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "spec": more}
    try:
        found = read_one(dump(body))
    except Refused as refused:
        # Characters that YAML has no place for.
        assert "no YAML" in str(refused) or "UTF-8" in str(refused)
    else:
        assert found == body


@pytest.mark.parametrize("text", ["0E0", "12e5", "1.", ".5", "0o17", "0b1", "0x1F", "true", "~"])
def test_a_text_that_looks_like_a_number_stays_a_text(text):
    """Else an edit of one line would change others, which nobody touched."""
    body = {"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}, "spec": {text: text}}
    assert read_one(dump(body)) == body


def test_scalars_are_those_of_kubectl():
    text = GOOD + 'data: {a: 22:22, b: 2020-01-01, c: "1", d: 0644, e: 1e3, f: yes, g: ~}\n'
    assert read(text)[0].body["data"] == {
        "a": "22:22", "b": "2020-01-01", "c": "1", "d": 420, "e": 1000.0, "f": "yes", "g": None,
    }  # fmt: skip


def test_a_list_counts_as_what_it_holds_and_what_servers_write_is_left_out():
    inner = "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, uid: x, managedFields: []}}"
    text = f"apiVersion: v1\nkind: List\nitems: [{inner % 'a'}, {inner % 'b'}]\n"
    found = read(text)
    assert [manifest.name for manifest in found] == ["a", "b"]
    assert found[0].body["metadata"] == {"name": "a"}


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}


def test_no_value_of_a_secret_is_in_a_difference():
    last = '{"data":{"p":"aHVudGVyMg=="}}'
    notes = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": last}}
    old = {**SECRET, "data": {"p": "aHVudGVyMg==", "q": "c2FtZQ=="}}
    changed = {**old["data"], "p": "aHVudGVyMw=="}
    new = {**old, "metadata": {"name": "s", **notes}, "data": changed}
    for before, after in ((old, new), (None, new), (old, None)):
        told = difference(before, after)
        assert "aHVud" not in told and "c2FtZQ" not in told
        assert "aHVud" not in str(changed_fields(before, after))
    assert f"-  p: {MASK}" in difference(old, new) and "-  q" not in difference(old, new)


def test_audit_events_keep_no_values_that_may_be_secret():
    def pod(value: str) -> dict:
        env = [{"name": "DB_PASSWORD", "value": value}]
        spec = {"containers": [{"image": f"web:{value}", "env": env, "args": [f"--key={value}"]}]}
        return {"kind": "Pod", "metadata": {}, "spec": spec}

    before, after = changed_fields(pod("hunter2"), pod("hunter3"))
    assert before["spec.containers[0].image"] == "web:hunter2"
    assert before["spec.containers[0].env[0].value"] == MASK
    assert after["spec.containers[0].args[0]"] == MASK
    config = {"kind": "ConfigMap", "metadata": {"name": "a"}}
    told = changed_fields({**config, "data": {"a": "1"}}, {**config, "data": {"a": "2"}})
    assert told == ({"data.a": MASK}, {"data.a": MASK})


def test_a_huge_change_is_counted():
    after = {"spec": {f"f{n}": "x" * 500 for n in range(80)}}
    _before, told = changed_fields({}, after)
    assert told["more"] == 30 and all(len(str(v)) < 300 for v in told.values())


def test_one_list_of_very_many_is_refused_before_they_are_compared(monkeypatch):
    """A list within 1 MiB holds 18,000: each was compared with all before it, for minutes."""
    item = "- {apiVersion: v1, kind: A, metadata: {name: a%d}}\n"
    text = "apiVersion: v1\nkind: List\nitems:\n" + "".join(item % n for n in range(18_000))
    looked_at = []
    monkeypatch.setattr(manifest_text, "bare", lambda body: looked_at.append(body) or {**body})
    with pytest.raises(Refused, match="more than 200 objects"):
        read(text)
    assert len(looked_at) == 200
