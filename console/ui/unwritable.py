"""Why nothing can be written or recorded just now, in words for people.

A change and its audit event are one transaction: where the event cannot be written, the change
is not made. Then people are told the cause and the mend instead of "something broke".
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from console.secrets.keyring import SecretError

# PostgreSQL, class 53: insufficient resources.
_DISK_FULL = "53100"


@dataclass(frozen=True)
class Unwritable:
    """What is the matter and what mends it; `detail` is for people who are signed in only."""

    title: str
    cause: str
    mend: str
    detail: str = ""


def unwritable(error: BaseException | None) -> Unwritable | None:
    """The reason behind an error that nobody caught; None where it is another one."""
    for one in _chain(error):
        if _is_full(one):
            return Unwritable(
                _("The disk is full"),
                _("The disk of the console's database is full. Nothing was changed: "
                  "what cannot be recorded is not done."),
                _("Make space on that disk, or make it larger, and try again. "
                  "The console goes on by itself, without a restart."),
            )  # fmt: skip
        if isinstance(one, SecretError):
            return Unwritable(
                _("The key ring cannot be used"),
                _("A key that this needs is missing from the console's key ring, or the ring "
                  "cannot be read. Nothing was changed: what cannot be recorded is not done."),
                _("Put the key ring back as it was (FLOTILLA_KEY_RING, or the file key-ring) and "
                  "try again. The console's log says what is wrong with it."),
                str(one),
            )  # fmt: skip
    return None


def _is_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    if getattr(error, "sqlstate", None) == _DISK_FULL:
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
