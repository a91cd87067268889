"""What makes the database itself refuse to change or remove what was recorded.

Against mistakes and against code that goes astray. Whoever owns the database can take the
triggers away: what they do then is found by console.audit.verifying.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

EVENTS = "audit_auditevent"
ARCHIVES = "audit_archive"
TABLES = (EVENTS, "audit_leaf", "audit_checkpoint", ARCHIVES)
REFUSED = "The audit record is append-only."


# Whether the archive's signature is good only the console knows: its verification looks.
_ARCHIVED = (
    "EXISTS (SELECT 1 FROM audit_leaf JOIN audit_archive ON position >= start "
    'AND position < "end" WHERE event_id = OLD.id)'
)
_GUARD = (
    "CREATE OR REPLACE FUNCTION audit_refuse_unarchived() RETURNS trigger LANGUAGE plpgsql AS $$ "
    f"BEGIN IF {_ARCHIVED} THEN RETURN OLD; END IF; "
    f"RAISE EXCEPTION '{REFUSED}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
)


def _unless_archived(body: str, postgres: bool) -> str:
    if postgres:
        return "EXECUTE FUNCTION audit_refuse_unarchived()"
    return f"WHEN NOT {_ARCHIVED} {body}"


def names(vendor: str) -> set[str]:
    """The triggers that must be there, in a database of this vendor (Django's word)."""
    kinds = ("update", "delete", "truncate") if vendor == "postgresql" else ("update", "delete")
    return {f"{table}_no_{kind}" for table in TABLES for kind in kinds} | {f"{EVENTS}_no_actor"}


def present(connection: BaseDatabaseWrapper) -> set[str]:
    """Those of them that are there and switched on."""
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(query)
        return names(connection.vendor) & {row[0] for row in cursor.fetchall()}


def install(editor: BaseDatabaseSchemaEditor) -> None:
    """Have the database refuse updates and deletes; may be called again."""
    remove(editor)
    for statement in statements(editor.connection):
        editor.execute(statement)


def remove(editor: BaseDatabaseSchemaEditor) -> None:
    """Take the triggers away: for a migration that must rewrite, which installs them again."""
    for statement in removals(editor.connection):
        editor.execute(statement)


def removals(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """The SQL that takes them away."""
    postgres = connection.vendor == "postgresql"
    for name in sorted(names(connection.vendor)):
        table = next(t for t in TABLES if name.startswith(f"{t}_no_"))
        yield f"DROP TRIGGER IF EXISTS {name}" + (f" ON {table}" if postgres else "")


def statements(connection: BaseDatabaseWrapper) -> Iterator[str]:
    """The SQL that makes them."""
    postgres = connection.vendor == "postgresql"
    body = (
        "EXECUTE FUNCTION audit_refuse()"
        if postgres
        else f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    )
    if postgres:
        yield (
            "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{REFUSED}' USING ERRCODE = 'integrity_constraint_violation'; "
            "END $$"
        )
        yield _GUARD
    existing = connection.introspection.table_names()
    for table in (name for name in TABLES if name in existing):
        with connection.cursor() as cursor:
            columns = [
                c.name for c in connection.introspection.get_table_description(cursor, table)
            ]
        # A removed user takes the link from their events, never the name and number.
        fixed = ", ".join(f'"{name}"' for name in columns if name != "actor_id")
        yield (
            f"CREATE TRIGGER {table}_no_update BEFORE UPDATE OF {fixed} ON {table} "
            f"FOR EACH ROW {body}"
        )
        yield (
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW "
            + (
                _unless_archived(body, postgres)
                if table == EVENTS and ARCHIVES in existing
                else body
            )
        )
        if postgres:
            yield (
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                f"FOR EACH STATEMENT {body}"
            )
    yield (
        f"CREATE TRIGGER {EVENTS}_no_actor BEFORE UPDATE OF actor_id ON {EVENTS} FOR EACH ROW "
        + (
            f"WHEN (NEW.actor_id IS NOT NULL) {body}"
            if postgres
            else f"WHEN NEW.actor_id IS NOT NULL {body}"
        )
    )
