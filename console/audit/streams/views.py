"""Pages of streams: where the record goes out to, and how far each has got."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from console.accounts.permissions import requires
from console.audit.models import Stream, StreamKind
from console.audit.streams import actions
from console.audit.streams.forms import StreamForm
from console.audit.streams.lag import lags
from console.ui.forms import ConfirmNameForm


@requires(GET="audit.view")
def streams(request: HttpRequest) -> HttpResponse:
    """All streams with their lag and their last error."""
    return render(request, "audit/streams.html", {"lags": lags()})


@requires(GET="audit.change", POST="audit.change")
@never_cache
def add(request: HttpRequest, kind: str) -> HttpResponse:
    """A new stream. Its signing secret is in this one answer and nowhere else."""
    if kind not in StreamKind.values:
        raise Http404
    made = StreamKind(kind)
    form = StreamForm(request.POST or None, kind=made)
    if form.is_valid():
        try:
            stream, plain = actions.create(made, form.cleaned_data, request)
        except IntegrityError:
            form.add_error("name", _("This name was taken just now: choose another one."))
        except actions.NotPossible as error:
            form.add_error(None, str(error))
        else:
            if plain:
                return _show_secret(request, stream, plain)
            messages.success(request, _("The stream was added. Send a test to see it arrive."))
            return redirect("audit:streams")
    return render(request, "audit/stream_form.html", {"form": form, "kind": made})


@requires(GET="audit.change", POST="audit.change")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Other settings, or once more from an earlier position."""
    row = get_object_or_404(Stream, pk=pk)
    form = StreamForm(request.POST or None, kind=StreamKind(row.kind), stream=row)
    if form.is_valid():
        try:
            actions.change(row, form.cleaned_data, request)
        except IntegrityError:
            form.add_error("name", _("This name was taken just now: choose another one."))
        else:
            messages.success(request, _("The stream was changed."))
            return redirect("audit:streams")
    context = {"form": form, "stream": row, "kind": row.kind}
    return render(request, "audit/stream_form.html", context)


@requires(GET="audit.change", POST="audit.change")
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a stream."""
    row = get_object_or_404(Stream, pk=pk)
    form = ConfirmNameForm(request.POST or None, expected=row.name)
    if form.is_valid():
        actions.remove(row, request)
        messages.success(request, _("The stream “%(name)s” was removed.") % {"name": row.name})
        return redirect("audit:streams")
    context = {
        "form": form,
        "stream": row,
        "object_name": row.name,
        "losses": [_("how far the receiver has got: a new stream begins anew")],
        "keeps": [_("the audit record"), _("what the receiver has already")],
    }
    return render(request, "audit/stream_remove.html", context)


@requires(POST="audit.change")
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Hold it back."""
    actions.set_paused(get_object_or_404(Stream, pk=pk), True, request)
    messages.success(request, _("The stream is paused. Nothing is lost meanwhile."))
    return redirect("audit:streams")


@requires(POST="audit.change")
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Let it go on where it was."""
    actions.set_paused(get_object_or_404(Stream, pk=pk), False, request)
    messages.success(request, _("The stream goes on where it was."))
    return redirect("audit:streams")


@requires(POST="audit.change")
@never_cache
def secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Another signing secret, shown once; the old one signs nothing more."""
    row = get_object_or_404(Stream, pk=pk)
    try:
        plain = actions.renew_secret(row, request)
    except actions.NotPossible as error:
        messages.error(request, str(error))
        return redirect("audit:streams")
    return _show_secret(request, row, plain)


@requires(POST="audit.change")
def test(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a test event go out after all that waits."""
    row = get_object_or_404(Stream, pk=pk)
    try:
        actions.send_test(row, request)
    except actions.NotPossible as error:
        messages.error(request, str(error))
    else:
        text = _("A test event is on its way, after all that waits. Reload to see how it went.")
        messages.success(request, text)
    return redirect("audit:streams")


def _show_secret(request: HttpRequest, stream: Stream, plain: str) -> HttpResponse:
    return render(request, "audit/stream_secret.html", {"stream": stream, "plain": plain})
