"""Whatever changes something writes an audit event, in the same transaction.

events_table.txt has a line for each changing method of an address, each that gives a file, each
websocket, each management command and each round of the watcher: how it is proved, and the
actions of which it writes one, or why it writes none. Something new without its line fails here
by its name. Other ways to look (GET) may have a line, too, to hold them to their event.

    called  it is called as an admin with tests/samples.py's row and the body of bodies.py: it
            succeeds, there is an event with the actor and the request's id, and where the event
            cannot be written nothing is changed
    code    its code reaches record() with each of these actions (reaching.py); if it happens to
            succeed when it is called, the event must be there too
    -       it writes none, for the reason given
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import find_commands
from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from console.accounts.models import User
from console.accounts.sessions import CONFIRMED
from console.audit.catalogue import ACTIONS
from console.audit.models import AuditEvent
from console.notices import rounds
from provisioning import snapshots
from tests.conftest import signed_in, with_token
from tests.routes import Route, _of, _patterns, readable, routes
from tests.samples import Samples
from tests.unit.audit.bodies import body_of, prepare
from tests.unit.audit.reaching import ROOMS, _plain, actions_reached, downloads

TABLE = Path(__file__).with_name("events_table.txt")
# Sessions, and what the watcher is asked to read because somebody looks.
UNTOLD = ("django_session", "sqlite_sequence", "clusters_offeredkinds")
# What must be taken back from a cluster is noted before the cluster is asked for it.
NOTED_BEFORE = {
    "POST /kubeconfigs/new/<int:pk>/": {"tenancy_givenkubeconfig"},
    "POST /api/v1/kubeconfigs/": {"tenancy_givenkubeconfig"},
}


@dataclass(frozen=True)
class Line:
    """How one way to change something is proved, and by which actions (or why by none)."""

    how: str
    way: str
    rest: str

    @property
    def actions(self) -> set[str]:
        return set(self.rest.split())


def _lines() -> Iterator[Line]:
    for text in TABLE.read_text(encoding="utf-8").splitlines():
        how, method, address, rest = text.split(maxsplit=3)
        yield Line(how, f"{method} {address}", rest)


LINES = {line.way: line for line in _lines()}


def starts() -> dict[str, tuple[Any, type | None]]:
    """The code of each way that must have a line, by its name in the table."""
    from console.asgi import websocket_urlpatterns

    found: dict[str, tuple[Any, type | None]] = {}
    for path, pattern in _patterns(get_resolver(), ""):
        view: Any = pattern.callback
        cls = getattr(view, "cls", None) or getattr(view, "view_class", None)
        ways = list(_of(path, pattern))
        # A page that also takes a form gives its files in answer to that.
        with_form = cls is None and len(ways) > 1
        for route in ways:
            name = route.method.lower()
            name = (getattr(view, "actions", None) or {}).get(name, name)
            code = _plain(inspect.getattr_static(cls, name)) if cls else inspect.unwrap(view)
            gives = route.method != "GET" or (not with_form and downloads(code, cls))
            if gives or str(route) in LINES:
                found.setdefault(str(route), (code, cls))
    for look in rounds.Rounds()._looks:
        found[f"ROUND {look.call.__module__}.{look.call.__qualname__}"] = (look.call, None)
    for pattern in websocket_urlpatterns:
        consumer = pattern.callback.consumer_class
        found[f"WS /{readable(str(pattern.pattern))}"] = (consumer, None)
    for app in apps.get_app_configs():
        if app.name.split(".")[0] in ROOMS:
            for name in find_commands(str(Path(app.path) / "management")):
                module = import_module(f"{app.name}.management.commands.{name}")
                found[f"COMMAND {name}"] = (module.Command, None)
    return found


STARTS = starts()


def _named(way: str) -> str:
    """The way with the view, consumer or function that it is, as module and name."""
    code, cls = STARTS[way]
    return f"{way} ({code.__module__}.{code.__qualname__}{f' of {cls.__name__}' if cls else ''})"


def test_everything_that_changes_something_has_its_line() -> None:
    missing = sorted(set(STARTS) - set(LINES))
    left = sorted(set(LINES) - set(STARTS))
    assert not missing and not left, (
        "tests/unit/audit/events_table.txt differs from the code.\n"
        + "".join(
            f"  changes or gives something and says no event: {_named(way)}\n" for way in missing
        )
        + "".join(f"  is in the table only: {way}\n" for way in left)
        + "Have it call record() (console/audit/record.py) in the transaction of its change, with"
        " an action of console/audit/catalogue.py, and add its line to the table, as the first"
        " lines of tests/unit/audit/test_every_change.py say."
    )


def test_the_lines_name_actions_of_the_catalogue() -> None:
    for line in LINES.values():
        assert line.how in ("called", "code", "-"), line
        if line.how == "-":
            assert len(line.rest) > 15, f"{line.way}: say why it writes no event"
        else:
            assert line.actions and line.actions <= set(ACTIONS), line


@pytest.mark.parametrize("way", [w for w, line in LINES.items() if line.how == "code"])
def test_its_code_reaches_the_record(way: str) -> None:
    reached = actions_reached(*STARTS[way])
    missing = LINES[way].actions - reached
    assert not missing, f"{way} does not come to record {missing}, only {reached or 'nothing'}"


@pytest.fixture
def samples(admin: User, settings, tmp_path: Path) -> Samples:
    settings.RELEASES_DIR = tmp_path / "releases"
    found = Samples()
    snapshots.schedule_of(found.cluster)  # looking at it makes the one that is usual
    return found


def call(route: Route, client: Client | APIClient, address: str, body: Any) -> Any:
    more = {"format": "json"} if route.is_api else {}
    send = getattr(client, route.method.lower())
    return send(address, body, **more)


def succeeded(route: Route, response: HttpResponse) -> bool:
    """Pages lead on or give a file when they did it; one that is shown again has errors."""
    if route.is_api:
        return 200 <= response.status_code < 300
    elsewhere = ("/sign-in/", "/settings/confirm-password/")
    if response.status_code == 200:
        return "attachment" in response.headers.get("Content-Disposition", "")
    return response.status_code in (302, 303) and not response["Location"].startswith(elsewhere)


def rows() -> dict[str, list[Any]]:
    """Every row of the database, without what each request notes of itself."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table in UNTOLD:
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            kept = [n for n, column in enumerate(cursor.description) if column[0] != "last_used"]
            found[table] = sorted(repr([row[n] for n in kept]) for row in cursor.fetchall())
    return found


