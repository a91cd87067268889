"""What every API route shares: problems, unknown addresses, the description."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework import exceptions
from rest_framework.test import APIClient

from console.ui.api import problem_details

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_an_unknown_address_is_a_problem(admin_api: APIClient, method: str) -> None:
    response = getattr(admin_api, method)("/api/v1/nothing-of-this-name/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["type"], body["title"], body["status"]) == ("about:blank", "Not Found", 404)


def test_errors_come_by_field() -> None:
    errors = {"name": ["Use lower-case letters."], "hosts": {"0": ["Unknown."]}}
    response = problem_details(exceptions.ValidationError(errors), {})
    assert response.status_code == 400
    assert response.data["errors"] == errors
    alone = problem_details(exceptions.ValidationError("No."), {})
    assert alone.data["errors"] == {"non_field_errors": ["No."]}


def test_the_description_is_for_those_who_are_signed_in(
    client: Client, nobody_api: APIClient
) -> None:
    assert client.get("/api/v1/schema/").status_code == 401
    response = nobody_api.get("/api/v1/schema/")
    assert response.status_code == 200
    assert b"/api/v1/audit-events/" in response.content


def test_a_method_that_is_not_there_is_a_problem(admin_api: APIClient) -> None:
    response = admin_api.post("/api/v1/audit-events/", data=b"{", content_type="application/json")
    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
