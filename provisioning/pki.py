"""Certificate authorities, certificates, kubeconfigs and the other secrets of a cluster.

Keys are ECDSA P-256. Names in the material (the engine keeps it encrypted):

    ca/kubernetes.{crt,key}, ca/etcd.{crt,key}, ca/front-proxy.{crt,key}   the authorities
    service-account.key, service-account.pub      signs the tokens of service accounts
    encryption.key                                base64 of 32 bytes: Secrets at rest
    bootstrap.token, bootstrap.expires            "id.secret"; Unix seconds
    hosts/<host id>/<leaf>.{crt,key}              leaves, listed in steps/certificates.py
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
LEAF_DAYS = 365
RENEW_DAYS = 30  # a leaf with less than this left is made anew by the next run
_BACKDATE = datetime.timedelta(minutes=10)  # hosts' clocks may be a little behind ours
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"  # bootstrap tokens: [a-z0-9]{6}.[a-z0-9]{16}


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Leaf:
    """What a leaf certificate is for: its subject, where it is served, which way it is used."""

    common_name: str
    organizations: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    server: bool = False
    client: bool = True


@dataclass(frozen=True)
class Expiry:
    """When a certificate ends (UTC), whose it is and who signed it (RFC 4514)."""

    name: str
    subject: str
    ends: datetime.datetime
    authority: bool
    issuer: str = ""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _load_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is not an elliptic curve key")
    return key


def _name(common_name: str, organizations: Iterable[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(**on: bool) -> x509.KeyUsage:
    off = dict.fromkeys(
        (
            "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
            "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip
    return x509.KeyUsage(**{**off, **on})


def new_authority(common_name: str, days: int = CA_DAYS) -> Pair:
    """A self-signed certificate authority that may sign leaves but no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = _now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            _usage(digital_signature=True, key_cert_sign=True, crl_sign=True), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), _key_pem(key))


def new_leaf(
    authority: Pair, leaf: Leaf, valid: datetime.timedelta = datetime.timedelta(days=LEAF_DAYS)
) -> Pair:
    """A leaf certificate with a new key, signed by the authority; never longer than the authority.

    Raises ValueError for a broken authority, name or address.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    key = ec.generate_private_key(ec.SECP256R1())
    now = _now()
    uses = [ExtendedKeyUsageOID.SERVER_AUTH] * leaf.server
    uses += [ExtendedKeyUsageOID.CLIENT_AUTH] * leaf.client
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(leaf.common_name, leaf.organizations))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - _BACKDATE, issuer.not_valid_before_utc))
        .not_valid_after(min(now + valid, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                _load_key(authority.key).public_key()
            ),
            critical=False,
        )
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in leaf.names]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in leaf.addresses]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(_load_key(authority.key), hashes.SHA256())
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), _key_pem(key))


def leaf_serves(certificate: str, leaf: Leaf, authority: str, spare_days: int = RENEW_DAYS) -> bool:
    """Whether a certificate is what `leaf` asks for, from this authority, for spare_days more."""
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
        issuer = x509.load_pem_x509_certificate(authority.encode())
        found.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    ends = _now() + datetime.timedelta(days=spare_days)
    if found.not_valid_after_utc < min(ends, issuer.not_valid_after_utc):
        return False
    if found.subject != _name(leaf.common_name, leaf.organizations):
        return False
    try:
        san = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = set(san.get_values_for_type(x509.DNSName))
        addresses = {str(a) for a in san.get_values_for_type(x509.IPAddress)}
    except x509.ExtensionNotFound:
        names, addresses = set(), set()
    return names >= set(leaf.names) and addresses >= set(leaf.addresses)


def issued_since(certificate: str, since: datetime.datetime) -> bool:
    """Whether new_leaf made this certificate (PEM) at `since` (UTC) or later. False for none.

    A leaf tells when it was made by its end, one that ends with its authority by its begin.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        return False
    made = max(
        found.not_valid_before_utc + _BACKDATE,
        found.not_valid_after_utc - datetime.timedelta(days=LEAF_DAYS),
    )
    return made >= since.replace(microsecond=0)


def client_certificate(
    authority: Pair, common_name: str, organizations: Iterable[str], *, hours: float
) -> Pair:
    """A short-lived client certificate: the user `common_name` in the groups `organizations`.

    authority: the material's ca/kubernetes pair; hours: how long it is valid.
    """
    leaf = Leaf(common_name, tuple(organizations))
    return new_leaf(authority, leaf, datetime.timedelta(hours=hours))


def new_key_pair() -> Pair:
    """A signing key for service accounts: `certificate` is the public key in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Pair(public.decode(), _key_pem(key))


def new_encryption_key() -> str:
    """32 random bytes in base64, for EncryptionConfiguration."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def new_bootstrap_token() -> str:
    """A bootstrap token "abcdef.0123456789abcdef" (Authenticating with Bootstrap Tokens)."""
    draw = [secrets.choice(_LETTERS) for _ in range(22)]
    return f"{''.join(draw[:6])}.{''.join(draw[6:])}"


def kubeconfig(
    server: str,
    authority_certificate: str,
    *,
    cluster: str = "kubernetes",
    user: str = "default",
    pair: Pair | None = None,
    token: str = "",
) -> str:
    """A kubeconfig as text (JSON, which is YAML too) with everything inline."""
    credentials: dict[str, str] = {"token": token} if token else {}
    if pair is not None:
        credentials = {
            "client-certificate-data": base64.b64encode(pair.certificate.encode()).decode(),
            "client-key-data": base64.b64encode(pair.key.encode()).decode(),
        }
    ca = base64.b64encode(authority_certificate.encode()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": cluster, "cluster": {"server": server, "certificate-authority-data": ca}}
        ],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    }
    return json.dumps(content, indent=2) + "\n"


def expiries(material: Mapping[str, str]) -> list[Expiry]:
    """Every certificate in the material, soonest end first; what is none is left out."""
    found = []
    for name, pem in material.items():
        if not name.endswith(".crt"):
            continue
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            continue
        subject = certificate.subject.rfc4514_string()
        issuer = certificate.issuer.rfc4514_string()
        ends, authority = certificate.not_valid_after_utc, name.startswith("ca/")
        found.append(Expiry(name, subject, ends, authority, issuer))
    return sorted(found, key=lambda e: e.ends)
