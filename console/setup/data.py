"""Make the console's data ready: `python -m console.setup.data`, as the console's own user.

Makes the key ring, brings the database to the checkout's migrations, and makes the first admin
when there is none.
Safe to run any number of times, and while the console runs.
"""

from __future__ import annotations

import io
import os
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
    """Make an admin when there is none; forget a kept password that is no longer right."""
    # Models can be imported only once Django is set up.
    from console.accounts.models import User

    kind, name, password = first_admin.read_password(data)
    if kind is first_admin.Password.KNOWN:
        user = User.objects.filter(username=name, is_active=True).first()
        if user is not None and user.check_password(password):
            return
        first_admin.forget_password(data)
    # No admin whose password nobody knows: either both are there or neither.
    with transaction.atomic():
        printed = io.StringIO()
        call_command("create_admin", first_admin.NAME, stdout=printed, stderr=io.StringIO())
        if password := printed.getvalue().strip():
            first_admin.write_password(data, first_admin.NAME, password)


def main() -> None:
    """Make files and folders, migrate, then see to the admin."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    from django.conf import settings

    from console.secrets.keyring import key_ring

    # Made here, by their owner: the lab's worker, which is root, would make them root's.
    settings.RELEASES_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_ring()
    migrate()
    ensure_admin(settings.DATA_DIR)


if __name__ == "__main__":
    main()
