"""Pages of releases: what there is, where it came from, and how to get another one."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from console.accounts.models import User
from console.accounts.permissions import requires
from console.ui.forms import ConfirmNameForm
from console.ui.lists import keyset
from provisioning import release_actions as actions
from provisioning.forms_releases import BundleForm, FetchForm
from provisioning.models import Release
from provisioning.releases import missing_files, supported_range, users_of
from provisioning.releases_layout import ReleaseError


@requires(GET="releases.view")
def releases(request: HttpRequest) -> HttpResponse:
    """All releases, newest first; htmx asks again while one of them is being fetched."""
    rows = Release.objects.annotate(file_count=Count("files"), packed=Sum("files__packed_size"))
    page = keyset(request, rows, sorts=("-created", "version", "arch", "state"))
    for row in page.rows:
        row.source_text = source_text(row)
        row.clusters = users_of(row)
    context = {"page": page, "live": any(row.state == "pending" for row in page.rows)}
    part = request.headers.get("HX-Request") == "true"
    return render(request, "releases/_table.html" if part else "releases/list.html", context)


def source_text(release: Release) -> str:
    """Where a release came from, in words."""
    texts = {
        "official": _("Official download"),
        "bundle": _("Bundle"),
        "distribution": _("Distribution's source package"),
    }
    return texts.get(release.source, release.source)


@requires(GET="releases.change", POST="releases.change")
def release_add(request: HttpRequest) -> HttpResponse:
    """Three ways to a release; the first two are forms, the third a command."""
    wanted = request.POST.get("way", "")
    fetch = FetchForm(request.POST if wanted == "fetch" else None)
    bundle = BundleForm(*((request.POST, request.FILES) if wanted == "bundle" else ()))
    try:
        if fetch.is_valid():
            return _fetched(request, fetch)
        if bundle.is_valid():
            return _uploaded(request, bundle)
    except ReleaseError as error:
        form, field = (fetch, "version") if wanted == "fetch" else (bundle, "bundle")
        form.add_error(field, f"{error} {error.hint}".strip())
    context = {
        "fetch": fetch,
        "bundle": bundle,
        "supported": supported_range(),
        "mirror": settings.RELEASE_MIRROR,
        "upload_mib": settings.RELEASE_UPLOAD_MIB,
    }
    return render(request, "releases/add.html", context)


def _fetched(request: HttpRequest, form: FetchForm) -> HttpResponse:
    user, cleaned = cast(User, request.user), form.cleaned_data
    _release, task = actions.fetch(cleaned["version"], cleaned["arch"], user, request)
    return redirect("provisioning:task", pk=task.pk)


def _uploaded(request: HttpRequest, form: BundleForm) -> HttpResponse:
    user, cleaned = cast(User, request.user), form.cleaned_data
    task = actions.upload(cleaned["bundle"], cleaned["version"], cleaned["arch"], user, request)
    return redirect("provisioning:task", pk=task.pk)


@requires(GET="releases.view")
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """One release with its files and their checksums."""
    row = get_object_or_404(Release, pk=pk)
    files = list(row.files.all())
    context = {
        "release": row,
        "source_text": source_text(row),
        "files": files,
        "size": sum(file.size for file in files),
        "packed": sum(file.packed_size for file in files),
        "missing": missing_files(row) if row.state == "ready" else [],
        "clusters": users_of(row),
        "tasks": actions.tasks_of(row),
    }
    return render(request, "releases/detail.html", context)


@requires(POST="releases.change")
def release_verify(request: HttpRequest, pk: int) -> HttpResponse:
    """Have every file read and compared with its checksum again."""
    row = get_object_or_404(Release, pk=pk)
    try:
        task = actions.verify(row, cast(User, request.user), request)
    except ReleaseError as error:
        messages.error(request, str(error))
        return redirect("provisioning:release", pk=pk)
    return redirect("provisioning:task", pk=task.pk)


@requires(POST="releases.change")
def release_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Fetch a release once more that did not come."""
    row = get_object_or_404(Release, pk=pk)
    try:
        _row, task = actions.fetch(row.version, row.arch, cast(User, request.user), request)
    except ReleaseError as error:
        messages.error(request, str(error))
        return redirect("provisioning:release", pk=pk)
    return redirect("provisioning:task", pk=task.pk)


@requires(GET="releases.change", POST="releases.change")
def release_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a release and its files; refused while a cluster runs it."""
    row = get_object_or_404(Release, pk=pk)
    form = ConfirmNameForm(request.POST or None, expected=row.version)
    if form.is_valid():
        try:
            actions.remove(row, cast(User, request.user), request)
        except ReleaseError as error:
            messages.error(request, str(error))
            return redirect("provisioning:release", pk=pk)
        messages.success(request, _("The release %(name)s was deleted.") % {"name": row})
        return redirect("provisioning:releases")
    context = {
        "form": form,
        "release": row,
        "refused": actions.why_not_removed(row),
        "object_name": row.version,
        "losses": [_("its files on the console's disk")],
        "keeps": [_("what hosts have already")],
    }
    return render(request, "releases/remove.html", context)
