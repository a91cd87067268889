"""Compile the translation catalogues without gettext's programs.

`python -m console.setup.translations`
"""

from __future__ import annotations

import sys
from pathlib import Path

import polib

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def compile_catalogues(folder: Path) -> list[Path]:
    """Compile each .po under `folder` that is newer than its .mo; the .mo files written.

    Entries that are fuzzy or obsolete are left out, as msgfmt does. Raises OSError with the
    file and line for a catalogue that cannot be read.
    """
    written = []
    for source in sorted(folder.rglob("*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        draft = target.with_suffix(".mo.new")
        polib.pofile(str(source), check_for_duplicates=True).save_as_mofile(str(draft))
        draft.replace(target)
        written.append(target)
    return written


def main() -> int:
    """Compile the checkout's catalogues and name what was written."""
    try:
        for target in compile_catalogues(CHECKOUT / "locale"):
            print(f"compiled {target.relative_to(CHECKOUT)}")
    except (OSError, ValueError) as error:
        print(f"A translation catalogue cannot be compiled: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
