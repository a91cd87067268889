"""Releases in the database and on the disk, and the spec that recipes take."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from clusters.models import Cluster, Origin
from provisioning import spec, versions
from provisioning.models import Release, ReleaseFile, ReleaseState
from provisioning.releases_layout import ReleaseError, clean_arch, clean_version
from provisioning.releases_store import (
    Packed,
    compare,
    nothing_to_check,
    packed_path,
    unpacked_digest,
)

DEFAULT_ARCH = "amd64"


def folder_of(release: Release) -> Path:
    """Where a release's packed files lie."""
    return Path(settings.RELEASES_DIR) / f"{release.version}-{release.arch}"


def check_supported(version: str) -> None:
    """Raises ReleaseError, naming the supported versions, for one that recipes do not serve."""
    if not versions.supported(version):
        raise ReleaseError(
            _("Kubernetes %(version)s is not supported by this console.") % {"version": version},
            expected=supported_range(),
            found=version,
        )


def begin(version: str, arch: str, source: str, provenance: str = "") -> Release:
    """The row of a release that is about to be fetched or imported.

    A release that failed before is taken up again. Raises ReleaseError when the version is
    not supported or the release is there already.
    """
    version, arch = clean_version(version), clean_arch(arch)
    check_supported(version)
    with transaction.atomic():
        release, made = Release.objects.select_for_update().get_or_create(
            version=version,
            arch=arch,
            defaults={
                "source": source,
                "provenance": provenance,
                "state": ReleaseState.PENDING,
            },
        )
        if not made:
            if release.state == ReleaseState.READY:
                raise ReleaseError(
                    _("%(release)s is there already.") % {"release": release},
                    hint=_("Delete it first if you want to have it from elsewhere."),
                )
            release.source, release.provenance = source, provenance
            release.state, release.state_reason = ReleaseState.PENDING, ""
            release.save()
    return release


def fail(release: Release, reason: str) -> None:
    """Say why a release did not come; what it has already stays for the next attempt."""
    Release.objects.filter(pk=release.pk).exclude(state=ReleaseState.READY).update(
        state=ReleaseState.FAILED, state_reason=reason
    )


def keep(release: Release, name: str, kind: str, origin: str, packed: Packed) -> None:
    """Record a file that is now in the store."""
    ReleaseFile.objects.update_or_create(
        release=release,
        name=name,
        defaults={
            "kind": kind,
            "origin": origin,
            "sha256": packed.sha256,
            "size": packed.size,
            "packed_size": packed.packed_size,
        },
    )


def finish(release: Release, names: set[str]) -> None:
    """Ready: exactly these files, and nothing left of an earlier attempt."""
    folder = folder_of(release)
    with transaction.atomic():
        release.files.exclude(name__in=names).delete()
        release.state, release.state_reason = ReleaseState.READY, ""
        release.save()
    wanted = {packed_path(folder, name) for name in names}
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


def size_of(path: Path) -> int:
    """A file's size in bytes, -1 where there is none that the console may read."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, PermissionError):
        return -1


def missing_files(release: Release) -> list[str]:
    """Names of files that are not on the disk in their recorded size: a cheap look."""
    folder = folder_of(release)
    return [
        file.name
        for file in release.files.all()
        if size_of(packed_path(folder, file.name)) != file.packed_size
    ]


def release_spec(release: Release) -> spec.ReleaseSpec:
    """What recipes take. Raises ReleaseError when the release is not ready or not whole."""
    if release.state != ReleaseState.READY:
        raise ReleaseError(
            _("The release %(release)s is not ready: %(state)s.")
            % {"release": release, "state": release.get_state_display()}
        )
    if missing := missing_files(release):
        raise ReleaseError(
            _("Files of %(release)s are missing or cut off on the console: %(names)s.")
            % {"release": release, "names": ", ".join(missing)},
            hint=_("Delete the release and add it again."),
        )
    folder = folder_of(release)
    return spec.ReleaseSpec(
        version=release.version,
        arch=release.arch,
        files=tuple(
            spec.ReleaseFile(
                name=file.name,
                kind=file.kind,
                sha256=file.sha256,
                size=file.size,
                packed=packed_path(folder, file.name),
                packed_size=file.packed_size,
            )
            for file in release.files.all()
        ),
        pause_image=release.pause_image,
        verify_image=release.verify_image,
    )


def verify(
    release: Release,
    *,
    log: Callable[[str], None],
    check: Callable[[], None] = nothing_to_check,
) -> None:
    """Read every file and compare its SHA-256; a release that fails is no longer ready.

    Raises ReleaseError naming the first file that is wrong.
    """
    folder = folder_of(release)
    try:
        for file in release.files.all():
            sha256, _size = unpacked_digest(packed_path(folder, file.name), file.name, check)
            compare(file.name, file.sha256, sha256)
            log(f"{file.name}: sha256:{sha256} ✓")
    except ReleaseError as error:
        Release.objects.filter(pk=release.pk).update(
            state=ReleaseState.FAILED, state_reason=str(error)
        )
        raise


def users_of(release: Release) -> list[str]:
    """Names of the clusters that need this release for nodes and repairs to come."""
    clusters = Cluster.objects.filter(origin=Origin.PROVISIONED).filter(
        # An upgrade that did not come to its end has to go on with it.
        Q(version=release.version) | Q(options__upgrading=release.version)
    )
    return [
        cluster.name
        for cluster in clusters
        if cluster.options.get("arch", DEFAULT_ARCH) == release.arch
    ]


def remove(release: Release) -> None:
    """Take a release off the database and the disk. The caller has asked users_of()."""
    folder = folder_of(release)
    with transaction.atomic():
        release.delete()
        transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))


def supported_range() -> str:
    """The supported versions as people say them: "v1.20 – v1.36"."""
    (major, oldest), (_major, newest) = versions.OLDEST, versions.NEWEST
    return f"v{major}.{oldest} – v{major}.{newest}"
