"""Kubeconfigs as people have them: what is taken, what is refused for one context."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clusters.kube.given_secrets import token_expiry
from clusters.kube.kubeconfig_parser import Reach, given_by_hand, parse
from clusters.kube.strict_yaml import Refused, load
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.hostile_ground import b64, config

AUTHORITY = Authority()


def jwt(**claims: object) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
    return ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in [*parts, b"sig"])


def text(**changes: object) -> str:
    return yaml.safe_dump(config(**changes))


def test_certificate_and_key_with_the_end_of_the_certificate():
    certificate, key = AUTHORITY.client("ada", life=timedelta(days=20))
    (found,) = parse(
        text(
            user__token=None,
            user__client_certificate_data=b64(certificate),
            user__client_key_data=b64(key),
        )
    )
    assert found.name == "x"
    assert found.current
    assert found.entry
    assert found.entry.certificate == certificate
    assert found.entry.key == key
    left = found.entry.expires - datetime.now(UTC)
    assert timedelta(days=19, hours=23) < left <= timedelta(days=20)


def test_a_token_tells_when_it_ends():
    (found,) = parse(text(user__token=jwt(exp=1893456000, sub="x")))
    assert found.entry.expires == datetime(2030, 1, 1, tzinfo=UTC)
    (found,) = parse(text(user__token="opaque-token"))
    assert found.entry.expires is None


def test_the_earlier_end_of_token_and_certificate_counts():
    certificate, key = AUTHORITY.client("ada", life=timedelta(days=20))
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    (found,) = parse(
        text(
            user__token=jwt(exp=soon.timestamp()),
            user__client_certificate_data=b64(certificate),
            user__client_key_data=b64(key),
        )
    )
    assert found.entry.expires == soon


@pytest.mark.parametrize(
    "claims", [{}, {"exp": "soon"}, {"exp": True}, {"exp": 1e300}, {"exp": -1e300}]
)
def test_a_token_without_a_sane_end_has_none(claims):
    assert token_expiry(jwt(**claims)) is None


def test_json_is_yaml():
    (found,) = parse(json.dumps(config(), indent=2))
    assert found.entry.server == "https://192.0.2.10:6443"


def test_what_tools_write_beside_it_is_left_aside():
    given = config(preferences={"colors": True}, extensions=[{"name": "e", "extension": {"a": 1}}])
    cluster = given["clusters"][0]["cluster"]
    cluster["extensions"] = [{"name": "minikube.sigs.k8s.io", "extension": {"version": "1"}}]
    cluster["insecure-skip-tls-verify"] = False
    cluster["disable-compression"] = True
    given["contexts"][0]["context"]["namespace"] = "shop"
    (found,) = parse("\ufeff# written by a tool\n---\n" + yaml.safe_dump(given))
    assert found.entry


def test_one_bad_context_does_not_spoil_the_others():
    given = config()
    given["users"].append({"name": "cloud", "user": {"exec": {"command": "aws"}}})
    given["contexts"].append({"name": "y", "context": {"cluster": "c", "user": "cloud"}})
    good, bad = parse(yaml.safe_dump(given))
    assert good.entry
    assert bad.entry is None
    assert bad.refused.field == "users[1].user.exec"


def test_private_keys_beside_the_ca_are_left_out():
    (found,) = parse(text(cluster__certificate_authority_data=b64(AUTHORITY.key + AUTHORITY.crt)))
    assert found.entry.ca == AUTHORITY.crt


def test_without_a_ca_the_machines_authorities_count():
    (found,) = parse(text(cluster__certificate_authority_data=None))
    assert found.entry.ca == ""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.example", "https://api.example"),
        ("https://API.Example:443/", "https://api.example:443"),
        ("https://rancher.example/k8s/clusters/c-1/", "https://rancher.example/k8s/clusters/c-1"),
        ("https://[2001:DB8::1]:6443", "https://[2001:db8::1]:6443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
    ],
)
def test_servers_are_kept_in_one_spelling(given, kept):
    (found,) = parse(text(cluster__server=given))
    assert found.entry.server == kept


def test_private_and_allowed_networks_follow_the_settings():
    given = text(cluster__server="https://10.0.0.1:6443")
    with pytest.raises(Refused, match="FLOTILLA_PRIVATE_CLUSTERS"):
        parse(given, Reach(private=False))
    assert parse(given, Reach(private=False, allowed=[ip_network("10.0.0.0/24")]))


def test_secrets_have_no_repr():
    certificate, key = AUTHORITY.client("ada")
    found = parse(
        text(user__client_certificate_data=b64(certificate), user__client_key_data=b64(key))
    )
    assert "good-token" not in repr(found)
    assert "PRIVATE" not in repr(found)


def test_by_hand_each_problem_stands_beside_its_field():
    entry, problems = given_by_hand("http://x", "no pem", "a b")
    assert entry is None
    assert sorted(problems) == ["ca", "server", "token"]
    entry, problems = given_by_hand(" https://192.0.2.1 ", AUTHORITY.crt, " tok\n")
    assert not problems
    assert (entry.server, entry.ca, entry.token) == ("https://192.0.2.1", AUTHORITY.crt, "tok")


def test_large_files_are_refused_before_they_are_read():
    with pytest.raises(Refused, match="256 KiB"):
        parse("# " + "x" * 256 * 1024)


# Beyond the basic plane JSON writes surrogates, which YAML refuses: nothing passes by them.
words = st.text(st.characters(max_codepoint=0xD7FF, exclude_categories=["Cc"]), max_size=12)
keys = st.sampled_from(("name", "user", "token", "exec", "a", ""))
values = st.recursive(
    st.none() | st.booleans() | words | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(given):
    try:
        parse(given)
    except Refused as refused:
        assert refused.field
        assert refused.why


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(given):
    with pytest.raises(Refused):
        parse(given)


@given(st.sampled_from(["clusters", "users", "contexts", "current-context", "kind", "x"]), values)
def test_any_value_in_any_place_is_read_or_refused(place, value):
    given = config()
    given[place] = value
    try:
        found = parse(json.dumps(given))
    except Refused as refused:
        assert refused.field
    else:
        assert any(context.entry for context in found)


@given(st.sampled_from(["exec", "auth-provider", "tokenFile", "client-key", "as"]), values)
def test_no_value_makes_a_refused_field_pass(name, value):
    given = config()
    given["users"][0]["user"][name] = value
    with pytest.raises(Refused) as caught:
        parse(json.dumps(given))
    assert caught.value.field.startswith(f"users[0].user.{name}")


@given(values)
def test_what_json_says_is_what_is_read(value):
    """Only plain numbers differ: they stay the text that was written."""

    def as_read(given: object) -> object:
        if isinstance(given, dict):
            return {key: as_read(item) for key, item in given.items()}
        if isinstance(given, list):
            return [as_read(item) for item in given]
        return str(given) if isinstance(given, int) and not isinstance(given, bool) else given

    assert load(json.dumps(value)) == as_read(value)
