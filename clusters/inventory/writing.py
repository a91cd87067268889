"""Changes of many collections of one cluster, written in one transaction under its lease."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db.models import Model, QuerySet, Value

from clusters.inventory import nodes, rows
from clusters.inventory.collections import Collection, Entry, Key
from clusters.inventory.lease import Lease
from clusters.models import Cluster, ClusterEvent, Node, Object

BATCH = 200
EVENT_FIELDS = (
    "namespace", "about_kind", "about_name", "about_uid", "warning", "reason", "message",
    "source", "count", "first", "last",
)  # fmt: skip
# How a model's rows are upserted: what tells which row it is, and what is set.
UPSERTS: dict[type[Model], tuple[tuple[str, ...], tuple[str, ...]]] = {
    Object: (("cluster", "resource", "namespace", "name"), rows.FIELDS),
    Node: (("cluster", "name"), nodes.FIELDS),
    ClusterEvent: (("cluster", "uid"), EVENT_FIELDS),
}


class Source(Protocol):
    """Who hands over changes: a reflector."""

    collection: Collection

    def relist(self) -> None:
        """List anew: something that was handed over is not in the rows."""


@dataclass(frozen=True)
class Change:
    """One step of one collection, in the order in which it happened.

    epoch: which of the source's lists it belongs to. entries: objects as they
    are now; gone: objects that were deleted; complete: all objects of a list
    whose pages have been handed over, so that every other row goes. note: why
    the collection is not watched, "" when it is (again), None to say nothing.
    """

    source: Source
    epoch: int
    entries: Sequence[Entry] = ()
    gone: Sequence[Key] = ()
    complete: frozenset[Key] | None = None
    note: str | None = None

    @property
    def weight(self) -> int:
        """How much there is to write, in rows."""
        return max(1, len(self.entries) + len(self.gone))


@dataclass
class _Work:
    """What remains to be done for one collection: of each object the last word."""

    last: dict[Key, Entry | None] = field(default_factory=dict)
    complete: frozenset[Key] | None = None
    note: str | None = None


def write(lease: Lease, changes: Iterable[Change]) -> None:
    """Make the rows what the changes say. Raises LeaseLost and DatabaseError, then nothing is."""
    work: dict[str, tuple[Collection, _Work]] = {}
    for change in changes:
        collection = change.source.collection
        _collection, todo = work.setdefault(collection.name, (collection, _Work()))
        todo.last.update({entry.key: entry for entry in change.entries})
        todo.last.update(dict.fromkeys(change.gone))
        if change.complete is not None:
            todo.complete = change.complete
            # Of what came before the end of the list, only the list's own objects are still true.
            for key in todo.last.keys() - change.complete:
                todo.last[key] = None
        todo.note = todo.note if change.note is None else change.note
    with lease.holding() as cluster:
        for collection, todo in work.values():
            _write(cluster, collection, todo)
        cluster.changes += 1
        _note(cluster, {name: todo.note for name, (_collection, todo) in work.items()})
        cluster.save(update_fields=["changes", "not_watched"])


def forget(lease: Lease, resource: str) -> None:
    """Remove the rows of a kind that is no longer to be watched. Raises LeaseLost."""
    with lease.holding() as cluster:
        cluster.inventory.filter(resource=resource).delete()
        cluster.changes += 1
        _note(cluster, {resource: ""})
        cluster.save(update_fields=["changes", "not_watched"])


def _note(cluster: Cluster, notes: dict[str, str | None]) -> None:
    for name, note in notes.items():
        if note:
            cluster.not_watched[name] = note
        elif note == "":
            cluster.not_watched.pop(name, None)


def _write(cluster: Cluster, collection: Collection, todo: _Work) -> None:
    for mine in _tables(cluster, collection):
        if todo.complete is not None:
            _delete(mine, lambda key: key not in (todo.complete or ()))
        gone = {key for key, entry in todo.last.items() if entry is None}
        for part in _parts(sorted(gone)):
            _delete(mine.filter(name__in={name for _namespace, name in part}), gone.__contains__)
    upserts: dict[type[Model], list[Model]] = {}
    for entry in todo.last.values():
        for row in entry.rows if entry else ():
            upserts.setdefault(type(row), []).append(row)
    for model, found in upserts.items():
        unique, fields = UPSERTS[model]
        model._default_manager.bulk_create(
            found,
            update_conflicts=True,
            unique_fields=unique,
            update_fields=fields,
            batch_size=BATCH,
        )


def _tables(cluster: Cluster, collection: Collection) -> list[QuerySet[Any]]:
    """The rows from which goes what the cluster no longer has."""
    if not collection.forgets:
        return []
    found: list[QuerySet[Any]] = [cluster.inventory.filter(resource=collection.name)]
    if collection.name == "nodes":
        found.append(cluster.nodes.annotate(namespace=Value("")))
    return found


def _delete(among: QuerySet[Any], goes: Callable[[Key], bool]) -> None:
    known = among.order_by().values_list("id", "namespace", "name").iterator()
    ids = [pk for pk, namespace, name in known if goes((namespace, name))]
    for part in _parts(ids):
        among.model._default_manager.filter(pk__in=part).delete()


def _parts(values: Sequence[Any], size: int = 400) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
