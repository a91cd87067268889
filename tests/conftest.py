"""The cast of every test: admin, operator, auditor, nobody, and their clients."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, settings
from rest_framework.test import APIClient

from console.accounts.models import ApiToken, Role, User
from console.audit import triggers
from tests.factories import UserFactory

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# How fast an example is says something of the machine, not of the code.
settings.register_profile("flotilla", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flotilla")


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> set[str]:
    """The database of the tests, and the names of the audit record's triggers in it.

    They are taken away, for tests that need real transactions empty every table when they end.
    """
    with django_db_blocker.unblock():
        found = triggers.present(connection)
        with connection.schema_editor() as editor:
            triggers.remove(editor)
    return found


@pytest.fixture
def admin(db: None) -> User:
    return UserFactory(username="ada", role=Role.ADMIN)


@pytest.fixture
def operator(db: None) -> User:
    return UserFactory(username="otto", role=Role.OPERATOR)


@pytest.fixture
def auditor(db: None) -> User:
    return UserFactory(username="audrey", role=Role.AUDITOR)


@pytest.fixture
def nobody(db: None) -> User:
    """Signed in, without a platform role."""
    return UserFactory(username="nemo", role=Role.NONE)


def signed_in(user: User, **options: object) -> Client:
    """A browser in which the user has just signed in."""
    client = Client(**options)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def with_token(user: User) -> APIClient:
    """A script with a token of the user."""
    _token, plain = ApiToken.issue(user, "tests")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {plain}")
    return client


@pytest.fixture
def sign_in() -> Callable[..., Client]:
    return signed_in


@pytest.fixture
def anonymous_client(db: None) -> Client:
    return Client()


@pytest.fixture
def admin_client(admin: User) -> Client:
    return signed_in(admin)


@pytest.fixture
def operator_client(operator: User) -> Client:
    return signed_in(operator)


@pytest.fixture
def auditor_client(auditor: User) -> Client:
    return signed_in(auditor)


@pytest.fixture
def nobody_client(nobody: User) -> Client:
    return signed_in(nobody)


@pytest.fixture
def admin_api(admin: User) -> APIClient:
    return with_token(admin)


@pytest.fixture
def operator_api(operator: User) -> APIClient:
    return with_token(operator)


@pytest.fixture
def auditor_api(auditor: User) -> APIClient:
    return with_token(auditor)


@pytest.fixture
def nobody_api(nobody: User) -> APIClient:
    return with_token(nobody)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests of a run: Playwright cannot be started twice in a process."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
