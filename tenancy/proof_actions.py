"""A proof of a namespace's isolation is asked for or taken back; the watcher carries it out."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.guarded import is_guarded
from console.accounts.models import User
from console.audit.record import record
from tenancy import desired, quotas
from tenancy.models import Isolation, IsolationProof, Namespace, NamespaceState, Tenant
from tenancy.permissions import NAMESPACES, demand

READY = (NamespaceState.APPLIED, NamespaceState.DRIFTED)
KEPT = 10


class ProofRefusedError(Exception):
    """Why none is made; the message says what to do."""


def start(row: Namespace, *, by: User, request: Any = None) -> IsolationProof:
    """Have the isolation of a namespace proved.

    Raises ProofRefusedError; Http404 or PermissionDenied when the right went meanwhile.
    """
    with quotas.locked(row.tenant):
        row = Namespace.objects.select_related("tenant", "cluster", "pool").get(pk=row.pk)
        demand(by, Tenant.objects.get(pk=row.tenant_id), NAMESPACES)
        if said := why_not(row):
            raise ProofRefusedError(said)
        if row.proofs.filter(ended=None).exists():
            raise ProofRefusedError(
                _("The isolation of “%(name)s” is being proved already.") % {"name": row.name}
            )
        proof = IsolationProof.objects.create(
            namespace=row, cluster=row.cluster, namespace_name=row.name, isolation=row.isolation,
            wanted=wanted(row), token=secrets.token_hex(4), by=by, by_name=by.get_username(),
        )  # fmt: skip
        record(
            "namespace.proof_started", row, request=request, actor=by,
            after={"proof": proof.pk, "isolation": row.isolation},
        )  # fmt: skip
    return proof


def cancel(proof: IsolationProof, *, by: User, request: Any = None) -> None:
    """Have a running proof ended; its pods go with the watcher's next round.

    Raises ProofRefusedError where it has ended.
    """
    with transaction.atomic():
        running = IsolationProof.objects.filter(pk=proof.pk, ended=None, canceled=False)
        if proof.namespace is None or not running.update(canceled=True):
            raise ProofRefusedError(_("This proof is not running any more."))
        demand(by, proof.namespace.tenant, NAMESPACES)
        record(
            "namespace.proof_canceled", proof.namespace, request=request, actor=by,
            after={"proof": proof.pk},
        )  # fmt: skip


def why_not(row: Namespace) -> str:
    """Why the isolation of a namespace cannot be proved now; "" when it can."""
    if row.isolation == Isolation.OPEN:
        return _("This namespace is open: there is nothing to prove.")
    if row.cluster.hosts_console:
        return _("The console itself runs on %(cluster)s: no probe pods are put beside it.") % {
            "cluster": row.cluster.name
        }
    if desired.guarded(row.name) or is_guarded(row.cluster, row.name):
        return _("“%(name)s” belongs to Kubernetes or to the console itself.") % {"name": row.name}
    if row.state not in READY or row.revision > row.applied_revision:
        return _("The cluster has not followed the last change yet: wait until it is as wanted.")
    return ""


def wanted(row: Namespace) -> str:
    """A digest of what holds of a namespace's policies: what is wanted, and what was changed.

    A proof counts only while this is as it was.
    """
    by_hand = [
        [item.get("kind"), item.get("name"), item.get("live")]
        for item in row.drift
        if item.get("kind") in ("NetworkPolicy", "Namespace")
    ]
    parts = [
        row.isolation, row.exceptions, row.tenant_id, row.cluster.service_cidr, sorted(by_hand),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def stale(proof: IsolationProof, row: Namespace) -> str:
    """Why an ended proof no longer counts for a namespace; "" while it does."""
    if proof.wanted != wanted(row):
        return _("The policies were changed since.")
    if proof.ended and proof.ended < timezone.now() - timedelta(days=settings.PROOF_DAYS):
        return _("It is older than %(days)d days.") % {"days": settings.PROOF_DAYS}
    return ""


def latest(row: Namespace) -> IsolationProof | None:
    """The newest proof of a namespace that came to an end without being canceled."""
    return row.proofs.filter(canceled=False).exclude(ended=None).first()


def forget_old(namespace: Namespace) -> None:
    """Keep the newest proofs; of the others nothing may be left on the cluster."""
    old = list(namespace.proofs.values_list("pk", flat=True)[KEPT:])
    IsolationProof.objects.filter(pk__in=old, gone=True).exclude(ended=None).delete()
