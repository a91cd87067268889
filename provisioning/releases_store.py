"""The files of a release on the console's disk: packed once, checked at every hand-over.

Each file lies as <folder>/<name>.zst, compressed once so that the engine can send the packed
bytes to any number of hosts. A file is either there whole and checked, or not there at all.

Zstandard because a host unpacks it six times as fast as gzip: all hosts of a cluster unpack at
the same time, and on small machines that was the longest part of a creation.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard
from django.utils.translation import gettext as _

from provisioning.releases_layout import MAX_FILE, ReleaseError

CHUNK = 256 * 1024
LEVEL = 3  # zstd's own default: beyond it programs get little smaller and packing much slower


@dataclass(frozen=True)
class Packed:
    """A file in the store: SHA-256 and size of what is inside, and the size that travels."""

    sha256: str
    size: int
    packed_size: int


def nothing_to_check() -> None:
    """Stands in where nobody can cancel."""


def packed_path(folder: Path, name: str) -> Path:
    """Where a file of a release lies. name has passed releases_layout.clean_name."""
    return folder / f"{name}.zst"


def pack(
    source: BinaryIO,
    target: Path,
    name: str,
    *,
    expected: str = "",
    limit: int = MAX_FILE,
    check: Callable[[], None] = nothing_to_check,
) -> Packed:
    """Pack a stream into the store, under its final name only when it is whole and right.

    Equal bytes in give equal bytes out. check is
    called between chunks and may raise to stop. Raises ReleaseError when the SHA-256 is not
    the expected one or the stream is longer than limit.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".incoming-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            sha256, size = _squeeze(source, out, name, limit, check)
            if expected:
                compare(name, expected, sha256)
            out.flush()
            os.fsync(out.fileno())
            packed_size = out.tell()
        Path(temporary).replace(target)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_space(target.parent, name) from error
        raise
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return Packed(sha256, size, packed_size)


def _squeeze(
    source: BinaryIO, out: BinaryIO, name: str, limit: int, check: Callable[[], None]
) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    packing = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with packing.stream_writer(out, closefd=False) as packer:
        while chunk := source.read(CHUNK):
            check()
            size += len(chunk)
            if size > limit:
                raise too_large(name, limit)
            digest.update(chunk)
            packer.write(chunk)
    return digest.hexdigest(), size


def _no_space(folder: Path, name: str) -> ReleaseError:
    return ReleaseError(
        _("There is no space left for %(name)s in %(folder)s.") % {"name": name, "folder": folder},
        hint=_("Delete releases that no cluster uses, or move the folder to a larger disk."),
    )


def unpacked_digest(
    path: Path, name: str, check: Callable[[], None] = nothing_to_check
) -> tuple[str, int]:
    """SHA-256 and size of what is inside a packed file. Raises ReleaseError when it is damaged."""
    digest, size = hashlib.sha256(), 0
    try:
        for chunk in unpacked(path):
            check()
            size += len(chunk)
            if size > MAX_FILE:
                raise too_large(name, MAX_FILE)
            digest.update(chunk)
    except FileNotFoundError:
        raise ReleaseError(
            _("%(name)s is no longer on the console's disk.") % {"name": name}, found=str(path)
        ) from None
    except zstandard.ZstdError as error:
        raise ReleaseError(
            _("%(name)s is damaged on the console's disk.") % {"name": name}, found=str(error)
        ) from error
    return digest.hexdigest(), size


def unpacked(path: Path) -> Iterator[bytes]:
    """What is inside a packed file, piece by piece.

    Raises zstandard.ZstdError for one that is damaged or was cut.
    """
    unpacking = zstandard.ZstdDecompressor().decompressobj()
    with path.open("rb") as packed:
        while not unpacking.eof:
            # Small pieces: what comes out of one may be a hundred times as large.
            if not (piece := packed.read(16 * 1024)):
                raise zstandard.ZstdError("it ends too early")
            yield unpacking.decompress(piece)


def compare(name: str, expected: str, found: str) -> None:
    """Raises ReleaseError, naming the file and both checksums, unless they are equal."""
    if expected != found:
        raise ReleaseError(
            _("%(name)s is not the file that its checksum promises.") % {"name": name},
            expected=f"sha256:{expected}",
            found=f"sha256:{found}",
            hint=_("It was changed or damaged on its way: get it again, from its origin."),
        )


def too_large(name: str, limit: int) -> ReleaseError:
    """The refusal of a file that does not end."""
    return ReleaseError(
        _("%(name)s is larger than %(limit)d MiB, which no file of a release is.")
        % {"name": name, "limit": limit // 1024**2}
    )
