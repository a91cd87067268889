"""What a balancer asks."""

from __future__ import annotations

import pytest
from django.db import DatabaseError
from django.test import Client


@pytest.mark.django_db
def test_it_answers_without_a_session(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert not response.cookies


def test_it_says_when_the_database_is_away(client: Client, monkeypatch) -> None:
    def away(*_args: object) -> None:
        raise DatabaseError("canary detail")

    monkeypatch.setattr("console.health.connection.cursor", away, raising=False)
    response = client.get("/healthz")
    assert response.status_code == 503
    assert b"canary" not in response.content
