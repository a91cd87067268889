"""Verification of what left the table: signed rows, their files, and which places they excuse."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from console.audit.archive_file import signed, wrong_with_events
from console.audit.models import Archive, ArchiveCheck, Tree
from console.audit.verifier import PublicKey

if TYPE_CHECKING:
    from console.audit.findings import Report


@dataclass
class Archived:
    """Ranges of positions whose events may be away from the table, in their order."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def covers(self, position: int) -> bool:
        """Whether a signed archive holds this position."""
        place = bisect_right(self.starts, position) - 1
        return place >= 0 and position < self.ends[place]


def look(report: Report, tree: Tree, keys: Sequence[PublicKey]) -> Archived:
    """Report what is wrong with archives; returns what the good rows cover.

    Every row's signature is looked at, and the files of those that end after report.start.
    """
    found = Archived()
    for row in Archive.objects.order_by("start").iterator():
        if not signed(row, tree.name, keys):
            report.add("archive", not_signed(row), row.start)
            continue
        found.starts.append(row.start)
        found.ends.append(row.end)
        if row.end > report.start and (wrong := check(row)):
            report.add("archive", wrong, row.start)
    return found


def not_signed(row: Archive) -> str:
    """The sentence on a row that this console did not write."""
    text = _(
        "The archive of positions %(first)s to %(last)s (%(file)s) is not signed by a key "
        "of this console: it was altered or made by somebody else."
    )
    return text % {"first": row.start, "last": row.last, "file": row.file}


def check(row: Archive) -> str:
    """What is wrong with the file of a signed row, or the empty text; kept with the time."""
    wrong = wrong_with_events(row)
    ArchiveCheck.objects.update_or_create(
        archive=row, defaults={"time": timezone.now(), "error": wrong}
    )
    return wrong
