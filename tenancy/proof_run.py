"""Carries out proofs of isolation, in the watcher, a step a round.

A proof is a row. Each round looks at what the cluster has of it and goes on from there, so a
console that is killed goes on where it was, and what a proof left behind is found by its label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.kube import (
    ClusterUnreachable,
    Conflict,
    Connection,
    KubeError,
    ServerNotReady,
    TooManyRequests,
)
from clusters.models import Cluster
from clusters.pools_rules import POOL_LABEL
from console.audit.record import record
from tenancy import proof_cluster as there
from tenancy import proof_notices
from tenancy import proof_plan as plan
from tenancy import proof_pods as pods
from tenancy.consoles import console_id
from tenancy.desired import NamespaceSpec, spec_of, toleration
from tenancy.models import Isolation, IsolationProof, Namespace, ProofState, Verdict
from tenancy.proof_actions import READY, forget_old, wanted

JSON = dict[str, Any]
Held = Callable[[], None]

# How long pods may take to come up, and to try.
START = timedelta(seconds=75)
TRY = timedelta(seconds=120)
# How long a pod that runs may take until the kubelet's probe is answered.
PROBED = timedelta(seconds=20)
# The whole of it, also while the cluster is away.
MOST = timedelta(minutes=10)
MOST_LOG = 200
# Clusters whose leftovers of an earlier life of this process were looked for.
_swept: set[int] = set()


def keep(cluster: Cluster, connection: Connection, held: Held) -> None:
    """One round of every proof on a cluster; leftovers go. held(): as in tenancy.reconcile.

    Nothing is asked of a cluster on which nothing was ever proved. Raises KubeError when it is
    away; the next round goes on then, until MOST has passed.
    """
    rows = IsolationProof.objects.filter(cluster=cluster)
    for proof in rows.filter(ended=None).select_related("namespace__tenant", "namespace__pool"):
        proof.cluster = cluster
        if proof.namespace:
            proof.namespace.cluster = cluster
        Run(proof, connection, held).step()
    over = rows.filter(gone=False).exclude(ended=None)
    keys = list(over.values_list("pk", flat=True))
    if not keys and (cluster.pk in _swept or not rows.exists()):
        return
    running = set(rows.filter(ended=None).values_list("token", flat=True))
    if there.sweep(connection, console_id(), running, held):
        _swept.add(cluster.pk)
        over.filter(pk__in=keys).update(gone=True)
        rows.filter(namespace=None, gone=True).delete()


class Run:
    """One proof, one step on."""

    def __init__(self, proof: IsolationProof, connection: Connection, held: Held) -> None:
        self._proof = proof
        self._row = proof.namespace
        self._connection = connection
        self._held = held
        self._now = timezone.now()

    def step(self) -> None:
        """What can be done now. Raises KubeError when the cluster is away."""
        proof, row = self._proof, self._row
        if proof.canceled:
            self._end(Verdict.NOT_PROVED, "canceled")
        elif row is None or row.state not in READY:
            self._end(Verdict.NOT_PROVED, "gone" if row is None else "changed")
        elif wanted(row) != proof.wanted:
            self._end(Verdict.NOT_PROVED, "changed")
        elif self._now - proof.created > MOST:
            self._end(Verdict.NOT_PROVED, "away")
        elif proof.state == ProofState.WAITING:
            self._begin(row)
        elif proof.state == ProofState.STARTING:
            self._start(row)
        else:
            self._try(row)

    def _begin(self, row: Namespace) -> None:
        """Choose the places. The pods are made in the steps after, whoever takes them."""
        names = [(plan.OWN, row.name), (plan.STRANGER, pods.stranger_name(self._proof.token))]
        if peer := peer_of(row):
            names.insert(1, (plan.PEER, peer.name))
        blank = {"address": "", "node": "", "host": "", "ready": False, "problem": ""}
        self._proof.sites = [{"key": key, "namespace": name, **blank} for key, name in names]
        where = ", ".join(name for _key, name in names)
        self._go(ProofState.STARTING, _("Starting probe pods in %(names)s.") % {"names": where})
        self._start(row)

    def _start(self, row: Namespace) -> None:
        waits = [site for site in self._proof.sites if not self._listens(row, site)]
        late = self._now - self._proof.state_since > START
        self._save("sites")
        if waits and not late:
            return
        for site in waits:
            self._say(f"{site['namespace']}: {site['problem']}")
        connection = self._connection
        attempts = plan.plan(
            self._site(row, plan.OWN), self._site(row, plan.STRANGER), self._peer(row),
            dns=there.dns_of(connection), outside=there.api_server_of(connection),
        )  # fmt: skip
        blank = {"outcome": plan.UNTRIED, "tries": [], "command": "", "cause": ""}
        self._proof.attempts = [self._same_node({**asdict(one), **blank}) for one in attempts]
        self._save("attempts")
        tried = sum(bool(self._tried_by(site)) for site in self._proof.sites)
        said = _("%(count)d pods try %(attempts)d connections, each %(tries)d times.")
        values = {"count": tried, "attempts": len(attempts), "tries": plan.TRIES}
        self._go(ProofState.TRYING, said % values)
        self._try(row)

    def _listens(self, row: Namespace, site: JSON) -> bool:
        """Whether the site's listener is up; it is made where it is not there."""
        name = pods.pod_name(pods.LISTEN, self._proof.token)
        spec, space = self._placing(row, site), site["namespace"]
        pod = there.pod_of(self._connection, space, name)
        if pod is None:
            ports = plan.ports(self._site(row, plan.OWN), self._peer(row))
            if site["key"] != plan.OWN:
                ports = [plan.PORT]
            home = site["key"] != plan.STRANGER or self._make(
                site, there.NAMESPACES, pods.stranger(spec)
            )
            if home:
                self._make(site, there.pods_path(space), pods.listener(spec, space, ports))
            return False
        address = there.address_of(pod)
        if not address:
            site["problem"] = there.why_not_up(self._connection, pod)
            return False
        if not site["address"]:
            self._say(
                _("%(name)s listens at %(address)s on %(node)s.")
                % {"name": space, "address": address, "node": _node(pod)}
            )
        ready = there.is_ready(pod)
        site |= {"address": address, "node": _node(pod), "host": _host(pod), "ready": ready}
        site["problem"] = ""
        return ready or self._now - self._proof.state_since > PROBED

    def _make(self, site: JSON, path: str, body: JSON) -> bool:
        """Create something; whether it is there. A refusal is the site's problem, and what was
        refused is tried again in the next round."""
        self._held()
        try:
            self._connection.post(path, body)
            site["problem"] = _("The pod was made a moment ago.")
        except Conflict:
            return True
        except KubeError as error:
            if isinstance(error, ClusterUnreachable | ServerNotReady | TooManyRequests):
                raise
            site["problem"] = str(error)[: there.MOST_CAUSE]
            return False
        return True

    def _try(self, row: Namespace) -> None:
        waiting = False
        late = self._now - self._proof.state_since > TRY
        name = pods.pod_name(pods.TRY, self._proof.token)
        for site in self._proof.sites:
            mine = self._tried_by(site)
            if not mine:
                continue
            space = site["namespace"]
            pod = there.pod_of(self._connection, space, name)
            if pod is None and not late:
                body = pods.prober(self._placing(row, site), space, mine)
                self._make(site, there.pods_path(space), body)
                waiting = True
            elif pod is not None and (late or there.has_ended(pod)):
                self._read(site, mine, pod, name)
            else:
                waiting = waiting or not late
        self._save("sites")
        if not waiting:
            self._judge()

    def _read(self, site: JSON, mine: list[JSON], pod: JSON, name: str) -> None:
        """What a prober saw. What it did not come to stays untried, with the cause."""
        site["problem"] = "" if there.has_ended(pod) else there.why_not_up(self._connection, pod)
        try:
            found = pods.read(there.log_of(self._connection, site["namespace"], name))
        except KubeError as error:
            if isinstance(error, ClusterUnreachable):
                raise
            found, site["problem"] = {}, str(error)[: there.MOST_CAUSE]
        for one in mine:
            one["tries"], one["command"] = found.get(one["id"], []), pods.command(one)
            one["outcome"] = pods.outcome(one["tries"])
            one["where"] = {"node": _node(pod), "address": there.address_of(pod) or _address(pod)}
            if one["outcome"] == plan.UNTRIED:
                one["cause"] = site["problem"] or _not_run(one["tries"])

    def _judge(self) -> None:
        sites = {site["key"]: site for site in self._proof.sites}
        for one in self._proof.attempts:
            if one["source"] == plan.NODE:
                self._judge_probe(one, sites[plan.OWN])
            elif one["outcome"] == plan.UNTRIED and not one["cause"]:
                one["cause"] = self._cause(one, sites)
        verdict, reason = plan.verdict(self._proof.attempts)
        self._end(verdict, reason)

    def _judge_probe(self, one: JSON, own: JSON) -> None:
        """The kubelet's own probe of the listener, as the pod's readiness tells it."""
        one["command"] = f"GET http://{own['address']}:{plan.PORT}/name"
        one["where"] = {"node": own["node"], "address": own["host"]}
        if not own["address"]:
            one["cause"] = own["problem"]
        else:
            one["outcome"] = plan.PASSED if own["ready"] else plan.DENIED

    def _cause(self, one: JSON, sites: dict[str, JSON]) -> str:
        if plan.OTHER in (one["source"], one["target"]):
            return _("The tenant has no say there: no probe pod is put into others' namespaces.")
        for end in (one["target"], one["source"]):
            site = sites.get(end)
            if site and site["problem"]:
                return f"{site['namespace']}: {site['problem']}"
        return _("The probe pod did not come up.")

    def _tried_by(self, site: JSON) -> list[JSON]:
        """The attempts that a site's prober makes: it is up, and there is where to."""
        if not site["address"]:
            return []
        return [one for one in self._proof.attempts
                if one["source"] == site["key"] and one["address"]]  # fmt: skip

    def _same_node(self, one: JSON) -> JSON:
        """What a pod's own node answers is always let through, whatever a policy says."""
        hosts = [site["host"] for site in self._proof.sites if site["key"] == one["source"]]
        if one["target"] == plan.OUTSIDE and one["address"] in hosts:
            one |= {"expected": plan.EITHER, "why": "same_node"}
        return one

    def _site(self, row: Namespace, key: str) -> plan.Site:
        for site in self._proof.sites:
            if site["key"] == key:
                return plan.Site(key, site["namespace"], self._spec(row, site), site["address"])
        raise LookupError(key)

    def _peer(self, row: Namespace) -> plan.Site | None:
        keys = {site["key"] for site in self._proof.sites}
        return self._site(row, plan.PEER) if plan.PEER in keys else None

    def _spec(self, row: Namespace, site: JSON) -> NamespaceSpec | None:
        if site["key"] == plan.OWN:
            return spec_of(row)
        if site["key"] == plan.STRANGER:
            return None
        rows = Namespace.objects.select_related("tenant", "cluster", "pool")
        peer = rows.filter(cluster=row.cluster_id, name=site["namespace"], tenant=row.tenant_id)
        found = peer.first()
        return spec_of(found) if found else None

    def _placing(self, row: Namespace, site: JSON) -> pods.Placing:
        spec = self._spec(row, site)
        pool = spec.pool if spec else ""
        return pods.Placing(
            self._proof.token, console_id(), settings.PROBE_IMAGE,
            {POOL_LABEL: pool} if pool else {},
            tuple(toleration(taint) for taint in spec.pool_taints) if spec else (),
        )  # fmt: skip

    def _go(self, state: ProofState, said: str) -> None:
        self._say(said)
        self._proof.state, self._proof.state_since = state, self._now
        self._save("state", "state_since", "sites", "log")

    def _say(self, said: str) -> None:
        self._proof.log = [*self._proof.log, [self._now.isoformat(), said]][-MOST_LOG:]
        self._save("log")

    def _save(self, *fields: str) -> None:
        self._proof.save(update_fields=fields)

    def _end(self, verdict: Verdict, reason: str) -> None:
        proof = self._proof
        proof.state, proof.state_since, proof.ended = ProofState.ENDED, self._now, self._now
        proof.verdict, proof.reason = verdict, reason
        with transaction.atomic():
            self._save(
                "state", "state_since", "ended", "verdict", "reason", "sites", "attempts", "log"
            )
            record(
                "namespace.proof_ended", proof.namespace or proof.cluster, actor=proof.by,
                after={"proof": proof.pk, "verdict": verdict.value, "reason": reason,
                       "isolation": proof.isolation},
            )  # fmt: skip
            if proof.namespace:
                proof_notices.tell_of(proof, proof.namespace)
                forget_old(proof.namespace)


def peer_of(row: Namespace) -> Namespace | None:
    """Another namespace of the tenant on the cluster: one that an exception names before others,
    and one that lets its own pods out before one that does not."""
    others = Namespace.objects.filter(tenant=row.tenant_id, cluster=row.cluster_id).exclude(
        pk=row.pk
    )
    named = {item.get("namespace") for item in row.exceptions if item["kind"] == "namespace"}
    ready = list(others.filter(state__in=READY, applied_revision__gt=0).order_by("name"))
    ready.sort(key=lambda one: (one.name not in named, one.isolation == Isolation.STRICT))
    return ready[0] if ready else None


def _not_run(tries: list[JSON]) -> str:
    for one in tries:
        if one["code"] >= pods.NOT_RUN:
            said = _("The probe's program did not run (exit code %(code)d): is it in %(image)s?")
            return said % {"code": one["code"], "image": settings.PROBE_IMAGE}
    return _("The probe pod ended before it tried.")


def _node(pod: JSON) -> str:
    return str((pod.get("spec") or {}).get("nodeName", ""))


def _host(pod: JSON) -> str:
    return str((pod.get("status") or {}).get("hostIP", ""))


def _address(pod: JSON) -> str:
    return str((pod.get("status") or {}).get("podIP", ""))
