"""`manage.py create_admin [NAME]` makes the first admin and prints the password once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from console.accounts.models import Role, User
from console.accounts.views_users import random_password
from console.audit.record import record


class Command(BaseCommand):
    help = "Make the first admin and print the random password. Does nothing when there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", default="admin")
        parser.add_argument(
            "--reset",
            action="store_true",
            help="give this admin a new random password (when it was lost)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        name = options["username"]
        with transaction.atomic():
            user = User.objects.filter(username=name).first()
            if options["reset"]:
                self._print_new_password(user, name)
            elif User.objects.filter(role=Role.ADMIN, is_active=True).exists():
                self.stderr.write("There is an admin already; nothing was changed.")
            elif user:
                raise CommandError(f"The user {name!r} exists and is no active admin.")
            else:
                user = User(username=name, role=Role.ADMIN)
                plain = random_password()
                user.set_password(plain)
                user.full_clean()
                user.save()
                record("user.created", user, after=user, reason="manage.py create_admin")
                self.stdout.write(plain)

    def _print_new_password(self, user: User | None, name: str) -> None:
        if user is None or user.role != Role.ADMIN or not user.is_active:
            raise CommandError(f"There is no active admin {name!r}.")
        plain = random_password()
        user.set_password(plain)
        user.save(update_fields=["password"])
        record("user.password_reset", user, reason="manage.py create_admin --reset")
        self.stdout.write(plain)
