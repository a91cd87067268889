"""Where snapshots lie on the console: <data folder>/snapshots/<cluster>/<snapshot>, sealed.

A file appears under its name only when it is whole; what is being written begins with a
dot and is swept away when nobody writes it any more.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from provisioning.models_snapshots import Snapshot
from provisioning.run import Failure
from provisioning.snapshots_container import Damaged, Reader, Writer, new_key

UNFINISHED = ".taking-"


def folder_of(cluster_id: int) -> Path:
    """The folder of one cluster's snapshots."""
    return Path(settings.DATA_DIR) / "snapshots" / str(cluster_id)


def path_of(snapshot: Snapshot) -> Path:
    """Where a snapshot's file lies."""
    return folder_of(snapshot.cluster_id) / str(snapshot.pk)


def _context(snapshot: Snapshot) -> str:
    # A file that is put in another one's place does not open.
    return f"flotilla snapshot {snapshot.cluster_id}/{snapshot.pk}"


class Incoming:
    """A snapshot while it arrives. Use through receiving()."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._key = new_key()
        folder = folder_of(snapshot.cluster_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{UNFINISHED}{snapshot.pk}"
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "w+b")
        self.writer = Writer(self._file, self._key, _context(snapshot))

    def keep(self) -> str:
        """Seal the file, read it back, put it in its place. Returns the data key as text.

        Raises Damaged when what lies on the disk is not what arrived.
        """
        self.writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        digest = hashlib.sha256()
        for chunk in Reader(self._file, self._key, _context(self._snapshot)):
            digest.update(chunk)
        if digest.hexdigest() != self.writer.sha256:
            raise Damaged("it reads back otherwise than it was written")
        self._path.replace(path_of(self._snapshot))
        _sync(self._path.parent)
        return base64.b64encode(self._key).decode()

    def close(self) -> None:
        """Let go; what was not kept is removed."""
        self._file.close()
        self._path.unlink(missing_ok=True)


@contextmanager
def receiving(snapshot: Snapshot) -> Iterator[Incoming]:
    """A place for a snapshot that arrives. Raises Failure when the console's disk is full."""
    incoming: Incoming | None = None
    try:
        incoming = Incoming(snapshot)
        yield incoming
    except OSError as error:
        raise disk_failure(error, folder_of(snapshot.cluster_id)) from error
    finally:
        if incoming is not None:
            incoming.close()


def disk_failure(error: OSError, folder: Path) -> Failure:
    """What an OSError of the console's own disk means to a person."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(
            code="console_disk",
            expected=_("The console has room for the snapshot."),
            found=_("No space is left in %(folder)s on the console.") % {"folder": folder},
            hint=_("Delete snapshots or releases that are not needed, or enlarge the disk; retry."),
        )
    return Failure(
        code="console_disk",
        found=_("The console cannot write in %(folder)s: %(error)s.")
        % {"folder": folder, "error": error.strerror or error},
        hint=_("Look at the console's disk and at the folder's owner, then retry."),
    )


@contextmanager
def opened(snapshot: Snapshot) -> Iterator[Reader]:
    """The plain content of a snapshot. Raises Damaged; the caller marks the row."""
    try:
        key = base64.b64decode(snapshot.data_key)
        source = path_of(snapshot).open("rb")
    except FileNotFoundError:
        raise Damaged("its file is no longer there") from None
    except (OSError, ValueError) as error:
        raise Damaged(f"its file or key cannot be read: {error}") from error
    with source:
        try:
            yield Reader.of(source, key, _context(snapshot))
        except OSError as error:
            raise Damaged(f"its file cannot be read: {error}") from error


def verify(
    snapshot: Snapshot, contains: bytes = b"", check: Callable[[], None] = lambda: None
) -> bool:
    """Read a snapshot to its end: every chunk opens and the whole has its SHA-256.

    Returns whether `contains` stands in it. check is called between chunks and may raise to
    stop. Raises Damaged.
    """
    digest, tail, found = hashlib.sha256(), b"", not contains
    with opened(snapshot) as reader:
        for chunk in reader:
            check()
            digest.update(chunk)
            if not found:
                found = contains in tail + chunk
                tail = chunk[-len(contains) :]
    if digest.hexdigest() != snapshot.sha256:
        raise Damaged(f"its SHA-256 is {digest.hexdigest()}, not {snapshot.sha256}")
    return found


def remove_file(cluster_id: int, snapshot_id: int) -> None:
    """Remove a snapshot's file, and the cluster's folder when it was the last."""
    folder = folder_of(cluster_id)
    (folder / str(snapshot_id)).unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        # Others are left, or it was never made: both are fine.
        return


def sweep(cluster_id: int, busy: set[int]) -> None:
    """Remove what unfinished snapshots have left, except those of `busy` (snapshot ids)."""
    for path in folder_of(cluster_id).glob(f"{UNFINISHED}*"):
        number = path.name.removeprefix(UNFINISHED)
        if not number.isdigit() or int(number) not in busy:
            path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
