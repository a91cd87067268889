"""The key ring: the only code that encrypts and decrypts.

A ring is a list of Fernet keys, each with an id. The first is the primary one: it
encrypts. Every value names its key (`<key id>:<token>`), so that a new key can be
added, values re-encrypted one by one while the console runs, and the old key
dropped when no value names it any more (`manage.py rotate_secrets`).
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

RING_VARIABLE = "FLOTILLA_KEY_RING"
WRITE_WAIT_SECONDS = 1.0


class SecretError(Exception):
    """A secret cannot be opened or the ring is unusable. Never contains the secret."""


@dataclass(frozen=True)
class Key:
    """One Fernet key with the id that values carry."""

    id: str
    text: str = field(repr=False)

    @classmethod
    def new(cls) -> Key:
        """A random key."""
        return cls.of(Fernet.generate_key().decode())

    @classmethod
    def of(cls, text: str) -> Key:
        """The key with this Fernet text. Raises SecretError when it is none."""
        try:
            Fernet(text)
        except (ValueError, TypeError):
            raise SecretError(
                "A line of the key ring is no Fernet key (32 bytes, URL-safe base64)."
            ) from None
        # The id is a digest, so that a key cannot be filed under another one's name.
        return cls(hashlib.sha256(text.encode()).hexdigest()[:8], text)


class KeyRing:
    """Keys by id; the first encrypts, all of them decrypt."""

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise SecretError("The key ring is empty: it needs at least one key.")
        self.keys = tuple(keys)
        self._fernets = {key.id: Fernet(key.text) for key in keys}

    @property
    def primary(self) -> str:
        """The id of the key that encrypts."""
        return self.keys[0].id

    def encrypt(self, plain: str) -> str:
        """`<key id>:<token>` of the text, under the primary key."""
        token = self._fernets[self.primary].encrypt(plain.encode())
        return f"{self.primary}:{token.decode()}"

    def decrypt(self, value: str) -> str:
        """The plain text. Raises SecretError naming the key, never the value."""
        key_id, separator, token = value.partition(":")
        if not separator:
            raise SecretError("A stored secret has no key id: it was not written by the console.")
        fernet = self._fernets.get(key_id)
        if fernet is None:
            raise SecretError(
                f"The key ring has no key {key_id[:8]!r}, which a stored secret was encrypted "
                f"with. Put that key back into {ring_source()}."
            )
        try:
            return fernet.decrypt(token.encode()).decode()
        except (InvalidToken, UnicodeDecodeError):
            raise SecretError(
                f"A stored secret does not open with its key {key_id!r}: it was damaged."
            ) from None


def parse(text: str) -> KeyRing:
    """A ring from keys separated by white space or commas, the primary one first."""
    return KeyRing([Key.of(word) for word in text.replace(",", " ").split()])


def ring_source() -> str:
    """Where the ring comes from, for messages."""
    if os.environ.get(RING_VARIABLE):
        return f"the environment variable {RING_VARIABLE}"
    return f"the file {settings.KEY_RING_FILE}"


# The ring last read, by what it was read from: the variable's text, or the file's state.
_cached: dict[object, KeyRing] = {}


def key_ring() -> KeyRing:
    """The ring of this console, made at first use. Raises SecretError when unusable.

    The file is looked at on every call, so that every process has a new key
    before the first value is written with it.
    """
    if text := os.environ.get(RING_VARIABLE):
        return _cached.get(text) or _remember(text, parse(text))
    file = Path(settings.KEY_RING_FILE)
    try:
        status = file.stat()
    except FileNotFoundError:
        _create(file)
        status = file.stat()
    stamp = (str(file), status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)
    return _cached.get(stamp) or _remember(stamp, _read(file))


def _remember(stamp: object, ring: KeyRing) -> KeyRing:
    _cached.clear()
    _cached[stamp] = ring
    return ring


def _create(file: Path) -> None:
    """Write a new ring with O_EXCL: of processes that start together one makes it."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as out:
        out.write(Key.new().text + "\n")


def _read(file: Path) -> KeyRing:
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise SecretError(f"{file} is readable by others: run chmod 600 {file}.")
    deadline = time.monotonic() + WRITE_WAIT_SECONDS
    while not (text := file.read_text().strip()):
        # Another process has made the file and not written it yet.
        if time.monotonic() > deadline:
            raise SecretError(f"{file} is empty: restore it from a backup.")
        time.sleep(0.02)
    return parse(text)


def write_ring(keys: Sequence[Key]) -> KeyRing:
    """Replace the ring's file in one step, so that no reader sees half of it.

    Raises SecretError when the ring comes from the environment, which only
    its owner can change.
    """
    if os.environ.get(RING_VARIABLE):
        raise SecretError(
            f"The key ring comes from {RING_VARIABLE}: change it there. "
            "The new key goes first, the old ones stay behind it."
        )
    file = Path(settings.KEY_RING_FILE)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".key-ring-")
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write("".join(key.text + "\n" for key in keys))
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).chmod(0o600)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return key_ring()
