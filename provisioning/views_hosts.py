"""Pages of hosts: the list, adding, one host, trusting its key, editing and removing it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.accounts.models import User
from console.accounts.permissions import requires
from console.ui.forms import ConfirmNameForm
from console.ui.lists import keyset
from provisioning import host_actions, host_page
from provisioning.filters_hosts import HostFilter
from provisioning.forms_hosts import AccessForm, HostForm, HostsForm
from provisioning.host_actions import HostRefusedError
from provisioning.models import Host, SSHCredential, Task

MOST_CHECKED = 500  # hosts that one bulk check takes


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


@requires(GET="hosts.view")
def hosts(request: HttpRequest) -> HttpResponse:
    """All hosts; htmx asks for the table again while one of them is being checked."""
    found = HostFilter(request.GET, queryset=host_page.listed(Host.objects.all()), request=request)
    page = keyset(request, found.qs, sorts=("name", "address", "state", "-created"))
    host_page.with_summary(page.rows)
    context = {
        "page": page,
        "form": found.form,
        "live": host_page.with_checks(page.rows),
        "has_credentials": SSHCredential.objects.exists(),
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "hosts/_table.html" if part else "hosts/list.html", context)


@requires(GET="hosts.change", POST="hosts.change")
def host_add(request: HttpRequest) -> HttpResponse:
    """One new host; it is checked at once."""
    form = HostForm(request.POST or None, initial=_only_credential())
    if form.is_valid():
        host = form.apply()
        if _added(request, form, [host]):
            return redirect("provisioning:host", pk=host.pk)
    return _add_page(request, form, "hosts/add.html")


@requires(GET="hosts.change", POST="hosts.change")
def host_add_many(request: HttpRequest) -> HttpResponse:
    """Many new hosts, one in a line: all or none."""
    form = HostsForm(request.POST or None, initial=_only_credential())
    if form.is_valid() and _added(request, form, form.made()):
        return redirect("provisioning:hosts")
    return _add_page(request, form, "hosts/add_many.html")


def _only_credential() -> dict[str, Any]:
    """The credential, where there is only one to choose."""
    ids = list(SSHCredential.objects.values_list("pk", flat=True)[:2])
    return {"credential": ids[0]} if len(ids) == 1 else {}


def _added(request: HttpRequest, form: AccessForm, made: list[Host]) -> bool:
    try:
        task = host_actions.add(made, _user(request), request)
    except IntegrityError:
        # Somebody else was faster between the check of the form and now.
        form.add_error(None, _("One of these hosts was added by somebody else just now."))
        return False
    text = ngettext("%(count)d host was added.", "%(count)d hosts were added.", len(made))
    messages.success(request, _with_task(text % {"count": len(made)}, task))
    return True


def _with_task(text: str, task: Task) -> SafeString:
    link = format_html(
        '<a class="alert-link" href="{}">{}</a>', task_url(task), _("Watch the check")
    )
    return format_html("{} {}", text, link)


def task_url(task: Task) -> str:
    """The page of a task."""
    return reverse("provisioning:task", args=[task.pk])


def _add_page(request: HttpRequest, form: AccessForm, template: str) -> HttpResponse:
    if form.is_bound:
        form.ask_again()
    context = {"form": form, "has_credentials": SSHCredential.objects.exists()}
    return render(request, template, context)


@requires(POST="hosts.change")
def hosts_check(request: HttpRequest) -> HttpResponse:
    """Check the hosts that were ticked in the list."""
    wanted = [int(pk) for pk in request.POST.getlist("host") if pk.isdecimal()][:MOST_CHECKED]
    chosen = list(Host.objects.filter(pk__in=wanted))
    if not chosen:
        messages.warning(request, _("Tick the hosts that are to be checked."))
        return redirect("provisioning:hosts")
    task = host_actions.check(chosen, _user(request), request)
    return redirect(task_url(task))


@requires(GET="hosts.view")
def host(request: HttpRequest, pk: int) -> HttpResponse:
    """One host; htmx asks for its state again while it is being checked."""
    row = _host(pk)
    return _host_page(request, row, ConfirmNameForm(expected=row.name))


def _host(pk: int) -> Host:
    return get_object_or_404(Host.objects.select_related("cluster", "credential", "jump"), pk=pk)


def _host_page(request: HttpRequest, row: Host, confirm: ConfirmNameForm) -> HttpResponse:
    facts = host_page.facts_of(row)
    host_page.with_checks([row])
    context = {
        "host": row,
        "signs_in_as": row.username or (row.credential.username if row.credential else "root"),
        "facts": facts,
        "fact_rows": host_page.fact_rows(row, facts),
        "disks": host_page.disk_rows(facts.disks),
        "skewed": host_page.is_skewed(row.clock_skew),
        "advice": host_page.advice(row),
        "offered": host_page.offered(row),
        "pinned": host_actions.fingerprint_of(row.host_key),
        "cleanups": list(row.cleanups.all()),
        "cleaning": host_actions.cleaning_task(row),
        "tasks": host_page.recent_tasks(row),
        "behind": list(row.behind.all()),
        "confirm": confirm,
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "hosts/_state.html" if part else "hosts/detail.html", context)


@requires(POST="hosts.change")
def host_trust(request: HttpRequest, pk: int) -> HttpResponse:
    """Trust the key whose fingerprint was shown; a changed key asks for the host's name."""
    row = _host(pk)
    confirm = ConfirmNameForm(request.POST, expected=row.name)
    replaces = host_actions.needs_name(row)
    if replaces and not confirm.is_valid():
        return _host_page(request, row, confirm)
    try:
        _row, task = host_actions.trust(
            pk,
            request.POST.get("fingerprint", ""),
            _user(request),
            request,
            confirm_name=confirm.cleaned_data["confirm_name"] if replaces else "",
        )
    except HostRefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _with_task(_("The key is trusted from now on."), task))
    return redirect("provisioning:host", pk=pk)


