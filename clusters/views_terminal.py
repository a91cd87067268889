"""The page of a terminal in a container."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from clusters.log_sources import containers_of
from clusters.models import Object
from clusters.rights import may_here_or_403, object_or_404
from clusters.terminal_shells import SHELLS
from console.accounts.permissions import requires


@requires(GET="clusters.exec", in_namespaces=True)
def terminal(
    request: HttpRequest, pk: int, resource: str, namespace: str, name: str
) -> HttpResponse:
    """A terminal in one of the pod's containers; nothing is started before the page's script."""
    if resource != "pods":
        raise Http404
    pod = object_or_404(request.user, pk, resource, namespace, name)
    may_here_or_403(request.user, "clusters.exec", pod.cluster, pod.namespace)
    containers = running_containers(pod)
    wanted = request.GET.get("container", "")
    shell = request.GET.get("shell", "auto")
    return render(
        request,
        "clusters/terminal.html",
        {
            "pod": pod,
            "containers": containers,
            "container": wanted if wanted in containers else next(iter(containers), ""),
            "shells": list(SHELLS),
            "chosen_shell": shell if shell in SHELLS else "auto",
            "socket": f"/ws/clusters/{pk}/pods/{pod.namespace}/{pod.name}/exec/",
            "idle_minutes": settings.TERMINAL_IDLE_SECONDS // 60,
            "words": _words(),
        },
    )


def running_containers(pod: Object) -> list[str]:
    """The pod's containers that run, as far as the watcher knows; all where it knows none."""
    rows = [c for c in pod.summary.get("containers") or () if isinstance(c, dict)]
    running = [str(c["name"]) for c in rows if c.get("state") == "running" and c.get("name")]
    return running or list(containers_of(pod))


def has_terminal(row: Object) -> bool:
    """Whether a terminal is offered for an object: pods that run."""
    return row.resource == "pods" and row.summary.get("phase", "Running") == "Running"


def _words() -> dict[str, str]:
    return {
        "connecting": _("Connecting"),
        "live": _("Connected"),
        "ended": _("Ended"),
        "failed": _("Not connected"),
        "gone": _("No longer allowed"),
        "lost": _("Connection lost"),
        "exited": _("The shell has ended with exit code {n}."),
        "exited_unknown": _("The shell has ended."),
        "no_shell": _("The container may have no such shell; choose another one."),
        "idle_in": _("Nothing was typed for a while: the terminal closes in {n} seconds."),
        "idle": _("The terminal was closed because nothing was typed for too long."),
        "open too long": _("The terminal was closed because it was open for too long."),
        "no longer recorded": _("The terminal was closed because its end was recorded already."),
        "size": _("{columns} × {rows}"),
        "large_paste": _("Only the first 512 KiB were pasted."),
    }
