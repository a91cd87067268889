"""Make the console's data ready: `python -m console.setup.data`, as the console's own user.

Brings the database to the checkout's migrations and makes the first admin when there is none.
Safe to run any number of times, and while the console runs.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import django
from django.core.management import call_command
from django.db import transaction

from console.setup import first_admin


def migrate() -> None:
    """Apply the migrations that are missing, silently when there are none."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        print("Preparing the database", flush=True)
        call_command("migrate", interactive=False, verbosity=0)


def ensure_admin(data: Path) -> None:
    """Make an admin when there is no user; forget a kept password that is no longer right."""
    # Models can be imported only once Django is set up.
    from console.accounts.models import Role, User
    from console.audit.record import record

    kind, name, password = first_admin.read_password(data)
    if kind is first_admin.Password.KNOWN:
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None or not user.check_password(password):
            first_admin.forget_password(data)
        return
    if User.objects.exists():
        return
    password = secrets.token_urlsafe(15)
    # The file first: an admin whose password nobody knows would be worse than a file too many.
    first_admin.write_password(data, first_admin.NAME, password)
    with transaction.atomic():
        user = User.objects.create_user(first_admin.NAME, password=password, role=Role.ADMIN)
        record("user.created", user, after=user, reason="the first admin, made at the first start")


def main() -> None:
    """Migrate, then see to the admin."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from django.conf import settings

    migrate()
    ensure_admin(settings.DATA_DIR)


if __name__ == "__main__":
    main()
