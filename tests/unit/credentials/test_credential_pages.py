"""SSH credentials: made or pasted, shown by their public half only, kept while in use."""

from __future__ import annotations

import shlex
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from console.audit.models import AuditEvent
from provisioning.keys import generate, load_private
from provisioning.models import SSHCredential
from tests.factories import HostFactory, SSHCredentialFactory

pytestmark = pytest.mark.django_db
PASSPHRASE = "correct horse battery"
API = "/api/v1/credentials/"


def url(name: str, *args: object) -> str:
    return reverse(f"provisioning:{name}", args=args)


def errors(response) -> dict[str, list[str]]:
    return {
        name: [str(e) for e in found] for name, found in response.context["form"].errors.items()
    }


@pytest.fixture
def locked_key() -> str:
    """A private key under PASSPHRASE."""
    return (
        ed25519.Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.BestAvailableEncryption(PASSPHRASE.encode()),
        )
        .decode()
    )


def secret_lines(key: str) -> list[str]:
    """Lines of a private key that would betray it wherever they appear."""
    # It holds the public half too, which is no secret.
    public = load_private(key, PASSPHRASE).public
    lines = [line for line in key.splitlines() if not line.startswith("-----")]
    return [line for line in lines if len(line) > 20 and line not in public]


def nowhere(key: str, *texts: str) -> bool:
    return not any(line in text for line in secret_lines(key) for text in texts)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_is_made_and_only_its_public_half_is_shown(admin_client, admin, kind):
    data = {"name": "lab", "username": "ops", "kind": kind}
    response = admin_client.post(url("credential-add"), data)
    made = SSHCredential.objects.get()
    assert response.url == url("credential", made.pk)
    assert (made.name, made.username, made.kind) == ("lab", "ops", kind)
    assert load_private(made.private_key).public.split()[1] == made.public_key.split()[1]
    pages = [
        admin_client.get(url(name, *args)).content.decode()
        for name, args in (
            ("credentials", ()),
            ("credential", (made.pk,)),
            ("credential-edit", (made.pk,)),
            ("credential-remove", (made.pk,)),
        )
    ]
    assert made.public_key.split()[1] in pages[1]
    audit = str(list(AuditEvent.objects.values()))
    assert nowhere(made.private_key, *pages, audit)
    assert AuditEvent.objects.get(action="credential.created").actor == admin


def test_a_private_key_is_encrypted_in_the_database(admin_client):
    admin_client.post(url("credential-add"), {"name": "a", "username": "root", "kind": "ed25519"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM provisioning_sshcredential")
        stored = cursor.fetchone()[0]
    assert "PRIVATE KEY" not in stored
    assert nowhere(SSHCredential.objects.get().private_key, stored)


def test_a_pasted_key_is_kept_without_its_passphrase(admin_client, locked_key):
    data = {
        "name": "pasted",
        "username": "root",
        "private_key": locked_key,
        "passphrase": PASSPHRASE,
    }
    admin_client.post(url("credential-paste"), data)
    made = SSHCredential.objects.get()
    assert made.public_key.endswith("flotilla pasted")
    assert load_private(made.private_key).kind == "ed25519"
    kept = [*SSHCredential.objects.values(), *AuditEvent.objects.values()]
    assert PASSPHRASE not in str(kept)


@pytest.mark.parametrize(
    ("passphrase", "part"), [("wrong", "does not open"), ("", "has a passphrase")]
)
def test_a_wrong_or_missing_passphrase_is_said_at_its_field(
    admin_client, locked_key, passphrase, part
):
    data = {"name": "a", "username": "root", "private_key": locked_key, "passphrase": passphrase}
    response = admin_client.post(url("credential-paste"), data)
    found = errors(response)
    assert part in found["passphrase"][0]
    assert "Paste it again" in found["private_key"][0]
    # What can be kept is kept, and the key is not sent back.
    page = response.content.decode()
    assert 'value="root"' in page
    assert nowhere(locked_key, page)
    assert not SSHCredential.objects.exists()


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("hello", "no private key"),
        (generate("ed25519").public, "public half"),
        ("x" * 40_000, "32 KiB"),
        ("", "required"),
    ],
    ids=["text", "public", "too-long", "empty"],
)
def test_what_is_no_private_key_is_said_at_its_field(admin_client, key, part):
    data = {"name": "a", "username": "root", "private_key": key}
    assert part in errors(admin_client.post(url("credential-paste"), data))["private_key"][0]


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("name", "", "required"),
        ("name", "n" * 81, "80"),
        ("name", "two\x1b[31m", "cannot be shown"),
        ("username", "a b", "no user name"),
        ("username", "-oProxyCommand", "no user name"),
        ("kind", "dsa", "valid choice"),
    ],
)
def test_bad_input_is_said_at_its_field(admin_client, field, value, part):
    data = {"name": "a", "username": "root", "kind": "ed25519", field: value}
    response = admin_client.post(url("credential-add"), data)
    assert part in errors(response)[field][0]
    assert not SSHCredential.objects.exists()


