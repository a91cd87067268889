"""The cast of every test: admin, operator, auditor, nobody, and their clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient

from console.accounts.models import ApiToken, Role, User
from tests.factories import UserFactory


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


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
