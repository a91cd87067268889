"""Certificates, keys and tokens that a person gave: checked, brought into one form, dated.

Errors name the field and never show a part of what was in it.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from django.utils.translation import gettext as _

from clusters.kube.strict_yaml import Refused

# An RSA key of 8,192 bits; checking a larger one would take minutes.
LARGEST_KEY = 8 * 1024
LARGEST_TOKEN = 16 * 1024
MOST_CERTIFICATES = 50
LEAST_RSA_BITS = 2048
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, b64token
_BROKEN = (ValueError, TypeError, UnsupportedAlgorithm, OverflowError)


def decoded(value: Any, path: str) -> str:
    """The text of a field in base64; empty where it is not there. Raises Refused."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise Refused(path, _("It is not text."))
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise Refused(path, _("It is not base64 of a PEM text.")) from None


def certificates_pem(text: str, path: str) -> str:
    """The certificates of a PEM text, and nothing else of it. Raises Refused without any."""
    return "".join(_pem(one) for one in _certificates(text, path))


def client_pair(
    certificate: str, key: str, path: str, key_path: str
) -> tuple[str, str, datetime | None]:
    """Certificate chain and key in one form, and when the certificate ends.

    Raises Refused when one of them cannot be read or they do not belong together.
    """
    chain = _certificates(certificate, path)
    if len(key) > LARGEST_KEY:
        raise Refused(key_path, _("It is larger than any key of a client."))
    if "ENCRYPTED" in key:
        raise Refused(key_path, _("It is locked with a passphrase. Give the key without one."))
    try:
        private = load_pem_private_key(key.encode(), None)
    except _BROKEN:
        raise Refused(key_path, _("It is not a private key in PEM.")) from None
    kinds = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
    if not isinstance(private, kinds):
        raise Refused(key_path, _("Keys are RSA, ECDSA or Ed25519."))
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size < LEAST_RSA_BITS:
        raise Refused(key_path, _("RSA keys have at least 2,048 bits."))
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    try:
        same = chain[0].public_key().public_bytes(*form) == private.public_key().public_bytes(*form)
        ends = chain[0].not_valid_after_utc
    except _BROKEN:
        raise Refused(path, _("It is not a certificate in PEM.")) from None
    if not same:
        raise Refused(key_path, _("It does not belong to the client certificate."))
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return "".join(_pem(one) for one in chain), text, ends


def plain_token(value: Any, path: str) -> str:
    """A bearer token as it goes into a header (RFC 6750). Raises Refused."""
    if not isinstance(value, str):
        raise Refused(path, _("It is not text."))
    if not _TOKEN.fullmatch(value) or len(value) > LARGEST_TOKEN:
        raise Refused(path, _("It is not a token: letters, digits and -._~+/= without spaces."))
    return value


def token_expiry(token: str) -> datetime | None:
    """When a JSON Web Token says that it ends (RFC 7519, exp); None for others.

    Not verified: it is only shown, and the API server decides.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = orjson.loads(base64.urlsafe_b64decode(padded))
        end = claims.get("exp") if isinstance(claims, dict) else None
        if isinstance(end, int | float) and not isinstance(end, bool):
            return datetime.fromtimestamp(end, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _certificates(text: str, path: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except _BROKEN:
        raise Refused(path, _("It is not a certificate in PEM.")) from None
    if len(found) > MOST_CERTIFICATES:
        raise Refused(path, _("It has more than %d certificates.") % MOST_CERTIFICATES)
    return found


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
