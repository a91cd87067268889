"""manage.py watcher: keeps the console's picture of every cluster up to date."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from clusters.inventory.watcher import STOP_SECONDS, Watcher, be_frugal
from console.audit.streams.streamer import Streamer
from console.notices.courier import Courier
from console.notices.rounds import Rounds


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT; several may run at a time and share the clusters."""

    # They would load every page and route, which this process never serves.
    requires_system_checks: list[str] = []
    help = "Watch clusters into the database. Several may run; each cluster is watched by one."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Watch until a signal asks to stop."""
        be_frugal()
        watcher = Watcher()
        notices = (Rounds(), Courier(), Streamer())

        def stop(_number: int, _frame: FrameType | None) -> None:
            watcher.stop()
            for thread in notices:
                thread.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        for thread in notices:
            thread.start()
        watcher.run()
        for thread in notices:
            thread.join(STOP_SECONDS)