def test_a_name_is_given_once(admin_client):
    SSHCredentialFactory(name="lab")
    data = {"name": "lab", "username": "root", "kind": "ed25519"}
    assert "lab" in errors(admin_client.post(url("credential-add"), data))["name"][0]


def test_name_and_user_can_be_changed_and_the_key_stays(admin_client):
    row = SSHCredentialFactory(name="lab")
    admin_client.post(url("credential-edit", row.pk), {"name": "rack", "username": "ops"})
    changed = SSHCredential.objects.get()
    assert (changed.name, changed.username) == ("rack", "ops")
    assert changed.private_key == row.private_key
    assert AuditEvent.objects.get(action="credential.changed").before["name"] == "lab"


def test_a_credential_in_use_stays_and_names_its_hosts(admin_client):
    row = SSHCredentialFactory(name="lab")
    HostFactory(name="node-1", credential=row)
    assert "node-1" in admin_client.get(url("credential", row.pk)).content.decode()
    assert "node-1" in admin_client.get(url("credential-remove", row.pk)).content.decode()
    response = admin_client.post(
        url("credential-remove", row.pk), {"confirm_name": "lab"}, follow=True
    )
    assert "node-1" in response.content.decode()
    assert SSHCredential.objects.exists()


def test_a_credential_is_removed_after_its_name_was_typed(admin_client):
    row = SSHCredentialFactory(name="lab")
    admin_client.post(url("credential-remove", row.pk), {"confirm_name": "LAB"})
    assert SSHCredential.objects.exists()
    admin_client.post(url("credential-remove", row.pk), {"confirm_name": "lab"})
    assert not SSHCredential.objects.exists()
    assert AuditEvent.objects.filter(action="credential.removed").exists()


def test_the_install_command_adds_exactly_the_key(admin_client, tmp_path: Path):
    name = "it's $(touch evil) `touch evil`"
    admin_client.post(url("credential-add"), {"name": name, "username": "root", "kind": "ed25519"})
    made = SSHCredential.objects.get()
    response = admin_client.get(url("credential", made.pk))
    command = response.context["command"]
    assert "\n" not in command
    shell = ["env", "-i", f"HOME={tmp_path}", "PATH=/usr/bin:/bin", "sh", "-c", f"cd && {command}"]
    subprocess.run(shell, check=True)
    assert (tmp_path / ".ssh/authorized_keys").read_text() == made.public_key + "\n"
    assert [path.name for path in tmp_path.iterdir()] == [".ssh"]
    assert (tmp_path / ".ssh").stat().st_mode & 0o077 == 0
    assert shlex.split(command)


def test_operators_and_auditors_see_public_halves_and_change_nothing(
    operator_client, auditor_client
):
    row = SSHCredentialFactory(name="lab")
    for client in (operator_client, auditor_client):
        assert client.get(url("credential", row.pk)).status_code == 200
        assert client.get(url("credential-add")).status_code == 403
        for name, args, data in (
            ("credential-add", (), {"name": "a", "username": "root", "kind": "ed25519"}),
            ("credential-paste", (), {"name": "a", "username": "root", "private_key": "x"}),
            ("credential-edit", (row.pk,), {"name": "b", "username": "root"}),
            ("credential-remove", (row.pk,), {"confirm_name": "lab"}),
        ):
            assert client.post(url(name, *args), data).status_code == 403
    assert list(SSHCredential.objects.values_list("name", flat=True)) == ["lab"]


def test_who_has_no_role_sees_no_credential(nobody_client, anonymous_client):
    row = SSHCredentialFactory()
    for name, args in (("credentials", ()), ("credential", (row.pk,)), ("credential-add", ())):
        assert nobody_client.get(url(name, *args)).status_code == 404
        assert anonymous_client.get(url(name, *args)).status_code == 302


# -- the day before which a key is to be replaced ----------------------------------------


def in_days(days: int) -> date:
    return timezone.localdate() + timedelta(days=days)


