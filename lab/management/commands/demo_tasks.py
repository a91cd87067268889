"""manage.py demo_tasks: launches the demo's first tasks; `make demo` calls it."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.accounts.models import Role, User
from lab import first_tasks
from lab.errors import LabError
from provisioning.models import Task
from provisioning.operations import Refused


class Command(BaseCommand):
    """Launches what the demo lacks, as tasks of the queue `lab`."""

    help = "Launches what the demo lacks as tasks: base tree, Kubernetes, hosts, first cluster."

    def handle(self, *_args: Any, **_options: Any) -> None:
        user = User.objects.filter(role=Role.ADMIN, is_active=True).order_by("pk").first()
        try:
            first_tasks.advance(user, first_tasks.parameters_of(os.environ), start=True)
        except (LabError, Refused) as error:
            raise CommandError(str(error)) from error
        # Also those that an earlier start left unfinished: they go on.
        for task in Task.objects.filter(ended=None).order_by("pk"):
            self.stdout.write(f"{task.pk} {task.title}")
