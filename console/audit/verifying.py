"""Compares the record with itself, with the signed checkpoints and with those a witness kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import connection
from django.db.models import Count, Exists, OuterRef
from django.utils.translation import gettext as _

from console.audit import archive_check, triggers
from console.audit.canonical import plain, stamp_fits
from console.audit.findings import MOST, Finding, Report
from console.audit.models import AuditEvent, AuditKey, Checkpoint, Leaf, Pending, Subtree, Tree
from console.audit.signing import known_keys
from console.audit.tree import STEP, WIDTH, Hashes, bottom_up
from console.audit.verifier import Checkpoint as Note
from console.audit.verifier import Frontier, NoteError, PublicKey, content, leaf_hash

BATCH = 1000
NOTHING = b"\0" * 32
# So long after the first checkpoint of the next key a process may still have stamped with the old
# one. Later its stamps count for nothing, unless the ring still has the key to check them with.
OVERLAP = timedelta(hours=24)


def verify(
    start: int = 0,
    witnessed: Sequence[Note] = (),
    progress: Callable[[int], None] = lambda _done: None,
) -> Report:
    """Look at the events from position `start` on, and at every checkpoint.

    start: a checkpoint's size up to which an earlier verification found nothing; when that
    checkpoint holds no more, everything is looked at. progress is told how many are done.
    """
    tree = Tree.objects.first() or Tree()
    report = Report(witnessed=len(witnessed))
    keys = known_keys(tree)
    points = _checkpoints(report, keys)
    _witness(report, tree, keys, witnessed)
    frontier = _begin(start, points)
    report.start = frontier.size
    report.archives = archive_check.look(report, tree, keys)
    adopted = _adopted(report, tree, points)
    marks = [(p, False) for p in points] + [(note, True) for note in witnessed]
    stamps = _Stamps(adopted, points, keys)
    _walk(report, frontier, stamps, sorted(marks, key=lambda m: m[0].size), progress)
    report.size = frontier.size
    report.proved = max((p.size for p in points), default=0)
    _size(report, tree.size)
    _outside(report, stamps)
    return report


def verify_range(start: int, end: int) -> list[Finding]:
    """What is wrong with the events at positions start up to and without end, stamps included."""
    tree, report = Tree.objects.first() or Tree(), Report()
    keys = known_keys(tree)
    first = [Note.of(row.note) for row in Checkpoint.objects.order_by("size")[:1]]
    adopted = _adopted(report, tree, first)
    _range(report, start, end, _Stamps(adopted, [], keys))
    if any(finding.kind == "forged" for finding in report.findings):
        # By a key that has gone, perhaps: only all checkpoints, which are many, tell until when.
        report = Report()
        points = _checkpoints(report, keys)
        _range(report, start, end, _Stamps(adopted, points, keys))
    return report.findings


def _range(report: Report, start: int, end: int, stamps: _Stamps) -> None:
    for leaf, event in takewhile(lambda pair: pair[0].position < end, _leaves(start)):
        _one(report, leaf, event, stamps)


def _size(report: Report, before: int) -> None:
    """Compare with what the tree says of itself, which may have grown while it was read."""
    now = Tree.objects.values_list("size", flat=True).first() or 0
    if not before <= report.size <= now:
        told = {"told": before if report.size < before else now, "size": report.size}
        report.add(
            "size",
            _("The tree should hold %(told)s events and holds %(size)s: its end was altered.")
            % told,
        )


def _checkpoints(report: Report, keys: Sequence[PublicKey]) -> list[Note]:
    """Checkpoints of the database that are signed by a trusted key, the smallest first."""
    good: list[Note] = []
    for row in Checkpoint.objects.order_by("size").iterator():
        try:
            note = Note.of(row.note)
        except NoteError as error:
            text = _("The checkpoint of %(size)s events is damaged: %(error)s.")
            report.add("checkpoint", text % {"size": row.size, "error": error})
            continue
        if note.signer(keys) is None:
            text = _(
                "The checkpoint of %(size)s events is not signed by a key of this console: "
                "it was altered or made by somebody else."
            )
            report.add("signature", text % {"size": row.size})
        elif (note.size, note.root) != (row.size, bytes(row.root)):
            text = _("The checkpoint of %(size)s events says something else than its signed text.")
            report.add("checkpoint", text % {"size": row.size})
        else:
            good.append(note)
    return good


def _witness(
    report: Report, tree: Tree, keys: Sequence[PublicKey], witnessed: Sequence[Note]
) -> None:
    for note in witnessed:
        if note.origin != tree.name:
            text = _("The witness knows the log %(theirs)s and this one is %(ours)s: rebuilt.")
            report.add("rebuilt", text % {"theirs": note.origin, "ours": tree.name})
            return
        if note.signer(keys) is None:
            text = _("The witness's checkpoint of %(size)s events is not signed by our keys.")
            report.add("signature", text % {"size": note.size})


def _begin(start: int, points: Sequence[Note]) -> Frontier:
    known = next((p for p in points if p.size == start), None)
    hashes, frontier = Hashes(), Frontier()
    if known is None:
        return frontier
    try:
        frontier.peaks = hashes.peaks(start)
    except KeyError:
        return Frontier()
    frontier.size = start
    return frontier if frontier.root() == known.root else Frontier()


def _adopted(report: Report, tree: Tree, points: Sequence[Note]) -> int:
    """How many events may be without a stamp, as the first checkpoint says."""
    if not points:
        return tree.adopted
    signed = int(points[0].line("adopted") or 0)
    if signed != tree.adopted:
        text = _("%(signed)s events were adopted, and the database says %(told)s.")
        report.add("adopted", text % {"signed": signed, "told": tree.adopted})
    return signed


def _walk(
    report: Report,
    frontier: Frontier,
    stamps: _Stamps,
    marks: list[tuple[Note, bool]],
    progress: Callable[[int], None],
) -> None:
    """Read leaf after leaf with its event; compare the root at every checkpoint."""
    subtrees = _Subtrees(report, whole=frontier.size == 0)
    compare = _Compare(report, frontier, marks)
    compare.now()
    for leaf, event in _leaves(frontier.size):
        if leaf.position != frontier.size:
            text = _("Positions %(first)s to %(last)s are missing: they were removed.")
            places = {"first": frontier.size, "last": leaf.position - 1}
            report.add("removed", text % places, frontier.size)
            for _place in range(min(leaf.position - frontier.size, 10 * BATCH)):
                frontier.add(NOTHING)
            frontier.size = leaf.position
        _one(report, leaf, event, stamps)
        frontier.add(bytes(leaf.hash))
        subtrees.add(bytes(leaf.hash))
        compare.now()
        if frontier.size % BATCH == 0:
            progress(frontier.size)
    compare.at_the_end()


class _Compare:
    """Compares the root with checkpoints, each when the log has come to its size.

    marks: checkpoints, the smallest first, and whether each comes from outside.
    """

    def __init__(
        self, report: Report, frontier: Frontier, marks: Sequence[tuple[Note, bool]]
    ) -> None:
        self._report, self._frontier = report, frontier
        self._marks = [mark for mark in marks if mark[0].size >= frontier.size]
        self._good = frontier.size
        self._broken: set[bool] = set()

    def now(self) -> None:
        """Compare with those of this size. Of a row that differs only the first is told."""
        size = self._frontier.size
        while self._marks and self._marks[0][0].size <= size:
            note, outside = self._marks.pop(0)
            if note.size == size and note.root == self._frontier.root():
                self._good = size
            elif outside not in self._broken:
                self._broken.add(outside)
                _differs(self._report, note, outside, min(self._good, note.size - 1))

    def at_the_end(self) -> None:
        """Tell of checkpoints that cover more than there is."""
        if self._marks and (note := self._marks[-1][0]).size > self._frontier.size:
            text = _(
                "The log ends at %(size)s events, a checkpoint of %(time)s covers %(told)s: cut."
            )
            told = {
                "size": self._frontier.size,
                "time": note.line("time"),
                "told": note.size,
            }
            self._report.add("truncated", text % told, self._frontier.size)


def _differs(report: Report, note: Note, outside: bool, good: int) -> None:
    told = {"first": good, "last": note.size - 1, "time": note.line("time")}
    if outside:
        text = _(
            "The log is not the one that the witness saw at %(time)s: positions %(first)s to "
            "%(last)s were altered or the log was rebuilt."
        )
        report.add("rebuilt", text % told, good)
    else:
        text = _(
            "Positions %(first)s to %(last)s do not make the tree that was signed at %(time)s: "
            "some were altered, added, removed or reordered."
        )
        report.add("root", text % told, good)


def _leaves(start: int) -> Iterator[tuple[Leaf, AuditEvent | None]]:
    while rows := list(Leaf.objects.filter(position__gte=start).order_by("position")[:BATCH]):
        events = AuditEvent.objects.in_bulk([row.event_id for row in rows])
        for row in rows:
            yield row, events.get(row.event_id)
        start = rows[-1].position + 1


def _one(report: Report, leaf: Leaf, event: AuditEvent | None, stamps: _Stamps) -> None:
    place = {"position": leaf.position, "event": leaf.event_id}
    if event is None:
        if report.archives.covers(leaf.position):
            return
        text = _("Position %(position)s: event %(event)s was removed.")
        report.add("removed", text % place, leaf.position)
        return
    data = content(plain(event))
    found = leaf_hash(data)
    if found != bytes(leaf.hash) and len(report.findings) < MOST:
        other = Leaf.objects.filter(hash=found).exclude(position=leaf.position).first()
        if other is not None:
            text = _(
                "Position %(position)s: event %(event)s holds what belongs to position %(other)s: "
                "the order was altered."
            )
            report.add("reordered", text % (place | {"other": other.position}), leaf.position)
            return
        text = _("Position %(position)s: event %(event)s was altered.")
        report.add("altered", text % place, leaf.position)
    elif not stamps.good(event, leaf.position, data):
        text = _(
            "Position %(position)s: event %(event)s was not written by this console, or was "
            "altered before it got its place: its stamp does not fit."
        )
        report.add("forged", text % place, leaf.position)


def _outside(report: Report, stamps: _Stamps) -> None:
    """Events that are in no place, and what keeps them safe."""
    after = Leaf.objects.filter(position=report.start - 1).values_list("event_id", flat=True)
    same = OuterRef("pk")
    events = AuditEvent.objects.filter(pk__gt=after.first() or 0).exclude(
        Exists(Leaf.objects.filter(event_id=same)) | Exists(Pending.objects.filter(pk=same))
    )
    for key in events.order_by("pk").values_list("pk", flat=True)[:MOST]:
        text = _("Event %(event)s has no place and does not wait for one: it was slipped in.")
        report.add("forged", text % {"event": key})
    waiting = list(Pending.objects.order_by("event_id").values_list("pk", flat=True)[:BATCH])
    found = AuditEvent.objects.in_bulk(waiting)
    for key in waiting:
        if key not in found:
            text = _("Event %(event)s waited for its place and was removed.")
            report.add("removed", text % {"event": key})
        elif found[key].stamp and not stamps.good(found[key], report.size):
            text = _("Event %(event)s waits for its place and was altered: its stamp does not fit.")
            report.add("altered", text % {"event": key})
    if report.start == 0:
        twice = AuditEvent.objects.exclude(uid=None).order_by().values("uid")
        for row in twice.annotate(n=Count("pk")).filter(n__gt=1)[:MOST]:
            report.add("forged", _("The event %(uid)s is there twice.") % {"uid": row["uid"]})
    missing = triggers.names(connection.vendor) - triggers.present(connection)
    if missing:
        text = _("The database would let the record be changed: %(names)s are missing.")
        report.add("triggers", text % {"names": ", ".join(sorted(missing))})


class _Stamps:
    """Whether an event's stamp shows that this console wrote it.

    adopted: so many of the first events have none. A key that has gone from the ring cannot be
    compared with: its name alone is believed only where a checkpoint says that it was in use.
    """

    def __init__(self, adopted: int, points: Sequence[Note], keys: Sequence[PublicKey]) -> None:
        self._adopted = adopted
        self._keys: dict[str, bytes | None] = {}
        names = dict(AuditKey.objects.values_list("public", "key_id"))
        signers = [(point, names.get(str(point.signer(keys)), "")) for point in points]
        self._ends = {name: _end_of_use(name, signers) for _point, name in signers if name}

    def good(self, event: AuditEvent, position: int, data: bytes | None = None) -> bool:
        """For an event at this position, or that will come there. data: its content if known."""
        if not event.stamp:
            return position < self._adopted
        fits = stamp_fits(event, data, self._keys)
        if fits is None:
            end = self._ends.get(event.stamp.partition(":")[0], 0)
            return end is None or position < end
        return fits


def _end_of_use(name: str, signers: Sequence[tuple[Note, str]]) -> int | None:
    """From which position on nobody has stamped with the key any more; None: it signed last."""
    last = max(place for place, (_point, signer) in enumerate(signers) if signer == name)
    after = [point for point, _signer in signers[last + 1 :]]
    if not after:
        return None
    until = _time(after[0]) + OVERLAP
    return max([after[0].size, *(point.size for point in after if _time(point) <= until)])


def _time(point: Note) -> datetime:
    return datetime.fromisoformat(point.line("time"))


class _Subtrees:
    """Compares the kept hashes of complete subtrees with those that the leaves make."""

    def __init__(self, report: Report, *, whole: bool) -> None:
        self._report, self._whole = report, whole
        self._open: dict[int, list[bytes]] = {}
        self._done: dict[int, int] = {}

    def add(self, leaf: bytes) -> None:
        """The next leaf's hash."""
        level, value = 0, leaf
        while self._whole:
            row = self._open.setdefault(level, [])
            row.append(value)
            if len(row) < WIDTH:
                return
            value, level = bottom_up(row), level + STEP
            row.clear()
            self._compare(level, self._done.get(level, 0), value)
            self._done[level] = self._done.get(level, 0) + 1

    def _compare(self, level: int, index: int, value: bytes) -> None:
        kept = Subtree.objects.filter(level=level, index=index).first()
        if kept is None or bytes(kept.hash) != value:
            text = _("The kept hash over positions %(first)s to %(last)s is not what they make.")
            told = {"first": index << level, "last": ((index + 1) << level) - 1}
            self._report.add("subtree", text % told, index << level)
