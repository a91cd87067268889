"""Events that left the table: a file for each range of positions, and what is signed of it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Archive(models.Model):
    """The events of positions start up to and without end are in a file. Only added to.

    While a signed row covers a position, its event may be away from the table
    (console.audit.triggers, console.audit.archive_check). The leaves stay. signature: base64
    of 64 bytes, by `key`, of console.audit.archive_file.statement.
    """

    start = models.BigIntegerField(_("first position"), primary_key=True)
    end = models.BigIntegerField()
    first_time = models.DateTimeField(_("from"))
    last_time = models.DateTimeField(_("until"))
    file = models.CharField(_("file"), max_length=255)
    bytes = models.BigIntegerField(_("size"))
    sha256 = models.CharField(max_length=64)
    time = models.DateTimeField(_("made"))
    key = models.CharField(max_length=200)
    signature = models.CharField(max_length=100)

    class Meta:
        ordering = ("-start",)

    def __str__(self) -> str:
        return self.file

    @property
    def count(self) -> int:
        """How many events it holds."""
        return self.end - self.start

    @property
    def last(self) -> int:
        """The last position that it holds."""
        return self.end - 1


class ArchiveCheck(models.Model):
    """When an archive's file was last looked at, and what was wrong with it (empty: nothing)."""

    archive = models.OneToOneField(
        Archive, primary_key=True, on_delete=models.CASCADE, related_name="check_made"
    )
    time = models.DateTimeField()
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.archive_id}: {self.error or 'good'}"
