"""The key ring: values name their key, files are private, errors say nothing."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from console.secrets.keyring import Key, KeyRing, SecretError, key_ring, parse, write_ring

CANARY = "canary-secret-4711"


@pytest.fixture
def ring_file(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FLOTILLA_KEY_RING", raising=False)
    settings.KEY_RING_FILE = tmp_path / "key-ring"
    return settings.KEY_RING_FILE


def test_it_is_made_at_first_use_for_its_owner_only(ring_file: Path) -> None:
    value = key_ring().encrypt(CANARY)
    assert stat.S_IMODE(ring_file.stat().st_mode) == 0o600
    assert key_ring().decrypt(value) == CANARY
    assert CANARY not in value


def test_threads_that_start_together_agree_on_one(ring_file: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(key_ring().primary)) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_file_that_others_can_read_is_refused_with_the_mend(ring_file: Path) -> None:
    key_ring()
    ring_file.chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        key_ring()


def test_an_empty_file_is_refused(ring_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.secrets.keyring.WRITE_WAIT_SECONDS", 0)
    ring_file.touch(mode=0o600)
    with pytest.raises(SecretError, match="empty"):
        key_ring()


def test_the_environment_comes_first(ring_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("FLOTILLA_KEY_RING", f"{one},{two}")
    assert key_ring().primary == Key.of(one).id
    assert not ring_file.exists()
    with pytest.raises(SecretError, match="FLOTILLA_KEY_RING"):
        write_ring([Key.new()])


def test_a_new_key_reaches_processes_that_run(ring_file: Path) -> None:
    old = key_ring()
    value = old.encrypt(CANARY)
    write_ring([Key.new(), *old.keys])
    assert key_ring().primary != old.primary
    assert key_ring().decrypt(value) == CANARY
    assert stat.S_IMODE(ring_file.stat().st_mode) == 0o600


def test_a_value_of_a_lost_key_names_the_key_and_not_the_value(ring_file: Path) -> None:
    lost = KeyRing([Key.new()])
    value = lost.encrypt(CANARY)
    with pytest.raises(SecretError) as caught:
        key_ring().decrypt(value)
    assert lost.primary in str(caught.value)
    assert value.partition(":")[2] not in str(caught.value)


@pytest.mark.parametrize("damage", ["flip", "cut", "no id", "empty token", "plain"])
def test_a_damaged_value_is_an_error_without_the_value(ring_file: Path, damage: str) -> None:
    value = key_ring().encrypt(CANARY)
    key_id, _, token = value.partition(":")
    broken = {
        "flip": f"{key_id}:{token[:30]}{'A' if token[30] != 'A' else 'B'}{token[31:]}",
        "cut": value[:-8],
        "no id": token,
        "empty token": f"{key_id}:",
        "plain": CANARY,
    }[damage]
    with pytest.raises(SecretError) as caught:
        key_ring().decrypt(broken)
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert CANARY not in shown
    assert token not in shown


@pytest.mark.parametrize(
    "text",
    ["", " , ", "not-a-key", "AAAA", pytest.param(Fernet.generate_key().decode()[:-2], id="cut")],
)
def test_a_bad_ring_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(SecretError) as caught:
        parse(text)
    assert not text.strip(" ,") or text not in str(caught.value)


def test_a_key_does_not_show_itself() -> None:
    key = Key.new()
    assert key.text not in repr(key)
    assert key.text not in repr(KeyRing([key]).__dict__.get("keys"))


def test_the_umask_does_not_matter(ring_file: Path) -> None:
    before = os.umask(0)
    try:
        key_ring()
        write_ring([Key.new()])
    finally:
        os.umask(before)
    assert stat.S_IMODE(ring_file.stat().st_mode) == 0o600
