"""A secret that was stored or sent never comes out: pages, API, errors, audit record, logs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from axes.models import AccessAttempt
from django.test import Client
from rest_framework.test import APIClient

from console.accounts.models import User
from console.audit.models import AuditEvent
from console.audit.record import record
from console.notices.models import Channel
from provisioning.models import Host, SSHCredential
from tests.factories import ClusterSecretFactory
from tests.routes import routes
from tests.samples import Samples

pytestmark = pytest.mark.django_db
CANARY = "canary-secret-4711"
PEM = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----\n"
# What is sent with every POST: whatever a form calls its secret, it is among these.
SENT = {
    "name": "sent",
    "username": "sent",
    "address": "10.1.2.3",
    "private_key": PEM,
    "key": PEM,
    "passphrase": CANARY,
    "password": CANARY,
    "first_password": CANARY,
    "sudo_password": CANARY,
    "old_password": CANARY,
    "new_password1": CANARY,
    "new_password2": CANARY,
    "token": CANARY,
    "secret": CANARY,
}


@pytest.fixture
def samples(settings, tmp_path: Path, admin: User) -> Samples:
    settings.RELEASES_DIR = tmp_path / "releases"
    samples = Samples()
    SSHCredential.objects.filter(pk=samples.credential.pk).update(private_key=PEM)
    Host.objects.filter(pk=samples.host.pk).update(sudo_password=CANARY, first_password=CANARY)
    for name in ("ca.key", "ca/kubernetes.key", "token"):
        ClusterSecretFactory(cluster=samples.cluster, name=name, value=PEM)
    Channel.objects.filter(pk=samples.channel.pk).update(secret=CANARY)
    samples.channel.refresh_from_db()
    for row in (samples.credential, samples.host, samples.channel):
        row.refresh_from_db()
        record("host.changed", row, before=row, after=row, reason=f"with {PEM}")
    return samples


def text_of(response) -> str:
    body = b"".join(response) if getattr(response, "streaming", False) else response.content
    return f"{response.headers} {body.decode('utf-8', 'replace')}"


def test_nothing_that_is_read_shows_it(
    admin: User, admin_client: Client, admin_api: APIClient, samples: Samples, caplog
) -> None:
    caplog.set_level(logging.DEBUG)
    for route in routes():
        if route.method != "GET":
            continue
        client = admin_api if route.is_api else admin_client
        client.raise_request_exception = False
        response = client.get(route.address(samples.arguments(route, admin)))
        assert CANARY not in text_of(response), f"{route} shows a secret"
    assert CANARY not in caplog.text
    assert CANARY not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize("way", ["form", "json"])
def test_nothing_that_is_sent_comes_back(
    admin: User, sign_in, admin_api: APIClient, samples: Samples, caplog, way: str
) -> None:
    caplog.set_level(logging.DEBUG)
    for route in routes():
        if route.method == "GET" or route.is_api != (way == "json") or "sign-out" in route.path:
            continue
        client = admin_api if route.is_api else sign_in(admin)
        client.raise_request_exception = False
        kind = {"format": "json"} if route.is_api else {}
        address = route.address(samples.arguments(route, admin))
        response = getattr(client, route.method.lower())(address, SENT, **kind)
        assert CANARY not in text_of(response), f"{route} gives a secret back"
        AccessAttempt.objects.update(failures_since_start=0)
    assert CANARY not in caplog.text
    assert CANARY not in str(list(AuditEvent.objects.values()))
    assert CANARY not in str(list(AccessAttempt.objects.values()))


def test_an_error_page_shows_none(
    admin_client: Client, samples: Samples, monkeypatch, settings
) -> None:
    settings.DEBUG = False
    admin_client.raise_request_exception = False

    def explode(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(f"lost {PEM}")

    monkeypatch.setattr("console.audit.views.keyset", explode)
    response = admin_client.get("/audit/")
    assert response.status_code == 500
    assert CANARY not in text_of(response)
    assert response["X-Request-ID"] in response.content.decode()