def no_event(execute, sql: str, params: Any, many: bool, context: Any) -> Any:
    if sql.startswith("INSERT") and AuditEvent._meta.db_table in sql:
        raise DatabaseError("the record is full")
    return execute(sql, params, many, context)


@pytest.mark.django_db
@pytest.mark.parametrize("route", [r for r in routes() if str(r) in LINES], ids=str)
def test_what_succeeds_has_its_event(route: Route, admin: User, samples: Samples) -> None:
    line = LINES[str(route)]
    client = with_token(admin) if route.is_api else signed_in(admin)
    if str(route) == "POST /sign-in/":
        client = Client()
    elif not route.is_api:
        session = client.session
        session[CONFIRMED] = int(time.time())
        session.save()
    client.raise_request_exception = False
    address = route.address(samples.arguments(route, admin))
    if line.how == "-":
        return
    body = body_of(str(route), samples, admin)
    prepare(str(route), samples, admin)
    before = rows()
    with transaction.atomic(), connection.execute_wrapper(no_event):
        call(route, client, address, body)
        transaction.set_rollback(False)  # what was not undone is to be seen
        left = {name for name, found in rows().items() if found != before[name]}
        transaction.set_rollback(True)
    left -= NOTED_BEFORE.get(str(route), set())
    assert not left, f"{route} changed {left} though its event could not be written"

    newest = max(AuditEvent.objects.values_list("pk", flat=True), default=0)
    response = call(route, client, address, body)
    if line.how == "code" and not succeeded(route, response):
        return
    events = AuditEvent.objects.filter(pk__gt=newest, action__in=line.actions)
    known = [(e.actor, e.request_id) for e in events]
    if line.how == "code" and not known and rows() == before:
        return  # there was nothing to change
    assert (admin, response["X-Request-ID"]) in known, (
        f"{route} has no event {line.rest}: {response.status_code} {response.content[:2000]!r}"
    )
