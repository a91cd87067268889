"""Tasks: what is to be done, its journal for each step and host, and its numbered output."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster
from provisioning.models_hosts import Host


class TaskStatus(models.TextChoices):
    """failed: it ran and did not succeed; error: it could not run."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    ERROR = "error", _("Error")
    CANCELED = "canceled", _("Canceled")


ENDED = (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.ERROR, TaskStatus.CANCELED)


class Task(models.Model):
    """One operation. The row is the truth; the queue only wakes a worker up."""

    operation = models.CharField(_("operation"), max_length=40)
    title = models.CharField(_("title"), max_length=200)
    # Which workers may take it: "default", or "lab" for what needs root on this machine.
    queue = models.CharField(max_length=16, default="default")
    cluster = models.ForeignKey(
        Cluster, null=True, blank=True, on_delete=models.SET_NULL, related_name="tasks"
    )
    cluster_name = models.CharField(max_length=63, blank=True)  # outlives the cluster's row
    parameters = models.JSONField(default=dict, blank=True)  # never a secret
    status = models.CharField(
        _("status"), max_length=16, choices=TaskStatus, default=TaskStatus.QUEUED, db_index=True
    )
    # {"host","step","expected","found","hint","output":[...]} once it failed.
    failure = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    request_id = models.CharField(max_length=36, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)
    started = models.DateTimeField(_("started"), null=True, blank=True)
    ended = models.DateTimeField(_("ended"), null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    cancel_requested = models.DateTimeField(null=True, blank=True)
    # Lease: who works on it, until when without a heartbeat, and the fencing number that
    # every write of that worker carries.
    worker = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    # The number of the last line of its log.
    last_seq = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("queue", "status", "lease_until")),)

    def __str__(self) -> str:
        return f"{self.pk} {self.title}"

    @property
    def worker_machine(self) -> str:
        """The machine of the worker that has it; its process is of no use to a reader."""
        return self.worker.partition(":")[0]

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will come (until somebody retries it)."""
        return self.status in ENDED


class StepStatus(models.TextChoices):
    """Where one step stands on one host."""

    PENDING = "pending", _("Waiting")
    RUNNING = "running", _("Running")
    UNCHANGED = "unchanged", _("Already correct")
    CHANGED = "changed", _("Done")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    CANCELED = "canceled", _("Canceled")


class TaskStep(models.Model):
    """The journal of one step on one host (or once on the console, host empty)."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    phase = models.CharField(max_length=64)
    phase_title = models.CharField(max_length=120)
    step = models.CharField(max_length=64)
    title = models.CharField(max_length=120)
    host = models.ForeignKey(Host, null=True, on_delete=models.SET_NULL, related_name="+")
    host_name = models.CharField(max_length=63, blank=True)
    status = models.CharField(max_length=16, choices=StepStatus, default=StepStatus.PENDING)
    expected_seconds = models.FloatField(null=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)
    changes = models.PositiveIntegerField(default=0)
    failure = models.JSONField(default=dict, blank=True)
    # What it waits for while it runs, a line each.
    note = models.TextField(blank=True)

    class Meta:
        ordering = ("task", "position")
        constraints = (
            models.UniqueConstraint(fields=("task", "position"), name="one_step_of_a_position"),
        )
        indexes = (models.Index(fields=("step", "status")),)

    def __str__(self) -> str:
        return f"{self.title} · {self.host_name or 'console'}"


class LogChunk(models.Model):
    """Lines first..last of a task's log.

    body holds the lines as they go over the wire: JSON objects joined by
    commas, without the brackets, so that a viewer's batch is made by joining
    bodies and nothing is parsed or rendered once more for each viewer.
    """

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="chunks")
    first = models.PositiveBigIntegerField()
    last = models.PositiveBigIntegerField()
    body = models.TextField()

    class Meta:
        ordering = ("task", "first")
        constraints = (
            models.UniqueConstraint(fields=("task", "first"), name="one_chunk_of_a_line"),
        )
        indexes = (models.Index(fields=("task", "last")),)

    def __str__(self) -> str:
        return f"{self.task_id}: {self.first}-{self.last}"


class HostChange(models.Model):
    """What was there on a host before a task changed it: the way back for delete."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="+")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="changes")
    task = models.ForeignKey(Task, null=True, on_delete=models.SET_NULL, related_name="+")
    key = models.CharField(max_length=300)
    record = models.JSONField()
    time = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            # Only the first record counts: what was there before Flotilla came.
            models.UniqueConstraint(fields=("cluster", "host", "key"), name="one_change_of_a_key"),
        )

    def __str__(self) -> str:
        return f"{self.host_id}: {self.key}"
