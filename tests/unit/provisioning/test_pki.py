"""Certificates that a verifier believes, and those that it must not."""

from __future__ import annotations

import base64
import datetime
import json
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from provisioning import pki

DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> pki.Pair:
    return pki.new_authority("kubernetes-ca")


def load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def server_leaf(authority: pki.Pair) -> pki.Pair:
    return pki.new_leaf(
        authority,
        pki.Leaf("kube-apiserver", names=("kubernetes", "node1.example"), addresses=("10.96.0.1",),
                 server=True, client=False),
    )  # fmt: skip


def test_the_key_belongs_to_the_certificate(authority: pki.Pair) -> None:
    pair = server_leaf(authority)
    key = load_pem_private_key(pair.key.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert key.public_key() == load(pair.certificate).public_key()


def test_a_server_certificate_is_believed_for_its_names_only(authority: pki.Pair) -> None:
    leaf = load(server_leaf(authority).certificate)
    store = Store([load(authority.certificate)])
    builder = PolicyBuilder().store(store)
    builder.build_server_verifier(x509.DNSName("node1.example")).verify(leaf, [])
    with pytest.raises(VerificationError):
        builder.build_server_verifier(x509.DNSName("other.example")).verify(leaf, [])
    stranger = Store([load(pki.new_authority("kubernetes-ca").certificate)])
    with pytest.raises(VerificationError):
        PolicyBuilder().store(stranger).build_server_verifier(x509.DNSName("node1.example")).verify(
            leaf, []
        )


def test_a_leaf_can_sign_nothing(authority: pki.Pair) -> None:
    leaf = load(server_leaf(authority).certificate)
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_a_client_certificate_says_who_and_for_how_long(authority: pki.Pair) -> None:
    pair = pki.client_certificate(authority, "ada", ["flotilla:admins"], hours=8)
    leaf = load(pair.certificate)
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    groups = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [n.value for n in names] == ["ada"]
    assert [g.value for g in groups] == ["flotilla:admins"]
    left = leaf.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=7.9) < left <= datetime.timedelta(hours=8)


def test_leaves_last_a_year_and_never_outlive_their_authority() -> None:
    short = pki.new_authority("short", days=10)
    leaf = load(pki.new_leaf(short, pki.Leaf("x")).certificate)
    assert leaf.not_valid_after_utc == load(short.certificate).not_valid_after_utc
    long = load(pki.new_leaf(pki.new_authority("long"), pki.Leaf("x")).certificate)
    assert long.not_valid_after_utc - long.not_valid_before_utc < 366 * DAY


def test_clocks_that_are_a_little_behind_accept_new_certificates(authority: pki.Pair) -> None:
    leaf = load(server_leaf(authority).certificate)
    five_minutes_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    assert load(authority.certificate).not_valid_before_utc <= five_minutes_ago
    assert leaf.not_valid_before_utc <= five_minutes_ago


def test_a_certificate_is_kept_only_while_it_still_fits(authority: pki.Pair) -> None:
    leaf = pki.Leaf("kubelet", names=("node1",), addresses=("10.80.0.11",), server=True)
    made = pki.new_leaf(authority, leaf).certificate
    ca = authority.certificate
    assert pki.leaf_serves(made, leaf, ca)
    moved = pki.Leaf("kubelet", names=("node1",), addresses=("10.80.0.99",), server=True)
    assert not pki.leaf_serves(made, moved, ca)
    assert not pki.leaf_serves(made, pki.Leaf("other"), ca)
    assert not pki.leaf_serves(made, leaf, pki.new_authority("kubernetes-ca").certificate)
    assert not pki.leaf_serves("", leaf, ca)
    assert not pki.leaf_serves("-----BEGIN CERTIFICATE-----\nxx\n", leaf, ca)
    ending = pki.new_leaf(authority, leaf, 20 * DAY).certificate
    assert not pki.leaf_serves(ending, leaf, ca), "less than 30 days are left"


def test_a_kubeconfig_holds_everything_inline(authority: pki.Pair) -> None:
    pair = pki.client_certificate(authority, "ada", ["flotilla:admins"], hours=1)
    text = pki.kubeconfig(
        "https://10.80.0.11:6443", authority.certificate, cluster="edge", user="ada", pair=pair
    )
    config = json.loads(text)
    assert config["clusters"][0]["cluster"]["server"] == "https://10.80.0.11:6443"
    user = config["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]).decode() == pair.key
    assert set(user) == {"client-certificate-data", "client-key-data"}


def test_expiries_are_listed_soonest_first(authority: pki.Pair) -> None:
    soon = pki.new_leaf(authority, pki.Leaf("soon"), 3 * DAY)
    material = {
        "ca/kubernetes.crt": authority.certificate,
        "ca/kubernetes.key": authority.key,
        "hosts/1/apiserver.crt": server_leaf(authority).certificate,
        "hosts/1/soon.crt": soon.certificate,
        "hosts/1/broken.crt": "no certificate",
    }
    found = pki.expiries(material)
    assert [e.name for e in found] == [
        "hosts/1/soon.crt",
        "hosts/1/apiserver.crt",
        "ca/kubernetes.crt",
    ]
    assert [e.authority for e in found] == [False, False, True]


def test_tokens_and_keys_have_the_form_that_kubernetes_takes() -> None:
    assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", pki.new_bootstrap_token())
    assert len(base64.b64decode(pki.new_encryption_key())) == 32
    assert pki.new_bootstrap_token() != pki.new_bootstrap_token()
    pair = pki.new_key_pair()
    assert load_pem_public_key(pair.certificate.encode())
