"""Re-encrypting every stored secret under the primary key, while the console runs.

Each value is replaced by compare-and-swap, and one that has the primary key's id
is done: the run can be killed anywhere and started again, and a value that
somebody saves meanwhile is never overwritten with the old one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.functions import Cast

from console.secrets.fields import EncryptedTextField, Sealed
from console.secrets.keyring import Key, KeyRing, SecretError, key_ring, write_ring

BATCH = 200


@dataclass(frozen=True)
class SecretColumn:
    """One encrypted column of one table."""

    model: type[models.Model]
    field: str

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.field}"

    def stored(self) -> models.QuerySet[Any]:
        """Rows with `stored`, the text as it lies in the database."""
        manager = self.model._base_manager
        return manager.annotate(stored=Cast(self.field, models.TextField())).exclude(stored="")


def secret_columns() -> list[SecretColumn]:
    """Every EncryptedTextField of every installed model."""
    return [
        SecretColumn(model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField)
    ]


def reencrypt(column: SecretColumn) -> Iterator[int]:
    """Re-encrypt what is not under the primary key; yields how many after each batch.

    Raises SecretError naming table and row when a value cannot be opened.
    """
    prefix = f"{key_ring().primary}:"
    after: Any = None
    while True:
        rows = column.stored().exclude(stored__startswith=prefix).order_by("pk")
        if after is not None:
            rows = rows.filter(pk__gt=after)
        batch = list(rows.values_list("pk", "stored")[:BATCH])
        if not batch:
            return
        yield sum(_swap(column, key, stored) for key, stored in batch)
        after = batch[-1][0]


def _swap(column: SecretColumn, key: Any, stored: str) -> int:
    try:
        plain = Sealed(stored).open()
    except SecretError as error:
        raise SecretError(f"{column}, row {key}: {error}") from None
    return column.stored().filter(pk=key, stored=stored).update(**{column.field: plain})


def remaining() -> dict[str, int]:
    """How many values are not under the primary key, by column."""
    prefix = f"{key_ring().primary}:"
    counts = {
        str(column): column.stored().exclude(stored__startswith=prefix).count()
        for column in secret_columns()
    }
    return {name: count for name, count in counts.items() if count}


def add_key() -> KeyRing:
    """Put a new primary key in front of the ring."""
    return write_ring([Key.new(), *key_ring().keys])


def drop_old_keys() -> int:
    """Leave only the primary key. Raises SecretError while values need another one."""
    if left := remaining():
        where = ", ".join(f"{name}: {count}" for name, count in left.items())
        raise SecretError(f"Old keys are still needed ({where}). Run rotate_secrets first.")
    ring = key_ring()
    write_ring(ring.keys[:1])
    return len(ring.keys) - 1
