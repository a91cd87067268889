"""What may be pasted as a private key, what is refused and how the refusal helps."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st

from provisioning import keys

PASSPHRASE = "correct horse"
FORMATS = serialization.PrivateFormat


@pytest.fixture(scope="module")
def private_keys() -> dict[str, keys.PrivateKey]:
    """One key of each type, made once: RSA takes its time."""
    return {
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    }


def written(key, how: FORMATS, passphrase: str = "") -> str:
    """The key as text in a format."""
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, how, encryption).decode()


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_generated_key_is_openssh_and_can_be_pasted_back(kind):
    made = keys.generate(kind, comment="flotilla lab")
    assert made.kind == kind
    assert made.private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert made.public.endswith(" flotilla lab")
    assert made.fingerprint == keys.fingerprint(made.public)
    again = keys.load_private(made.private)
    assert (again.kind, again.fingerprint) == (kind, made.fingerprint)


def test_a_generated_rsa_key_has_at_least_3072_bits():
    key = serialization.load_ssh_private_key(keys.generate("rsa").private.encode(), None)
    assert key.key_size >= 3072


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no OpenSSH on this machine")
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_openssh_agrees_on_key_and_fingerprint(kind, tmp_path: Path):
    made = keys.generate(kind)
    file = tmp_path / "key"
    file.write_text(made.private)
    file.chmod(0o600)
    public = subprocess.run(
        ["ssh-keygen", "-y", "-f", file], check=True, capture_output=True, text=True
    )
    assert public.stdout.split()[:2] == made.public.split()
    printed = subprocess.run(
        ["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True
    )
    assert made.fingerprint in printed.stdout


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no OpenSSH on this machine")
@pytest.mark.parametrize("armour", ["RFC4716", "PEM", "PKCS8"])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_what_ssh_keygen_writes_with_a_passphrase_is_read(kind, armour, tmp_path: Path):
    file = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-m", armour, "-N", PASSPHRASE, "-f", file], check=True
    )
    loaded = keys.load_private(file.read_text(), PASSPHRASE)
    assert loaded.public.split() == file.with_suffix(".pub").read_text().split()[:2]


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("how", [FORMATS.OpenSSH, FORMATS.PKCS8, FORMATS.TraditionalOpenSSL])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_every_format_becomes_the_same_unencrypted_openssh_key(private_keys, kind, how, passphrase):
    if kind == "ed25519" and how is FORMATS.TraditionalOpenSSL:
        pytest.skip("Ed25519 has no such format")
    pasted = written(private_keys[kind], how, passphrase)
    loaded = keys.load_private(pasted, passphrase)
    plain = keys.load_private(written(private_keys[kind], FORMATS.OpenSSH))
    assert loaded.kind == kind
    assert loaded.public == plain.public
    assert "ENCRYPTED" not in loaded.private
    assert keys.load_private(loaded.private).fingerprint == plain.fingerprint


@pytest.mark.parametrize("how", [FORMATS.OpenSSH, FORMATS.PKCS8, FORMATS.TraditionalOpenSSL])
def test_a_wrong_passphrase_is_said_at_the_passphrase(private_keys, how):
    pasted = written(private_keys["ecdsa"], how, PASSPHRASE)
    with pytest.raises(keys.KeyRefusedError, match="does not open") as refused:
        keys.load_private(pasted, "wrong")
    assert refused.value.field == "passphrase"


@pytest.mark.parametrize("how", [FORMATS.OpenSSH, FORMATS.PKCS8, FORMATS.TraditionalOpenSSL])
def test_a_missing_passphrase_is_asked_for(private_keys, how):
    pasted = written(private_keys["ecdsa"], how, PASSPHRASE)
    with pytest.raises(keys.KeyRefusedError, match="has a passphrase") as refused:
        keys.load_private(pasted)
    assert refused.value.field == "passphrase"


def test_a_passphrase_for_a_key_without_one_does_no_harm(private_keys):
    assert keys.load_private(written(private_keys["ed25519"], FORMATS.OpenSSH), "whatever")


def test_text_around_and_windows_line_ends_and_indents_are_forgiven(private_keys):
    pasted = written(private_keys["ed25519"], FORMATS.OpenSSH)
    mangled = "key for the lab:\r\n" + pasted.replace("\n", "\r\n   ") + "\r\n\r\nregards"
    assert keys.load_private(mangled).kind == "ed25519"


def test_a_public_key_is_recognised(private_keys):
    public = keys.generate("ed25519").public
    with pytest.raises(keys.KeyRefusedError, match="public half"):
        keys.load_private(public)
    pem = (
        private_keys["rsa"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(keys.KeyRefusedError, match="public half"):
        keys.load_private(pem.decode())


@pytest.mark.parametrize("how", [FORMATS.PKCS8, FORMATS.TraditionalOpenSSL])
def test_dsa_is_refused(how):
    with pytest.raises(keys.KeyRefusedError, match="DSA"):
        keys.load_private(written(dsa.generate_private_key(1024), how))


def test_a_short_rsa_key_is_refused_with_its_length():
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(keys.KeyRefusedError, match="1024 bits"):
        keys.load_private(written(key, FORMATS.PKCS8))


def test_keys_that_are_not_for_ssh_are_refused():
    with pytest.raises(keys.KeyRefusedError, match="cannot use"):
        keys.load_private(written(x25519.X25519PrivateKey.generate(), FORMATS.PKCS8))
    with pytest.raises(keys.KeyRefusedError, match="curve"):
        keys.load_private(written(ec.generate_private_key(ec.SECP256K1()), FORMATS.PKCS8))


def test_a_key_cut_off_or_damaged_is_refused(private_keys):
    pasted = written(private_keys["ed25519"], FORMATS.OpenSSH)
    with pytest.raises(keys.KeyRefusedError, match="cut off"):
        keys.load_private(pasted[:200])
    with pytest.raises(keys.KeyRefusedError, match="damaged"):
        keys.load_private(pasted.replace("b3BlbnNzaC1r", "b3BlbnNzaC1x"))


def test_a_putty_key_names_the_command_that_converts_it():
    with pytest.raises(keys.KeyRefusedError, match="puttygen"):
        keys.load_private("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")


def test_more_than_32_kib_is_refused_before_it_is_read():
    with pytest.raises(keys.KeyRefusedError, match="32 KiB"):
        keys.load_private("x" * (32 * 1024 + 1))


@pytest.mark.parametrize("text", ["", "   \n", "hello", "-----BEGIN X-----", "\0\x1b[31m"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(keys.KeyRefusedError):
        keys.load_private(text)


def test_a_key_that_asks_for_endless_hashing_is_refused_at_once(private_keys):
    body = keys._body(written(private_keys["ed25519"], FORMATS.OpenSSH, PASSPHRASE).encode())
    rounds = keys._bcrypt_rounds(body)
    assert 0 < rounds <= keys.MAX_BCRYPT_ROUNDS
    at = body.index(b"bcrypt") + len("bcrypt") + 4 + 4 + 16
    hostile = body[:at] + (2**31).to_bytes(4, "big") + body[at + 4 :]
    pasted = (
        "-----BEGIN OPENSSH PRIVATE KEY-----\n"
        + base64.encodebytes(hostile).decode()
        + "-----END OPENSSH PRIVATE KEY-----\n"
    )
    with pytest.raises(keys.KeyRefusedError, match="2147483648 times"):
        keys.load_private(pasted, PASSPHRASE)


def test_a_comment_cannot_add_a_line_to_authorized_keys():
    made = keys.generate("ed25519", comment="lab\nssh-rsa AAAA evil")
    assert "\n" not in made.public


def test_the_private_half_is_not_in_the_representation():
    made = keys.generate("ed25519")
    assert made.private not in repr(made)
    assert "PRIVATE" not in repr(made)


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused_never_worse(text):
    try:
        keys.load_private(text)
    except keys.KeyRefusedError:
        assert True
