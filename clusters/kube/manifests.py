"""Manifests against a cluster: what an apply would change, and the apply itself.

Server-side apply as the field manager "flotilla" (Server-Side Apply). One
object's refusal keeps no other from being applied.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from clusters.changed_fields import changed_fields
from clusters.kube.acting import Acting
from clusters.kube.connection import FIELD_MANAGER, JSON, READ_SECONDS
from clusters.kube.discovery import ApiResource, resource_of
from clusters.kube.errors import (
    ClusterUnreachable,
    Conflict,
    KubeError,
    NotFound,
    ServerNotReady,
)
from clusters.kube.port_protocols import with_protocols
from clusters.manifest_text import Manifest, difference

# A CustomResourceDefinition is served a moment after it was accepted.
SERVED_SECONDS = 8.0
# What others need, first; the rest in the order of the text.
FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass")
_MANAGER = re.compile(r'conflict with "([^"]{1,200})"')


class State(StrEnum):
    """What became of an object, or would become."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"  # fields belong to other managers
    WAITS = "waits"  # can only be tried once something else of the same text is there
    REFUSED = "refused"
    UNTRIED = "untried"  # the time was over


class Taken(NamedTuple):
    """A field that belongs to another manager."""

    manager: str
    field: str


@dataclass(frozen=True)
class Outcome:
    """One object's result.

    diff: what changes, values of Secrets masked; changed: the fields before and after, as an
    audit event keeps them; error: cause and mend.
    """

    manifest: Manifest
    state: State
    namespace: str = ""
    resource: str = ""
    diff: str = ""
    conflicts: tuple[Taken, ...] = ()
    error: str = ""
    changed: tuple[JSON, JSON] = field(default_factory=lambda: ({}, {}))

    @property
    def failed(self) -> bool:
        """Whether it was not, or would not be, applied."""
        return self.state in (State.CONFLICT, State.REFUSED, State.UNTRIED)

    @property
    def title(self) -> str:
        """Kind and name, with the namespace where it has one."""
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.manifest.kind} {where}{self.manifest.name}"


@dataclass(frozen=True)
class Wish:
    """How manifests are to be applied.

    namespace: of those that name none; force: take fields over from other
    managers; dry_run: try it and keep nothing.
    """

    namespace: str = "default"
    force: bool = False
    dry_run: bool = True


def in_order(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Namespaces and CustomResourceDefinitions first, the rest as it stands in the text."""

    def rank(manifest: Manifest) -> int:
        return FIRST.index(manifest.kind) if manifest.kind in FIRST else len(FIRST)

    return sorted(manifests, key=rank)


def run(
    conn: Acting,
    manifests: Iterable[Manifest],
    wish: Wish,
    *,
    deadline: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
) -> list[Outcome]:
    """Apply, or try, one object after the other; each gets its outcome.

    deadline: of time.monotonic(); objects after it stay untried, as do all
    after stopped() or after an API server that does not answer.
    """
    todo = in_order(manifests)
    found: list[Outcome] = []
    away = ""
    for manifest in todo:
        left = READ_SECONDS if deadline is None else deadline - time.monotonic()
        if away or left <= 0.5 or stopped():
            outcome = Outcome(manifest, State.UNTRIED, manifest.namespace, error=away)
        else:
            try:
                outcome = _one(conn, manifest, wish, todo, min(left, READ_SECONDS))
            except (ClusterUnreachable, ServerNotReady) as error:
                away = str(error)
                outcome = Outcome(manifest, State.UNTRIED, manifest.namespace, error=away)
        found.append(outcome)
        on_outcome(outcome)
    return found


def _one(
    conn: Acting, manifest: Manifest, wish: Wish, all_: list[Manifest], limit: float
) -> Outcome:
    """The outcome of one object. Raises ClusterUnreachable or ServerNotReady."""
    namespace = manifest.namespace
    try:
        resource = _resource(conn, manifest, wish, all_, limit)
        if resource is None:
            return Outcome(manifest, State.WAITS, namespace)
        namespace = (namespace or wish.namespace) if resource.namespaced else ""
        if wish.dry_run and _brings_namespace(all_, namespace):
            try:
                conn.get_json(f"/api/v1/namespaces/{namespace}", timeout=limit)
            except NotFound:
                return Outcome(manifest, State.WAITS, namespace, resource.resource)
        before, after = _applied(conn, resource, manifest, namespace, wish, limit)
    except (ClusterUnreachable, ServerNotReady):
        raise
    except Conflict as error:
        taken = _taken(error)
        state = State.CONFLICT if taken else State.REFUSED
        return Outcome(manifest, state, namespace, conflicts=taken, error=str(error))
    except KubeError as error:
        return Outcome(manifest, State.REFUSED, namespace, error=str(error))
    diff = difference(before, after)
    state = State.CREATED if before is None else State.CHANGED if diff else State.UNCHANGED
    changed = changed_fields(before, after)
    return Outcome(manifest, state, namespace, resource.resource, diff, changed=changed)


def _applied(
    conn: Acting,
    resource: ApiResource,
    manifest: Manifest,
    namespace: str,
    wish: Wish,
    limit: float,
) -> tuple[JSON | None, JSON]:
    """The object before (None: there was none, or it may not be read) and after."""
    path = resource.path(namespace, manifest.name)
    metadata = dict(manifest.body["metadata"])
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    body = with_protocols({**manifest.body, "metadata": metadata})
    before: JSON | None = None
    try:
        before = conn.get_json(path, timeout=limit)
    except NotFound:
        before = None
    try:
        after = _sent(conn, path, body, wish, wish.force, limit)
    except Conflict as error:
        # What the console itself set another way (a scale, an edit) is no other manager's.
        if wish.force or {taken.manager for taken in _taken(error)} != {FIELD_MANAGER}:
            raise
        after = _sent(conn, path, body, wish, True, limit)
    return before, after


def _sent(conn: Acting, path: str, body: JSON, wish: Wish, force: bool, limit: float) -> JSON:
    if wish.dry_run:
        return conn.try_apply(path, body, force=force, timeout=limit)
    return conn.apply(path, body, force=force, timeout=limit)


def _resource(
    conn: Acting, manifest: Manifest, wish: Wish, all_: list[Manifest], limit: float
) -> ApiResource | None:
    """The kind's resource; None for one whose definition is in the same text and not there yet."""
    ours = any(_defines(other, manifest) for other in all_)
    ends = time.monotonic() + (SERVED_SECONDS if ours and not wish.dry_run else 0)
    fresh = False
    while True:
        try:
            return resource_of(
                conn, manifest.api_version, manifest.kind, fresh=fresh, timeout=min(5.0, limit)
            )
        except NotFound:
            if ours and wish.dry_run:
                return None
            if time.monotonic() >= ends:
                raise
            time.sleep(0.5)
            fresh = True


def _defines(crd: Manifest, manifest: Manifest) -> bool:
    if crd.kind != "CustomResourceDefinition":
        return False
    spec = crd.body.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    kind = names.get("kind") if isinstance(names, dict) else None
    return isinstance(spec, dict) and (spec.get("group"), kind) == (manifest.group, manifest.kind)


def _brings_namespace(all_: list[Manifest], namespace: str) -> bool:
    return bool(namespace) and any(
        (m.kind, m.api_version, m.name) == ("Namespace", "v1", namespace) for m in all_
    )


def _taken(error: Conflict) -> tuple[Taken, ...]:
    found = []
    for cause in error.causes:
        if cause.reason == "FieldManagerConflict":
            manager = _MANAGER.search(cause.message)
            found.append(Taken(manager[1] if manager else cause.message, cause.field))
    return tuple(found)
