"""The tasks that fetch, import and verify releases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from provisioning.models import Release, ReleaseState, Task, TaskStatus
from provisioning.operations import operation
from provisioning.releases import begin, fail, verify
from provisioning.releases_layout import ReleaseError
from provisioning.releases_sources import fetch_official, import_archive
from provisioning.run import Failure, TaskRun

_UPLOAD = re.compile(r"[0-9a-f]{32}")


def upload_path(upload: str) -> Path:
    """Where an uploaded bundle waits for its task. Raises ValueError for what is no id of one."""
    if not _UPLOAD.fullmatch(upload):
        raise ValueError(f"{upload!r} is no upload")
    return Path(settings.RELEASES_DIR) / ".incoming" / f"upload-{upload}"


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with a release, in the form in which a task shows it."""
    try:
        yield
    except ReleaseError as error:
        found = f"{error} ({error.found})" if error.found else str(error)
        raise Failure(
            found=found, expected=error.expected, hint=error.hint, code="release"
        ) from error


def _release_of(run: TaskRun) -> Release:
    release = Release.objects.filter(pk=run.parameters["release_id"]).first()
    if release is None:
        raise Failure(
            found=_("The release was deleted meanwhile."), hint=_("Add it again."), code="release"
        )
    return release


def _fetch_ended(task: Task) -> None:
    """A release whose fetching ended otherwise than well says why."""
    if task.status == TaskStatus.SUCCEEDED:
        return
    release = Release.objects.filter(pk=task.parameters.get("release_id")).first()
    if release is not None:
        why = task.failure.get("found") or task.get_status_display()
        fail(release, _("Task %(number)d: %(why)s") % {"number": task.pk, "why": why})


@operation(
    "fetch_release",
    title=_("Fetch a release"),
    steps=[("download", _("Download, check and pack the files"))],
    on_end=_fetch_ended,
)
def fetch_release(run: TaskRun) -> None:
    """parameters: release_id. What an earlier attempt brought is kept."""
    with run.step("download") as row, _told():
        if row is None:
            return
        release = _release_of(run)
        if release.state == ReleaseState.FAILED:  # the task is retried
            release = begin(release.version, release.arch, release.source)
        if release.state != ReleaseState.READY:
            fetch_official(release, log=run.log, check=run.check_canceled)


def _import_ended(task: Task) -> None:
    """An upload that was taken is not needed any more; a failed one stays for a retry."""
    if task.status == TaskStatus.SUCCEEDED:
        upload_path(task.parameters["upload"]).unlink(missing_ok=True)


@operation(
    "import_bundle",
    title=_("Import a bundle"),
    steps=[("import", _("Unpack, check and pack the files"))],
    on_end=_import_ended,
)
def import_bundle(run: TaskRun) -> None:
    """parameters: upload (its id), name (of the file), version and arch (without a manifest)."""
    with run.step("import") as row, _told():
        if row is None:
            return
        archive = upload_path(run.parameters["upload"])
        if not archive.exists():
            raise ReleaseError(
                _("The uploaded file is no longer there."), hint=_("Upload it again.")
            )
        import_archive(
            archive,
            version=run.parameters.get("version", ""),
            arch=run.parameters.get("arch", ""),
            origin=run.parameters.get("name", ""),
            log=run.log,
            check=run.check_canceled,
        )


@operation(
    "verify_release",
    title=_("Verify a release"),
    steps=[("verify", _("Read every file and compare its checksum"))],
)
def verify_release(run: TaskRun) -> None:
    """parameters: release_id. A release with a damaged file is no longer ready."""
    with run.step("verify") as row, _told():
        if row is None:
            return
        verify(_release_of(run), log=run.log, check=run.check_canceled)
