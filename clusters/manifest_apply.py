"""Applying manifests for a person: what is told of it, and recorded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from clusters.kube import manifests as kube
from clusters.kube.manifests import Outcome, State, Wish
from clusters.kube.workloads_api import Effect
from clusters.manifest_text import Manifest
from clusters.models import Cluster
from clusters.operate import NotPossible, connection, refuse_by_place, tell
from console.accounts.models import User

# As many as a request tries itself; more are a task with a live log.
IN_REQUEST = 20
SECONDS = 10.0

WROTE = (State.CREATED, State.CHANGED)


@dataclass(frozen=True)
class Tally:
    """How many objects ended in which state, in the order of the states."""

    counts: dict[str, int]
    failed: int

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Tally:
        """The tally of some outcomes."""
        counts = {s.value: sum(o.state is s for o in outcomes) for s in State}
        return cls({k: n for k, n in counts.items() if n}, sum(o.failed for o in outcomes))


def in_request(
    cluster: Cluster,
    manifests: Sequence[Manifest],
    wish: Wish,
    *,
    user: User,
    request: HttpRequest | None = None,
) -> list[Outcome]:
    """Try or apply at most 20 objects within 10 s.

    Raises NotAllowed on a cluster that only admins change, KubeError when none could be begun.
    """
    refuse_by_place(user, "clusters.operate", cluster)
    conn = connection(cluster, user, SECONDS)
    deadline = time.monotonic() + SECONDS
    outcomes = kube.run(conn, manifests, wish, deadline=deadline)
    if not wish.dry_run:
        for outcome in outcomes:
            record_outcome(cluster, outcome, user=user, request=request)
    return outcomes


def record_outcome(
    cluster: Cluster, outcome: Outcome, *, user: User, request: HttpRequest | None = None
) -> None:
    """The audit event of one object that was applied or refused; none for what did not change."""
    if outcome.state is State.UNCHANGED:
        return
    result: Effect | NotPossible
    if outcome.state in WROTE:
        before, after = outcome.changed
        result = Effect(before, {"result": outcome.state.value, **after})
    else:
        result = NotPossible(outcome.error or outcome.state.value)
    is_one = outcome.manifest.kind == "Namespace"
    tell(
        cluster, "object.applied", outcome.title, result, user=user, request=request,
        namespace=outcome.manifest.name if is_one else outcome.namespace,
    )  # fmt: skip


def as_data(outcome: Outcome) -> dict[str, Any]:
    """One outcome in plain JSON types."""
    return {
        "document": outcome.manifest.document,
        "line": outcome.manifest.line,
        "api_version": outcome.manifest.api_version,
        "kind": outcome.manifest.kind,
        "namespace": outcome.namespace,
        "name": outcome.manifest.name,
        "state": outcome.state.value,
        "diff": outcome.diff,
        "conflicts": [taken._asdict() for taken in outcome.conflicts],
        "error": outcome.error,
    }
