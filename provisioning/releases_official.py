"""Fetching a release from the projects' own sites, or from a mirror with the same layout."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from django.utils.translation import gettext as _

from console.ui.quantities import bytes_text
from provisioning.releases_download import Downloader
from provisioning.releases_layout import Download, ReleaseError, parse_checksums
from provisioning.releases_store import Packed, compare, nothing_to_check, pack, packed_path

SAY_EVERY = 32 * 1024**2  # bytes between two lines of progress


@dataclass(frozen=True)
class Fetched:
    """One file that is now in the store."""

    name: str
    kind: str
    origin: str
    packed: Packed


def fetch(
    download: Download,
    store: Path,
    scratch: Path,
    downloader: Downloader,
    *,
    log: Callable[[str], None],
    check: Callable[[], None] = nothing_to_check,
) -> list[Fetched]:
    """Download one official file, check it against its published checksum and pack it.

    store: the release's folder; scratch: where a download that broke off waits to be resumed.
    Raises ReleaseError.
    """
    published = published_checksum(download, downloader)
    part = scratch / download.name
    resumed = part.exists()
    _fetch_part(download, part, downloader, log)
    try:
        _compare(download, part, published, check)
    except ReleaseError:
        part.unlink(missing_ok=True)
        if not resumed:
            raise
        # What was here before may be the part of another file: once more from the start.
        log(_("%(name)s: the part from before does not fit, starting again.") % _name(download))
        _fetch_part(download, part, downloader, log)
        _compare(download, part, published, check)
    files = _pack_archive if download.members else _pack_binary
    fetched = files(download, part, store, published, check)
    part.unlink(missing_ok=True)
    return fetched


def published_checksum(download: Download, downloader: Downloader) -> str:
    """The SHA-256 that the project publishes for a file. Raises ReleaseError."""
    what = f"{PurePosixPath(download.sha256_url).name}"
    sums = parse_checksums(downloader.text(download.sha256_url, what))
    found = sums.get(download.sums_name) if download.sums_name else None
    if not download.sums_name and len(sums) == 1:
        found = next(iter(sums.values()))
    if found is None:
        raise ReleaseError(
            _("There is no checksum of %(name)s at %(url)s.")
            % {"name": download.name, "url": download.sha256_url}
        )
    return found


def _name(download: Download) -> dict[str, str]:
    return {"name": download.name}


def _fetch_part(
    download: Download, part: Path, downloader: Downloader, log: Callable[[str], None]
) -> None:
    said = 0

    def progress(done: int, whole: int | None) -> None:
        nonlocal said
        if done - said >= SAY_EVERY:
            said = done
            end = bytes_text(whole) if whole else "?"
            log(f"{download.name}: {bytes_text(done)} / {end}")

    log(f"{download.name}: {download.url}")
    downloader.file(download.url, part, download.name, progress=progress)


def _compare(download: Download, part: Path, published: str, check: Callable[[], None]) -> None:
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            check()
            digest.update(chunk)
    compare(download.name, published, digest.hexdigest())


def _pack_binary(
    download: Download, part: Path, store: Path, published: str, check: Callable[[], None]
) -> list[Fetched]:
    with part.open("rb") as file:
        packed = pack(
            file,
            packed_path(store, download.name),
            download.name,
            expected=published,
            check=check,
        )
    return [Fetched(download.name, download.kind, download.url, packed)]


def _pack_archive(
    download: Download, part: Path, store: Path, _published: str, check: Callable[[], None]
) -> list[Fetched]:
    fetched: dict[str, Fetched] = {}
    try:
        with tarfile.open(part, "r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                source = cast(BinaryIO | None, tar.extractfile(member) if member.isreg() else None)
                if name not in download.members or name in fetched or source is None:
                    continue
                packed = pack(source, packed_path(store, name), name, check=check)
                fetched[name] = Fetched(name, download.kind, download.url, packed)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ReleaseError(
            _("%(name)s is no tar archive.") % _name(download), found=str(error)
        ) from error
    if missing := [name for name in download.members if name not in fetched]:
        raise ReleaseError(
            _("%(names)s missing in %(name)s.")
            % {"names": ", ".join(missing), "name": download.name}
        )
    return list(fetched.values())
