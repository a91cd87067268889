"""Verified bundles of Kubernetes binaries."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ReleaseState(models.TextChoices):
    """Whether every file of a release is there and checked."""

    PENDING = "pending", _("Being fetched")
    READY = "ready", _("Ready")
    FAILED = "failed", _("Failed")


class Release(models.Model):
    """The files of one Kubernetes version for one architecture, and where they came from."""

    version = models.CharField(_("version"), max_length=32)  # "v1.20.2"
    arch = models.CharField(_("architecture"), max_length=16, default="amd64")
    source = models.CharField(_("source"), max_length=16)  # official, bundle, distribution
    provenance = models.TextField(_("provenance"), blank=True)
    pause_image = models.CharField(max_length=255, blank=True)
    verify_image = models.CharField(max_length=255, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=ReleaseState)
    state_reason = models.TextField(_("reason"), blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("-created",)
        constraints = (
            models.UniqueConstraint(fields=("version", "arch"), name="one_release_of_a_version"),
        )

    def __str__(self) -> str:
        return f"{self.version} ({self.arch})"


class ReleaseFile(models.Model):
    """One file: its checksum as published or computed, and the packed copy that travels."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16)  # binary, etcd, cni, image
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    packed_size = models.PositiveBigIntegerField(default=0)
    origin = models.TextField(blank=True)  # the URL, bundle or package that it came from

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("release", "name"), name="one_file_of_a_name"),
        )

    def __str__(self) -> str:
        return self.name
