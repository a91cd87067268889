"""The log of a pod or of a workload's pods: a page, a tab of the object's page, a download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from clusters import pod_audit
from clusters.consumers_logs import RETRY_SECONDS, busy, streams
from clusters.kube import KubeError
from clusters.kube.logs import LogQuery
from clusters.log_backlog import Backlog, gather
from clusters.log_download import text_of
from clusters.log_options import PAGE_LINES, WINDOWS, BadOption, LogOptions, options_of
from clusters.log_sources import MOST_SOURCES, RESOURCES, Source, choices_of, sources_of
from clusters.models import Object
from clusters.operate import NotAllowed, doer
from clusters.rights import may_here_or_403, object_or_404
from console.accounts.models import User
from console.accounts.permissions import requires
from console.ui.downloads import attachment


@requires(GET="clusters.logs", in_namespaces=True)
def logs_page(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponse:
    """The log on a page of its own."""
    row = _row(request, pk, resource, namespace, name)
    may_here_or_403(request.user, "clusters.logs", row.cluster, row.namespace)
    return render(request, "clusters/logs.html", {"object": row, **tab_context(request, row)})


@requires(GET="clusters.logs", in_namespaces=True)
def log_text(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponseBase:
    """The log as a text file, streamed; several containers one after the other."""
    row = _row(request, pk, resource, namespace, name)
    user = cast(User, request.user)
    try:
        options = options_of(request.GET.dict())
        asked = doer(row, user, "clusters.logs")
    except (BadOption, KubeError) as error:
        status = 403 if isinstance(error, NotAllowed) else 400
        return HttpResponse(f"{error}\n", status=status, content_type="text/plain; charset=utf-8")
    place = streams.hold(user.pk)
    if place is None:
        return HttpResponse(
            " ".join(busy(user.pk)) + "\n", status=429, content_type="text/plain; charset=utf-8",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )  # fmt: skip
    _record(request, row)
    sources = sources_of(row, options.container)
    response = StreamingHttpResponse(
        text_of(asked, row.namespace, queries(options, sources), place),
        content_type="text/plain; charset=utf-8",
    )
    file = f"{row.cluster.name}-{row.namespace}-{row.name}.log"
    response["Content-Disposition"] = attachment(file)
    return response


def tab_context(request: HttpRequest, row: Object) -> dict[str, Any]:
    """What the log viewer needs; with the last lines, so that it is of use without a script.

    A page that asks for its own changes gets no lines: that is no new reading.
    """
    parameters = request.GET.dict()
    problem = ""
    try:
        options = options_of(parameters)
    except BadOption as bad:
        options, problem = LogOptions(), f"{bad.name}: {bad.problem}"
    first = "live" not in parameters and "HX-Request" not in request.headers
    sources = sources_of(row, options.container)
    shown = _read(request, row, options, sources) if first and not problem else {}
    return {
        "still": True,  # the object's page does not ask for this tab again by itself
        "log_problem": problem,
        "log_options": options,
        "log_window": parameters.get("show", str(PAGE_LINES)),
        "log_windows": [(key, label) for key, (label, _since, _tail) in WINDOWS.items()],
        "log_containers": choices_of(row),
        "log_sources": sources,
        "log_row": row,
        "log_socket": _socket(row),
        "log_opening": pod_audit.opening_of(cast(User, request.user), row),
        "log_words": _words(),
        "log_download": f"{_address('log-text', row)}?{_query(parameters)}",
        "log_page": f"{_address('logs', row)}?{_query(parameters)}",
        **shown,
    }


def queries(
    options: LogOptions, sources: Sequence[Source], *, timestamps: bool = True
) -> list[tuple[Source, LogQuery]]:
    """What to ask for each source."""
    return [(s, options.query(s.container, timestamps=timestamps)) for s in sources]


def _read(
    request: HttpRequest, row: Object, options: LogOptions, sources: Sequence[Source]
) -> dict[str, Any]:
    """The last lines, within five seconds, and what the cluster says where it gives none."""
    _record(request, row)
    asked = list(sources)[:MOST_SOURCES]
    user = cast(User, request.user)
    taken = streams.take(len(asked), user.pk)
    try:
        if taken < len(asked):
            cause, mend = busy(user.pk, len(asked) - taken)
            return {"log_error": cause, "log_mend": mend}
        whose = doer(row, user, "clusters.logs")
        backlog = gather(whose, row.namespace, queries(options, asked))
    except KubeError as error:
        return {"log_error": error.cause, "log_mend": error.mend}
    finally:
        streams.give(taken, user.pk)
    return {"log_lines": backlog.merged()[-PAGE_LINES:], **_faults(backlog)}


def _faults(backlog: Backlog) -> dict[str, Any]:
    if backlog.errors:
        error = next(iter(backlog.errors.values()))
        return {"log_error": error.cause, "log_mend": error.mend}
    if backlog.late:
        late = ", ".join(source.name for source in backlog.late[:3])
        return {
            "log_error": _("The cluster did not answer within 5 seconds for %(sources)s.")
            % {"sources": late},
            "log_mend": _("Reload the page to ask again."),
        }
    return {}


def _row(request: HttpRequest, pk: int, resource: str, namespace: str, name: str) -> Object:
    if resource not in RESOURCES:
        raise Http404
    return object_or_404(request.user, pk, resource, namespace, name)


def _record(request: HttpRequest, row: Object) -> None:
    pod_audit.recorded(
        "pod.logs_read",
        cast(User, request.user),
        row.cluster,
        pod_audit.place(row),
        request=request,
        after=pod_audit.asked(request.GET.dict()),
    )


def _address(view: str, row: Object) -> str:
    return reverse(f"clusters:{view}", args=place_of(row))


def place_of(row: Object) -> tuple[int, str, str, str]:
    """The arguments of an object's addresses."""
    return row.cluster_id, row.resource, row.namespace or "-", row.name


def _socket(row: Object) -> str:
    kind = "pods" if row.resource == "pods" else f"workloads/{row.resource}"
    return f"/ws/clusters/{row.cluster_id}/{kind}/{row.namespace}/{row.name}/log/"


def _query(parameters: dict[str, str]) -> str:
    from urllib.parse import urlencode

    return urlencode(pod_audit.asked(parameters))


def _words() -> dict[str, str]:
    return {
        "catching-up": _("Catching up"),
        "live": _("Live"),
        "paused": _("Paused"),
        "reconnecting": _("Reconnecting"),
        "ended": _("Ended"),
        "gone": _("No longer allowed"),
        "failed": _("Not available"),
        "lines": _("{n} lines"),
        "new": _("{n} new lines"),
        "whole": _("Show all"),
        "console": "–",
        "cut": _("(line cut after 64 KiB)"),
        "dropped": _("Older lines were left out: the page keeps the newest."),
        "left_out": _("{n} more containers are not followed; choose one container."),
        "note.waiting": _("waits for its start"),
        "note.ended": _("has ended"),
        "note.again": _("has ended and will be started again"),
        "note.restarted": _("was started again"),
        "note.gone": _("the pod is gone"),
        "note.refused": _("The cluster refuses it."),
        "note.away": _("The cluster does not answer; the console goes on trying."),
        "note.none": _("has no such log"),
        "exit_code": _("exit code {n}"),
        "restarts": _("{n} restarts"),
    }
