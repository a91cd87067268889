"""Bundles: a folder or a tar archive with the files of a release and their checksums.

Archives come from outside, so nothing in them is believed: only plain files under plain names
leave one, and no more bytes than a release can have.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from django.utils.translation import gettext as _

from provisioning.releases_layout import (
    MAX_FILE,
    MAX_FILES,
    MAX_MANIFEST,
    MAX_TOTAL,
    Manifest,
    ReleaseError,
    WantedFile,
    clean_path,
    manifest_of_checksums,
    parse_checksums,
    parse_manifest,
    printable,
)
from provisioning.releases_store import nothing_to_check, too_large

CHUNK = 256 * 1024
MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
# What a tar's own headers may take: one long name, not a gigabyte of them.
MAX_HEADER = 1024**2

_OPENERS = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError)


class _Bounded:
    """A stream for tarfile that ends a bomb: no huge single read, no endless archive."""

    def __init__(self, inner: BinaryIO, limit: int) -> None:
        self.inner, self.limit = inner, limit

    def read(self, size: int = -1) -> bytes:
        """Up to size bytes. tarfile reads a header's whole extension at once, hence the limit."""
        if size < 0 or size > MAX_HEADER:
            raise ReleaseError(_("The archive has a header that no archiver writes."))
        return self._within(self.inner.read(size))

    def seek(self, position: int, whence: int = 0) -> int:
        """Move on; in a packed archive that unpacks what lies between."""
        if position > self.limit:
            raise _endless(self.limit)
        return self.inner.seek(position, whence)

    def tell(self) -> int:
        """The place in the unpacked archive."""
        return self.inner.tell()

    def _within(self, data: bytes) -> bytes:
        if self.inner.tell() > self.limit:
            raise _endless(self.limit)
        return data


def _endless(limit: int) -> ReleaseError:
    return ReleaseError(
        _("The archive holds more than %(limit)d MiB when unpacked, which no release does.")
        % {"limit": limit // 1024**2}
    )


def unpack(
    archive: Path,
    into: Path,
    *,
    limit: int = MAX_TOTAL,
    check: Callable[[], None] = nothing_to_check,
) -> None:
    """Unpack a .tar, .tar.gz, .tar.bz2 or .tar.xz into an empty folder.

    Raises ReleaseError, naming the entry, for anything but plain files and folders under
    relative names, for a name that comes twice, and for more or larger files than a release
    has. The caller removes the folder.
    """
    try:
        with _stream(archive) as inner:
            bounded = cast(BinaryIO, _Bounded(inner, limit))
            with tarfile.open(fileobj=bounded, mode="r:") as tar:
                _unpack_members(tar, into, check)
    except _DAMAGED as error:
        raise ReleaseError(
            _("The archive cannot be read: it is damaged or no tar archive."),
            expected=".tar, .tar.gz, .tar.bz2, .tar.xz",
            found=printable(str(error), 200),
        ) from error


def _stream(archive: Path) -> BinaryIO:
    with archive.open("rb") as raw:
        head = raw.read(8)
    for magic, opener in _OPENERS:
        if head.startswith(magic):
            return cast(BinaryIO, opener(archive, "rb"))
    return archive.open("rb")


def _unpack_members(tar: tarfile.TarFile, into: Path, check: Callable[[], None]) -> None:
    seen: set[str] = set()
    while (member := tar.next()) is not None:
        check()
        # One extra object for each entry would be kept for the archive's life.
        tar.members.clear()  # type: ignore[attr-defined]
        name = member.name.removeprefix("./").rstrip("/")
        if member.isdir() and name in ("", "."):
            continue
        clean = _plain_name(member.name, name)
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise ReleaseError(
                _("%(name)s in the archive is no plain file: links and devices are refused.")
                % {"name": clean}
            )
        if clean in seen:
            raise ReleaseError(_("%(name)s is in the archive twice.") % {"name": clean})
        seen.add(clean)
        if len(seen) > MAX_FILES:
            raise ReleaseError(
                _("More than %(limit)d files are no release.") % {"limit": MAX_FILES}
            )
        if member.size > MAX_FILE:
            raise too_large(clean, MAX_FILE)
        try:
            _write(tar, member, into / clean, check)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ReleaseError(
                _("%(name)s in the archive is a file and a folder at once.") % {"name": clean}
            ) from None


def _plain_name(raw: str, name: str) -> str:
    try:
        return clean_path(name)
    except ReleaseError:
        raise ReleaseError(
            _("The archive has an entry named “%(name)s”, which leads out of it or is no name.")
            % {"name": printable(raw)}
        ) from None


def _write(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, check: Callable[[], None]
) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise ReleaseError(_("%(name)s cannot be read.") % {"name": member.name})
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with source, target.open("xb") as out:
        target.chmod(0o600)
        while chunk := source.read(CHUNK):
            check()
            out.write(chunk)


def find_root(folder: Path) -> Path:
    """The folder that holds the manifest or the checksums: itself, or the only one in it."""
    for _level in range(3):
        if (folder / MANIFEST).exists() or (folder / CHECKSUMS).exists():
            return folder
        inner = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
        if len(inner) != 1:
            break
        folder = inner[0]
    raise ReleaseError(
        _("There is neither %(manifest)s nor %(checksums)s in the bundle.")
        % {"manifest": MANIFEST, "checksums": CHECKSUMS},
        hint=_("Put a file with the SHA-256 of every binary beside them: sha256sum * > %(name)s")
        % {"name": CHECKSUMS},
    )


def read_manifest(folder: Path, version: str = "", arch: str = "") -> Manifest:
    """What a bundle's folder promises. version and arch serve bundles without a manifest.

    Raises ReleaseError; also when the admin named another version than the bundle is.
    """
    if (folder / MANIFEST).exists():
        with open_plain(folder, MANIFEST) as file:
            manifest = parse_manifest(file.read(MAX_MANIFEST + 1))
        if version and version.removeprefix("v") != manifest.version.removeprefix("v"):
            raise ReleaseError(
                _("The bundle is of another version than you named."),
                expected=version,
                found=manifest.version,
            )
        return manifest
    with open_plain(folder, CHECKSUMS) as file:
        sums = parse_checksums(file.read(MAX_MANIFEST).decode(errors="replace"))
    if not version:
        raise ReleaseError(
            _("The bundle has checksums and no manifest: say which Kubernetes version it is.")
        )
    return manifest_of_checksums(sums, version, arch or "amd64")


def open_plain(folder: Path, name: str) -> BinaryIO:
    """A plain file of a bundle, opened without following a link. Raises ReleaseError."""
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise ReleaseError(_("%(name)s is missing in the bundle.") % {"name": name}) from None
    except OSError as error:
        raise ReleaseError(
            _("%(name)s in the bundle cannot be read.") % {"name": name},
            found=os.strerror(error.errno or 0),
        ) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ReleaseError(_("%(name)s in the bundle is no plain file.") % {"name": name})
    return os.fdopen(handle, "rb")


def open_wanted(folder: Path, wanted: WantedFile) -> BinaryIO:
    """A file that the manifest promises. Raises ReleaseError where it is another one."""
    file = open_plain(folder, wanted.path or wanted.name)
    size = os.fstat(file.fileno()).st_size
    if wanted.size is not None and size != wanted.size:
        file.close()
        raise ReleaseError(
            _("%(name)s has another size than the manifest promises.") % {"name": wanted.name},
            expected=_("%(size)d bytes") % {"size": wanted.size},
            found=_("%(size)d bytes") % {"size": size},
        )
    return file
