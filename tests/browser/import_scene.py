"""Rows and the watcher for the import pages: `python -m tests.browser.import_scene WHAT`."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
import django

django.setup()

from django.utils import timezone  # noqa: E402

from clusters.inventory.imports import work  # noqa: E402
from clusters.models import Cluster, ClusterStatus, Origin  # noqa: E402


def imported() -> None:
    """An imported cluster whose credentials end within a week; prints its number."""
    cluster, _made = Cluster.objects.update_or_create(
        name="bought",
        defaults={
            "origin": Origin.IMPORTED,
            "status": ClusterStatus.UNREACHABLE,
            "status_reason": "https://192.0.2.1:6443 did not answer in time.",
            "endpoint": "https://192.0.2.1:6443",
            "version": "v1.29.4",
            "uid": "0b2c",
            "seen": timezone.now() - timedelta(hours=3),
            "credentials_expire": timezone.now() + timedelta(days=5),
        },
    )
    sys.stdout.write(str(cluster.pk))


def watch() -> None:
    """One round of the watcher."""
    work()


if __name__ == "__main__":
    {"imported": imported, "watch": watch}[sys.argv[1]]()
