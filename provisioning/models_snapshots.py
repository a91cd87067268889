"""Snapshots of clusters' etcd, and when they are taken."""

from __future__ import annotations

from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster
from console.secrets.fields import EncryptedTextField
from provisioning.models_tasks import Task


class SnapshotOrigin(models.TextChoices):
    """Why a snapshot was taken."""

    SCHEDULE = "schedule", _("By schedule")
    HAND = "hand", _("By hand")
    UPGRADE = "upgrade", _("Before an upgrade")


class SnapshotState(models.TextChoices):
    """damaged: it was good once and does not open any more."""

    TAKING = "taking", _("Being taken")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")
    DAMAGED = "damaged", _("Damaged")


class Snapshot(models.Model):
    """One copy of a cluster's etcd on the console's disk, encrypted under a key of its own.

    sha256 and size (bytes) are those of the file as etcdctl wrote it, stored_size what lies
    on the disk; etcd_hash and total_keys as `etcdctl snapshot status` gives them.
    cluster_uid: the UID of the namespace kube-system, by which clusters are told apart.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="snapshots")
    taken = models.DateTimeField(_("taken"), default=timezone.now)
    origin = models.CharField(_("why"), max_length=16, choices=SnapshotOrigin)
    task = models.ForeignKey(
        Task, null=True, blank=True, on_delete=models.SET_NULL, related_name="snapshots"
    )
    host_name = models.CharField(_("taken on"), max_length=63, blank=True)
    state = models.CharField(
        _("state"), max_length=16, choices=SnapshotState, default=SnapshotState.TAKING
    )
    state_reason = models.TextField(_("reason"), blank=True)
    size = models.PositiveBigIntegerField(_("size"), default=0)
    stored_size = models.PositiveBigIntegerField(_("stored size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    etcd_hash = models.PositiveBigIntegerField(_("etcd's hash"), default=0)
    revision = models.PositiveBigIntegerField(_("revision"), default=0)
    total_keys = models.PositiveBigIntegerField(_("keys"), default=0)
    etcd_version = models.CharField(_("etcd version"), max_length=32, blank=True)
    kubernetes_version = models.CharField(_("Kubernetes version"), max_length=32, blank=True)
    cluster_uid = models.CharField(max_length=36, blank=True)
    file_name = models.CharField(max_length=120, blank=True)
    data_key = EncryptedTextField()

    class Meta:
        ordering = ("-taken", "-id")
        verbose_name = _("snapshot")
        indexes = (models.Index(fields=("cluster", "state", "taken")),)

    def __str__(self) -> str:
        return f"{self.cluster.name} {self.taken:%Y-%m-%d %H:%M:%S}"


class SnapshotSchedule(models.Model):
    """When snapshots of a cluster are taken, how many are kept, and what they have taught.

    cluster_uid: of the first snapshot; every later one must have the same.
    highest_revision: no store of this cluster may ever go on below it.
    """

    cluster = models.OneToOneField(
        Cluster, on_delete=models.CASCADE, related_name="snapshot_schedule"
    )
    enabled = models.BooleanField(_("take snapshots by themselves"), default=True)
    every_hours = models.PositiveIntegerField(
        _("every so many hours"),
        default=6,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 7)],
    )
    keep_count = models.PositiveIntegerField(
        _("keep at most"), default=28, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    keep_days = models.PositiveIntegerField(
        _("keep for days"), default=30, validators=[MinValueValidator(1), MaxValueValidator(3650)]
    )
    next_due = models.DateTimeField(_("next"), default=timezone.now)
    last_failure = models.TextField(_("last failure"), blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    cluster_uid = models.CharField(max_length=36, blank=True)
    highest_revision = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("snapshot schedule")

    def __str__(self) -> str:
        return f"snapshots of {self.cluster_id}"

    @property
    def every(self) -> timedelta:
        """The time between two snapshots."""
        return timedelta(hours=self.every_hours)
