"""What an import does to the database: offered, chosen, saved; credentials replaced.

Nothing here talks to a cluster: the watcher checks (clusters.inventory.imports), and a
cluster is saved only after its check was good.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.given import Entry
from clusters.kube.credentials import CA, CERTIFICATE, KEY, NAMES, TOKEN
from clusters.kube.kubeconfig_parser import Context
from clusters.models import (
    Cluster,
    ClusterImport,
    ClusterSecret,
    ClusterStatus,
    ImportState,
    Origin,
)
from clusters.models import dns_label as valid_name
from clusters.models_imports import MOVING, WORKED_ON
from console.accounts.models import User
from console.audit.record import record

MOST_AT_ONCE = 20
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class Rejected(Exception):
    """The import cannot go on like this; the text is for the person who wants it."""


def begin(
    contexts: list[Context], user: User, replacing: Cluster | None = None, request: Any = None
) -> ClusterImport:
    """Keep what was given, encrypted, until somebody chooses or an hour has passed.

    Imports that have ended or are forgotten are thrown away at the same time. That credentials
    came to the console is recorded: they are there even if nobody chooses.
    """
    discard_old()
    row = ClusterImport(created_by=user, cluster=replacing)
    row.give([context.entry for context in contexts])
    taken = set(Cluster.objects.values_list("name", flat=True))
    for context in contexts:
        name = suggested(context.name, taken)
        taken.add(name)
        row.offered.append(_offered(context, name))
    with transaction.atomic():
        row.save()
        record(
            "cluster.import_begun", replacing, request=request, actor=user,
            object_name=", ".join(item["name"] for item in row.offered),
            after={"servers": [one.entry.server for one in contexts if one.entry]},
        )  # fmt: skip
    return row


def of_hand(entry: Entry, name: str) -> list[Context]:
    """What was given as server, CA and token, as if it were a kubeconfig of one context."""
    return [Context(name, entry, current=True)]


def choose(row: ClusterImport, names: dict[int, str]) -> None:
    """Take these of what is offered, {number: name}, and have them checked by the watcher.

    Raises Rejected for what is not there, and for names that are bad or taken.
    """
    if not names:
        raise Rejected(_("Choose at least one context."))
    if len(names) > MOST_AT_ONCE or (row.cluster is not None and len(names) > 1):
        most = 1 if row.cluster is not None else MOST_AT_ONCE
        raise Rejected(_("Choose at most %d.") % most)
    for number, name in names.items():
        problem = name_problem(name, row, [n for i, n in names.items() if i != number])
        if problem:
            raise Rejected(problem)
        if row.entry(number) is None:
            raise Rejected(_("This context cannot be imported."))
    chosen = [{"number": number, "name": name} for number, name in sorted(names.items())]
    moved = ClusterImport.objects.filter(
        pk=row.pk, state__in=(ImportState.CHOOSING, ImportState.CHECKED)
    ).update(state=ImportState.WAITING, chosen=chosen, results=[], problem="", held_until=None)
    if not moved:
        raise Rejected(_("This import is being worked on, or has ended."))


def name_problem(name: str, row: ClusterImport, others: list[str]) -> str:
    """What is wrong with a cluster's name, empty when nothing is."""
    if row.cluster is not None:
        return ""  # it has one
    if not re.search(valid_name.regex, name):
        return str(valid_name.message)
    if name in others:
        return _("Two clusters cannot have the same name.")
    if Cluster.objects.filter(name=name).exists():
        return _("There is a cluster of this name already.")
    return ""


def save(row: ClusterImport, request: Any) -> list[Cluster]:
    """Save what was checked and good, with the credentials that were given.

    Returns the clusters. Raises Rejected when nothing is there to be saved, or
    when a name or a cluster came into the console meanwhile.
    """
    with transaction.atomic():
        row = _locked(row.pk, ImportState.CHECKED)
        made = []
        for chosen, result in zip(row.chosen, row.results, strict=True):
            entry = row.entry(chosen["number"])
            if result["ok"] and entry is not None:
                made.append(keep(row, chosen["name"], entry, result, request=request))
        finish(row, made)
    return made


