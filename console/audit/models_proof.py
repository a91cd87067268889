"""What proves that the record was not altered: leaves of a Merkle tree and signed checkpoints."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class Pending(models.Model):
    """An event that has no place in the tree yet; written together with it."""

    event = models.OneToOneField(
        "audit.AuditEvent", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )

    def __str__(self) -> str:
        return f"event {self.event_id}"


class Leaf(models.Model):
    """The place of an event in the one order. Only added to.

    position: from 0 without a gap. hash: 32 bytes, SHA-256 of 0x00 and the canonical event.
    The event's number is no foreign key: a leaf stays when its event is taken away.
    """

    position = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    hash = models.BinaryField(max_length=32)

    class Meta:
        ordering = ("position",)

    def __str__(self) -> str:
        return f"position {self.position}: event {self.event_id}"


class Subtree(models.Model):
    """Hash of a complete subtree of 256, 65536, … leaves, so that proofs read little.

    Reckoned from the leaves, and compared with them by every verification.
    """

    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("level", "index"), name="audit_subtree_place"),
        )

    def __str__(self) -> str:
        return f"level {self.level}, subtree {self.index}"


class Tree(models.Model):
    """The one tree; its row is the lock under which events get their places.

    adopted: how many events were there before the tree was; their content is proved from
    then on, not from when they were written.
    """

    origin = models.UUIDField(default=uuid.uuid4)
    size = models.BigIntegerField(default=0)
    adopted = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The log's name, which every checkpoint begins with."""
        return f"flotilla/audit/{self.origin}"


class AuditKey(models.Model):
    """A public key that signed checkpoints, and what its predecessor and it say of each other."""

    key_id = models.CharField(primary_key=True, max_length=8)
    public = models.CharField(max_length=200)
    created = models.DateTimeField(auto_now_add=True)
    previous = models.CharField(max_length=200, blank=True)
    by_previous = models.CharField(max_length=100, blank=True)
    by_itself = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ("created",)

    def __str__(self) -> str:
        return self.public


class Checkpoint(models.Model):
    """A signed statement of the tree's size and root. Only added to."""

    size = models.BigIntegerField(_("events"), primary_key=True)
    time = models.DateTimeField(_("time"))
    root = models.BinaryField(max_length=32)
    note = models.TextField()

    class Meta:
        ordering = ("-size",)

    def __str__(self) -> str:
        return f"{self.size} events"


class Witness(models.Model):
    """How far the checkpoints have got to a place outside of the database."""

    name = models.CharField(primary_key=True, max_length=255)
    size = models.BigIntegerField(default=0)
    time = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return self.name
