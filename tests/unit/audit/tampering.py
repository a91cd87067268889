"""What somebody with the database's password does: takes the triggers away, and comes by SQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection

from console.accounts.models import User
from console.audit import sealing, triggers
from console.audit.findings import Report
from console.audit.record import record

SIZE = 300


def written(actor: User, suffix: str = "") -> list[int]:
    """Numbers of 300 events in the tree, with checkpoints of 100, 200 and 300, and triggers."""
    numbers = []
    for place in range(SIZE):
        numbers.append(record("host.added", object_name=f"h{place}{suffix}", actor=actor).pk)
        if place % 100 == 99:
            sealing.seal()
            sealing.checkpoint(force=True)
    guard(connection)
    return numbers


def found(report: Report) -> list[tuple[str, int | None]]:
    """What was found, and where."""
    return [(finding.kind, finding.position) for finding in report.findings]


def guard(database: Any) -> None:
    """Put the triggers into the tests' database, as a real one has them."""
    if database.vendor == "postgresql":
        sql(["SET CONSTRAINTS ALL IMMEDIATE"])
    sql(triggers.removals(database))
    sql(triggers.statements(database))


def tamper(*statements: str, put_back: bool = True) -> None:
    """Run these statements without the triggers, which are put back unless told otherwise."""
    if connection.vendor == "postgresql":
        sql(["SET CONSTRAINTS ALL IMMEDIATE"])
    sql(triggers.removals(connection))
    sql(links())
    sql(statements)
    if put_back:
        sql(triggers.statements(connection))


def links() -> list[str]:
    """SQL by which the tables' owner takes away the foreign keys, which are in the way too."""
    if connection.vendor != "postgresql":
        return []  # SQLite looks at them when the transaction ends
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid::regclass::text LIKE 'audit_%%'",
            [],
        )
        return [f"ALTER TABLE {table} DROP CONSTRAINT {name}" for table, name in cursor.fetchall()]


def sql(statements: Iterable[str]) -> None:
    """Run each of them."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
