"""Manifests that wait for the task which applies them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from console.secrets.fields import EncryptedTextField


class ManifestText(models.Model):
    """YAML that a person sent and a task is to apply; encrypted, for it may hold Secrets.

    Gone once the task has succeeded; the rows of others are removed after a day.
    """

    cluster = models.ForeignKey(
        "clusters.Cluster", on_delete=models.CASCADE, related_name="manifest_texts"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = EncryptedTextField()
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"manifests {self.pk} for {self.cluster_id}"
