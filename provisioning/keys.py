"""SSH keys: made by the console or pasted by a person, and always kept in one form.

Whatever format comes in, what goes out is an unencrypted OpenSSH private key (which the
model's encrypted field then protects), its public half and its SHA-256 fingerprint. So a
passphrase is needed once and never kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from django.utils.translation import gettext as _

MAX_BYTES = 32 * 1024
MIN_RSA_BITS = 2048
RSA_BITS = 3072  # what the console makes: 128 bits of strength, as ed25519 and P-256 have

# A key file says itself how often its passphrase is to be hashed. A hostile one says
# "two thousand million times"; the highest figures seen in practice are far below these.
MAX_BCRYPT_ROUNDS = 512
MAX_PBKDF2_ITERATIONS = 5_000_000

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_ARMOUR = re.compile(
    r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\s.*?-----END (?P=label)-----", re.DOTALL
)
_PRIVATE_LABELS = {
    "OPENSSH PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
}
_PUBLIC_LINE = re.compile(r"\A(ssh-|ecdsa-sha2-|sk-ssh-|sk-ecdsa-)[a-z0-9@.-]+\s+AAAA")
_PUBLIC_MARKS = ("PUBLIC KEY-----", "SSH2 PUBLIC KEY", "BEGIN CERTIFICATE")
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_OID_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")


class KeyRefusedError(ValueError):
    """A key that cannot be taken. field: "private_key" or "passphrase", where to say so."""

    def __init__(self, message: str, field: str = "private_key") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class KeyPair:
    """kind: "ed25519", "rsa" or "ecdsa"; private: unencrypted OpenSSH text; public: one line."""

    kind: str
    public: str
    fingerprint: str
    private: str = field(repr=False)


def generate(kind: str, comment: str = "") -> KeyPair:
    """A new key of a kind. Raises KeyRefusedError for a kind that the console does not make."""
    key: PrivateKey
    if kind == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif kind == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    elif kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        raise KeyRefusedError(_("%(kind)s is no key type that can be made here.") % {"kind": kind})
    return _pair(key, comment)


def load_private(text: str, passphrase: str = "", comment: str = "") -> KeyPair:
    """The key that somebody pasted: OpenSSH, PKCS#1, PKCS#8 or SEC1, with or without passphrase.

    Raises KeyRefusedError, which says what is wrong and what to do instead.
    """
    block = _private_block(text)
    key = _decode(block, passphrase)
    if isinstance(key, dsa.DSAPrivateKey):
        raise KeyRefusedError(
            _("This is a DSA key. OpenSSH refuses DSA since 2015: make an Ed25519 key instead.")
        )
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise KeyRefusedError(
            _(
                "This RSA key has %(bits)d bits, and the least that is safe is %(least)d: "
                "make a new key."
            )
            % {"bits": key.key_size, "least": MIN_RSA_BITS}
        )
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVES:
        raise KeyRefusedError(
            _("SSH has no keys on the curve %(curve)s: use P-256, P-384 or P-521.")
            % {"curve": key.curve.name}
        )
    if not isinstance(
        key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    ):
        raise KeyRefusedError(_("SSH cannot use this type of key: use Ed25519, RSA or ECDSA."))
    return _pair(key, comment)


def fingerprint(public_line: str) -> str:
    """The SHA-256 fingerprint of "type base64 [comment]", as ssh-keygen prints it.

    Raises KeyRefusedError when the line is no public key.
    """
    words = public_line.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        raise KeyRefusedError(_("This is no SSH public key.")) from None
    digest = hashlib.sha256(blob).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def key_type(public_line: str) -> str:
    """The type as people say it: "ED25519", "RSA", "ECDSA"; the first word where unknown."""
    word = public_line.split(" ", 1)[0]
    for mark, name in (("ed25519", "ED25519"), ("rsa", "RSA"), ("ecdsa", "ECDSA")):
        if mark in word:
            return name
    return word


def _pair(key: PrivateKey, comment: str) -> KeyPair:
    if isinstance(key, rsa.RSAPrivateKey):
        name = "rsa"
    else:
        name = "ecdsa" if isinstance(key, ec.EllipticCurvePrivateKey) else "ed25519"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    ).decode()
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )
    return KeyPair(
        kind=name,
        # One line that goes into authorized_keys: a comment must not start another.
        public=f"{public} {' '.join(comment.split())}".rstrip(),
        fingerprint=fingerprint(public),
        private=private,
    )


def _private_block(text: str) -> bytes:
    """The armoured private key in the text, without what was copied around it."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise KeyRefusedError(
            _("This is more than %(limit)d KiB, which no SSH key is: paste the key alone.")
            % {"limit": MAX_BYTES // 1024}
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise KeyRefusedError(_("Paste a private key."))
    if text.startswith("PuTTY-User-Key-File"):
        raise KeyRefusedError(
            _("This is a PuTTY key. Convert it first: puttygen key.ppk -O private-openssh -o key")
        )
    for found in _ARMOUR.finditer(text):
        if found["label"] in _PRIVATE_LABELS:
            # Pasted from an indented file, each line carries blanks that the format forbids.
            lines = (line.strip() for line in found[0].splitlines())
            return ("\n".join(lines) + "\n").encode(errors="replace")
    if _PUBLIC_LINE.match(text) or any(mark in text for mark in _PUBLIC_MARKS):
        raise KeyRefusedError(
            _(
                "This is the public half. Paste the private key: the file without .pub, which "
                "starts with -----BEGIN."
            )
        )
    if "PRIVATE KEY-----" in text:
        raise KeyRefusedError(
            _("The key is cut off: its -----BEGIN and -----END lines must both be there.")
        )
    raise KeyRefusedError(
        _("This is no private key: it starts with -----BEGIN OPENSSH PRIVATE KEY----- or alike.")
    )


def _decode(block: bytes, passphrase: str) -> object:
    _refuse_endless_hashing(block)
    try:
        return _load(block, None)
    except TypeError:
        pass  # it has a passphrase
    except UnsupportedAlgorithm as error:
        raise _unreadable(block) from error
    except ValueError as error:
        raise _unreadable(block) from error
    if not passphrase:
        raise KeyRefusedError(
            _("This key has a passphrase: enter it. It is used once and not kept."), "passphrase"
        )
    try:
        return _load(block, passphrase.encode())
    except (ValueError, TypeError) as error:
        raise KeyRefusedError(_("The passphrase does not open this key."), "passphrase") from error
    except UnsupportedAlgorithm as error:
        raise _unreadable(block) from error


def _load(block: bytes, password: bytes | None) -> object:
    if block.startswith(b"-----BEGIN OPENSSH"):
        return serialization.load_ssh_private_key(block, password)
    return serialization.load_pem_private_key(block, password)


def _unreadable(block: bytes) -> KeyRefusedError:
    if block.startswith(b"-----BEGIN DSA") or b"ssh-dss" in _body(block):
        return KeyRefusedError(
            _("This is a DSA key. OpenSSH refuses DSA since 2015: make an Ed25519 key instead.")
        )
    return KeyRefusedError(
        _("The key is damaged or of a type that SSH does not use: copy it again.")
    )


def _body(block: bytes) -> bytes:
    """The bytes between the armour's lines; empty where they are no base64."""
    lines = [line for line in block.splitlines() if line and b":" not in line]
    try:
        return base64.b64decode(b"".join(lines[1:-1]))
    except binascii.Error:
        return b""


def _refuse_endless_hashing(block: bytes) -> None:
    body = _body(block)
    rounds = _bcrypt_rounds(body) if block.startswith(b"-----BEGIN OPENSSH") else 0
    iterations = _pbkdf2_iterations(body)
    if rounds > MAX_BCRYPT_ROUNDS or iterations > MAX_PBKDF2_ITERATIONS:
        raise KeyRefusedError(
            _(
                "Its passphrase would have to be hashed %(count)d times, which takes too long "
                "here: remove the passphrase with ssh-keygen -p first."
            )
            % {"count": max(rounds, iterations)}
        )


def _bcrypt_rounds(body: bytes) -> int:
    """The rounds in an OpenSSH key's header; 0 where there are none."""
    try:
        at = len(b"openssh-key-v1\0")
        for _skipped in ("cipher", "kdf"):
            at += 4 + struct.unpack_from(">I", body, at)[0]
        length = struct.unpack_from(">I", body, at)[0]
        options = body[at + 4 : at + 4 + length]
        salt = struct.unpack_from(">I", options, 0)[0]
        return int(struct.unpack_from(">I", options, 4 + salt)[0])
    except struct.error:
        return 0


def _pbkdf2_iterations(body: bytes) -> int:
    """The iterations after the PBKDF2 identifier in a PKCS#8 key; 0 where there are none."""
    at = body.find(_OID_PBKDF2)
    if at < 0:
        return 0
    at += len(_OID_PBKDF2) + 2  # into the parameters: salt, then the count
    try:
        at += 2 + body[at + 1]
        if body[at] != 0x02:
            return 0
        return int.from_bytes(body[at + 2 : at + 2 + body[at + 1]], "big")
    except IndexError:
        return 0
