"""Pages of the quick start: deploy an image, watch it come up, change it, remove it.

The form and its review are from SQL; only a dry run, an apply, and reading back what is to be
changed ask the cluster, in the person's own name.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from clusters.kube import KubeError
from console.accounts.permissions import SIGNED_IN, allowed, requires
from console.audit.record import record
from console.ui.downloads import attachment
from tenancy import fit, quick_start_actions
from tenancy import quick_start as plain
from tenancy.forms_quick_start import QuickStartForm, RemoveForm
from tenancy.models import Namespace
from tenancy.permissions import ASK, DEPLOY, rights
from tenancy.quick_start import App
from tenancy.quick_start_actions import QuickStartRefusedError
from tenancy.quick_start_page import progress
from tenancy.views_contents import row_of
from tenancy.views_namespaces import namespace_or_404

# What a removal names; the rest of an application goes with these.
REMOVED = ("deployments.apps", "services", "ingresses.networking.k8s.io")


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def quick_start(request: HttpRequest, pk: int) -> HttpResponse:
    """Deploy something new. POST step=review, apply, download, or more (rows of variables)."""
    namespace = _namespace_or_403(request, pk)
    return _form(request, namespace, None)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def edit(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Change what quick start made, in the same form, filled with what the cluster has."""
    namespace = _namespace_or_403(request, pk)
    user: Any = request.user
    try:
        app = quick_start_actions.load(namespace, name, user)
    except (QuickStartRefusedError, KubeError) as error:
        messages.error(request, str(error))
        return redirect("namespaces:deployed", pk=pk, name=name)
    if app is None:
        raise Http404
    return _form(request, namespace, app)


@requires(GET=SIGNED_IN)
def deployed(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """How an application comes up, by what the watcher has seen."""
    namespace = namespace_or_404(request.user, pk)
    found = progress(namespace, name)
    held = rights(request.user, namespace.tenant)
    links = allowed(request.user, "clusters.view")
    context = {
        "namespace": namespace,
        "name": name,
        "progress": found,
        "rows": [row_of(row, links=links) for row in found.rows],
        "may_change": DEPLOY in held and not quick_start_actions.why_not(namespace),
        "may_ask": ASK in held,
    }
    return render(request, "tenancy/quick_start_deployed.html", context)


@requires(GET=SIGNED_IN, POST=SIGNED_IN)
def remove(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Remove what quick start made; its volume stays unless that is asked for too."""
    namespace = _namespace_or_403(request, pk)
    user: Any = request.user
    form = RemoveForm(request.POST or None, expected=name)
    if form.is_valid():
        volume = form.cleaned_data["volume"]
        try:
            gone = quick_start_actions.remove(
                namespace, name, by=user, volume=volume, request=request
            )
        except (QuickStartRefusedError, KubeError) as error:
            messages.error(request, str(error))
            return redirect("namespaces:deployed", pk=pk, name=name)
        if gone:
            messages.success(request, _("Removed: %(names)s.") % {"names": ", ".join(gone)})
        else:
            messages.warning(request, _("There was nothing of this name that quick start made."))
        return redirect("namespaces:namespace", pk=pk)
    rows = [row for row in progress(namespace, name).rows if row.resource in REMOVED]
    context = {
        "namespace": namespace,
        "name": name,
        "object_name": name,
        "form": form,
        "losses": [f"{row.kind} {row.name}" for row in rows] or [f"Deployment {name}"],
        "keeps": [_("its volume with the data in it, unless you tick the box")],
    }
    return render(request, "tenancy/quick_start_remove.html", context)


def _namespace_or_403(request: HttpRequest, pk: int) -> Namespace:
    """The namespace, for somebody who may deploy in it, where that is possible at all."""
    namespace = namespace_or_404(request.user, pk, DEPLOY)
    if why := quick_start_actions.why_not(namespace):
        raise PermissionDenied(why)
    return namespace


def _form(request: HttpRequest, namespace: Namespace, before: App | None) -> HttpResponse:
    step = request.POST.get("step", "")
    data = request.POST if request.method == "POST" else None
    form = QuickStartForm(data, namespace=namespace, app=before)
    context: dict[str, Any] = {"namespace": namespace, "before": before, "form": form}
    if step == "more":
        # Nothing is wrong yet: what was typed comes back with more rows to fill.
        context["form"] = QuickStartForm(
            namespace=namespace, app=before, initial={**_typed(request, form), "step": "more"}
        )
    elif data is not None and form.is_valid():
        if step == "download":
            return _download(request, form.app, namespace)
        answer = _reviewed(request, form.app, context, apply=step == "apply")
        if answer is not None:
            return answer
    return render(request, "tenancy/quick_start.html", context)


def _typed(request: HttpRequest, form: QuickStartForm) -> dict[str, Any]:
    """What stands in the fields, as initial values."""
    found: dict[str, Any] = {name: request.POST.get(name, "") for name in form.fields}
    return {
        **found,
        "service": "service" in request.POST,
        "env_rows": request.POST.get("env_rows", ""),
        "name": request.POST.get("name", "") or form.initial.get("name", ""),
    }


def _reviewed(
    request: HttpRequest, app: App, context: dict[str, Any], *, apply: bool
) -> HttpResponse | None:
    """The answer of an apply that went well; None: the page shows the review in the context."""
    user: Any = request.user
    namespace = context["namespace"]
    text = plain.text(app, namespace.pod_security)
    digest = quick_start_actions.digest(app, namespace.pod_security)
    new = context["before"] is None
    moved = apply and request.POST.get("digest") != digest
    context |= {
        "yaml": text,
        "digest": digest,
        "moved": moved,
        "report": fit.report(namespace, text),
        "may_ask": ASK in rights(user, namespace.tenant),
    }
    applying = apply and not moved
    try:
        if applying:
            result = quick_start_actions.deploy(namespace, app, by=user, new=new, request=request)
        else:
            result = quick_start_actions.try_out(namespace, app, user, new=new)
    except (QuickStartRefusedError, KubeError) as error:
        context["error"] = error
        return None
    context["result"] = result
    if not applying or result.failed:
        return None
    messages.success(request, _("“%(name)s” was applied.") % {"name": app.name})
    return redirect("namespaces:deployed", pk=namespace.pk, name=app.name)


def _download(request: HttpRequest, app: App, namespace: Namespace) -> HttpResponse:
    record("namespace.app_downloaded", namespace, request=request, after={"name": app.name})
    return HttpResponse(
        plain.text(app, namespace.pod_security),
        content_type="application/yaml",
        headers={
            "Content-Disposition": attachment(f"{namespace.name}-{app.name}.yaml"),
            "Cache-Control": "no-store",
        },
    )
