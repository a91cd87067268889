"""Machines and the keys that open them."""

from __future__ import annotations

from datetime import datetime, time

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster, dns_label
from console.secrets.fields import EncryptedTextField


class KeyKind(models.TextChoices):
    """Kinds of SSH keys that the console makes and takes."""

    ED25519 = "ed25519", "Ed25519"
    RSA = "rsa", "RSA"
    ECDSA = "ecdsa", "ECDSA"


class SSHCredential(models.Model):
    """A private key, encrypted at rest, and its public half for copying to hosts."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    username = models.CharField(_("user on the host"), max_length=64, default="root")
    kind = models.CharField(_("key type"), max_length=16, choices=KeyKind)
    public_key = models.TextField(_("public key"))
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    # OpenSSH text without a passphrase; one that was pasted with a passphrase is opened first.
    private_key = EncryptedTextField()
    # The day before which it is to be replaced, by the rules of those who own the hosts.
    valid_until = models.DateField(_("replace before"), null=True, blank=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("name",)
        verbose_name = _("SSH credential")

    def __str__(self) -> str:
        return self.name

    @property
    def ends(self) -> datetime | None:
        """When the day begins before which it is to be replaced; None: no day was stated."""
        if self.valid_until is None:
            return None
        return timezone.make_aware(datetime.combine(self.valid_until, time.min))


class HostState(models.TextChoices):
    """What the console knows of a host's reachability."""

    NEW = "new", _("Not checked yet")
    UNTRUSTED = "untrusted", _("Fingerprint to be trusted")
    READY = "ready", _("Ready")
    UNREACHABLE = "unreachable", _("Unreachable")
    KEY_CHANGED = "key_changed", _("Host key changed")


class ClusterRole(models.TextChoices):
    """What a host does in its cluster."""

    CONTROL_PLANE = "control_plane", _("Control plane")
    WORKER = "worker", _("Worker")
    NONE = "", _("None")


class Host(models.Model):
    """One Linux machine: how to reach it, its pinned key, its facts, and what it serves."""

    name = models.CharField(_("name"), max_length=63, unique=True, validators=[dns_label])
    address = models.CharField(_("address"), max_length=253)
    port = models.PositiveIntegerField(
        _("port"), default=22, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    username = models.CharField(_("user"), max_length=64, blank=True)  # empty: the credential's
    credential = models.ForeignKey(
        SSHCredential, null=True, blank=True, on_delete=models.PROTECT, related_name="hosts"
    )
    jump = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="behind"
    )
    sudo_password = EncryptedTextField()
    # For the first contact only: installs the key, then is forgotten.
    first_password = EncryptedTextField()
    # "ssh-ed25519 AAAA...": what was trusted, and what the host showed and nobody trusts yet.
    host_key = models.TextField(_("trusted host key"), blank=True)
    offered_key = models.TextField(_("offered host key"), blank=True)
    state = models.CharField(_("state"), max_length=16, choices=HostState, default=HostState.NEW)
    state_reason = models.TextField(_("reason"), blank=True)
    state_since = models.DateTimeField(_("since"), null=True, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    facts_at = models.DateTimeField(_("checked"), null=True, blank=True)
    clock_skew = models.FloatField(_("clock skew in seconds"), null=True, blank=True)
    cluster = models.ForeignKey(
        Cluster, null=True, blank=True, on_delete=models.PROTECT, related_name="hosts"
    )
    cluster_role = models.CharField(
        _("role"), max_length=16, choices=ClusterRole, blank=True, default=ClusterRole.NONE
    )
    # The place in the cluster, from which the pod range follows; kept for the cluster's life.
    cluster_index = models.PositiveIntegerField(null=True, blank=True)
    # What passed it by while it was away, in words; a repair that reaches it empties this.
    missed = models.TextField(_("missed"), blank=True)
    # Local hosts of the lab say so on every page.
    is_lab = models.BooleanField(_("lab host"), default=False)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("address", "port"), name="one_host_of_an_address"),
            models.UniqueConstraint(
                fields=("cluster", "cluster_index"), name="one_host_of_a_cluster_index"
            ),
        )

    def __str__(self) -> str:
        return self.name


class Cleanup(models.Model):
    """A cluster's remains on a host that could not be reached when it left the cluster.

    records: the `prior` events of its HostChange rows, oldest first, from which
    the host is put back later (provisioning.steps.undo).
    """

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="cleanups")
    cluster_number = models.PositiveIntegerField()
    cluster_name = models.CharField(max_length=63)
    records = models.JSONField(default=list)
    reason = models.TextField(_("reason"))
    created = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("host", "cluster_number"), name="one_cleanup_of_a_cluster"
            ),
        )

    def __str__(self) -> str:
        return f"{self.cluster_name} on {self.host}"
