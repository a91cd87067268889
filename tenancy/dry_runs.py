"""Asks clusters by dry runs what they let a tenant's people do, and reads it from no version.

What an API server's admission refuses cannot be seen from outside, but a dry run passes all of it
and keeps nothing (API Concepts, "Dry-run"). For the watcher, in the name of a developer of the
tenant: something harmless first, so that a full quota is not taken for a refusal.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from clusters.inventory.kinds import object_path
from clusters.kube import (
    ClusterUnreachable,
    Connection,
    Forbidden,
    Impersonation,
    KubeError,
    ServerNotReady,
)
from clusters.kube.acting import Acting
from clusters.models import Cluster
from clusters.pools_rules import POOL_LABEL
from tenancy.models import Namespace, NamespaceState, PodSecurity
from tenancy.roles import group_name

JSON = dict[str, Any]

YES, NO, UNKNOWN = "yes", "no", "unknown"
PROVER = "flotilla:proof"
# How old a proof gets, one that somebody waits to be better sooner.
FIRM, DOUBTFUL = timedelta(hours=1), timedelta(minutes=5)
# Namespaces in one round: each takes up to eight requests.
MOST = 10
MOST_WORDS = 300
# As the admission plug-ins PodSecurity, PodSecurityPolicy, PodNodeSelector and
# DenyServiceExternalIPs say it: their refusals count also where a harmless one is refused.
_WORDS = {
    "pod_security": ("violates PodSecurity", "PodSecurityPolicy", "pod security policy"),
    "pool": ("node label selector conflicts",),
    "addresses": ("external IPs is denied",),
}


def keep(cluster: Cluster, connection: Connection, held: Callable[[], None]) -> None:
    """Prove what is due, the longest waiting first. Raises KubeError when the cluster is away."""
    now = timezone.now()
    # A doubt is looked at sooner; JSON is not asked by the database, but there are few doubts.
    due = Q(proved=None) | Q(proved__lt=now - DOUBTFUL)
    settled = (NamespaceState.APPLIED, NamespaceState.DRIFTED)
    rows = Namespace.objects.filter(due, cluster=cluster, state__in=settled, applied_revision__gt=0)
    done = 0
    for row in rows.select_related("tenant").order_by("proved", "pk"):
        if done == MOST:
            return
        if row.proved is not None and row.proved > now - FIRM and _firm(row.proof):
            continue
        held()
        found = prove(row, connection)
        same = Namespace.objects.filter(pk=row.pk, revision=row.revision)
        same.update(proved=timezone.now(), proof=found)
        done += 1


def prove(row: Namespace, connection: Connection) -> JSON:
    """{"pod_security" | "pool" | "addresses": {"state", "what", "said"}}, of what the row wishes.

    what: of that which was let through, or refused, a list of keys of enforced.ATTEMPTS. said: the
    cluster's words. Raises KubeError when the cluster is away.
    """
    who = Impersonation(PROVER, (group_name(row.tenant.slug, "developer"),))
    acting = Acting(connection, who)
    pods = object_path("v1", "pods", row.name)
    services = object_path("v1", "services", row.name)
    found = {"addresses": _judge(acting, "addresses", services, _service(), {"addresses": _claims})}
    if row.pod_security != PodSecurity.PRIVILEGED:
        found["pod_security"] = _judge(
            acting, "pod_security", pods, _pod(), dict(_violations(row.pod_security))
        )
    if row.pool_id is not None:
        found["pool"] = _judge(acting, "pool", pods, _pod(), {"elsewhere": _elsewhere})
    return found


def told(row: Namespace, what: str) -> tuple[str, Mapping[str, Any], datetime | None]:
    """(state, {"what", "said"}, when) of a row as it is wished now; UNKNOWN and None: not tried."""
    entry = row.proof.get(what) if row.proved is not None else None
    if not isinstance(entry, dict):
        return UNKNOWN, {}, None
    return str(entry.get("state", UNKNOWN)), entry, row.proved


def _firm(proof: Mapping[str, Any]) -> bool:
    return all(entry.get("state") == YES for entry in proof.values())


def _judge(
    acting: Acting,
    what: str,
    path: str,
    harmless: JSON,
    changes: Mapping[str, Callable[[JSON], None]],
) -> JSON:
    control = _refusal(acting, path, harmless)
    passed, refused, doubt = [], [], ""
    said = ""
    for name, change in changes.items():
        body = copy.deepcopy(harmless)
        change(body)
        refusal = _refusal(acting, path, body)
        if refusal is None:
            passed.append(name)
        elif _tells(refusal, what) or (control is None and isinstance(refusal, Forbidden)):
            refused.append(name)
            said = said or refusal.cause
        else:
            doubt = doubt or (control or refusal).cause
    if passed:
        return {"state": NO, "what": passed, "said": ""}
    if doubt:
        return {"state": UNKNOWN, "what": [], "said": doubt[:MOST_WORDS]}
    return {"state": YES, "what": refused, "said": said[:MOST_WORDS]}


def _tells(refusal: KubeError, what: str) -> bool:
    return isinstance(refusal, Forbidden) and any(w in str(refusal) for w in _WORDS[what])


def _refusal(acting: Acting, path: str, body: JSON) -> KubeError | None:
    """Why the cluster would not take an object; None when it would."""
    try:
        acting.try_create(path, body)
    except (ClusterUnreachable, ServerNotReady):
        raise
    except KubeError as error:
        return error
    return None


def _pod() -> JSON:
    """A pod that no level refuses, with as little as a quota can count."""
    container = {
        "name": "proof",
        "image": "flotilla.dev/proof:1",
        "resources": {kind: {"cpu": "1m", "memory": "1Mi"} for kind in ("requests", "limits")},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    metadata = {"generateName": "flotilla-proof-"}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}
    }  # fmt: skip


def _service() -> JSON:
    metadata = {"generateName": "flotilla-proof-"}
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": metadata,
        "spec": {"ports": [{"port": 80}], "clusterIP": "None"},
    }  # fmt: skip


def _violations(level: str) -> Iterator[tuple[str, Callable[[JSON], None]]]:
    """What a level refuses: a name of each, and what makes it of a harmless pod."""
    yield "privileged", _privileged
    yield (
        "host_path",
        lambda pod: pod["spec"].update(volumes=[{"name": "host", "hostPath": {"path": "/"}}]),
    )
    yield "host_network", lambda pod: pod["spec"].update(hostNetwork=True)
    yield "host_pid", lambda pod: pod["spec"].update(hostPID=True)
    if level == PodSecurity.RESTRICTED:
        yield (
            "escalation",
            lambda pod: pod["spec"]["containers"][0]["securityContext"].update(
                allowPrivilegeEscalation=True
            ),
        )


def _privileged(pod: JSON) -> None:
    pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}


def _elsewhere(pod: JSON) -> None:
    pod["spec"]["nodeSelector"] = {POOL_LABEL: "flotilla-proof"}


def _claims(service: JSON) -> None:
    service["spec"] = {"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]}  # RFC 5737
