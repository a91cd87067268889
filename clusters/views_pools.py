"""Pages of resource pools, from SQL alone; the watcher changes the nodes."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clusters import pool_actions as actions
from clusters.filters_pools import PoolFilter
from clusters.forms_pools import PoolForm
from clusters.models import Cluster, Node, ResourcePool
from clusters.pools_figures import Amounts, figures, node_amounts
from clusters.pools_rules import POOL_LABEL, label_text, taint_text
from clusters.rights import may, may_here_or_403, visible_clusters
from console.accounts.permissions import requires
from console.ui.forms import ConfirmNameForm
from console.ui.lists import keyset


@dataclass(frozen=True)
class NodeChoice:
    """A node as the form shows it. taken: the pool that has it already, "" for none."""

    name: str
    row: Node | None
    amounts: Amounts
    chosen: bool
    taken: str


def _pools(request: HttpRequest) -> QuerySet[ResourcePool]:
    rows = ResourcePool.objects.select_related("cluster")
    return rows.filter(cluster__in=visible_clusters(request.user))


@requires(GET="pools.view")
def pools(request: HttpRequest) -> HttpResponse:
    """The pools of all clusters with what they offer."""
    filters = PoolFilter(request.GET, queryset=_pools(request))
    page = keyset(request, filters.qs, sorts=("name", "cluster__name", "-created"))
    found = figures(page.rows)
    context = {
        "page": page,
        "form": filters.form,
        "rows": [(pool, found[pool.pk]) for pool in page],
    }
    return render(request, "pools/list.html", context)


@requires(GET="pools.view")
def pool(request: HttpRequest, pk: int) -> HttpResponse:
    """One pool: its nodes, what is put on them, what is used."""
    row = get_object_or_404(_pools(request), pk=pk)
    context = {
        "pool": row,
        "figures": figures([row])[row.pk],
        "labels": [label_text(POOL_LABEL, row.name)]
        + [label_text(key, value) for key, value in row.labels.items()],
        "taints": [taint_text(taint) for taint in row.taints],
        "problems": row.problem.splitlines(),
        "pending": sorted(set(row.nodes) ^ set(row.put)),
    }
    return render(request, "pools/detail.html", context)


@requires(GET="pools.change", POST="pools.change")
def pool_add(request: HttpRequest) -> HttpResponse:
    """A new pool: first the cluster, then its nodes and what they get."""
    clusters = visible_clusters(request.user).order_by("name")
    number = request.POST.get("cluster") or request.GET.get("cluster", "")
    cluster = clusters.filter(pk=number).first() if _is_number(number) else None
    if cluster is None:
        offered = [one for one in clusters[:500] if may(request.user, "pools.change", one)]
        return render(request, "pools/choose.html", {"clusters": offered})
    return _edit(request, cluster, None)


@requires(GET="pools.change", POST="pools.change")
def pool_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Other nodes, labels, taints or namespaces."""
    row = get_object_or_404(_pools(request), pk=pk)
    return _edit(request, row.cluster, row)


def _edit(request: HttpRequest, cluster: Cluster, row: ResourcePool | None) -> HttpResponse:
    may_here_or_403(request.user, "pools.change", cluster)
    form = PoolForm(request.POST or None, cluster=cluster, pool=row)
    if form.is_valid() and (saved := actions.save(form, request)):
        messages.success(
            request,
            _("The pool “%(name)s” was saved. Its nodes follow within a moment.")
            % {"name": saved.name},
        )
        return redirect("pools:pool", pk=saved.pk)
    context = {"form": form, "cluster": cluster, "pool": row, "choices": _choices(form)}
    return render(request, "pools/edit.html", context)


def _choices(form: PoolForm) -> list[NodeChoice]:
    """Every node of the cluster, and those of the pool that it has no more."""
    chosen, taken = set(form.chosen), form.taken()
    there = Node.objects.filter(cluster=form.cluster).values_list("name", flat=True)
    names = sorted({*there, *(form.pool.nodes if form.pool else ())})
    amounts, rows = node_amounts((form.cluster.pk, name) for name in names)
    return [
        NodeChoice(
            name, rows.get((form.cluster.pk, name)), amounts[form.cluster.pk, name],
            name in chosen, taken.get(name, ""),
        )
        for name in names
    ]  # fmt: skip


@requires(GET="pools.change", POST="pools.change")
def pool_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a pool, naming what its nodes lose."""
    row = get_object_or_404(_pools(request), pk=pk)
    may_here_or_403(request.user, "pools.change", row.cluster)
    form = ConfirmNameForm(request.POST or None, expected=row.name)
    if form.is_valid():
        try:
            actions.remove(row, request)
        except actions.PoolRefusedError as error:
            messages.error(request, str(error))
            return redirect("pools:pool", pk=pk)
        messages.success(
            request,
            _("The pool “%(name)s” goes as soon as its nodes are as they were.")
            % {"name": row.name},
        )
        return redirect("pools:list")
    nodes = sorted({*row.nodes, *row.put})
    context = {
        "form": form,
        "pool": row,
        "refused": actions.why_not_removed(row),
        "object_name": row.name,
        "losses": _losses(row, nodes),
        "keeps": [_("the nodes themselves, their pods, and what others have put on them")],
    }
    return render(request, "pools/delete.html", context)


def _losses(row: ResourcePool, nodes: list[str]) -> list[str]:
    if not nodes:
        return [_("the pool itself; it has no nodes")]
    listed = ", ".join(nodes[:10]) + (" …" if len(nodes) > 10 else "")
    keys = [POOL_LABEL, *row.labels, *(taint_text(taint) for taint in row.taints)]
    of = ngettext(
        "labels and taints of the node %(nodes)s:",
        "labels and taints of %(count)d nodes (%(nodes)s):",
        len(nodes),
    ) % {"count": len(nodes), "nodes": listed}  # fmt: skip
    return [f"{of} {', '.join(keys)}"]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
