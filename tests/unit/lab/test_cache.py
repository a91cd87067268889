"""What is in the cache is complete: a build that fails or is killed leaves nothing that is used."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from lab import kubernetes
from lab.cache import cache_root, locked, staged
from lab.errors import LabError


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLOTILLA_CACHE", str(tmp_path / "named"))
    assert cache_root() == tmp_path / "named"
    monkeypatch.delenv("FLOTILLA_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "flotilla"


def test_a_folder_takes_its_place_when_complete_and_replaces_the_old(tmp_path: Path) -> None:
    target = tmp_path / "base"
    for text in ("one", "two"):
        with staged(target) as folder:
            (folder / "file").write_text(text)
            assert not (target / "file").exists() or (target / "file").read_text() != text
    assert (target / "file").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "base") as folder:
        (folder / "file").write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "base.building-xyz").mkdir()
    with staged(tmp_path / "base"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path / "x.lock"):
            order.append("second")

    with locked(tmp_path / "x.lock"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def write_bundle(folder: Path, version: str) -> None:
    folder.mkdir(parents=True)
    manifest = {"version": version, "arch": kubernetes.architecture(), "source": "a test"}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_bundles_are_found_newest_first_and_half_made_ones_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLOTILLA_CACHE", str(tmp_path))
    for name in kubernetes.NAMING_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for version in ("v1.9.9", "v1.20.2", "v1.21.0"):
        write_bundle(kubernetes.bundle_folder(version), version)
    write_bundle(tmp_path / "kubernetes/v1.30.0-linux-amd64.building-1", "v1.30.0")
    (kubernetes.bundle_folder("v1.22.0")).mkdir()
    assert [b.version for b in kubernetes.cached()] == ["v1.21.0", "v1.20.2", "v1.9.9"]
    assert kubernetes.ensure().version == "v1.21.0"
    assert kubernetes.ensure("v1.20.2").version == "v1.20.2"


def test_a_named_folder_that_lacks_programs_is_an_error_that_names_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLOTILLA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "kubelet").write_text("")
    monkeypatch.setenv("FLOTILLA_KUBERNETES", str(tmp_path))
    with pytest.raises(LabError) as error:
        kubernetes.ensure()
    assert "kube-apiserver" in error.value.cause
    assert "kubelet" not in error.value.cause


def test_a_version_must_be_one() -> None:
    with pytest.raises(LabError):
        kubernetes.ensure("latest; rm -rf /")
