"""An import while it is on its way: what was given (encrypted), what was chosen, what was found."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clusters.given import Entry
from console.secrets.fields import EncryptedTextField

KEPT = timedelta(hours=1)
# What was asked for within that time is still worked on for so long after it.
WORKED_ON = timedelta(minutes=10)


def an_hour_on() -> datetime:
    """When an import that begins now is thrown away."""
    return timezone.now() + KEPT


class ImportState(models.TextChoices):
    """How far an import has come."""

    CHOOSING = "choosing", _("Contexts to be chosen")
    WAITING = "waiting", _("Waiting for the watcher")
    CHECKING = "checking", _("Being checked")
    CHECKED = "checked", _("Checked")
    EXCHANGE = "exchange", _("Service account to be made")
    EXCHANGING = "exchanging", _("Service account being made")
    SAVED = "saved", _("Imported")


# What the watcher has to do, and the state while it does.
WORK = {
    ImportState.WAITING: ImportState.CHECKING,
    ImportState.EXCHANGE: ImportState.EXCHANGING,
}
MOVING = (*WORK, *WORK.values())


class ClusterImport(models.Model):
    """One import of one or several clusters, or new credentials for `cluster`.

    offered: what may be chosen, without secrets: [{"context", "server", "signs_in"
    ("certificate", "token"), "expires", "refused", "current"}]; `given` holds
    the entries in the same order, encrypted, null where one is refused.
    chosen: [{"number" (in offered), "name"}]. results, by the same order as
    chosen: see clusters.import_check. The watcher claims a row by
    compare-and-swap on its state.
    """

    state = models.CharField(max_length=12, choices=ImportState, default=ImportState.CHOOSING)
    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, null=True, related_name="replacements"
    )
    given = EncryptedTextField()
    offered = models.JSONField(default=list)
    chosen = models.JSONField(default=list)
    results = models.JSONField(default=list)
    # Numbers of the clusters that came of it.
    saved = models.JSONField(default=list)
    # A failure of the whole, such as of the exchange: what happened, and the mend.
    problem = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(default=an_hour_on)
    # Until when the watcher that took it may be silent.
    held_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"import {self.pk}"

    @property
    def moving(self) -> bool:
        """Whether the watcher has something to do here."""
        return self.state in MOVING

    def give(self, entries: list[Entry | None]) -> None:
        """Keep the entries, encrypted; in the order of `offered`."""
        self.given = json.dumps([entry and entry.as_data() for entry in entries])

    def entry(self, number: int) -> Entry | None:
        """What was given for one of `offered`; None where it was refused or is thrown away."""
        entries: list[Any] = json.loads(self.given) if self.given else []
        data = entries[number] if 0 <= number < len(entries) else None
        return Entry.of_data(data) if data else None
