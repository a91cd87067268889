"""Pages of snapshots: take one, change the schedule, download, delete, restore."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from clusters.models import Cluster
from console.accounts.confirm import confirm_password
from console.accounts.models import User
from console.accounts.permissions import requires
from console.ui.forms import ConfirmNameForm
from console.ui.quantities import ago_text
from provisioning import cluster_operations, snapshots, snapshots_download
from provisioning.forms_snapshots import RestoreForm, ScheduleForm
from provisioning.models_snapshots import Snapshot, SnapshotState
from provisioning.operations import Refused
from provisioning.releases_layout import ReleaseError
from provisioning.views_clusters import our_cluster


@requires(POST="clusters.change")
def take(request: HttpRequest, pk: int) -> HttpResponse:
    """Launch a snapshot now."""
    cluster = our_cluster(pk)
    try:
        task = cluster_operations.launch(cluster, "snapshot", {}, _user(request), request)
    except (Refused, ReleaseError) as refused:
        messages.error(request, str(refused))
        return redirect(_tab(cluster))
    return redirect("provisioning:task", pk=task.pk)


@requires(GET="clusters.change", POST="clusters.change")
def schedule(request: HttpRequest, pk: int) -> HttpResponse:
    """When snapshots are taken by themselves, and how many are kept."""
    cluster = our_cluster(pk)
    form = ScheduleForm(request.POST or None, instance=snapshots.schedule_of(cluster))
    if form.is_valid():
        snapshots.change_schedule(cluster, form.cleaned_data, _user(request), request)
        messages.success(request, _("The schedule was changed."))
        return redirect(_tab(cluster))
    context = {"cluster": cluster, "form": form, "back": _tab(cluster)}
    return render(request, "clusters/snapshots_schedule.html", context)


@requires(GET="clusters.kubeconfig", POST="clusters.kubeconfig")
@never_cache
@confirm_password
def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Say what is in the file, and hand it out: everything of the cluster, its tokens too."""
    snapshot = get_object_or_404(Snapshot.objects.select_related("cluster"), pk=pk)
    problem = ""
    if request.method == "POST":
        try:
            snapshots.hand_out(snapshot, _user(request), request)
        except Refused as refused:
            problem = str(refused)
        else:
            return snapshots_download.response(request, snapshot)
    context = {
        "cluster": snapshot.cluster,
        "snapshot": snapshot,
        "problem": problem,
        "back": _tab(snapshot.cluster),
    }
    return render(request, "clusters/snapshots_download.html", context)


@requires(GET="clusters.change", POST="clusters.change")
@confirm_password
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a snapshot once its revision is typed."""
    snapshot = get_object_or_404(Snapshot.objects.select_related("cluster"), pk=pk)
    back, name = _tab(snapshot.cluster), str(snapshot.revision)
    form = ConfirmNameForm(request.POST or None, expected=name)
    if form.is_valid():
        try:
            snapshots.delete_snapshot(snapshot, _user(request), request)
        except Refused as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The snapshot was deleted."))
            return redirect(back)
    context = {
        "cluster": snapshot.cluster,
        "form": form,
        "object_name": name,
        "losses": [
            _("The snapshot of %(when)s at revision %(revision)s.")
            % {"when": _exact(snapshot), "revision": name}
        ],
        "back": back,
    }
    return render(request, "clusters/snapshots_delete.html", context)


@requires(GET="clusters.change", POST="clusters.change")
@confirm_password
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """What will be lost, the plan, and the restore once the cluster's name is typed."""
    snapshot = get_object_or_404(Snapshot.objects.select_related("cluster"), pk=pk)
    cluster = snapshot.cluster
    data = request.POST.copy() if request.method == "POST" else None
    if data is not None:
        data["snapshot"] = str(snapshot.pk)
    choices = Snapshot.objects.filter(cluster=cluster, state=SnapshotState.READY)
    form = RestoreForm(data, expected=cluster.name, choices=choices)
    if form.is_valid():
        try:
            task = cluster_operations.launch(
                cluster, "restore", {"snapshot": snapshot}, _user(request), request
            )
            return redirect("provisioning:task", pk=task.pk)
        except (Refused, ReleaseError) as refused:
            form.add_error(None, str(refused))
    plan, problems = None, []
    try:
        found = cluster_operations.preview(cluster, "restore", {"snapshot": snapshot})
        plan, problems = found.plan, [f"{p.what} {p.mend}" for p in found.problems]
    except (Refused, ReleaseError) as refused:
        problems = [str(refused)]
    context = {
        "cluster": cluster,
        "snapshot": snapshot,
        "form": form,
        "plan": plan,
        "problems": problems,
        "object_name": cluster.name,
        "losses": _losses(snapshot),
        "keeps": _keeps(),
        "back": _tab(cluster),
    }
    return render(request, "clusters/snapshots_restore.html", context)


def _losses(snapshot: Snapshot) -> list[str]:
    age = ago_text((timezone.now() - snapshot.taken).total_seconds())
    return [
        _("Everything that was written to the cluster since %(when)s (%(age)s).")
        % {"when": _exact(snapshot), "age": age},
        _("Pods that were made since then are ended; those that were deleted start again."),
        _("The API does not answer until the first control plane is back."),
    ]


def _keeps() -> list[str]:
    return [
        _("The data that etcd holds now: it is put aside on each host, until the next restore."),
        _("Data in volumes: it is not in etcd, and is not taken back."),
    ]


def _exact(snapshot: Snapshot) -> str:
    return timezone.localtime(snapshot.taken).strftime("%Y-%m-%d %H:%M:%S %Z")


def _tab(cluster: Cluster) -> str:
    return reverse("clusters:tab", args=[cluster.pk, "snapshots"])


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)
