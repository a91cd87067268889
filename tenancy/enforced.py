"""What of a namespace's wishes its cluster really enforces: said plainly, never assumed."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from clusters.kube.skew import minor_of
from clusters.models import Origin
from tenancy.models import Isolation, IsolationProof, Namespace, PodSecurity, Verdict
from tenancy.proof_actions import stale

YES, NO, UNKNOWN = "yes", "no", "unknown"
# The admission plug-in PodSecurity is on by itself from this minor version on.
POD_SECURITY_SINCE = 23


@dataclass(frozen=True)
class Enforced:
    """what: "quota", "rights", "pod_security", "isolation", "pool"; state: YES, NO or UNKNOWN.

    title and why are for people.
    """

    what: str
    title: str
    state: str
    why: str


def of(row: Namespace, proof: IsolationProof | None = None) -> list[Enforced]:
    """What the cluster of a namespace enforces; its cluster should be loaded with it.

    proof: its latest one of the isolation; what it saw counts for more than what is known of
    the network plug-in.
    """
    found = [
        Enforced(
            "quota", _("Quota and defaults"), YES,
            _("Every API server counts, and refuses what does not fit."),
        ),
        Enforced(
            "rights", _("Rights"), YES, _("The cluster's own RBAC decides what each member may do.")
        ),
    ]  # fmt: skip
    if row.pod_security != PodSecurity.PRIVILEGED:
        found.append(_pod_security(row))
    if row.isolation != Isolation.OPEN:
        found.append(_proved(row, proof) or _isolation(row))
    if row.pool_id is not None:
        found.append(_pool(row))
    return found


def _pod_security(row: Namespace) -> Enforced:
    title, version = _("Pod security"), row.cluster.version
    try:
        minor = minor_of(version)
    except ValueError:
        why = _("The cluster's version is not known.")
        return Enforced("pod_security", title, UNKNOWN, why)
    if minor >= POD_SECURITY_SINCE:
        why = _("The API server refuses pods that break the level.")
        return Enforced("pod_security", title, YES, why)
    why = _(
        "Kubernetes %(version)s has no Pod Security admission: whoever may make pods here can make "
        "privileged ones, and with them take over the node. It needs 1.23 or newer."
    ) % {"version": version}
    return Enforced("pod_security", title, NO, why)


def _proved(row: Namespace, proof: IsolationProof | None) -> Enforced | None:
    """What a proof that counts says; None where it says nothing."""
    if proof is None or stale(proof, row):
        return None
    title = _("Isolation")
    if proof.verdict == Verdict.ENFORCED:
        return Enforced("isolation", title, YES, _("Probe pods have proved it."))
    if proof.verdict == Verdict.NOT_ENFORCED:
        why = _("Probe pods went through where the policies say that nothing may.")
        return Enforced("isolation", title, NO, why)
    return None


def _isolation(row: Namespace) -> Enforced:
    title = _("Isolation")
    if row.cluster.enforces_network_policy:
        why = _("The network plug-in enforces NetworkPolicy.")
        return Enforced("isolation", title, YES, why)
    if row.cluster.origin == Origin.PROVISIONED:
        why = _(
            "The cluster's network plug-in does not enforce NetworkPolicy: the policies are there, "
            "and everybody can still talk to these pods."
        )
        return Enforced("isolation", title, NO, why)
    why = _("Whether the network plug-in enforces NetworkPolicy is not known.")
    return Enforced("isolation", title, UNKNOWN, why)


def _pool(row: Namespace) -> Enforced:
    title = _("Resource pool")
    if row.cluster.origin == Origin.PROVISIONED:
        why = _(
            "The API server runs without the admission plug-in PodNodeSelector: pods stay in the "
            "pool only when their own node selector says so."
        )
        return Enforced("pool", title, NO, why)
    why = _(
        "It holds where the API server has the admission plug-in PodNodeSelector, which cannot be "
        "seen from outside."
    )
    return Enforced("pool", title, UNKNOWN, why)
