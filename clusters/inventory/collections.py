"""The collections of a cluster that are mirrored: how each is asked for, and what its rows are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Model

from clusters.inventory.kinds import EVENTS, KINDS, Kind, object_path
from clusters.inventory.nodes import node_of
from clusters.inventory.raw import JSON, as_map, as_maps, text
from clusters.inventory.rows import row_of
from clusters.inventory.rows_events import event_of
from clusters.kube.listing import (
    METADATA_ONLY,
    METADATA_ONLY_OBJECT,
    PLAIN,
    TABLE,
)

# Namespace and name of an object, or the UID of an event.
Key = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """One object on its way into the database: its key and its rows."""

    key: Key
    rows: tuple[Model, ...]


@dataclass
class Collection:
    """One kind, asked for as it is.

    accept and accept_watch: the representations that are asked for. at: which
    of the kind's versions the cluster serves, as far as is known. forgets:
    whether a row goes when its object does. ordered: whether resource versions
    of a watch can only grow, as those that come from etcd do.
    """

    kind: Kind
    accept: str = PLAIN
    accept_watch: str = PLAIN
    at: int = 0
    forgets: ClassVar[bool] = True
    ordered: ClassVar[bool] = True
    rows_in: ClassVar[str] = "items"

    @property
    def name(self) -> str:
        """The plural and the group: what messages and `not_watched` call it."""
        return self.kind.resource

    @property
    def api_version(self) -> str:
        """The version that is asked for now."""
        return self.kind.api_version(self.kind.versions[self.at])

    @property
    def path(self) -> str:
        """The path of the collection in that version."""
        return object_path(self.api_version, self.kind.plural)

    def another_version(self) -> bool:
        """Try the next older version; False, and the first again, when there is none."""
        self.at = (self.at + 1) % len(self.kind.versions)
        return self.at != 0

    def is_page(self, page: JSON) -> bool:
        """Whether an answer is a list at all: taken for an empty one, it would clear the rows."""
        return self.rows_in in page and isinstance(page[self.rows_in], list | None)

    def items(self, page: JSON) -> list[JSON]:
        """The objects of a page of a list."""
        return as_maps(page.get("items"), 100_000)

    def item(self, told: JSON) -> JSON:
        """The object of a watch event."""
        return told

    def entry(self, cluster_id: int, item: JSON) -> Entry | None:
        """What to write for an object; None for what cannot be a row."""
        row = row_of(cluster_id, self.kind, self.api_version, item)
        return Entry((row.namespace, row.name), (row,)) if row else None


class Nodes(Collection):
    """Nodes have a row of the older table besides the inventory's."""

    def entry(self, cluster_id: int, item: JSON) -> Entry | None:
        """Both rows of a node."""
        found, older = super().entry(cluster_id, item), node_of(cluster_id, item)
        return Entry(found.key, (*found.rows, older)) if found and older else None


class Events(Collection):
    """Events are rows of their own table and stay longer than in the cluster."""

    forgets = False

    def entry(self, cluster_id: int, item: JSON) -> Entry | None:
        """The row of an event."""
        row = event_of(cluster_id, item)
        return Entry(("", row.uid), (row,)) if row else None


@dataclass
class Tables(Collection):
    """A kind of which the server sends a table: the columns that kubectl prints, and metadata.

    Source: "Receiving resources as Tables" of the API Concepts. Of a secret the
    Type is a column, and its values stay in the server.
    """

    rows_in = "rows"

    accept: str = TABLE
    accept_watch: str = TABLE
    _columns: list[str] = field(default_factory=list)

    def items(self, page: JSON) -> list[JSON]:
        """The metadata of each row, with the cells that are wanted as fields."""
        columns = [text(raw.get("name"), 64) for raw in as_maps(page.get("columnDefinitions"))]
        # A watch has them in its first event alone.
        self._columns = columns or self._columns
        return [self._row(raw) for raw in as_maps(page.get("rows"), 100_000)]

    def item(self, told: JSON) -> JSON:
        """The object of a watch event, which is a table of one row."""
        rows = self.items(told)
        if rows:
            return rows[0]
        return {"metadata": told.get("metadata")}

    def _row(self, raw: JSON) -> JSON:
        cells: Any = raw.get("cells")
        found: dict[str, Any] = {"metadata": as_map(raw.get("object")).get("metadata")}
        if "Type" in self._columns and isinstance(cells, list):
            place = self._columns.index("Type")
            found["type"] = cells[place] if place < len(cells) else None
        return found


class Custom(Collection):
    """A custom kind, perhaps of an aggregated API server that counts versions as it likes."""

    ordered = False


def collections() -> list[Collection]:
    """One of each kind that every cluster is watched for, and the events."""
    found: list[Collection] = [Events(EVENTS)]
    for kind in KINDS:
        if kind.resource == "nodes":
            found.append(Nodes(kind))
        elif kind.resource == "secrets":
            found.append(Tables(kind))
        elif kind.resource == "configmaps":
            found.append(Collection(kind, METADATA_ONLY, METADATA_ONLY_OBJECT))
        else:
            found.append(Collection(kind))
    return found
