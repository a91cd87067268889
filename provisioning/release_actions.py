"""What people do with releases: each change with its audit event."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.audit.record import record
from provisioning import releases
from provisioning.models import Release, ReleaseState, Task, TaskStatus
from provisioning.operation_releases import upload_path
from provisioning.operations import launch
from provisioning.releases_layout import ReleaseError, printable
from provisioning.releases_sources import OFFICIAL

LIVE = (TaskStatus.QUEUED, TaskStatus.RUNNING)


def public_fields(release: Release) -> dict[str, Any]:
    """What an audit event says of a release."""
    return {
        "version": release.version,
        "arch": release.arch,
        "source": release.source,
        "provenance": release.provenance,
    }


def tasks_of(release: Release) -> list[Task]:
    """The tasks that fetch or verify it and have not ended."""
    return list(
        Task.objects.filter(status__in=LIVE, parameters__release_id=release.pk).order_by("-id")
    )


def fetch(version: str, arch: str, user: User, request: HttpRequest) -> tuple[Release, Task]:
    """Have a release downloaded from the official site or its mirror. Raises ReleaseError."""
    with transaction.atomic():
        release = releases.begin(version, arch, OFFICIAL)
        if running := tasks_of(release):
            raise ReleaseError(
                _("%(release)s is being fetched already, by task %(number)d.")
                % {"release": release, "number": running[0].pk}
            )
        after = public_fields(release)
        record("release.fetched", release, request=request, actor=user, after=after)
        task = launch(
            "fetch_release",
            title=_("Fetch Kubernetes %(release)s") % {"release": release},
            user=user,
            parameters={"release_id": release.pk},
            request=request,
        )
    return release, task


def upload(file: File[bytes], version: str, arch: str, user: User, request: HttpRequest) -> Task:
    """Keep an uploaded bundle and have a task look into it. Raises ReleaseError."""
    limit = settings.RELEASE_UPLOAD_MIB * 1024**2
    name = printable(file.name or "", 120)
    if (file.size or 0) > limit:
        raise ReleaseError(
            _("%(name)s is larger than the %(limit)d MiB that may be uploaded.")
            % {"name": name, "limit": limit // 1024**2},
            hint=_("Import it on the console's machine: manage.py release import FILE."),
        )
    key = uuid.uuid4().hex
    path = upload_path(key)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with path.open("xb") as out:
            path.chmod(0o600)
            for chunk in file.chunks(1024**2):
                out.write(chunk)
        with transaction.atomic():
            record(
                "release.imported",
                request=request,
                actor=user,
                object_name=name,
                after={"version": version, "arch": arch, "bytes": file.size},
            )
            return launch(
                "import_bundle",
                title=_("Import the bundle %(name)s") % {"name": name},
                user=user,
                parameters={"upload": key, "name": name, "version": version, "arch": arch},
                request=request,
            )
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def verify(release: Release, user: User, request: HttpRequest) -> Task:
    """Have every file read and compared again. Raises ReleaseError for one that is not there."""
    if release.state == ReleaseState.PENDING:
        raise ReleaseError(_("%(release)s is still being fetched.") % {"release": release})
    return launch(
        "verify_release",
        title=_("Verify Kubernetes %(release)s") % {"release": release},
        user=user,
        parameters={"release_id": release.pk},
        request=request,
    )


def why_not_removed(release: Release) -> str:
    """Who still needs it; empty when nobody does."""
    if names := releases.users_of(release):
        return _("The clusters %(names)s run it and need its files for repairs and new nodes.") % {
            "names": ", ".join(names)
        }
    if running := tasks_of(release):
        return _("Task %(number)d works on it: wait for it or cancel it first.") % {
            "number": running[0].pk
        }
    return ""


def remove(release: Release, user: User, request: HttpRequest) -> None:
    """Delete a release and its files. Raises ReleaseError while somebody needs it."""
    with transaction.atomic():
        if why := why_not_removed(release):
            raise ReleaseError(why)
        before = public_fields(release)
        record("release.removed", release, request=request, actor=user, before=before)
        releases.remove(release)
