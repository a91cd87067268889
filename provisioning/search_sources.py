"""Hosts and tasks for search (console/ui/search.py), from SQL alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.ui.search import LIMIT, Group, Hit, Query, Source, search_registry
from console.ui.templatetags.ui import status_badge_html, tr
from provisioning.filters_tasks import operation_title
from provisioning.models import Host, Task, TaskStatus, TaskStep
from provisioning.operations import OPERATIONS


def register() -> None:
    """Add both sources."""
    search_registry.add(Source("hosts", "hosts.view", hosts, order=20))
    search_registry.add(Source("tasks", "tasks.view", tasks, order=40))


def hosts(_user: Any, query: Query) -> Iterator[Group]:
    """Hosts whose name or address holds every word; `ip:` and `cluster:` narrow them too."""
    if any(name not in ("ip", "cluster") for name, _value in query.operators):
        return
    rows = Host.objects.select_related("cluster")
    for word in query.words:
        rows = rows.filter(Q(name__icontains=word) | Q(address__icontains=word))
    for value in query.values("ip"):
        rows = rows.filter(address=value)
    for value in query.values("cluster"):
        rows = rows.filter(cluster__name__icontains=value)
    found = list(rows.order_by("name")[: LIMIT + 1])
    hits = [
        Hit(
            host.name,
            reverse("provisioning:host", args=[host.pk]),
            kind="Host",
            cluster=host.cluster.name if host.cluster else "",
            status=status_badge_html(host.state, host.get_state_display()),
            word=host.state,
            since=host.state_since,
            text=host.address,
        )
        for host in found[:LIMIT]
    ]
    yield Group("hosts", _("Hosts"), icon="server", hits=hits, more=len(found) > LIMIT)


def tasks(_user: Any, query: Query) -> Iterator[Group]:
    """Tasks, the newest first, of which each word is the number, or is in the title, the
    operation, the state, or the name of the cluster or of a host; `kind:`, `status:` and
    `cluster:` narrow them.
    """
    if any(name not in ("kind", "status", "cluster") for name, _value in query.operators):
        return
    rows = Task.objects.all()
    for word in query.words:
        rows = rows.filter(_of_word(word))
    for value in query.values("kind"):
        if value.lower() != "task":
            rows = rows.filter(operation__in=_operations(value))
    for value in query.values("status"):
        rows = rows.filter(status__in=_statuses(value))
    for value in query.values("cluster"):
        rows = rows.filter(cluster_name__icontains=value)
    found = list(rows.order_by("-pk")[: LIMIT + 1])
    hits = [
        Hit(
            tr(task.title),
            reverse("provisioning:task", args=[task.pk]),
            kind="Task",
            cluster=task.cluster_name,
            status=status_badge_html(task.status, task.get_status_display()),
            word=task.status,
            since=task.ended or task.started or task.created,
            text=f"#{task.pk} · {operation_title(task.operation)}",
        )
        for task in found[:LIMIT]
    ]
    yield Group("tasks", _("Tasks"), icon="list-check", hits=hits, more=len(found) > LIMIT)


def _of_word(word: str) -> Q:
    """What a word may be of a task."""
    # By the hosts' own rows, which are few: names of steps are too many to be looked through.
    hosts = list(Host.objects.filter(name__icontains=word).values_list("pk", flat=True)[:LIMIT])
    wanted = Q(title__icontains=word) | Q(cluster_name__icontains=word)
    wanted |= Q(operation__in=_operations(word)) | Q(status__in=_statuses(word))
    if hosts:
        wanted |= Q(Exists(TaskStep.objects.filter(task=OuterRef("pk"), host__in=hosts)))
    number = word.removeprefix("#")
    # More digits would not fit into the database.
    if number.isascii() and number.isdigit() and len(number) < 19:
        wanted |= Q(pk=int(number))
    return wanted


def _operations(word: str) -> list[str]:
    """Operations whose name, or title in the reader's language, holds the word."""
    word = word.lower()
    return [name for name in OPERATIONS if word in name or word in operation_title(name).lower()]


def _statuses(word: str) -> list[str]:
    """The status of that name, by its value or in the reader's language."""
    word = word.lower()
    return [value for value, label in TaskStatus.choices if word in (value, str(label).lower())]
