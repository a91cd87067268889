"""The list of tasks, and a task's page: state, journal, log."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from clusters.control_plane_page import health_of
from clusters.models import ControlPlaneHealth
from console.accounts.models import User
from console.accounts.permissions import allowed, requires
from console.audit.record import record
from console.ui.downloads import attachment
from console.ui.lists import keyset
from provisioning import logs, operations
from provisioning.filters_tasks import TaskFilter, operation_title
from provisioning.models import Host, LogChunk, StepStatus, Task, TaskStatus, TaskStep
from provisioning.task_page import DONE, TaskPage, page_of

TAIL_LINES = 60  # lines of the log in the page itself, before its script fetched any
TAIL_CHARACTERS = 300
RETRIABLE = (TaskStatus.FAILED, TaskStatus.ERROR, TaskStatus.CANCELED)
LIVE = (TaskStatus.QUEUED, TaskStatus.RUNNING)


@requires(GET="tasks.view")
def tasks(request: HttpRequest) -> HttpResponse:
    """All tasks, newest first; htmx asks for the table again while one of them runs."""
    found = TaskFilter(request.GET, queryset=Task.objects.select_related("created_by"))
    page = keyset(request, found.qs, sorts=("-id",))
    with_progress(page.rows)
    context = {
        "page": page,
        "form": found.form,
        "live": any(task.status in LIVE for task in page.rows),
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "tasks/_table.html" if part else "tasks/list.html", context)


def with_progress(rows: list[Task]) -> list[Task]:
    """Give each task done_steps, all_steps, current_step and operation_title, in one query."""
    counts: dict[int, list[int]] = {row.pk: [0, 0] for row in rows}
    current: dict[int, str] = {}
    wanted = [row.pk for row in rows if row.status in LIVE]
    steps = TaskStep.objects.filter(task__in=wanted).order_by("task_id", "position")
    for task_id, status, title in steps.values_list("task_id", "status", "title"):
        counts[task_id][0] += status in DONE
        counts[task_id][1] += 1
        if status == StepStatus.RUNNING:
            current.setdefault(task_id, title)
    for row in rows:
        row.done_steps, row.all_steps = counts[row.pk]  # type: ignore[attr-defined]
        row.current_step = current.get(row.pk, "")  # type: ignore[attr-defined]
        row.operation_title = operation_title(row.operation)  # type: ignore[attr-defined]
    return rows


@requires(GET="tasks.view")
def task(request: HttpRequest, pk: int) -> HttpResponse:
    """One task, live."""
    task = get_object_or_404(Task.objects.select_related("cluster", "created_by"), pk=pk)
    tail = logs.read(task.pk, before=task.last_seq + 1, limit=TAIL_LINES)
    context = {
        **_state(request, task),
        "tail": [{**line, "text": line["text"][:TAIL_CHARACTERS]} for line in tail],
        "words": _log_words(),
    }
    return render(request, "tasks/detail.html", context)


@requires(GET="tasks.view")
def state(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of the page above the log; 204 while it is still what the browser has."""
    task = get_object_or_404(Task.objects.select_related("cluster", "created_by"), pk=pk)
    if request.GET.get("v") == _version(task, _health(request, task)):
        return HttpResponse(status=204)
    return render(request, "tasks/_state.html", _state(request, task))


@requires(GET="tasks.change", POST="tasks.change")
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask once more, then ask the worker to stop."""
    task = get_object_or_404(Task, pk=pk)
    if request.method != "POST":
        return render(request, "tasks/cancel.html", {"task": task})
    if operations.cancel(task, cast(User, request.user), request):
        messages.info(request, _("The task was asked to stop. What runs now is ended first."))
    else:
        messages.warning(request, _("The task had ended already."))
    return redirect("provisioning:task", pk=task.pk)


@requires(POST="tasks.change")
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue it again from what is not done yet."""
    task = get_object_or_404(Task, pk=pk)
    user = cast(User, request.user)
    if operations.retry(task, user, request):
        messages.success(request, _("The task goes on where it stopped."))
    elif not operations.may_retry(task, user):
        messages.warning(
            request,
            _("The task acts in the name of who launched it: nobody else can retry it."),
        )
    else:
        messages.warning(
            request,
            _(
                "The task cannot be retried now: it is not one that failed, or its cluster has"
                " another task that is not ended."
            ),
        )
    return redirect("provisioning:task", pk=task.pk)


@requires(GET="tasks.view")
def log_text(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The whole log as text: time, host, step and the line, separated by a blank."""
    task = get_object_or_404(Task, pk=pk)
    record("task.log_downloaded", task, request=request)
    response = StreamingHttpResponse(_text_of(task.pk), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = attachment(f"task-{task.pk}.log")
    return response


async def _text_of(task_id: int) -> AsyncIterator[str]:
    after = 0
    while True:
        rows = LogChunk.objects.filter(task_id=task_id, first__gt=after).order_by("first")[:20]
        chunks = [row async for row in rows.values_list("first", "body")]
        if not chunks:
            return
        for first, body in chunks:
            after = first
            yield "".join(
                f"{line['time']} {line['host'] or 'console'} {line['step'] or '-'} {line['text']}\n"
                for line in logs.parse(body)
            )


def _state(request: HttpRequest, task: Task) -> dict[str, Any]:
    """What the part above the log shows."""
    health = _health(request, task)
    cluster = task.cluster if allowed(request.user, "clusters.view") else None
    live = task.status in LIVE
    return {
        "task": task,
        "view": _page(task),
        "version": _version(task, health),
        "operation_title": operation_title(task.operation),
        "live": live,
        "retriable": task.status in RETRIABLE
        and operations.may_retry(task, cast(User, request.user)),
        "cluster": cluster,
        "health": health,
        # Afterwards the cluster's own page shows them: what it is then is not this task's doing.
        "layers": cluster is not None and (live or (health is not None and _is_newest(task))),
    }


def _health(request: HttpRequest, task: Task) -> ControlPlaneHealth | None:
    """What the watcher saw last of the task's cluster, for those who may see clusters."""
    if task.cluster is None or not allowed(request.user, "clusters.view"):
        return None
    return health_of(task.cluster)


def _is_newest(task: Task) -> bool:
    return not Task.objects.filter(cluster=task.cluster_id, pk__gt=task.pk).exists()


def _page(task: Task) -> TaskPage:
    steps = list(TaskStep.objects.filter(task=task).order_by("position"))
    names = {step.host_name for step in steps if step.host_name}
    return page_of(task, steps, Host.objects.filter(name__in=names) if names else ())


def _version(task: Task, health: ControlPlaneHealth | None) -> str:
    """Changes whenever something that the page shows has changed."""
    steps = TaskStep.objects.filter(task=task).order_by("position")
    seen = [
        (task.status, task.cancel_requested, task.attempt, task.worker),
        (health.changed, health.fresh) if health else (),
        *steps.values_list("status", "started", "ended", "note"),
    ]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def _log_words() -> dict[str, str]:
    return {
        "live": _("Live"),
        "catching-up": _("Catching up"),
        "polling": _("Polling"),
        "paused": _("Paused"),
        "reconnecting": _("Reconnecting"),
        "ended": _("Ended"),
        "gone": _("No longer allowed"),
        "new": _("{n} new lines"),
        "lines": _("{n} lines"),
        "whole": _("whole line"),
        "console": _("console"),
    }
