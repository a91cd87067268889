"""`manage.py create_token USER --name NAME --days N` prints the plain token and nothing else."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from console.accounts.forms import MAX_TOKEN_DAYS
from console.accounts.models import ApiToken, User
from console.audit.record import record


class Command(BaseCommand):
    help = "Print a new API token of a user. It is shown once and kept only as a digest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="command line", help="what it is for")
        parser.add_argument("--days", type=int, default=90, help="how long it is valid")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= MAX_TOKEN_DAYS:
            raise CommandError(f"--days {options['days']}: use 1 to {MAX_TOKEN_DAYS}.")
        name = options["name"].strip()
        if not 1 <= len(name) <= 80:
            raise CommandError("--name: use 1 to 80 characters.")
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['username']!r}.")
        with transaction.atomic():
            token, plain = ApiToken.issue(user, name, options["days"])
            after = {"owner": user.username, "expires": token.expires}
            record("token.created", token, after=after, reason="manage.py create_token")
        self.stdout.write(plain)
