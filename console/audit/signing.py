"""Who signs checkpoints: a key made from the console's key ring, one for each key of the ring.

When the ring has a new primary key, the old signing key and the new one sign that one follows
the other. Whoever trusts one of them can then trust the next, and what the old one signed stays
good after it has gone from the ring.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from console.audit.models import AuditKey, Tree
from console.audit.verifier import PublicKey, signed_note, succession_text, trusted
from console.secrets.derived import derived
from console.secrets.keyring import SecretError, key_ring

PURPOSE = "flotilla audit checkpoint v1"


@dataclass(frozen=True)
class Signer:
    """A private key with the name that its signatures carry."""

    key_id: str
    public: PublicKey
    _private: Ed25519PrivateKey

    @classmethod
    def of(cls, origin: str, key_id: str) -> Signer | None:
        """The signer of the ring's key with this id; None when the ring has it no more."""
        seed = derived(PURPOSE, key_id)
        if seed is None:
            return None
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(key_id, PublicKey(origin, private.public_key().public_bytes_raw()), private)

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519."""
        return self._private.sign(data)

    def note(self, text: str) -> str:
        """The text with this signer's signature below it."""
        return signed_note(text, self.public, self.sign(text.encode()))


def signer(tree: Tree) -> Signer:
    """The one that signs now; its public key is written down at its first use.

    To be called under the tree's lock. Raises SecretError when the ring is unusable.
    """
    now = Signer.of(tree.name, key_ring().primary)
    if now is None:
        raise SecretError("The key ring has lost its primary key while it was read.")
    if not AuditKey.objects.filter(key_id=now.key_id).exists():
        _introduce(tree, now)
    return now


def known_keys(tree: Tree) -> list[PublicKey]:
    """Keys that this console trusts: those of its ring, and those that these vouch for."""
    signers = (Signer.of(tree.name, key.id) for key in key_ring().keys)
    return trusted(key_rows(), [one.public for one in signers if one is not None])


def key_rows() -> list[dict[str, str]]:
    """Every public key with its successions, as exports carry them."""
    return [
        {
            "key": row.public,
            "previous": row.previous,
            "by_previous": row.by_previous,
            "by_itself": row.by_itself,
        }
        for row in AuditKey.objects.order_by("created", "key_id")
    ]


def _introduce(tree: Tree, new: Signer) -> None:
    row = AuditKey(key_id=new.key_id, public=str(new.public))
    last = AuditKey.objects.order_by("-created").first()
    old = Signer.of(tree.name, last.key_id) if last else None
    if old is not None:
        text = succession_text(tree.name, old.public, new.public)
        row.previous = str(old.public)
        row.by_previous = base64.b64encode(old.sign(text)).decode()
        row.by_itself = base64.b64encode(new.sign(text)).decode()
    row.save(force_insert=True)
