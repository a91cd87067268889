"""Keeps tenants' namespaces on a cluster as their rows say, and tells what was changed by hand.

For the watcher, while it holds the cluster's lease. What a row newly wants is applied by
server-side apply as `flotilla`. What somebody changed by hand is never overwritten: it stands in
the row as drift until a person mends or accepts it. Each object carries a digest of the wish
that was applied last (desired.WANTED), by which the two are told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.guarded import is_guarded
from clusters.kube import (
    ClusterUnreachable,
    Conflict,
    Connection,
    KubeError,
    NotFound,
    ServerNotReady,
    TooManyRequests,
)
from clusters.kube.skew import minor_of
from clusters.models import Cluster
from tenancy import compare, desired, drift, leaving, pod_security_policies, roles
from tenancy.consoles import console_id
from tenancy.desired import NamespaceSpec, path_of, spec_of
from tenancy.isolation import NAME_LABEL, named_namespaces
from tenancy.models import Isolation, Namespace, NamespaceState
from tenancy.there import NAMESPACES, There, is_ours

JSON = dict[str, Any]
Held = Callable[[], None]

# How soon a change by hand is noticed.
ROUND = timedelta(seconds=60)
# More of them are read by lists of the whole cluster.
FEW = 20
MOST_REASON = 2000
SOON = (NamespaceState.PENDING, NamespaceState.DELETING, NamespaceState.RELEASING)
# From this minor version on, API servers label namespaces with their names themselves.
NAMES_ITSELF = 21


def keep(cluster: Cluster, connection: Connection, held: Held) -> None:
    """One round: what waits is done, and once a minute every namespace is compared.

    held() is called before each write and raises when the lease is lost. Nothing is asked of
    a cluster without tenants' namespaces. Raises KubeError when the cluster is away; the rows
    keep their states then, and the next round goes on.
    """
    rows = Namespace.objects.filter(cluster=cluster).select_related("tenant", "pool", "cluster")
    late = Q(checked=None) | Q(checked__lt=timezone.now() - ROUND)
    whole = rows.exclude(state__in=SOON).filter(late).exists()
    due = list(rows if whole else rows.filter(state__in=SOON))
    if due:
        Round(cluster, connection, held, due, whole=whole).run()


class Round:
    """One look at some of a cluster's namespaces."""

    def __init__(
        self, cluster: Cluster, connection: Connection, held: Held, rows: list[Namespace], *,
        whole: bool,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._connection = connection
        self._held = held
        self._console = console_id()
        self._rows = rows
        self._specs = {row.pk: spec_of(row, self._console) for row in rows}
        self._whole = whole
        foreign = self._to_be_labelled()
        names = {row.name for row in rows} | foreign
        self._there = There(connection, names, whole=whole or len(rows) > FEW)
        self._foreign = foreign
        self._quiet: list[int] = []

    def run(self) -> None:
        """All rows. Raises KubeError when the cluster is away."""
        refused = self._roles()
        self._label_others()
        for row in self._rows:
            self._one(row, refused)
        if self._quiet:
            Namespace.objects.filter(pk__in=self._quiet).update(checked=timezone.now())

    def _roles(self) -> str:
        """Bring the tenants' roles to what they are to be; why the cluster refuses them, or ""."""
        if not self._whole and all(row.applied_revision for row in self._rows):
            return ""
        try:
            for body in roles.different(self._connection):
                self._held()
                path = path_of(body)
                # Others could add rights to an aggregated role, and apply leaves that field.
                self._replace(path, body, lambda live: live.get("aggregationRule") is not None)
        except KubeError as error:
            if _passing(error):
                raise
            return str(error)
        return ""

    def _replace(self, path: str, body: JSON, anew: Callable[[JSON], bool]) -> None:
        """Apply an object; where anew() of the one that is there says so, it is deleted before."""
        try:
            live = self._connection.get_json(path)
        except NotFound:
            live = None
        if live is not None and anew(live):
            self._connection.delete(path)
        self._connection.apply(path, body, force=True)

    def _to_be_labelled(self) -> set[str]:
        """Others' namespaces that policies name and that this API server does not label."""
        try:
            itself = minor_of(self._cluster.version) >= NAMES_ITSELF
        except ValueError:
            itself = False
        if itself:
            return set()
        specs = (self._specs[row.pk] for row in self._rows if self._whole or _fresh(row))
        return {name for spec in specs for name in named_namespaces(spec)}

    def _label_others(self) -> None:
        for name in sorted(self._foreign):
            live = self._there.namespace(name)
            if live is None or compare.labels_of(live).get(NAME_LABEL) == name:
                continue
            self._held()
            patch = {"metadata": {"labels": {NAME_LABEL: name}}}
            try:
                self._connection.merge_patch(f"{NAMESPACES}/{name}", patch)
            except KubeError as error:
                if _passing(error):
                    raise

    def _one(self, row: Namespace, refused: str) -> None:
        try:
            if row.state in (NamespaceState.DELETING, NamespaceState.RELEASING):
                self._leave(row)
            elif refused and _fresh(row):
                self._write(row, NamespaceState.FAILED, refused)
            else:
                self._settle(row, self._specs[row.pk])
        except (ClusterUnreachable, ServerNotReady):
            raise
        except KubeError as error:
            leaving_ = row.state in (NamespaceState.DELETING, NamespaceState.RELEASING)
            passing = _passing(error) or isinstance(error, Conflict)
            state = NamespaceState(row.state) if leaving_ or passing else NamespaceState.FAILED
            self._write(row, state, str(error))

    def _leave(self, row: Namespace) -> None:
        live = self._there.namespace(row.name)
        if live is not None and not leaving.belongs(live, row, self._console):
            if row.applied_revision:
                self._write(row, NamespaceState(row.state), _not_ours_any_more(row))
                return
            live = None  # it never became the row's: it is left alone
        if row.state == NamespaceState.RELEASING:
            leaving.release(row, live, self._there, self._connection, self._held)
            return
        reason, remaining = leaving.delete(row, live, self._connection, self._held)
        self._write(row, NamespaceState.DELETING, reason, remaining=remaining)

    def _settle(self, row: Namespace, spec: NamespaceSpec) -> None:
        live = self._there.namespace(row.name)
        if problem := self._forbidden(row, live):
            self._write(row, NamespaceState.FAILED, problem)
            return
        if live is not None and compare.metadata_of(live).get("deletionTimestamp"):
            self._ending(row, live)
            return
        wanted = desired.manifests(spec)
        fresh, known = _fresh(row), drift.by_key(row.drift)
        if live is None and (not fresh or ("Namespace", row.name) in known):
            self._done(row, [drift.entry(None, wanted[0], known)])
            return
        parts: dict[tuple[str, str], JSON] = {}
        if live is None:
            self._held()
            # By POST, which refuses a name that somebody takes at this very moment.
            self._connection.post(NAMESPACES, wanted[0])
            pod_security_policies.bind_new(self._cluster, self._connection, row)
        else:
            parts = self._there.parts(row.name)
        there = {**parts, **({("Namespace", row.name): live} if live is not None else {})}
        entries = [
            found
            for body in wanted
            if (found := self._part(body, there.get(_key(body)), fresh, known)) is not None
        ]
        names = {_key(body) for body in wanted}
        entries += self._surplus(row, [b for k, b in parts.items() if k not in names], fresh, known)
        self._done(row, entries)

    def _forbidden(self, row: Namespace, live: JSON | None) -> str:
        """Why the console keeps its hands off this namespace; "" when it does not."""
        if desired.guarded(row.name) or is_guarded(self._cluster, row.name):
            return _("“%(name)s” belongs to Kubernetes or to the console itself.") % {
                "name": row.name
            }
        if live is None or row.applied_revision:
            return ""
        other = compare.annotations_of(live).get(desired.CONSOLE)
        if other and other != self._console:
            return _("The namespace is kept by another console: release it there first.")
        if row.adopted or leaving.belongs(live, row, self._console):
            return ""
        return _(
            "The cluster has a namespace of this name already, and it is not this tenant's: take "
            "another name, or ask a platform admin to adopt it."
        )

    def _ending(self, row: Namespace, live: JSON) -> None:
        """Somebody deletes the namespace on the cluster, or one of its name is still going."""
        waits = leaving.remaining(live)
        reason = _("A namespace of this name is just being deleted on the cluster.")
        state = NamespaceState(row.state) if not row.applied_revision else NamespaceState.DRIFTED
        self._write(row, state, reason, remaining=waits)

    def _part(
        self, body: JSON, live: JSON | None, fresh: bool, known: dict[tuple[str, str], JSON]
    ) -> JSON | None:
        """Apply one object, or tell how it differs; None when it is as wanted now."""
        kept = _key(body) in known
        if live is None:
            if not fresh or kept:
                return drift.entry(None, body, known)
        elif compare.mark_of(live) == compare.mark_of(body) or not compare.mark_of(live):
            if compare.same(live, body):
                if compare.mark_of(live):
                    return None
            elif not fresh or kept:
                return drift.entry(live, body, known)
        self._held()
        if live is not None and live.get("roleRef") != body.get("roleRef"):
            leaving.take_away(self._connection, live)  # a roleRef cannot be changed
        self._connection.apply(path_of(body), body, force=True)
        return None

    def _surplus(
        self, row: Namespace, bodies: list[JSON], fresh: bool,
        known: dict[tuple[str, str], JSON],
    ) -> list[JSON]:  # fmt: skip
        """What is there and not wanted: ours goes with a new wish, others' policies are told."""
        found = []
        for body in bodies:
            if is_ours(body):
                if fresh and _key(body) not in known:
                    self._held()
                    leaving.take_away(self._connection, body)
                else:
                    found.append(drift.entry(body, None, known))
            elif body["kind"] == "NetworkPolicy" and row.isolation != Isolation.OPEN:
                found.append(drift.foreign_policy(body, known))
        return found

    def _done(self, row: Namespace, entries: list[JSON]) -> None:
        state = NamespaceState.DRIFTED if drift.unsettled(entries) else NamespaceState.APPLIED
        self._write(row, state, "", entries=entries)

    def _write(
        self, row: Namespace, state: NamespaceState, reason: str, *,
        entries: list[JSON] | None = None, remaining: list[str] | None = None,
    ) -> None:  # fmt: skip
        """Note how it went, unless the row was changed meanwhile: then the next round looks.

        entries: what differs by hand, when everything else is as wanted now.
        """
        now = timezone.now()
        fields: JSON = {"state_reason": reason[:MOST_REASON], "remaining": remaining or []}
        fields["state"] = state.value
        if entries is not None:
            fields |= {"drift": entries, "applied_revision": row.revision}
        changed = {name: value for name, value in fields.items() if getattr(row, name) != value}
        if not changed:
            self._quiet.append(row.pk)
            return
        if "state" in changed:
            changed["state_since"] = now
        if "applied_revision" in changed:
            changed["proved"] = None  # what was proved was so of another wish
        unchanged = Namespace.objects.filter(pk=row.pk, revision=row.revision, state=row.state)
        unchanged.update(checked=now, **changed)


def _fresh(row: Namespace) -> bool:
    """Whether something is wanted that the cluster has not got yet."""
    return row.revision > row.applied_revision


def _key(body: JSON) -> tuple[str, str]:
    return str(body["kind"]), str(body["metadata"]["name"])


def _passing(error: KubeError) -> bool:
    """Whether a refusal is about the moment, and not about what was asked.

    With 500 older API servers also answer an apply of what is no quantity.
    """
    away = isinstance(error, ClusterUnreachable | ServerNotReady | TooManyRequests)
    return away or error.status == 0 or error.status > 500


def _not_ours_any_more(row: Namespace) -> str:
    return _(
        "The namespace on the cluster no longer says that it is this tenant's, so it is not "
        "touched. If it is to go: kubectl delete namespace %(name)s"
    ) % {"name": row.name}
