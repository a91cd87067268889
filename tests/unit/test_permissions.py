"""Every address: who may, who may not, and what they are told.

permissions_table.txt is what a reviewer reads: one line for each method and
address with its permission. A new address without its line fails here. To write
the lines that are missing run

    FLOTILLA_WRITE_PERMISSIONS=1 python -m pytest tests/unit/test_permissions.py

and read the difference before it is committed. "ns" behind a permission: also those are let in
who hold it only in the namespaces of their tenants, and no further than there
(tests/unit/tenancy/test_fleet_places.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from rest_framework.test import APIClient

from console.accounts.models import User
from console.accounts.permissions import ALL_PERMISSIONS, PUBLIC, allowed, may_see
from tests.conftest import signed_in, with_token
from tests.routes import Route, routes, sockets, sockets_in_namespaces
from tests.samples import GONE, Samples

TABLE = Path(__file__).with_name("permissions_table.txt")
WIDTH = 22


def table_lines() -> list[str]:
    """The table as the code has it now."""
    pages = [
        f"{_named(route.permission, route.in_namespaces):{WIDTH}}{route}" for route in routes()
    ]
    opted_in = sockets_in_namespaces()
    live = [
        f"{_named(permission, path in opted_in):{WIDTH}}WS /{path}"
        for path, permission in sockets().items()
    ]
    return sorted({*pages, *live}, key=lambda line: (line[WIDTH:].split()[1], line))


def _named(permission: str | None, in_namespaces: bool) -> str:
    return f"{permission or 'NOTHING'}{' ns' if in_namespaces else ''}"


def test_the_table_is_what_the_code_declares() -> None:
    lines = table_lines()
    if os.environ.get("FLOTILLA_WRITE_PERMISSIONS"):
        TABLE.write_text("\n".join(lines) + "\n")
    reviewed = TABLE.read_text().splitlines()
    missing = [line for line in lines if line not in reviewed]
    left = [line for line in reviewed if line not in lines]
    assert not missing and not left, (
        "The permissions differ from tests/unit/permissions_table.txt.\n"
        + "".join(f"  declared, not reviewed: {line}\n" for line in missing)
        + "".join(f"  reviewed, not declared: {line}\n" for line in left)
        + "Is each of them meant? Then write the table anew (see this file's first lines)."
    )


def test_everything_declares_a_permission() -> None:
    undeclared = [str(route) for route in routes() if route.permission not in ALL_PERMISSIONS]
    undeclared += [f"WS /{path}" for path, name in sockets().items() if name not in ALL_PERMISSIONS]
    assert not undeclared, (
        f"No permission is declared for: {', '.join(undeclared)}. Pages: @requires(...) of "
        "console.accounts.permissions. API: permissions = {action: permission}, with Declared "
        "among the permission classes. Websockets: permission = ..."
    )


def test_what_is_public_is_a_short_list() -> None:
    public = {str(route) for route in routes() if route.permission == PUBLIC}
    assert public <= {
        "GET /healthz",
        "GET /sign-in/",
        "POST /sign-in/",
        "POST /sign-out/",
        "POST /settings/theme/",
        "POST /settings/language/",
        *(f"{m} /api/v1/<path:rest>" for m in ("GET", "POST", "PUT", "PATCH", "DELETE")),
    }


ROLES = ("anonymous", "nobody", "operator", "auditor", "admin")


@pytest.fixture
def cast(admin: User, operator: User, auditor: User, nobody: User) -> dict[str, User | None]:
    people = {"admin": admin, "operator": operator, "auditor": auditor, "nobody": nobody}
    return {"anonymous": None, **people}


def ask(route: Route, user: User | None, address: str):
    client: Client | APIClient
    if route.is_api:
        client = with_token(user) if user else APIClient()
    else:
        client = signed_in(user) if user else Client()
    client.raise_request_exception = False
    response = getattr(client, route.method.lower())(address)
    if response.streaming:
        list(response)  # read to its end, as a browser does; that also closes it
    return response


def verdict(route: Route, user: User | None) -> str:
    """What the answer must be, from the table alone."""
    permission = route.permission or ""
    if permission == PUBLIC:
        return "open"
    if user is None:
        return "sign in"
    if allowed(user, permission):
        return "open"
    return "forbidden" if may_see(user, permission) else "absent"


def check(route: Route, role: str, user: User | None, address: str, *, exists: bool) -> str:
    """What is wrong with the answer, or the empty text."""
    response = ask(route, user, address)
    code, wanted = response.status_code, verdict(route, user)
    to_sign_in = code == 302 and response["Location"].startswith("/sign-in/")
    right = {
        "sign in": code == 401 if route.is_api else to_sign_in,
        "forbidden": code == 403,
        "absent": code == 404,
        "open": code < 500
        and (code not in (401, 403) or (code == 401 and route.permission == PUBLIC))
        and (not to_sign_in or route.permission == PUBLIC)
        and (code == 404) <= (not exists or "<path:rest>" in route.path),
    }[wanted]
    if wanted == "open" and right and not exists and route.permission != PUBLIC:
        # An API body that is no good may be refused before the row is looked for.
        right = code in (404, 405) or (code == 400 and route.is_api)
        wanted = "open, and 404 for what is not there"
    where = address if exists else f"{address} (deleted)"
    return "" if right else f"{role}: {route.method} {where} must be {wanted}, was {code}"


@pytest.mark.django_db
@pytest.mark.parametrize("route", routes(), ids=str)
def test_each_role_gets_what_the_table_says(
    route: Route, cast: dict[str, User | None], samples: Samples
) -> None:
    wrong = []
    for role in ROLES:
        for exists in (True, False) if route.arguments else (True,):
            user = cast[role]
            values = samples.arguments(route, user) if exists else GONE
            with transaction.atomic():
                wrong.append(check(route, role, user, route.address(values), exists=exists))
                transaction.set_rollback(True)
    assert not any(wrong), "\n".join(line for line in wrong if line)


@pytest.fixture
def samples(cast: dict[str, User | None], settings, tmp_path: Path) -> Samples:
    settings.RELEASES_DIR = tmp_path / "releases"
    return Samples()


@pytest.mark.django_db
@pytest.mark.parametrize("route", [r for r in routes() if "tokens/<" in r.path], ids=str)
def test_what_belongs_to_somebody_else_is_absent(
    route: Route, cast: dict[str, User | None], samples: Samples
) -> None:
    foreign = samples.token_of(cast["auditor"])
    for role in ("nobody", "operator"):
        response = ask(route, cast[role], route.address({"pk": foreign.pk}))
        assert response.status_code == 404
