"""JSON Lines in a folder that the machine's administrator sets, opened anew for each batch."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from console.audit.models import Stream
from console.audit.streams.batches import Batch
from console.audit.streams.outlet import Refused

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
BLOCK = 1 << 16
WAIT_SECONDS = 0.05


def check(name: str) -> None:
    """Return when it is the plain name of a file. Raises Refused."""
    if not _NAME.fullmatch(name):
        raise Refused(_("Give the name of a file without folders, such as audit.jsonl."))


def send(stream: Stream, batch: Batch, seconds: float) -> None:
    """Add the lines; they are on the disk when this returns. Raises Refused.

    Whatever rotates the file may move it away at any time: the next batch makes it again.
    """
    check(stream.address)
    folder = settings.AUDIT_STREAM_DIR
    data = "".join(f"{item.line}\n" for item in batch.items).encode()
    ends = time.monotonic() + seconds
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = _opened(folder / stream.address, ends)
        try:
            _add(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError as error:
        text = _("The file %(file)s cannot be written: %(error)s.")
        told = error.strerror or str(error)
        raise Refused(text % {"file": folder / stream.address, "error": told}) from None


def _opened(path: Path, ends: float) -> int:
    """The file that has this name now, for us alone."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        made = not path.exists()
        descriptor = os.open(path, flags, 0o640)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(0, _("it is no plain file"))
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(path.stat(), found):
                if made:
                    _keep_name(path.parent)
                return descriptor
        except BlockingIOError:
            if time.monotonic() > ends:
                os.close(descriptor)
                raise OSError(0, _("another process holds it")) from None
            time.sleep(WAIT_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        # Rotated between opening and locking, or locked by somebody: once more.
        os.close(descriptor)


def _keep_name(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _add(descriptor: int, data: bytes) -> None:
    _end_half_line(descriptor)
    size = os.fstat(descriptor).st_size
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError:
        _cut(descriptor, size)  # a full disk must not leave half an event
        raise


def _end_half_line(descriptor: int) -> None:
    """Take away what a writer that died left of a line."""
    end = size = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size and not _cut(descriptor, end):
        os.write(descriptor, b"\n")


def _cut(descriptor: int, size: int) -> bool:
    try:
        os.ftruncate(descriptor, size)
    except OSError:
        return False  # a file that only takes additions (chattr +a)
    return True
