"""The watcher's hand in imports: it looks at clusters before anything of them is saved.

Requests never wait for a cluster: a page writes a row, any watcher takes it by
compare-and-swap, and the page asks for the row until it has moved on.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connections, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from clusters import console_account, importing, system_cluster
from clusters.given import Entry
from clusters.import_check import check, credentials, failed, identity
from clusters.kube import Connection, KubeError, connect
from clusters.models import Cluster, ClusterImport, ClusterStatus, ImportState
from clusters.models_imports import WORK, WORKED_ON

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
HELD = timedelta(seconds=60)  # longer than a check of one context and an exchange take
AT_A_TIME = 4
ROUNDS_BETWEEN_LOOKS = 10


class Imports(threading.Thread):
    """Works on imports until stop(); one for each watcher process."""

    def __init__(self, pause: float = PAUSE_SECONDS) -> None:
        super().__init__(name="imports", daemon=True)
        self._pause = pause
        self._ended = threading.Event()

    def stop(self) -> None:
        """End after what is under way."""
        self._ended.set()

    def run(self) -> None:
        """Round after round."""
        number = 0
        while not self._ended.is_set():
            try:
                work()
                if number % ROUNDS_BETWEEN_LOOKS == 0:
                    system_cluster.find()
                    identify()
            except DatabaseError as error:
                logger.warning("imports: database: %s", error)
            except Exception:
                # Else every import would wait for ever, and nobody would know why.
                logger.exception("imports")
            finally:
                connections.close_all()
            number += 1
            self._ended.wait(self._pause)


def work() -> int:
    """Do everything that waits; return how many imports were worked on."""
    importing.discard_old()
    done = 0
    while (row := _claimed()) is not None:
        state = row.state
        try:
            if state == ImportState.CHECKING:
                _check(row)
            else:
                _exchange(row)
        except DatabaseError:
            raise
        except Exception:
            # A mistake of the console: the person is told, and others are still served.
            logger.exception("import %s", row.pk)
            _mine(row, state).update(
                state=ImportState.CHECKED,
                results=[r | {"waiting": False} for r in row.results]
                or [failed() for _ in row.chosen],
                problem="The console made a mistake. Its log says which; try again.",
                held_until=None,
            )
        done += 1
    return done


def identify() -> None:
    """Note the UID of clusters that came into the console without one.

    Only so can the same cluster be known when somebody imports it again.
    """
    unknown = Cluster.objects.filter(
        uid="", status__in=(ClusterStatus.ACTIVE, ClusterStatus.DEGRADED)
    )
    for cluster in unknown.exclude(seen=None)[:AT_A_TIME]:
        try:
            uid = identity(connect(cluster))
        except KubeError as error:
            logger.info("cluster %s: %s", cluster.pk, error.cause)
            continue
        Cluster.objects.filter(pk=cluster.pk, uid="").update(uid=uid)


def _claimed() -> ClusterImport | None:
    """An import that this process may work on now, taken by compare-and-swap.

    One whose watcher went silent is taken again: a check changes nothing, and
    what an exchange applies is the same each time.
    """
    now = timezone.now()
    lost = Q(state__in=WORK.values(), held_until__lte=now)
    waiting = ClusterImport.objects.filter(Q(state__in=WORK) | lost, expires__gt=now - WORKED_ON)
    for row in waiting.order_by("pk"):
        state = WORK.get(ImportState(row.state), ImportState(row.state))
        mine = ClusterImport.objects.filter(pk=row.pk, state=row.state, held_until=row.held_until)
        if mine.update(state=state, held_until=now + HELD):
            row.state, row.held_until = state, now + HELD
            return row
    return None


def _check(row: ClusterImport) -> None:
    """All chosen contexts side by side; each result is there as soon as it is known."""
    entries = [row.entry(chosen["number"]) for chosen in row.chosen]
    results: list[dict[str, Any]] = [failed() | {"waiting": True} for _chosen in row.chosen]
    _mine(row, ImportState.CHECKING).update(results=results)

    def one(number: int, entry: Entry | None) -> None:
        try:
            if entry is not None:
                results[number] = check(entry, row.cluster)
            with _lock:
                until = timezone.now() + HELD
                if _mine(row, ImportState.CHECKING).update(results=list(results), held_until=until):
                    row.held_until = until
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for future in [pool.submit(one, *pair) for pair in enumerate(entries)]:
            future.result()
    _same_twice(results)
    _mine(row, ImportState.CHECKING).update(
        state=ImportState.CHECKED, results=results, held_until=None
    )


_lock = threading.Lock()


def _mine(row: ClusterImport, state: str) -> QuerySet[ClusterImport]:
    """The row while it is this watcher's: not once another has taken it, or it was thrown away.

    Else a late result could stand for what was chosen since.
    """
    return ClusterImport.objects.filter(pk=row.pk, state=state, held_until=row.held_until)


def _same_twice(results: list[dict[str, Any]]) -> None:
    """Two contexts of one file may lead to the same cluster: the first one counts."""
    seen: set[str] = set()
    for result in results:
        if result["ok"] and result["uid"] in seen:
            result["ok"] = False
            result["problem"] = "Another chosen context leads to the same cluster."
            result["mend"] = "Choose one of them."
        elif result["ok"]:
            seen.add(result["uid"])


def _exchange(row: ClusterImport) -> None:
    """Make the console's own account with what was given, and keep that instead."""
    made: list[tuple[str, Entry, dict[str, Any]]] = []
    try:
        for chosen, result in zip(row.chosen, row.results, strict=True):
            entry = row.entry(chosen["number"])
            if result["ok"] and entry is not None:
                _hold(row)
                made.append((chosen["name"], _own(entry, result["uid"]), result))
        with transaction.atomic():
            if not ClusterImport.objects.filter(
                pk=row.pk, state=ImportState.EXCHANGING, held_until=row.held_until
            ).exists():
                return
            saved = [
                importing.keep(row, name, entry, result, exchanged=True)
                for name, entry, result in made
            ]
            importing.finish(row, saved)
    except (KubeError, importing.Rejected) as error:
        # Back to the choice, with what was given still there: it can be tried again or kept.
        held = ClusterImport.objects.filter(
            pk=row.pk, state=ImportState.EXCHANGING, held_until=row.held_until
        )
        if held.update(state=ImportState.CHECKED, problem=str(error), held_until=None):
            importing.note_failure(row, str(error))


def _hold(row: ClusterImport) -> None:
    """Hold the row for another while. Raises Rejected when somebody else took it."""
    until = timezone.now() + HELD
    held = ClusterImport.objects.filter(
        pk=row.pk, state=ImportState.EXCHANGING, held_until=row.held_until
    )
    if not held.update(held_until=until):
        raise importing.Rejected("Another watcher took this import over.")
    row.held_until = until


def _own(entry: Entry, uid: str) -> Entry:
    """The entry of the console's own account, tried out. Raises KubeError."""
    connection = Connection(credentials(entry))
    try:
        token = console_account.make(connection)
    finally:
        connection.close()
    # The token of a Secret has no end of its own.
    own = replace(entry, certificate="", key="", token=token, expires=None)
    connection = Connection(credentials(own))
    try:
        if identity(connection) != uid:
            raise KubeError(
                f"{entry.server} answers as another cluster than before.", "Check again."
            )
    finally:
        connection.close()
    return own
