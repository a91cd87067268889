"""What of a namespace's wishes its cluster really enforces: said plainly, never assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.kube.skew import minor_of
from clusters.models import Origin
from tenancy import dry_runs
from tenancy.models import Isolation, IsolationProof, Namespace, PodSecurity, Verdict
from tenancy.proof_actions import stale

YES, NO, UNKNOWN = dry_runs.YES, dry_runs.NO, dry_runs.UNKNOWN
# The admission plug-in PodSecurity is on by itself from this minor version on.
POD_SECURITY_SINCE = 23
# What tenancy.dry_runs tries, in the middle of a sentence.
ATTEMPTS: Mapping[str, object] = {
    "privileged": gettext_lazy("a privileged pod"),
    "host_path": gettext_lazy("a pod with the host's files"),
    "host_network": gettext_lazy("a pod on the host's network"),
    "host_pid": gettext_lazy("a pod among the host's processes"),
    "escalation": gettext_lazy("a pod whose processes may gain rights"),
    "elsewhere": gettext_lazy("a pod for the nodes of another pool"),
    "addresses": gettext_lazy("a service that claims an address of others (CVE-2020-8554)"),
}


@dataclass(frozen=True)
class Enforced:
    """what: "quota", "rights", "pod_security", "isolation", "pool" or "addresses".

    state: YES, NO or UNKNOWN. title and why are for people.
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
        found.append(_by_probes(row, proof) or _isolation(row))
    if row.pool_id is not None:
        found.append(_pool(row))
    if row.pk:
        found.append(_addresses(row))
    return found


def holds_pod_security(row: Namespace) -> bool:
    """Whether pods that break the row's level are refused: as proved, else as the version says."""
    state, _entry, when = dry_runs.told(row, "pod_security")
    if when is not None and state != UNKNOWN:
        return state == YES
    return _minor(row) >= POD_SECURITY_SINCE


def _pod_security(row: Namespace) -> Enforced:
    title, version, minor = _("Pod security"), row.cluster.version, _minor(row)
    proved = _by_dry_run("pod_security", title, row)
    if proved is not None:
        return proved
    if not row.pk and minor >= POD_SECURITY_SINCE:
        why = _("The API server refuses pods that break the level.")
        return Enforced("pod_security", title, YES, why)
    if minor < 0:
        why = _("The cluster's version is not known.")
    elif minor >= POD_SECURITY_SINCE:
        why = _("It has not been tried here yet.")
    elif row.cluster.origin == Origin.PROVISIONED:
        why = _(
            "Kubernetes %(version)s has no Pod Security admission; Flotilla sets up pod security "
            "policies in its place. Whether they hold is tried as soon as the namespace is there."
        ) % {"version": version}
    else:
        why = _(
            "Kubernetes %(version)s has no Pod Security admission: whoever may make pods here can "
            "make privileged ones, and with them take over the node. It needs 1.23 or newer."
        ) % {"version": version}
        return Enforced("pod_security", title, NO, why)
    return Enforced("pod_security", title, UNKNOWN, why)


def _by_dry_run(what: str, title: str, row: Namespace) -> Enforced | None:
    """What a dry run has proved; None where none has been made."""
    state, entry, when = dry_runs.told(row, what)
    if when is None:
        return None
    tried = date_format(timezone.localtime(when), "DATETIME_FORMAT")
    names = ", ".join(str(ATTEMPTS[name]) for name in entry.get("what", ()) if name in ATTEMPTS)
    if state == YES:
        why = _("Proved by a dry run (%(time)s): the API server refused %(what)s.")
    elif state == NO:
        why = _("A dry run (%(time)s) was let through: %(what)s.")
        if what == "pod_security":
            why += " " + _("Whoever may make pods here can take over the node.")
    else:
        why = _("A dry run (%(time)s) could not tell. The cluster's words: %(said)s")
    said = entry.get("said", "")
    return Enforced(what, title, state, why % {"time": tried, "what": names, "said": said})


def _minor(row: Namespace) -> int:
    """The minor number of the cluster's version, -1 when it is not known."""
    try:
        return minor_of(row.cluster.version)
    except ValueError:
        return -1


def _addresses(row: Namespace) -> Enforced:
    title = _("Addresses of services")
    return _by_dry_run("addresses", title, row) or Enforced(
        "addresses", title, UNKNOWN, _("It has not been tried here yet.")
    )


def _by_probes(row: Namespace, proof: IsolationProof | None) -> Enforced | None:
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
    return _by_dry_run("pool", title, row) or Enforced(
        "pool", title, UNKNOWN,
        _(
            "It holds where the API server has the admission plug-in PodNodeSelector, which has "
            "not been tried here yet."
        ),
    )  # fmt: skip
