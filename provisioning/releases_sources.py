"""Where releases come from: the projects' own sites, an archive, or a folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from console.ui.quantities import bytes_text
from provisioning import versions
from provisioning.models import Release, ReleaseState
from provisioning.releases import begin, fail, finish, folder_of, keep, missing_files, size_of
from provisioning.releases_bundle import find_root, open_wanted, read_manifest, unpack
from provisioning.releases_download import Downloader
from provisioning.releases_layout import (
    Download,
    Manifest,
    ReleaseError,
    WantedFile,
    official_downloads,
)
from provisioning.releases_official import fetch
from provisioning.releases_store import Packed, nothing_to_check, pack, packed_path

Log = Callable[[str], None]
Check = Callable[[], None]

OFFICIAL, BUNDLE, DISTRIBUTION = "official", "bundle", "distribution"


def say_nothing(_line: str) -> None:
    """Stands in where nobody reads a log."""


# -- source 1: the projects' own sites ----------------------------------------------------


def downloads_of(release: Release) -> list[Download]:
    """What is to be downloaded for a release, from the configured addresses."""
    etcd = "v" + versions.ETCD_SHIPPED.at(versions.minor(release.version))
    return official_downloads(
        release.version,
        release.arch,
        settings.RELEASE_MIRROR,
        (etcd, settings.RELEASE_ETCD_MIRROR),
        (settings.RELEASE_CNI_VERSION, settings.RELEASE_CNI_MIRROR),
    )


def fetch_official(
    release: Release,
    *,
    log: Log = say_nothing,
    check: Check = nothing_to_check,
    downloader: Downloader | None = None,
) -> None:
    """Download, check and pack every file of a release, then make it ready.

    What an earlier attempt has brought already is not fetched again. Raises ReleaseError.
    """
    downloader = downloader or Downloader(check)
    scratch = _scratch() / f"{release.version}-{release.arch}.parts"
    names: set[str] = set()
    for download in downloads_of(release):
        check()
        wanted = set(download.members or (download.name,))
        names |= wanted
        if _has(release, download.url, wanted):
            log(_("%(name)s: here already.") % {"name": download.name})
            continue
        for file in fetch(download, folder_of(release), scratch, downloader, log=log, check=check):
            keep(release, file.name, file.kind, file.origin, file.packed)
            log(f"{file.name}: sha256:{file.packed.sha256} ✓")
    release.provenance = _(
        "Downloaded from %(mirror)s, each file checked against its published checksum."
    ) % {"mirror": settings.RELEASE_MIRROR}
    release.pause_image = settings.RELEASE_PAUSE_IMAGE or versions.PAUSE_IMAGE.at(
        versions.minor(release.version)
    )
    release.verify_image = settings.RELEASE_VERIFY_IMAGE
    finish(release, names)
    shutil.rmtree(scratch, ignore_errors=True)


def _has(release: Release, origin: str, names: set[str]) -> bool:
    """Whether these files of that origin are in the store (whole: they are renamed into it)."""
    rows = release.files.filter(name__in=names, origin=origin)
    folder = folder_of(release)
    return {
        row.name for row in rows if size_of(packed_path(folder, row.name)) == row.packed_size
    } == names


def _scratch() -> Path:
    """The folder for what is on its way, on the same disk as the store."""
    path = Path(settings.RELEASES_DIR) / ".incoming"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


# -- sources 2 and 3: bundles and folders -------------------------------------------------


def import_archive(
    archive: Path,
    *,
    version: str = "",
    arch: str = "",
    origin: str = "",
    log: Log = say_nothing,
    check: Check = nothing_to_check,
) -> Release:
    """The release of a tar archive. origin names it for people. Raises ReleaseError."""
    with _emptied() as folder:
        log(_("Unpacking %(name)s") % {"name": origin or archive.name})
        unpack(archive, folder, check=check)
        return import_folder(
            folder,
            source=BUNDLE,
            version=version,
            arch=arch,
            origin=origin or archive.name,
            log=log,
            check=check,
        )


@contextmanager
def _emptied() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bundle-", dir=_scratch()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def import_folder(
    path: Path,
    *,
    source: str = DISTRIBUTION,
    version: str = "",
    arch: str = "",
    origin: str = "",
    log: Log = say_nothing,
    check: Check = nothing_to_check,
) -> Release:
    """The release of a folder with manifest.json, or with bare binaries and SHA256SUMS.

    version and arch serve folders without a manifest. A release that is there already with
    the same files is returned as it is. Raises ReleaseError; the release then says why too.
    """
    root = find_root(path)
    manifest = read_manifest(root, version, arch)
    if (there := _same(manifest)) is not None:
        log(_("%(release)s is there already, with the same files.") % {"release": there})
        return there
    origin = origin or str(path)
    provenance = manifest.provenance or _("From %(name)s") % {"name": origin}
    release = begin(manifest.version, manifest.arch, source, provenance)
    release.pause_image, release.verify_image = manifest.pause_image, manifest.verify_image
    try:
        _pack_all(release, root, manifest, origin=origin, log=log, check=check)
    except (ReleaseError, KeyboardInterrupt) as error:
        fail(release, str(error) or _("Stopped."))
        raise
    finish(release, {file.name for file in manifest.files})
    return release


def _same(manifest: Manifest) -> Release | None:
    """The ready release with exactly the manifest's files, whole on the disk."""
    release = Release.objects.filter(
        version=manifest.version, arch=manifest.arch, state=ReleaseState.READY
    ).first()
    if release is None:
        return None
    wanted = {(file.name, file.sha256) for file in manifest.files}
    if wanted != set(release.files.values_list("name", "sha256")):
        return None
    return None if missing_files(release) else release


def _pack_all(
    release: Release, root: Path, manifest: Manifest, *, origin: str, log: Log, check: Check
) -> None:
    """Pack every file, several at a time: hashing and packing leave Python's lock alone."""
    folder = folder_of(release)

    def work(wanted: WantedFile) -> Packed:
        with open_wanted(root, wanted) as file:
            target = packed_path(folder, wanted.name)
            return pack(file, target, wanted.name, expected=wanted.sha256, check=check)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        running = {pool.submit(work, wanted): wanted for wanted in manifest.files}
        try:
            for done in as_completed(running):
                wanted, packed = running[done], done.result()
                keep(release, wanted.name, wanted.kind, f"{origin}: {wanted.path}", packed)
                log(
                    f"{wanted.name}: {bytes_text(packed.size)} → "
                    f"{bytes_text(packed.packed_size)}, sha256:{packed.sha256} ✓"
                )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
