"""rotate_secrets: online, killed half-way and run again, old keys dropped only when unneeded."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from console.audit.models import AuditEvent
from console.secrets import rotation
from console.secrets.keyring import Key, SecretError, key_ring, write_ring
from provisioning.models import Host, SSHCredential
from tests.factories import ClusterSecretFactory, HostFactory, SSHCredentialFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ring(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOTILLA_KEY_RING", raising=False)
    settings.KEY_RING_FILE = tmp_path / "key-ring"
    monkeypatch.setattr(rotation, "BATCH", 2)


@pytest.fixture
def keys() -> list[SSHCredential]:
    return [SSHCredentialFactory(private_key=f"secret {n}") for n in range(5)]


def rotate(*args: str) -> str:
    out = StringIO()
    call_command("rotate_secrets", *args, stdout=out)
    return out.getvalue()


def plain() -> list[str]:
    return [key.private_key for key in SSHCredential.objects.order_by("pk")]


def test_every_model_with_a_secret_is_known() -> None:
    names = {str(column) for column in rotation.secret_columns()}
    assert {
        "clusters.ClusterSecret.value",
        "provisioning.Host.sudo_password",
        "provisioning.Host.first_password",
        "provisioning.SSHCredential.private_key",
    } <= names


def test_a_whole_rotation(keys: list[SSHCredential]) -> None:
    ClusterSecretFactory(value="ca")
    HostFactory(sudo_password="sudo", credential=keys[0])
    before = plain()
    old = key_ring().primary
    assert "7 values" in rotate("--new-key")
    assert key_ring().primary != old
    assert rotation.remaining() == {}
    assert "1 old keys dropped" in rotate("--drop-old-keys")
    assert [key.id for key in key_ring().keys] == [key_ring().primary]
    assert plain() == before
    assert Host.objects.get().sudo_password == "sudo"
    event = AuditEvent.objects.filter(action="secret.rotated").last()
    assert event is not None
    assert event.after["dropped_keys"] == 1 or event.after["key"]


def test_killed_half_way_it_goes_on_where_it_was(keys: list[SSHCredential]) -> None:
    rotation.add_key()
    column = next(c for c in rotation.secret_columns() if c.field == "private_key")
    assert next(rotation.reencrypt(column)) == 2  # and here the process dies
    assert rotation.remaining() == {str(column): 3}
    assert plain() == [f"secret {n}" for n in range(5)]
    with pytest.raises(CommandError, match="still needed"):
        try:
            rotation.drop_old_keys()
        except SecretError as error:
            raise CommandError(str(error)) from None
    assert "3 values" in rotate()
    assert rotation.remaining() == {}
    assert plain() == [f"secret {n}" for n in range(5)]


def test_a_second_run_does_nothing(keys: list[SSHCredential]) -> None:
    rotate("--new-key")
    assert "0 values" in rotate()


def test_what_somebody_saves_meanwhile_is_not_overwritten(
    keys: list[SSHCredential], monkeypatch: pytest.MonkeyPatch
) -> None:
    rotation.add_key()
    swap = rotation._swap

    def save_first(column: rotation.SecretColumn, key: int, stored: str) -> int:
        SSHCredential.objects.filter(pk=key).update(private_key="saved meanwhile")
        return swap(column, key, stored)

    monkeypatch.setattr(rotation, "_swap", save_first)
    rotate()
    assert plain() == ["saved meanwhile"] * 5


def test_rows_loaded_before_and_saved_after_can_still_be_opened(keys: list[SSHCredential]) -> None:
    loaded = SSHCredential.objects.get(pk=keys[0].pk)
    rotate("--new-key")
    loaded.name = "renamed"
    loaded.save()
    assert plain()[0] == "secret 0"
    with pytest.raises(SecretError):
        rotation.drop_old_keys()
    assert "1 values" in rotate("--drop-old-keys")
    assert plain()[0] == "secret 0"


def test_a_value_without_its_key_stops_naming_the_row_and_not_the_secret(
    keys: list[SSHCredential],
) -> None:
    write_ring([Key.new()])
    with pytest.raises(CommandError) as caught:
        rotate()
    assert f"row {keys[0].pk}" in str(caught.value)
    assert "gAAAA" not in str(caught.value)