@requires(POST="hosts.change")
def host_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Check one host; its page shows how it goes."""
    task = host_actions.check([_host(pk)], _user(request), request)
    messages.info(request, _with_task(_("The host is being checked."), task))
    return redirect("provisioning:host", pk=pk)


@requires(GET="hosts.change", POST="hosts.change")
def host_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """How a host is reached. What changes that has it checked again."""
    row = _host(pk)
    before = host_actions.public_fields(row)
    form = HostForm(request.POST or None, host=row)
    if form.is_valid():
        try:
            task = host_actions.change(form.apply(), before, _user(request), request)
        except IntegrityError:
            form.add_error(None, _("Another host got this name or address just now."))
        else:
            saved = _("The host was changed.")
            messages.success(request, _with_task(saved, task) if task else saved)
            return redirect("provisioning:host", pk=pk)
    if form.is_bound:
        form.ask_again()
        # The form has written into the row what was typed: the page's heading shows what is.
        row = _host(pk)
    return render(request, "hosts/edit.html", {"form": form, "host": row})


@requires(GET="hosts.change", POST="hosts.change")
def host_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a host. One that serves a cluster, or is the way to others, stays."""
    row = _host(pk)
    form = ConfirmNameForm(request.POST or None, expected=row.name)
    if form.is_valid():
        try:
            host_actions.remove(row, _user(request), request, forget=True)
        except HostRefusedError as error:
            messages.error(request, str(error))
            return redirect("provisioning:host", pk=pk)
        messages.success(request, _("The host %(name)s was removed.") % {"name": row.name})
        return redirect("provisioning:hosts")
    context = {
        "form": form,
        "host": row,
        "refused": host_actions.why_not_removed(row),
        "object_name": row.name,
        "losses": [_("how the console reaches it, its trusted key and its facts"), *_records(row)],
        "keeps": [_("the machine itself: nothing is changed on it")],
    }
    return render(request, "hosts/remove.html", context)


@requires(POST="hosts.change")
def host_clean_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Take off what a cluster left on a host that was away."""
    try:
        task = host_actions.clean_up(_host(pk), _user(request), request)
    except HostRefusedError as error:
        messages.error(request, str(error))
        return redirect("provisioning:host", pk=pk)
    return redirect(task_url(task))


@requires(GET="hosts.change", POST="hosts.change")
def host_forget_clean_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Drop the records for a clean-up, once the host's name is typed."""
    row = _host(pk)
    form = ConfirmNameForm(request.POST or None, expected=row.name)
    if form.is_valid():
        try:
            host_actions.forget_clean_up(row, _user(request), request)
        except HostRefusedError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("The clean-up of %(name)s is forgotten.") % {"name": row})
        return redirect("provisioning:host", pk=pk)
    context = {
        "form": form,
        "host": row,
        "object_name": row.name,
        "losses": _records(row),
        "keeps": [_("whatever is on the machine: nothing is changed on it")],
    }
    return render(request, "hosts/forget_clean_up.html", context)


def _records(row: Host) -> list[str]:
    """What goes with the clean-ups that a host waits for."""
    names = ", ".join(host_actions.remains_of(row))
    text = _("the records of what was on it before %(clusters)s: it cannot be put back any more")
    return [text % {"clusters": names}] if names else []
