"""Fifty secrets, each of its own, sent through every feature; then everything is searched."""

from __future__ import annotations

import base64
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from django.db import connection
from django.test import Client
from django.test.client import encode_multipart
from django.urls import reverse
from rest_framework.test import APIClient

from console.accounts.models import Role, User
from console.audit import exporting, logs
from console.audit.models import AuditEvent
from console.audit.record import record
from console.notices.models import Channel
from console.secrets.keyring import key_ring
from provisioning.models import Host, SSHCredential
from provisioning.ssh_types import SSHError
from tests.conftest import signed_in, with_token
from tests.factories import ClusterSecretFactory, UserFactory
from tests.routes import routes
from tests.samples import Samples
from tests.unit.clusters.apiserver import ApiServer

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]
BOUNDARY = "BoUnDaRyStRiNg"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass
class Cast:
    """Who sends the secrets, and to which rows."""

    admin: User
    client: Client
    api: APIClient
    stranger: Client
    samples: Samples
    broken: pytest.MonkeyPatch


Way = Callable[[Cast, str], Any]


def pem(secret: str) -> str:
    return f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"


def locked(passphrase: str) -> str:
    """A real private key under this passphrase."""
    return (
        ed25519.Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.BestAvailableEncryption(passphrase.encode()),
        )
        .decode()
    )


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(**user: Any) -> str:
    cluster = {"server": "https://127.0.0.1:1"}
    return yaml.safe_dump(
        {
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
    )  # fmt: skip


def sign_in(name: str, password: str) -> Way:
    def way(cast: Cast, secret: str) -> None:
        sent = {"username": name.replace("SECRET", secret), "password": password}
        sent["password"] = sent["password"].replace("SECRET", secret)
        cast.stranger.post(reverse("accounts:sign-in"), sent)

    return way


def form(page: str, /, *args: object, **fields: str) -> Way:
    """The page of this name gets a form; SECRET in a field is the canary."""

    def way(cast: Cast, secret: str) -> None:
        sent = {key: value.replace("SECRET", secret) for key, value in fields.items()}
        cast.client.post(reverse(page, args=args), sent)

    return way


def rest(path: str, method: str = "post", /, **fields: Any) -> Way:
    def way(cast: Cast, secret: str) -> None:
        numbers = {name: row.pk for name, row in vars(cast.samples).items() if hasattr(row, "pk")}
        sent = json.loads(json.dumps(fields).replace("SECRET", secret))
        getattr(cast.api, method)(f"/api/v1/{path.format(**numbers)}", sent, format="json")

    return way


def get(path: str, **headers: str) -> Way:
    def way(cast: Cast, secret: str) -> None:
        sent = {name: value.replace("SECRET", secret) for name, value in headers.items()}
        for client in (Client(raise_request_exception=False), cast.client):
            client.get(path.replace("SECRET", secret), headers=sent)

    return way


def cookie(name: str) -> Way:
    def way(_cast: Cast, secret: str) -> None:
        client = Client(raise_request_exception=False)
        client.cookies[name] = secret
        client.get("/")
        client.post(reverse("accounts:sign-in"), {"username": "x", "password": "y"})

    return way


def given(make: Callable[[str], str], api: bool = False) -> Way:
    """A kubeconfig with the secret, as a form, as a file or by REST."""

    def way(cast: Cast, secret: str) -> None:
        text = make(secret)
        if api:
            cast.api.post("/api/v1/clusters/import/?dry_run=true", {"kubeconfig": text})
            return
        page = reverse("clusters:import")
        cast.client.post(page, {"way": "kubeconfig", "kubeconfig": text})

    return way


def manifests(text: str, api: bool = False) -> Way:
    def way(cast: Cast, secret: str) -> None:
        sent = {"text": text.replace("SECRET", secret), "manifests": text.replace("SECRET", secret)}
        if api:
            address = f"/api/v1/clusters/{cast.samples.cluster.pk}/manifests/"
            cast.api.post(address, sent, format="json")
        else:
            cast.client.post(f"/clusters/{cast.samples.cluster.pk}/manifests/", sent)

    return way


def crash(message: str, send: Callable[[Cast, str], Any]) -> Way:
    """A request that fails in the middle of its view, with an error that says this."""

    def way(cast: Cast, secret: str) -> None:
        def explode(*_args: object, **_options: object) -> None:
            raise RuntimeError(message.replace("SECRET", secret))

        with cast.broken.context() as broken:
            broken.setattr("console.audit.record.stamp", explode)
            send(cast, secret)

    return way


def body(content: str, kind: str) -> Way:
    def way(cast: Cast, secret: str) -> None:
        text = content.replace("SECRET", secret)
        cast.api.post("/api/v1/credentials/", text, content_type=kind)
        cast.api.post("/api/v1/notice-channels/", text, content_type=kind)

    return way


def logged(*args: object, **extra: object) -> Way:
    def way(_cast: Cast, secret: str) -> None:
        told = [str(one).replace("SECRET", secret) for one in args]
        logging.getLogger("tests").warning(*told)

    return way


def event(**fields: Any) -> Way:
    def way(cast: Cast, secret: str) -> None:
        changed = json.loads(json.dumps(fields).replace("SECRET", secret))
        record("host.changed", cast.samples.host, actor=cast.admin, **changed)

    return way


def new_user(cast: Cast, secret: str) -> None:
    made = UserFactory(username=f"new-{secrets.token_hex(3)}")
    made.set_password(secret)
    made.save()
    record("user.created", made, after=made, actor=cast.admin)


def stored(cast: Cast, secret: str) -> None:
    for name in ("ca.key", "ca/kubernetes.key", "token", "console/client.key"):
        ClusterSecretFactory(cluster=cast.samples.cluster, name=name, value=secret)


def row(model: type, name: str, /, **fields: str) -> Way:
    def way(cast: Cast, secret: str) -> None:
        found = model.objects.get(pk=getattr(cast.samples, name).pk)
        for field, value in fields.items():
            setattr(found, field, value.replace("SECRET", secret))
        found.save()
        record("host.changed", found, before=found, after=found, reason=str(found))

    return way


def ssh_error(cast: Cast, secret: str) -> None:
    error = SSHError(f"Authentication failed with {pem(secret)}", "Look at it.")
    record("host.changed", cast.samples.host, outcome="failure",
           reason=str(error))  # fmt: skip
    logging.getLogger("provisioning").error("host: %s", error, exc_info=error)


def answered(cast: Cast, secret: str) -> None:
    """An API server whose error says the token that it was sent."""
    with ApiServer() as server:
        text = f'{{"kind": "Status", "message": "bad token eyJhbGciOi.eyJ{secret}.x"}}'
        server.faults["/version"] = (401, {}, text)
        given = {"way": "hand", "server": server.endpoint, "ca": server.authority.crt}
        cast.client.post(reverse("clusters:import"), {**given, "token": secret})


CREDENTIALS, HOSTS, CHANNELS = "credentials/", "hosts/", "notice-channels/"
NEW = {"new_password1": "SECRET", "new_password2": "SECRET"}
SECRET_OBJECT = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\n"
    "stringData: {password: SECRET}\n"
)
TOKEN = "flo_SECRET-0123456789abcdef"
POSTED = rest(CREDENTIALS, name="x", username="root", private_key="SECRET")

