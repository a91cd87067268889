"""Bundles that are taken, and hostile ones that are not."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from provisioning.models import Release, ReleaseState
from provisioning.releases import folder_of, release_spec, verify
from provisioning.releases_bundle import unpack
from provisioning.releases_layout import BINARIES, ReleaseError, parse_manifest
from provisioning.releases_sources import import_archive, import_folder
from provisioning.releases_store import pack
from tests.unit.releases.conftest import VERSION, packed_tar, program, sha256, unpacked

MakeBundle = Callable[..., Path]
db = pytest.mark.django_db


@db
def test_a_folder_with_a_manifest_becomes_a_release(bundle: MakeBundle):
    release = import_folder(bundle(), source="distribution")
    assert (release.state, release.source) == (ReleaseState.READY, "distribution")
    assert release.provenance == "made for a test"
    spec = release_spec(release)
    assert spec.pause_image == "flotilla.dev/lab/pause:1"
    names = {file.name: file.kind for file in spec.files}
    assert set(BINARIES) < set(names)
    assert names["etcd"] == "etcd"
    assert names["bridge"] == "cni"
    assert names["pause-1.tar"] == "image"
    for file in spec.files:
        assert unpacked(file.packed) == program(file.name + VERSION)


@db
def test_the_same_files_give_the_same_packed_bytes(bundle: MakeBundle, tmp_path: Path):
    data = program("kubelet")
    one, two = tmp_path / "one.zst", tmp_path / "two.zst"
    pack(io.BytesIO(data), one, "kubelet")
    pack(io.BytesIO(data), two, "kubelet")
    assert one.read_bytes() == two.read_bytes()


@db
def test_importing_the_same_again_changes_nothing(bundle: MakeBundle):
    folder = bundle()
    first = import_folder(folder)
    assert import_folder(folder).pk == first.pk
    assert Release.objects.count() == 1


@db
def test_other_files_under_the_same_version_are_refused(bundle: MakeBundle):
    release = import_folder(bundle())
    other = bundle(name="other")
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "kubelet").write_bytes(b"other")
    row = next(row for row in manifest["files"] if row["name"] == "kubelet")
    row |= {"sha256": sha256(b"other"), "size": 5}
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ReleaseError, match="there already"):
        import_folder(other)
    release.refresh_from_db()
    assert release.state == ReleaseState.READY


@db
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_kind_of_tar_is_read(bundle: MakeBundle, tmp_path: Path, mode: str):
    archive = packed_tar(bundle(), tmp_path / "upload", mode)
    release = import_archive(archive, origin="kubernetes.tar")
    assert release.state == ReleaseState.READY
    assert release.source == "bundle"


@db
def test_bare_binaries_with_checksums_need_a_version(tmp_path: Path):
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in BINARIES:
        (folder / name).write_bytes(program(name))
    sums = "".join(f"{sha256(program(name))}  ./{name}\n" for name in BINARIES)
    (folder / "SHA256SUMS").write_text(sums)
    archive = packed_tar(folder, tmp_path / "bare.tar.gz")
    with pytest.raises(ReleaseError, match="say which Kubernetes version"):
        import_archive(archive)
    release = import_archive(archive, version="1.30.2", arch="arm64")
    assert str(release) == "v1.30.2 (arm64)"


@db
def test_the_version_that_the_admin_names_must_be_the_bundles(bundle: MakeBundle):
    with pytest.raises(ReleaseError, match="another version") as refused:
        import_folder(bundle(), version="v1.29.0")
    assert (refused.value.expected, refused.value.found) == ("v1.29.0", VERSION)


@db
def test_one_flipped_byte_is_refused_naming_file_expected_and_found(bundle: MakeBundle):
    folder = bundle()
    data = (folder / "kubelet").read_bytes()
    (folder / "kubelet").write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(ReleaseError, match="kubelet is not the file") as refused:
        import_folder(folder)
    assert refused.value.expected == f"sha256:{sha256(data)}"
    assert refused.value.found.startswith("sha256:")
    release = Release.objects.get()
    assert release.state == ReleaseState.FAILED
    assert "kubelet" in release.state_reason
    assert not (folder_of(release) / "kubelet.zst").exists()
    # Nothing stands in the way of the mended bundle.
    (folder / "kubelet").write_bytes(data)
    assert import_folder(folder).state == ReleaseState.READY


@db
def test_a_file_that_is_cut_off_or_missing_is_refused(bundle: MakeBundle):
    folder = bundle()
    (folder / "kubelet").write_bytes(b"short")
    with pytest.raises(ReleaseError, match="another size"):
        import_folder(folder)
    (folder / "kubelet").unlink()
    with pytest.raises(ReleaseError, match="kubelet is missing"):
        import_folder(folder)


@db
def test_a_link_or_pipe_in_a_folder_is_not_followed(bundle: MakeBundle):
    folder = bundle()
    (folder / "kubelet").unlink()
    (folder / "kubelet").symlink_to("/etc/passwd")
    with pytest.raises(ReleaseError, match="kubelet in the bundle cannot be read"):
        import_folder(folder)
    (folder / "kubelet").unlink()
    os.mkfifo(folder / "kubelet")
    with pytest.raises(ReleaseError, match="no plain file"):
        import_folder(folder)


@db
def test_an_archive_leaves_nothing_behind(bundle: MakeBundle, tmp_path: Path, store: Path):
    release = import_archive(packed_tar(bundle(), tmp_path / "b.tar.gz"))
    assert list((store / ".incoming").iterdir()) == []
    files = {path for path in store.rglob("*") if path.is_file()}
    assert files == {file.packed for file in release_spec(release).files}


# -- hostile archives ---------------------------------------------------------------------


def archive_of(tmp_path: Path, *entries: tarfile.TarInfo, data: bytes = b"x") -> Path:
    path = tmp_path / "hostile.tar"
    with tarfile.open(path, "w") as tar:
        for entry in entries:
            if entry.isreg():
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            else:
                tar.addfile(entry)
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/cron.d/evil",
        "a/../../evil",
        "..",
        "a/./b",
        "a//b",
        "C:\\evil",
        "back\\slash",
        "new\nline",
        "esc\x1b[31m",
        ".hidden",
        "-rf",
        "a/b/c/d/e/f/g",
        "n" * 101,
        "ünïcode",
    ],
)
def test_names_that_lead_out_or_confuse_are_refused(tmp_path: Path, name: str):
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(ReleaseError, match="entry named") as refused:
        unpack(archive_of(tmp_path, entry(name)), into)
    assert "\x1b" not in str(refused.value)
    assert list(into.iterdir()) == []
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "kubectl"),
        (tarfile.LNKTYPE, "kubectl"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_devices_and_pipes_are_refused(tmp_path: Path, kind: bytes, link: str):
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(ReleaseError, match="kubelet in the archive is no plain file"):
        unpack(archive_of(tmp_path, entry("kubectl"), entry("kubelet", kind, link)), into)
    assert not (into / "kubelet").is_symlink()


def test_a_name_that_comes_twice_is_refused(tmp_path: Path):
    (tmp_path / "into").mkdir()
    with pytest.raises(ReleaseError, match="twice"):
        unpack(archive_of(tmp_path, entry("a"), entry("./a")), tmp_path / "into")


def test_a_name_that_is_a_file_and_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "into").mkdir()
    with pytest.raises(ReleaseError, match="file and a folder"):
        unpack(archive_of(tmp_path, entry("a"), entry("a/b")), tmp_path / "into")


def test_too_many_files_are_refused(tmp_path: Path):
    (tmp_path / "into").mkdir()
    entries = [entry(f"f{number}") for number in range(150)]
    with pytest.raises(ReleaseError, match="More than 100 files"):
        unpack(archive_of(tmp_path, *entries), tmp_path / "into")


def test_a_file_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path: Path):
    (tmp_path / "into").mkdir()
    huge = entry("kubelet")
    huge.size = 2**40
    path = tmp_path / "huge.tar"
    path.write_bytes(huge.tobuf() + bytes(1024))
    with pytest.raises(ReleaseError, match="kubelet is larger"):
        unpack(path, tmp_path / "into")


@pytest.mark.parametrize("packer", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_is_ended_at_the_limit(tmp_path: Path, packer):
    into = tmp_path / "into"
    into.mkdir()
    bomb = entry("bomb")
    bomb.size = 30 * 1024**2
    path = tmp_path / "bomb"
    path.write_bytes(packer(bomb.tobuf() + bytes(bomb.size + 1024)))
    assert path.stat().st_size < 100_000
    with pytest.raises(ReleaseError, match="more than 8 MiB when unpacked"):
        unpack(path, into, limit=8 * 1024**2)
    assert sum(file.stat().st_size for file in into.iterdir()) <= 8 * 1024**2


def test_a_bomb_in_a_header_is_refused_before_it_fills_the_memory(tmp_path: Path):
    (tmp_path / "into").mkdir()
    header = entry("pax", tarfile.XHDTYPE)
    header.size = 512 * 1024**2
    path = tmp_path / "header.tar.gz"
    with gzip.open(path, "wb", 1) as out:
        out.write(header.tobuf())
        for _number in range(header.size // 1024**2):
            out.write(bytes(1024**2))
    with pytest.raises(ReleaseError, match="header"):
        unpack(path, tmp_path / "into")


def test_a_sparse_file_is_refused(tmp_path: Path):
    (tmp_path / "into").mkdir()
    sparse = entry("sparse", tarfile.GNUTYPE_SPARSE)
    raw = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    raw[386:398] = b"00000000000 "
    raw[483:495] = b"77777777777 "  # the size that it claims to have
    raw[148:156] = b" " * 8
    raw[148:155] = b"%06o\0" % sum(raw[:512])
    path = tmp_path / "sparse.tar"
    path.write_bytes(bytes(raw) + bytes(1024))
    with pytest.raises(ReleaseError):
        unpack(path, tmp_path / "into")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"PK\x03\x04" + bytes(600), b"\x1f\x8b" + bytes(100), bytes(10_000)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes, store):
    path = tmp_path / "upload"
    path.write_bytes(data)
    with pytest.raises(ReleaseError):
        import_archive(path)


def test_an_archive_that_is_cut_off_is_refused(bundle: MakeBundle, tmp_path: Path):
    path = packed_tar(bundle(), tmp_path / "b.tar.gz")
    path.write_bytes(path.read_bytes()[:-2000])
    (tmp_path / "into").mkdir()
    with pytest.raises(ReleaseError, match="damaged"):
        unpack(path, tmp_path / "into")


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(position=st.integers(0, 3000), value=st.integers(0, 255))
def test_a_damaged_archive_is_read_or_refused_never_worse(tmp_path, position, value):
    source = archive_of(tmp_path, entry("a"), entry("b"), data=b"y" * 600)
    data = bytearray(source.read_bytes())
    data[position % len(data)] = value
    source.write_bytes(data)
    into = tmp_path / f"into-{position}-{value}"
    into.mkdir(exist_ok=True)
    with contextlib.suppress(ReleaseError):
        unpack(source, into)
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


# -- manifests ----------------------------------------------------------------------------

GOOD = {
    "version": VERSION,
    "arch": "amd64",
    "files": [{"name": name, "sha256": "0" * 64} for name in BINARIES],
}


def with_first(**changes: object) -> dict[str, object]:
    return GOOD | {"files": [{**GOOD["files"][0], **changes}, *GOOD["files"][1:]]}


@pytest.mark.parametrize(
    ("manifest", "part"),
    [
        ("nonsense", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "object"),
        ({}, "files"),
        (GOOD | {"version": "latest"}, "no Kubernetes version"),
        (GOOD | {"version": 1}, "version"),
        (GOOD | {"arch": "sparc"}, "no architecture"),
        (GOOD | {"files": GOOD["files"][1:]}, "kube-apiserver missing"),
        (GOOD | {"files": [*GOOD["files"], GOOD["files"][0]]}, "listed twice"),
        (GOOD | {"files": [1]}, "must be an object"),
        (GOOD | {"pause_image": "a b; rm"}, "no reference"),
        (with_first(name="../evil"), "no name for a file"),
        (with_first(path="../../evil"), "no place of a file"),
        (with_first(path="/etc/passwd"), "no place of a file"),
        (with_first(sha256="abc"), "no SHA-256"),
        (with_first(kind="virus"), "unknown kind"),
        (with_first(size=-1), "size of kube-apiserver"),
        (with_first(size=True), "size of kube-apiserver"),
        (with_first(size=10**15), "size of kube-apiserver"),
    ],
)
def test_a_bad_manifest_is_told_its_fault(manifest, part):
    raw = manifest if isinstance(manifest, str) else json.dumps(manifest)
    with pytest.raises(ReleaseError, match=part):
        parse_manifest(raw.encode())


@given(st.binary(max_size=500))
def test_any_bytes_are_a_manifest_or_refused(raw: bytes):
    with pytest.raises(ReleaseError):
        parse_manifest(raw)


# -- what is on the disk ------------------------------------------------------------------


@db
def test_a_damaged_file_in_the_store_is_found_by_verify(bundle: MakeBundle):
    release = import_folder(bundle())
    lines: list[str] = []
    verify(release, log=lines.append)
    assert len(lines) == release.files.count()
    path = folder_of(release) / "kubelet.zst"
    pack(io.BytesIO(b"\x7fELF evil"), path, "kubelet")
    with pytest.raises(ReleaseError, match="kubelet is not the file"):
        verify(release, log=lines.append)
    release.refresh_from_db()
    assert release.state == ReleaseState.FAILED


@db
@pytest.mark.parametrize("damage", ["gone", "short", "noise"])
def test_files_that_are_gone_or_cut_off_stop_the_use_of_a_release(bundle: MakeBundle, damage):
    release = import_folder(bundle())
    path = folder_of(release) / "kubelet.zst"
    if damage == "gone":
        path.unlink()
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.write_bytes(b"\x1f\x8bnoise" * 10)
    with pytest.raises(ReleaseError, match="kubelet"):
        release_spec(release)
    with pytest.raises(ReleaseError, match="kubelet"):
        verify(release, log=lambda _line: None)


@db
def test_a_release_that_is_not_ready_cannot_be_used(bundle: MakeBundle):
    release = Release.objects.create(version=VERSION, source="official", state="pending")
    with pytest.raises(ReleaseError, match="not ready"):
        release_spec(release)
