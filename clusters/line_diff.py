"""Unified diffs of texts that people and clusters made as large as they could."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from django.utils.translation import gettext as _

CONTEXT = 4
# difflib's time grows faster than the square of lines that come often: 0.1 s for 4,000 of them,
# 6 s for 32,000, and within 1 MiB there are 250,000. All threads of the process would wait.
MOST_LINES = 4000
MOST_SHOWN = 1000
_HUNK = re.compile(r"@@ -(\d+)(\S*) \+(\d+)(\S*) @@")


def line_diff(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """The lines of a unified diff without names of files; empty when nothing differs.

    Of more than 4,000 lines only those between the first and the last
    difference are compared, and where these are too many they stand there as
    removed and added, cut after 1,000 lines each.
    """
    skipped = 0
    if max(len(left), len(right)) > MOST_LINES:
        first = _same(left, right)
        last = _same(left[first:][::-1], right[first:][::-1])
        if first == len(left) == len(right):
            return []
        skipped = max(0, first - CONTEXT)
        kept = max(0, last - CONTEXT)
        left, right = left[skipped : len(left) - kept], right[skipped : len(right) - kept]
        if max(len(left), len(right)) > MOST_LINES:
            head = f"@@ -{skipped + 1},{len(left)} +{skipped + 1},{len(right)} @@"
            return [head, *_cut("-", left), *_cut("+", right)]
    found = list(difflib.unified_diff(left, right, lineterm="", n=CONTEXT))[2:]
    # Lines of the texts begin with a sign or a blank: only a head begins with @@.
    return [
        _HUNK.sub(lambda at: _moved(at, skipped), line) if line.startswith("@@") else line
        for line in found
    ]


def _same(left: Sequence[str], right: Sequence[str]) -> int:
    """How many lines at the beginning are the same."""
    return next(
        (n for n, (old, new) in enumerate(zip(left, right, strict=False)) if old != new),
        min(len(left), len(right)),
    )


def _moved(at: re.Match[str], lines: int) -> str:
    return f"@@ -{int(at[1]) + lines}{at[2]} +{int(at[3]) + lines}{at[4]} @@"


def _cut(sign: str, lines: Sequence[str]) -> list[str]:
    shown = [f"{sign}{line}" for line in lines[:MOST_SHOWN]]
    if len(lines) > MOST_SHOWN:
        more = _("and %(count)d more lines") % {"count": len(lines) - MOST_SHOWN}
        shown.append(f"{sign}… {more}")
    return shown