WAYS: dict[str, Way] = {
    "a wrong password": sign_in("ada", "SECRET"),
    "a password typed as the name": sign_in("SECRET", ""),
    "a password typed twice": sign_in("SECRET", "SECRET"),
    "a name with a password behind it": sign_in("ada SECRET", "x"),
    "Authorization: Token": get("/api/v1/clusters/", Authorization="Token SECRET"),
    "Authorization: Bearer": get("/api/v1/clusters/", Authorization="Bearer SECRET"),
    "Authorization: Basic": get("/api/v1/hosts/", Authorization="Basic SECRET"),
    "a key in a header": get("/", **{"X-Api-Key": "SECRET"}),
    "a session's cookie": cookie("sessionid"),
    "a form's cookie": cookie("csrftoken"),
    "another cookie": cookie("other"),
    "the query of a page": get("/clusters/?token=SECRET"),
    "the query of no page": get("/no-such-page/?password=SECRET"),
    "the query of the API": get("/api/v1/clusters/?access_token=SECRET"),
    "the query of the list of events": get("/audit/?token=SECRET"),
    "the query of an export": get("/audit/export/?token=SECRET"),
    "a referrer": get("/no-such-page/", Referer="https://x.example/?token=SECRET"),
    "the old password": form("accounts:password", old_password="SECRET"),
    "a new password": form("accounts:password", old_password="x", **NEW),
    "a password asked for again": form("accounts:confirm-password", password="SECRET"),
    "a user's password": new_user,
    "a key that is none": form(
        "provisioning:credential-paste", name="k1", username="root", private_key="SECRET"
    ),
    "a damaged key": form(
        "provisioning:credential-paste", name="k2", username="root", private_key=pem("SECRET")
    ),
    "a passphrase": lambda cast, secret: form(
        "provisioning:credential-paste",
        name="k3", username="root", private_key=locked(secret), passphrase=secret,
    )(cast, secret),
    "a wrong passphrase": lambda cast, secret: form(
        "provisioning:credential-paste",
        name="k4", username="root", private_key=locked("right"), passphrase=secret,
    )(cast, secret),
    "a key over REST": POSTED,
    "a passphrase over REST": lambda cast, secret: rest(
        CREDENTIALS, name="k5", username="root", private_key=locked(secret), passphrase=secret
    )(cast, secret),
    "a host's password for sudo": form(
        "provisioning:host-add", address="10.0.0.7", port="22", name="h1", username="",
        sudo_password="SECRET",
    ),
    "a host's first password": form(
        "provisioning:host-add", address="10.0.0.8", port="x", name="h2", first_password="SECRET"
    ),
    "passwords of hosts over REST": rest(
        HOSTS, name="h3", address="10.0.0.9", sudo_password="SECRET", first_password="SECRET"
    ),
    "a host's new password over REST": rest(
        "hosts/{host}/", "patch", sudo_password="SECRET", reason="x"
    ),
    "a stored key": row(SSHCredential, "credential", private_key=pem("SECRET")),
    "stored passwords": row(Host, "host", sudo_password="SECRET", first_password="SECRET"),
    "a webhook's secret": row(Channel, "channel", secret="SECRET"),
    "a webhook's secret over REST": rest(
        "notice-channels/{channel}/", "patch", secret="SECRET", name="hook"
    ),
    "a password in a webhook's address": form(
        "notices:channel-add", "webhook", name="c1", address="https://u:SECRET@hooks.example/x"
    ),
    "a password in a webhook's address over REST": rest(
        CHANNELS, name="c2", type="webhook", address="https://u:SECRET@hooks.example/x"
    ),
    "secrets of a cluster": stored,
    "a kubeconfig that is no YAML": given(lambda s: f"users:\n- {{token: {s}\n  - ]: {s}"),
    "a kubeconfig's token": given(lambda s: kubeconfig(token=s)),
    "a kubeconfig's password": given(lambda s: kubeconfig(username="u", password=s)),
    "a kubeconfig's key": given(
        lambda s: kubeconfig(**{"client-key-data": b64(pem(s)), "client-certificate-data": b64(s)})
    ),
    "a kubeconfig's command": given(
        lambda s: kubeconfig(exec={"command": "x", "env": [{"name": "TOKEN", "value": s}]})
    ),
    "a kubeconfig over REST": given(lambda s: kubeconfig(password=s, username="u"), api=True),
    "half a kubeconfig over REST": given(lambda s: f"token: {s}\n\t- {s}: [", api=True),
    "a token by hand": form("clusters:import", way="hand", server="nonsense", token="SECRET"),
    "a token that a server repeats": answered,
    "a Secret's manifest": manifests(SECRET_OBJECT),
    "a Secret's manifest over REST": manifests(SECRET_OBJECT, api=True),
    "a manifest that is no YAML": manifests("kind: Secret\npassword: SECRET\n\t- ["),
    "a crash with a form": crash(
        "no", form("provisioning:host-add", address="10.0.0.6", port="22", name="h6",
                   sudo_password="SECRET"),
    ),
    "a crash over REST": crash("no", rest(HOSTS, name="h7", address="10.0.0.5",
                                          sudo_password="SECRET")),
    "a crash that says a key": crash(pem("SECRET"), rest(HOSTS, name="h8", address="10.0.0.4")),
    "a crash that says a token": crash(TOKEN, rest(HOSTS, name="h9", address="10.0.0.3")),
    "a crash that says a header": crash(
        "{'Authorization': 'Bearer SECRET'}", rest(HOSTS, name="ha", address="10.0.0.3")
    ),
    "a crash that says an address": crash(
        "cannot reach postgres://flotilla:SECRET@db.example/x",
        rest(HOSTS, name="hb", address="10.0.0.3"),
    ),
    "a crash that says an assignment": crash(
        "ran with password=SECRET", rest(HOSTS, name="hc", address="10.0.0.3")
    ),
    "half a body": body('{"private_key": "SECRET', "application/json"),
    "a body of another kind": body("private_key=SECRET", "text/plain"),
    "a body of many parts": lambda cast, secret: cast.api.post(
        "/api/v1/credentials/", encode_multipart(BOUNDARY, {"private_key": secret}),
        content_type=MULTIPART,
    ),
    "an error of SSH": ssh_error,
    "a line of a log": logged("connecting with token=%s", "SECRET"),
    "a header in a log": logged("sent Authorization: Bearer SECRET"),
    "an address in a log": logged("GET https://u:SECRET@x.example/?a=1"),
    "a query in a log": logged("GET /ws/x/?token=SECRET&a=1"),
    "an event's reason": event(reason="failed: curl -H 'Authorization: Bearer SECRET'"),
    "an event's field": event(before={"kubeconfig": "SECRET"}, after={"api_key": "SECRET"}),
    "an event's text": event(after={"note": "mysql://root:SECRET@db/x"}, object_name=TOKEN),
}  # fmt: skip


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """Everything that the console logs, as its own formatter writes it."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.formatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def cast(settings, tmp_path, admin: User, monkeypatch: pytest.MonkeyPatch) -> Cast:
    settings.RELEASES_DIR = tmp_path / "releases"
    settings.DEBUG = False
    settings.AXES_FAILURE_LIMIT = 1000
    client, api = signed_in(admin), with_token(admin)
    stranger = Client(raise_request_exception=False)
    client.raise_request_exception = api.raise_request_exception = False
    return Cast(admin, client, api, stranger, Samples(), monkeypatch)


def database() -> Iterator[tuple[str, str]]:
    """Every column of every table as it is stored; sessions also opened."""
    tables = connection.introspection.table_names()
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            for values in cursor.fetchall():
                for name, value in zip(names, values, strict=True):
                    yield f"{table}.{name}", _readable(value)
                    if (table, name) == ("django_session", "session_data"):
                        yield "a session", str(opened(value))


def _readable(value: object) -> str:
    plain = bytes(value) if isinstance(value, bytes | memoryview) else None
    return str(value) if plain is None else plain.decode("utf-8", "replace")


def opened(session: str) -> object:
    from django.contrib.sessions.backends.db import SessionStore

    return SessionStore().decode(session)


def pages(samples: Samples) -> Iterator[tuple[str, str]]:
    """Every page and REST address as an admin sees them, those of the record as an auditor, too."""
    for user in (UserFactory(role=Role.ADMIN), UserFactory(role=Role.AUDITOR)):
        client, api = signed_in(user), with_token(user)
        client.raise_request_exception = api.raise_request_exception = False
        for route in routes():
            if route.method != "GET" or (user.role == Role.AUDITOR and "audit" not in route.path):
                continue
            asked = api if route.is_api else client
            answer = asked.get(route.address(samples.arguments(route, user)))
            content = b"".join(answer) if answer.streaming else answer.content
            yield f"{route} as {user.role}", f"{answer.headers} {content.decode(errors='replace')}"


def test_none_of_fifty_secrets_is_anywhere(cast: Cast, lines: StringIO, tmp_path) -> None:
    canaries = {f"canary-{number:02}-{secrets.token_hex(6)}": name
                for number, name in enumerate(WAYS)}  # fmt: skip
    assert len(canaries) >= 50
    for canary, name in canaries.items():
        WAYS[name](cast, canary)
    places = [*database(), *pages(cast.samples)]
    places += [("an event", str(values)) for values in AuditEvent.objects.values()]
    export = tmp_path / "export"
    with export.open("w") as out:
        out.writelines(exporting.lines(exporting.covered()))
    places += [("the export", export.read_text()), ("the log", lines.getvalue())]
    shapes = {
        text: name for canary, name in canaries.items() for text in (canary, b64(canary)[4:-4])
    }
    wanted = re.compile("|".join(map(re.escape, shapes)))
    found = {f"{shapes[hit]}: {where}" for where, text in places for hit in wanted.findall(text)}
    assert sorted(found) == []


def test_the_search_finds_what_is_there(cast: Cast, lines: StringIO) -> None:
    canary = "canary-that-may-be-seen"
    record("host.changed", cast.samples.host, after={"note": canary}, actor=cast.admin)
    logging.getLogger("tests").warning("it says %s", canary)
    where = {place for place, text in database() if canary in text}
    assert where == {"audit_auditevent.after"} and canary in lines.getvalue()
    assert any(canary in text for place, text in pages(cast.samples) if "audit" in place)
    assert key_ring().decrypt(key_ring().encrypt(canary)) == canary