def test_a_day_is_stated_shown_and_taken_away(admin_client, auditor_client):
    form = {"name": "lab", "username": "root", "kind": "ed25519"}
    admin_client.post(url("credential-add"), {**form, "valid_until": in_days(20).isoformat()})
    row = SSHCredential.objects.get()
    assert row.valid_until == in_days(20)
    created = AuditEvent.objects.get(action="credential.created")
    assert created.after["valid_until"] == in_days(20).isoformat()
    for page in (url("credentials"), url("credential", row.pk)):
        assert in_days(20).isoformat() in auditor_client.get(page).content.decode()
    edit = admin_client.get(url("credential-edit", row.pk)).content.decode()
    assert f'value="{in_days(20).isoformat()}"' in edit
    admin_client.post(url("credential-edit", row.pk), {"name": "lab", "username": "root"})
    row.refresh_from_db()
    assert row.valid_until is None
    assert AuditEvent.objects.get(action="credential.changed").after["valid_until"] is None


@pytest.mark.parametrize("day", ["0", "-1", "1\0", "2026-02-30", "31.12.2030", "<b>"])
def test_a_wrong_day_is_said_at_its_field(admin_client, admin_api, day):
    day = in_days(int(day)).isoformat() if day in ("0", "-1") else day
    sent = {"name": "lab", "username": "root", "kind": "ed25519", "valid_until": day}
    assert list(errors(admin_client.post(url("credential-add"), sent))) == ["valid_until"]
    answer = admin_api.post(API, sent, format="json")
    assert answer.status_code == 400 and list(answer.data["errors"]) == ["valid_until"]
    assert not SSHCredential.objects.exists()


def test_a_key_whose_day_has_passed_can_still_be_renamed(admin_client, admin_api):
    row = SSHCredentialFactory(name="lab", valid_until=in_days(-3))
    sent = {"name": "rack", "username": "root", "valid_until": in_days(-3).isoformat()}
    assert admin_client.post(url("credential-edit", row.pk), sent).status_code == 302
    answer = admin_api.patch(f"{API}{row.pk}/", {"name": "lab"}, format="json")
    assert (answer.status_code, answer.data["name"]) == (200, "lab")
    answer = admin_api.patch(f"{API}{row.pk}/", {"valid_until": in_days(-4)}, format="json")
    assert answer.status_code == 400
    answer = admin_api.patch(f"{API}{row.pk}/", {"valid_until": in_days(90)}, format="json")
    assert answer.data["valid_until"] == in_days(90).isoformat()
    answer = admin_api.patch(f"{API}{row.pk}/", {"valid_until": None}, format="json")
    assert answer.data["valid_until"] is None


# -- the API ------------------------------------------------------------------------------


def test_the_api_makes_a_key(admin_api):
    response = admin_api.post(API, {"name": "lab"}, format="json")
    assert response.status_code == 201
    assert response.data["kind"] == "ed25519"
    assert response.data["username"] == "root"
    assert set(response.data) == {
        "id",
        "name",
        "username",
        "kind",
        "public_key",
        "fingerprint",
        "valid_until",
        "created",
    }
    assert nowhere(SSHCredential.objects.get().private_key, response.content.decode())


def test_the_api_takes_a_key_and_gives_it_to_nobody(admin_api, auditor_api, locked_key):
    body = {"name": "lab", "private_key": locked_key, "passphrase": "wrong"}
    response = admin_api.post(API, body, format="json")
    assert response.status_code == 400
    assert "does not open" in response.data["errors"]["passphrase"][0]
    assert nowhere(locked_key, response.content.decode())
    response = admin_api.post(API, body | {"passphrase": PASSPHRASE}, format="json")
    assert response.status_code == 201
    stored = SSHCredential.objects.get()
    for answer in (auditor_api.get(API), auditor_api.get(f"{API}{stored.pk}/")):
        assert answer.status_code == 200
        assert nowhere(stored.private_key, answer.content.decode())


def test_the_api_keeps_a_credential_that_is_in_use(admin_api):
    row = SSHCredentialFactory()
    host = HostFactory(name="node-1", credential=row)
    response = admin_api.delete(f"{API}{row.pk}/")
    assert response.status_code == 409
    assert "node-1" in response.data["detail"]
    host.delete()
    assert admin_api.delete(f"{API}{row.pk}/").status_code == 204


def test_the_api_changes_what_is_named(admin_api):
    row = SSHCredentialFactory(name="lab", username="ops")
    response = admin_api.patch(f"{API}{row.pk}/", {"name": "rack"}, format="json")
    assert (response.data["name"], response.data["username"]) == ("rack", "ops")


def test_the_api_asks_for_the_permission(operator_api, nobody_api):
    row = SSHCredentialFactory()
    assert operator_api.get(API).status_code == 200
    assert nobody_api.get(API).status_code == 404
    for method, address in (
        ("post", API),
        ("patch", f"{API}{row.pk}/"),
        ("delete", f"{API}{row.pk}/"),
    ):
        assert (
            getattr(operator_api, method)(address, {"name": "x"}, format="json").status_code == 403
        )
        assert getattr(nobody_api, method)(address, {"name": "x"}, format="json").status_code == 404
