"""The first admin: made with a random password where there is no user at all.

The password is kept in a file of the data folder that only its owner reads, so that the second
start can say it again, and removed as soon as the admin has chosen another.
"""

from __future__ import annotations

import enum
import json
import os
from pathlib import Path

FILE = "first-admin.json"
NAME = "admin"


class Password(enum.Enum):
    """Whether the first admin's password is still the one that the console made."""

    KNOWN = enum.auto()
    CHANGED = enum.auto()


def read_password(data: Path) -> tuple[Password, str, str]:
    """(KNOWN, name, password) while the file is there, else (CHANGED, "", "")."""
    try:
        kept = json.loads((data / FILE).read_text(encoding="utf-8"))
        return Password.KNOWN, kept["name"], kept["password"]
    except (OSError, ValueError, KeyError):
        return Password.CHANGED, "", ""


def write_password(data: Path, name: str, password: str) -> None:
    """Keep the password where only the data folder's owner reads it."""
    draft = data / f"{FILE}.new"
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump({"name": name, "password": password}, out)
    draft.replace(data / FILE)


def forget_password(data: Path) -> None:
    """Remove the file."""
    (data / FILE).unlink(missing_ok=True)
