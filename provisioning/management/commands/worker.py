"""manage.py worker: runs tasks."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from provisioning.worker import Worker


class Command(BaseCommand):
    """Takes tasks from the queue and runs them until it is stopped."""

    help = "Runs tasks until it is stopped; any number may run, on any machine."

    def add_arguments(self, parser: CommandParser) -> None:
        """--queue, --tasks, --once."""
        parser.add_argument("--queue", default="default", help="which tasks to take")
        parser.add_argument(
            "--tasks", type=int, default=settings.WORKER_TASKS, help="how many at a time"
        )
        parser.add_argument("--once", action="store_true", help="end when nothing is left to do")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; tasks are handed over after the step they are in."""
        worker = Worker(options["queue"], options["tasks"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        self.stdout.write(f"worker {worker.name} takes tasks of the queue {worker.queue}")
        worker.run(until_idle=options["once"])
