"""`manage.py lab up | down | status | cut | boot | poweroff | partition | heal`."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lab.cli import DESCRIPTION, add_arguments, handle
from lab.errors import LabError


class Command(BaseCommand):
    """Bring real Linux hosts up on this machine, and take their power or network away."""

    help = DESCRIPTION
    # The lab needs neither the database nor a sound configuration of the console.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the lab's own commands."""
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; a LabError becomes the command's error and its exit code 1."""

        def out(line: str) -> None:
            self.stdout.write(line)
            self.stdout.flush()

        try:
            code = handle(argparse.Namespace(**options), out)
        except LabError as error:
            raise CommandError(str(error)) from error
        if code:
            raise CommandError("the lab is not as asked", returncode=code)