def keep(
    row: ClusterImport,
    name: str,
    entry: Entry,
    result: dict[str, Any],
    *,
    request: Any = None,
    exchanged: bool = False,
) -> Cluster:
    """Write one cluster, or the new credentials of `row.cluster`, with its audit event.

    In the caller's transaction. exchanged: the entry is the console's own
    account, not what was given.
    """
    before = row.cluster
    twins = Cluster.objects.filter(uid=result["uid"])
    if before is not None:
        twins = twins.exclude(pk=before.pk)
    if twin := twins.first():
        raise Rejected(_("This cluster is in the console already: %(name)s.") % {"name": twin.name})
    values = {
        "endpoint": entry.server,
        "version": result["version"],
        "uid": result["uid"],
        "credentials_expire": entry.expires,
    }
    if before is None:
        cluster = Cluster(name=name, origin=Origin.IMPORTED, status=ClusterStatus.ACTIVE, **values)
    else:
        cluster = Cluster.objects.select_for_update().get(pk=before.pk)
        for field, value in values.items():
            setattr(cluster, field, value)
    cluster.options = {**cluster.options, "account": exchanged, "rights": result["rights"]}
    try:
        with transaction.atomic():
            cluster.save()
    except IntegrityError:
        raise Rejected(
            _("There is a cluster named %(name)s already: choose another name.") % {"name": name}
        ) from None
    put_secrets(cluster, entry)
    record(
        "cluster.credentials_replaced" if before else "cluster.imported",
        cluster,
        request=request,
        actor=None if request is not None else row.created_by,
        after={"endpoint": entry.server, "version": result["version"], "own_account": exchanged,
               "signs_in_with": entry.signs_in, "ends": entry.expires},
    )  # fmt: skip
    return cluster


def note_failure(row: ClusterImport, reason: str, request: Any = None) -> None:
    """The audit event of an import or a replacement that was wanted and did not come about."""
    names = ", ".join(item["name"] for item in row.chosen)
    record(
        "cluster.credentials_replaced" if row.cluster else "cluster.imported",
        row.cluster,
        request=request,
        actor=None if request is not None else row.created_by,
        object_name=names,
        outcome="failure",
        reason=reason,
    )


def put_secrets(cluster: Cluster, entry: Entry) -> None:
    """Keep the entry's CA, certificate, key and token, and nothing of what was there before."""
    given = {CA: entry.ca, CERTIFICATE: entry.certificate, KEY: entry.key, TOKEN: entry.token}
    ClusterSecret.objects.filter(cluster=cluster, name__in=NAMES).delete()
    for name, value in given.items():
        if value:
            ClusterSecret.objects.create(cluster=cluster, name=name, value=value)


def finish(row: ClusterImport, made: list[Cluster]) -> None:
    """The import has done its work: what was given is thrown away. Raises Rejected for none."""
    if not made:
        raise Rejected(_("None of the checks was good: nothing was imported."))
    row.state, row.given, row.held_until = ImportState.SAVED, "", None
    row.saved = [cluster.pk for cluster in made]
    row.save()


def want_exchange(row: ClusterImport) -> None:
    """Let the watcher make a service account in each cluster and save that. Raises Rejected."""
    if not any(result["ok"] for result in row.results):
        raise Rejected(_("None of the checks was good: nothing was imported."))
    moved = ClusterImport.objects.filter(pk=row.pk, state=ImportState.CHECKED).update(
        state=ImportState.EXCHANGE, problem="", held_until=None
    )
    if not moved:
        raise Rejected(_("This import is being worked on, or has ended."))


def discard_old() -> None:
    """Throw away imports whose time is over, with what was given.

    Not while a watcher works on one, nor while one waits for that a little longer: what an
    exchange makes in a cluster must come to its row.
    """
    now = timezone.now()
    in_use = Q(held_until__gt=now) | Q(state__in=MOVING, expires__gt=now - WORKED_ON)
    for row in ClusterImport.objects.filter(expires__lte=now).exclude(in_use):
        drop(row, "its time was over")


def drop(row: ClusterImport, reason: str, request: Any = None) -> None:
    """Throw an import away with what was given; recorded where nothing came of it."""
    with transaction.atomic():
        number, _models = ClusterImport.objects.filter(pk=row.pk).delete()
        if number and row.state != ImportState.SAVED:
            record(
                "cluster.import_dropped", row.cluster, request=request, reason=reason,
                object_name=", ".join(item["name"] for item in row.offered),
            )  # fmt: skip


def suggested(text: str, taken: set[str]) -> str:
    """A name for a cluster made of a context's name, which nobody has."""
    base = _NOT_IN_NAMES.sub("-", text.lower()).strip("-")[:55].strip("-") or "cluster"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def _locked(pk: int, state: ImportState) -> ClusterImport:
    row = (
        ClusterImport.objects.select_for_update()
        .filter(pk=pk, state=state, expires__gt=timezone.now())
        .first()
    )
    if row is None:
        raise Rejected(_("This import is being worked on, or has ended."))
    return row


def _offered(context: Context, name: str) -> dict[str, Any]:
    entry, refused = context.entry, context.refused
    return {
        "context": context.name,
        "name": name,
        "server": entry.server if entry else "",
        "own_ca": bool(entry and entry.ca),
        "signs_in": entry.signs_in if entry else "",
        "expires": entry.expires.isoformat() if entry and entry.expires else None,
        "field": refused.field if refused else "",
        "refused": refused.why if refused else "",
        "current": context.current,
    }
