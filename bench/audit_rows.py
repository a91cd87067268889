"""Audit events in bulk: as many as wanted, with true stamps, leaves, subtrees and a checkpoint.

What record() and the sealing make, written by few statements. Content is put together from the
canonical form of one event for each shape, in which only numbers, times and ids differ.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

BATCH = 20_000
PEOPLE, CLUSTERS, TENANTS = 400, 300, 40
ACTIONS = ("host.added", "host.changed", "cluster.changed", "cluster.deleted", "host.removed")
START = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=3)
# A person, and a pair of person and action, that come rarely.
RARE_PERSON, RARE_EACH = "rare", 5_000
MARKS = {"uid": "@uid@", "object_id": "@id@", "request_id": "@request@", "time": "@time@"}


def fill(wanted: int) -> None:
    """Add events until the tree holds `wanted`, and sign a checkpoint.

    To be called on an empty record or on one that this function filled.
    """
    from django.db import connection, transaction

    from console.audit import sealing
    from console.audit.models import Tree

    tree, _made = Tree.objects.get_or_create(pk=1)
    dropped = _drop_indexes() if wanted - tree.size > BATCH else []
    grown = _Subtrees(tree.size)
    for start in range(tree.size, wanted, BATCH):
        with transaction.atomic():
            _batch(start, min(start + BATCH, wanted), grown)
    Tree.objects.filter(pk=1).update(size=wanted)
    with connection.cursor() as cursor:
        for statement in dropped:
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence('audit_auditevent', 'id'), %s)", [wanted]
            )
            cursor.execute("ANALYZE audit_auditevent")
    sealing.checkpoint(force=True)


def _batch(start: int, end: int, grown: _Subtrees) -> None:
    from django.db import connection

    from console.audit.models import AuditEvent, Leaf, Subtree

    fields = [f for f in AuditEvent._meta.concrete_fields if f.name != "actor"]
    events, leaves = [], []
    for row, leaf in _rows(start, end):
        events.append([row[field.attname] for field in fields])
        leaves.append((row["id"] - 1, row["id"], leaf))
        grown.add(leaf)
    with connection.cursor() as cursor:
        names = ", ".join(f'"{field.column}"' for field in fields)
        cursor.executemany(
            f"INSERT INTO audit_auditevent ({names}) VALUES ({', '.join(['%s'] * len(fields))})",
            events,
        )
        cursor.executemany(
            f"INSERT INTO {Leaf._meta.db_table} (position, event_id, hash) VALUES (%s, %s, %s)",
            leaves,
        )
    Subtree.objects.bulk_create(Subtree(level=a, index=b, hash=c) for a, b, c in grown.take())


def _rows(start: int, end: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    from django.db import connection

    from console.audit.canonical import STAMP_PURPOSE
    from console.secrets.derived import derived
    from console.secrets.keyring import key_ring

    native = connection.features.has_native_uuid_field
    primary = key_ring().primary
    key = derived(STAMP_PURPOSE, primary) or b""
    shapes: dict[tuple[int, ...], tuple[dict[str, Any], list[str]]] = {}
    for place in range(start, end):
        rare = place % RARE_EACH == RARE_EACH // 2
        shape = (place % len(ACTIONS), -1 if rare else place % PEOPLE, place % CLUSTERS)
        if shape not in shapes:
            shapes[shape] = _shape(*shape)
        row, parts = shapes[shape]
        uid = uuid.UUID(int=(0x5EED << 112) | 4 << 76 | 8 << 60 | place)
        request = str(uuid.UUID(int=place // 3))
        time = START + STEP * place
        values = {
            "@uid@": str(uid),
            "@id@": str(place % 10_000),
            "@request@": request,
            "@time@": time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        content = "".join([values.get(part, part) for part in parts]).encode()
        mac = hmac.digest(key, content, "sha256").hex()
        row = row | {
            "id": place + 1,
            "uid": uid if native else uid.hex,
            "object_id": values["@id@"],
            "request_id": request,
            # As SQLite keeps it; PostgreSQL reads the offset.
            "time": time.strftime("%Y-%m-%d %H:%M:%S.%f") + ("+00" if native else ""),
            "stamp": f"{primary}:{mac}",
        }
        yield row, hashlib.sha256(b"\0" + content).digest()


def _shape(action: int, person: int, cluster: int) -> tuple[dict[str, Any], list[str]]:
    """The columns that these events share, and the canonical text around what differs."""
    import re

    from django.db import connection

    from console.audit.canonical import plain
    from console.audit.models import AuditEvent
    from console.audit.verifier import content

    event = AuditEvent(
        actor_key=person + 2,
        actor_name=RARE_PERSON if person < 0 else f"person-{person}",
        action=ACTIONS[action],
        object_type="provisioning.host",
        object_name=f"host-{cluster}-{action}",
        cluster_key=cluster + 1,
        cluster_name=f"cluster-{cluster}",
        tenant_key=cluster % TENANTS + 1,
        tenant_name=f"tenant-{cluster % TENANTS}",
        before={"labels": {"zone": "a"}, "name": f"host-{cluster}"},
        after={"labels": {"zone": "b"}, "name": f"host-{cluster}"},
        outcome="success" if (cluster + person) % 50 else "failure",
        address=f"10.0.{cluster % 250}.{person % 250 + 1}",
        user_agent="Mozilla/5.0 (X11; Linux x86_64) bench",
        session=f"{person + 1:016x}",
        duration_ms=12,
    )
    text = content(plain(event) | MARKS).decode()
    parts = re.split("(" + "|".join(MARKS.values()) + ")", text)
    fields = AuditEvent._meta.concrete_fields
    row = {f.attname: f.get_db_prep_save(f.value_from_object(event), connection) for f in fields}
    return row, parts


def _drop_indexes() -> list[str]:
    """Take SQLite's indexes of events away; returns what makes them again. Elsewhere nothing."""
    from django.db import connection

    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name = 'audit_auditevent'"
        )
        found = cursor.fetchall()
        for name, _sql in found:
            cursor.execute(f'DROP INDEX "{name}"')
    return [sql for _name, sql in found]


class _Subtrees:
    """Makes the hashes of complete subtrees while leaves come."""

    def __init__(self, size: int) -> None:
        from console.audit.tree import STEP as HEIGHT
        from console.audit.tree import Hashes

        self._height, self._made = HEIGHT, []  # type: ignore[var-annotated]
        self._rows: dict[int, list[bytes]] = {}
        self._done: dict[int, int] = {}
        hashes = Hashes()
        for level in range(0, 64, HEIGHT):
            count = size >> level
            self._done[level + HEIGHT] = count >> HEIGHT
            self._rows[level] = list(hashes.tile(level, count >> HEIGHT)) if count else []

    def add(self, leaf: bytes) -> None:
        """The next leaf's hash."""
        from console.audit.tree import WIDTH, bottom_up

        level, value = 0, leaf
        while True:
            row = self._rows[level]
            row.append(value)
            if len(row) < WIDTH:
                return
            value, level = bottom_up(row), level + self._height
            row.clear()
            self._made.append((level, self._done[level], value))
            self._done[level] += 1

    def take(self) -> list[tuple[int, int, bytes]]:
        """(level, index, hash) of what was completed since the last call."""
        made, self._made = self._made, []
        return made
