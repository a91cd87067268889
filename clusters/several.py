"""One action on several objects of a cluster, with a result for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _

from clusters import guarded
from clusters.kube import KubeError
from clusters.kube.acting import Acting
from clusters.kube.workloads_api import Effect, delete, restart, scale
from clusters.models import Cluster, Object
from clusters.object_actions import NODES, SCALED, SIMPLE
from clusters.operate import (
    NotPossible,
    connection,
    path_of,
    refuse_by_role,
    tell,
    title_of,
    user_of,
)
from clusters.rights import visible_objects
from console.accounts.models import User

MOST = 100
AT_ONCE = 4  # calls at the same time: as many connections as the pool keeps
ACTIONS = ("restart", "scale", "delete")
AUDITS = {"restart": "object.restarted", "scale": "object.scaled", "delete": "object.deleted"}


@dataclass(frozen=True)
class Result:
    """One object's result; error is None when it went well. row is None for one that is gone."""

    name: str
    row: Object | None
    error: KubeError | None = None


def named(request: HttpRequest) -> list[str]:
    """The keys that a list's form sends as `objects` (or `object`), each once."""
    sent = [*request.POST.getlist("objects"), *request.POST.getlist("object")]
    return list(dict.fromkeys(sent))


def chosen(user: User, cluster: Cluster, words: Sequence[str]) -> list[tuple[str, Object | None]]:
    """The objects of keys <resource>/<namespace>/<name>, at most 100; "-" or nothing stands for
    no namespace.

    None stands for one that is not in the inventory (any more).
    """
    wanted = [(word[:400], _parts(word)) for word in words[:MOST]]
    # PostgreSQL takes no NUL in a text, and no name has one.
    names = {parts[2] for _word, parts in wanted if "\x00" not in parts[2]}
    rows = {
        (row.resource, row.namespace, row.name): row
        for row in visible_objects(user)
        .filter(cluster=cluster, name__in=names)
        .select_related("cluster")
    }
    return [(word, rows.get(parts)) for word, parts in wanted]


def _parts(word: str) -> tuple[str, str, str]:
    resource, _slash, rest = word.partition("/")
    namespace, _slash, name = rest.partition("/")
    return resource, "" if namespace == "-" else namespace, name[:254]


def run(
    cluster: Cluster,
    action: str,
    rows: Sequence[tuple[str, Object | None]],
    *,
    replicas: int | None,
    request: HttpRequest,
) -> list[Result]:
    """Do it to each object, within 10 s for all. Raises KubeError when nothing could be begun."""
    user = user_of(request)
    places = {row.namespace for _word, row in rows if row is not None}
    conn = connection(cluster, user, namespaces=places)
    refused = [_why_not(user, action, row) for _word, row in rows]

    def one(row: Object | None, refusal: KubeError | None) -> Effect | KubeError:
        if row is None or refusal is not None:
            return refusal or NotPossible(_("It is not in the inventory any more."))
        try:
            return _call(action, replicas)(conn, row)
        except KubeError as error:
            return error

    # Only calls to the cluster happen in these threads, none to the database.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(one, [row for _word, row in rows], refused))
    results = []
    for (word, row), result in zip(rows, found, strict=True):
        if row is not None:
            tell(
                cluster, AUDITS[action], title_of(row), result, user=user, request=request,
                namespace=guarded.namespace_of(row),
            )  # fmt: skip
        error = result if isinstance(result, KubeError) else None
        results.append(Result(title_of(row) if row else word, row, error))
    return results


def _why_not(user: User, action: str, row: Object | None) -> KubeError | None:
    try:
        if row is not None:
            _refuse(user, action, row)
    except KubeError as error:
        return error
    return None


def _refuse(user: User, action: str, row: Object) -> None:
    """Raises NotPossible."""
    verb, resource = "patch", row.resource
    if action == "delete":
        verb = "delete"
        fits = row.resource != NODES
    elif action == "scale":
        plural, dot, group = row.resource.partition(".")
        resource = f"{plural}/scale{dot}{group}"
        fits = row.resource in SCALED
    else:
        fits = SIMPLE["restart"].fits(row)
    if not fits:
        raise NotPossible(
            _("This is not possible for the %(kind)s as it is now.") % {"kind": row.kind}
        )
    refuse_by_role(user, verb, row, resource)


def _call(action: str, replicas: int | None) -> Callable[[Acting, Object], Effect]:
    if action == "delete":
        return lambda conn, row: delete(conn, path_of(row), row.uid, "Background")
    if action == "scale":
        return lambda conn, row: scale(conn, path_of(row), replicas or 0)
    return lambda conn, row: restart(conn, path_of(row))
