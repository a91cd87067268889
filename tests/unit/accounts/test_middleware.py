"""Deny by default: what a page that declares nothing, or not enough, answers."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from console.accounts.permissions import requires
from console.audit.models import AuditEvent

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def undeclared(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("never")


@requires(GET="hosts.view", POST="hosts.change")
def hosts(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("hosts")


@requires("audit.view")
def audit(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("audit")


class UndeclaredApi(APIView):
    def get(self, _request: Request) -> Response:
        return Response("never")


class HostsApi(APIView):
    permissions = {"get": "hosts.view", "post": "hosts.change"}

    def get(self, _request: Request) -> Response:
        return Response([])

    def post(self, request: Request) -> Response:
        return Response(request.data)


class BrokenApi(APIView):
    permissions = {"get": "signed-in"}

    def get(self, _request: Request) -> Response:
        raise RuntimeError("canary-in-an-error")


urlpatterns = [
    path("undeclared/", undeclared),
    path("hosts-of-this-test/", hosts),
    path("audit-of-this-test/", audit),
    path("api/undeclared/", UndeclaredApi.as_view()),
    path("api/hosts/", HostsApi.as_view()),
    path("api/broken/", BrokenApi.as_view()),
    path("", include(settings.ROOT_URLCONF)),
]


def test_an_undeclared_page_is_refused_even_to_admins_and_loudly(
    admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="console.accounts.middleware"):
        assert admin_client.get("/undeclared/").status_code == 403
    assert "undeclared declares no permission" in caplog.text


def test_an_undeclared_api_route_is_refused_even_to_admins(admin_api: APIClient) -> None:
    assert admin_api.get("/api/undeclared/").status_code == 403


def test_what_one_may_not_see_is_not_there(nobody_client: Client, operator_client: Client) -> None:
    assert nobody_client.get("/hosts-of-this-test/").status_code == 404
    assert operator_client.get("/audit-of-this-test/").status_code == 404


def test_what_one_may_see_and_not_do_is_forbidden(auditor_client: Client) -> None:
    assert auditor_client.get("/hosts-of-this-test/").status_code == 200
    assert auditor_client.post("/hosts-of-this-test/").status_code == 403


def test_a_method_that_is_not_declared_is_not_allowed(admin_client: Client) -> None:
    response = admin_client.delete("/hosts-of-this-test/")
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, POST"
    assert admin_client.head("/hosts-of-this-test/").status_code == 200


def test_a_refused_change_is_an_event(auditor_client: Client, nobody_client: Client) -> None:
    auditor_client.post("/hosts-of-this-test/")
    nobody_client.post("/hosts-of-this-test/")
    auditor_client.get("/undeclared/")
    events = AuditEvent.objects.filter(action="request.denied").order_by("id")
    assert [(e.actor_name, e.object_name, e.outcome) for e in events] == [
        ("audrey", "POST /hosts-of-this-test/", "denied"),
        ("nemo", "POST /hosts-of-this-test/", "denied"),
    ]


def test_strangers_cannot_fill_the_audit_record(client: Client, db: None) -> None:
    client.post("/hosts-of-this-test/")
    Client(enforce_csrf_checks=True).post("/sign-in/")
    assert not AuditEvent.objects.exists()


def test_an_api_session_needs_the_csrf_token(admin: object, sign_in) -> None:
    client = sign_in(admin, enforce_csrf_checks=True)
    response = client.post("/api/broken/")
    assert response.status_code == 403
    assert "CSRF" in response.json()["detail"]


def test_an_error_of_ours_tells_the_reader_nothing_and_the_log_everything(
    admin_api: APIClient, caplog: pytest.LogCaptureFixture
) -> None:
    admin_api.raise_request_exception = False
    response = admin_api.get("/api/broken/")
    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert "canary" not in response.content.decode()
    assert response.json()["instance"] == f"urn:uuid:{response['X-Request-ID']}"
    assert "canary-in-an-error" in caplog.text


def test_a_refused_change_by_a_token_names_the_token(auditor_api: APIClient) -> None:
    assert auditor_api.get("/api/hosts/").status_code == 200
    assert auditor_api.post("/api/hosts/", {}).status_code == 403
    event = AuditEvent.objects.get(action="request.denied")
    assert (event.actor_name, event.token_name) == ("audrey", "tests")
    assert event.object_name == "POST /api/hosts/"


def test_the_api_says_404_for_what_one_may_not_see(nobody_api: APIClient) -> None:
    assert nobody_api.get("/api/hosts/").status_code == 404
    assert nobody_api.post("/api/hosts/", {}).status_code == 404
    event = AuditEvent.objects.get(action="request.denied")
    assert (event.actor_name, event.reason) == ("nemo", "hosts.change")


def test_broken_json_is_a_problem(admin_api: APIClient) -> None:
    response = admin_api.post("/api/hosts/", data=b"{", content_type="application/json")
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == 400
