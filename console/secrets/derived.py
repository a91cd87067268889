"""Keys for other purposes than encrypting, made from the keys of the ring.

They need no place of their own: who has the ring has them, and who has only the database does not.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from console.secrets.keyring import key_ring

LENGTH = 32


def derived(purpose: str, key_id: str = "") -> bytes | None:
    """32 bytes for this purpose from the ring's key with this id, or from the primary one.

    None when the ring has no key of this id (any more). HKDF-SHA256 without salt, the
    purpose being its info: keys of two purposes tell nothing about each other.
    """
    ring = key_ring()
    wanted = key_id or ring.primary
    for key in ring.keys:
        if key.id == wanted:
            kdf = HKDF(algorithm=SHA256(), length=LENGTH, salt=None, info=purpose.encode())
            return kdf.derive(key.text.encode())
    return None
