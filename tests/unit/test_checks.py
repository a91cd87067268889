"""System checks: what is found, by id, with a mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import checks


@pytest.fixture(autouse=True)
def home(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FLOTILLA_KEY_RING", raising=False)
    tmp_path.chmod(0o700)
    settings.DATA_DIR = tmp_path
    settings.KEY_RING_FILE = tmp_path / "key-ring"
    settings.SECRET_KEY_FILE = tmp_path / "secret-key"
    return tmp_path


def ids(messages: list) -> list[str]:
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


def test_a_fresh_console_is_right(settings) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    for check in (
        checks.key_ring,
        checks.private_files,
        checks.session_times,
        checks.mirror,
        checks.reached_by_others,
    ):
        assert check(None) == []


def test_key_ring(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = home / "key-ring"
    ring.write_text("nonsense")
    ring.chmod(0o600)
    assert ids(checks.key_ring(None)) == ["flotilla.E001"]
    ring.chmod(0o644)
    assert ids(checks.key_ring(None)) == ["flotilla.E002"]
    monkeypatch.setenv("FLOTILLA_KEY_RING", "nonsense")
    assert ids(checks.key_ring(None)) == ["flotilla.E001"]


def test_private_files(home: Path) -> None:
    (home / "secret-key").write_text("x")
    (home / "secret-key").chmod(0o644)
    home.chmod(0o755)
    assert ids(checks.private_files(None)) == ["flotilla.E003", "flotilla.W003"]


def test_session_times(settings) -> None:
    settings.SESSION_MAX_SECONDS = settings.SESSION_COOKIE_AGE - 1
    assert ids(checks.session_times(None)) == ["flotilla.E004"]


@pytest.mark.parametrize(
    ("mirror", "found"),
    [
        ("https://mirror.example/k8s", []),
        ("http://127.0.0.1:8000", []),
        ("http://localhost", []),
        ("http://mirror.example", ["flotilla.W005"]),
        ("mirror.example", ["flotilla.E005"]),
        ("file:///etc", ["flotilla.E005"]),
        ("", ["flotilla.E005"]),
    ],
)
def test_mirror(settings, mirror: str, found: list[str]) -> None:
    settings.RELEASE_MIRROR = mirror
    assert ids(checks.mirror(None)) == found


def test_reached_by_others(settings) -> None:
    settings.ALLOWED_HOSTS = ["console.example", "localhost"]
    settings.HTTPS = False
    settings.DEBUG = True
    assert ids(checks.reached_by_others(None)) == ["flotilla.E006", "flotilla.E007"]
    settings.DEBUG, settings.HTTPS, settings.ALLOWED_HOSTS = False, True, ["*"]
    assert ids(checks.reached_by_others(None)) == ["flotilla.W008"]
