"""Files, folders and links, made by the real shell."""

from __future__ import annotations

import os
import random
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioning.steps.compile import compile_script
from provisioning.steps.resources import Directory, File, Link, Upload
from tests.unit.provisioning.conftest import CLUSTER, NONCE, LocalHost, release_file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_made_with_its_folders_and_the_second_run_changes_nothing(
    host: LocalHost,
) -> None:
    path = host.path("etc/deep/x.conf")
    file = File(str(path), "a = 1\n$(id) `id` 'q'\n\n", 0o640, host.owner)
    first = host.make(file)
    assert first.status == 0
    assert first.states(file.key) == ["changing", "changed"]
    assert path.read_text() == "a = 1\n$(id) `id` 'q'\n\n"
    assert mode(path) == 0o640
    second = host.make(file)
    assert second.states(file.key) == ["ok"]
    assert second.changed == 0


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=400))
def test_any_content_arrives_byte_for_byte(host: LocalHost, content: str) -> None:
    path = host.path("any")
    assert host.make(File(str(path), content, 0o600, host.owner)).status == 0
    assert path.read_bytes() == content.encode()


def test_a_secret_is_never_printed_and_its_parts_are_named_for_masking(host: LocalHost) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"
    file = File(str(host.path("key")), pem, 0o600, host.owner, secret=True)
    run = host.make(file)
    assert "MIGHAgEAMBMGByqGSM49" not in run.log + str(run.events)
    assert compile_script([file], NONCE, CLUSTER).secrets == {"MIGHAgEAMBMGByqGSM49"}


def test_what_was_there_is_told_before_it_is_replaced_and_kept_on_the_host(host: LocalHost) -> None:
    path = host.path("old.conf")
    path.write_text("old\n")
    path.chmod(0o604)
    file = File(str(path), "new\n", 0o644, host.owner)
    cut = host.make(file, stop_at=lambda e: e.verb == "prior")
    prior = cut.priors[0]
    assert prior["kind"] == "file"
    assert prior["args"][:3] == [str(path), "present", "604"]  # type: ignore[index]
    log = (host.state / str(CLUSTER) / "undo.log").read_text()
    assert log.startswith(file.key)
    backups = [p for p in (host.state / str(CLUSTER) / "backup").iterdir() if p.is_file()]
    assert [p.read_text() for p in backups] == ["old\n"]


def test_only_the_first_record_of_a_key_counts(host: LocalHost) -> None:
    path = host.path("x.conf")
    first = host.make(File(str(path), "one", 0o644, host.owner))
    second = host.make(File(str(path), "two", 0o644, host.owner))
    assert [p["kind"] for p in first.priors] == ["file"]
    assert second.priors == []
    assert path.read_text() == "two"


def test_mode_drift_is_put_right(host: LocalHost) -> None:
    path = host.path("x.conf")
    file = File(str(path), "one", 0o600, host.owner)
    host.make(file)
    path.chmod(0o666)
    assert host.make(file).states(file.key) == ["changing", "changed"]
    assert mode(path) == 0o600


def test_a_folder_where_a_file_should_be_is_named(host: LocalHost) -> None:
    path = host.path("x.conf")
    path.mkdir()
    run = host.make(File(str(path), "one", 0o644, host.owner))
    assert run.status == 1
    assert run.failure["hint_code"] == "wrong_type"
    assert "directory" in str(run.failure["found"])


def test_links_point_where_they_should_and_go_back(host: LocalHost) -> None:
    link = host.path("current")
    link.symlink_to("/old/target")
    run = host.make(Link(str(link), "/opt/kubernetes/v1.20.2"))
    assert str(link.readlink()) == "/opt/kubernetes/v1.20.2"
    assert host.make(Link(str(link), "/opt/kubernetes/v1.20.2")).changed == 0
    host.undo(run.priors)
    assert str(link.readlink()) == "/old/target"


def test_a_folder_gets_its_mode_and_owned_ones_remember_whether_they_were_empty(
    host: LocalHost,
) -> None:
    path = host.path("var/etcd")
    run = host.make(Directory(str(path), 0o700, host.owner, owns=True))
    assert mode(path) == 0o700
    assert run.priors[-1]["args"] == [str(path), "absent"]


def test_an_upload_is_asked_for_once_and_checked(host: LocalHost, tmp_path: Path) -> None:
    file = release_file(tmp_path, "kubelet", content=b"\x7fELF" + bytes(range(256)) * 400)
    upload = Upload(file, str(host.path("opt/kubelet")), 0o755, host.owner)
    first = host.make(upload)
    assert [e.data["payload"] for e in first.events if e.verb == "want"] == [0]
    assert host.path("opt/kubelet").read_bytes().startswith(b"\x7fELF")
    assert mode(host.path("opt/kubelet")) == 0o755
    second = host.make(upload)
    assert not [e for e in second.events if e.verb == "want"]
    assert second.states(upload.key) == ["ok"]


@pytest.mark.parametrize("lacking", [(), ("zstd",)])
def test_a_program_arrives_whole_whether_or_not_the_host_can_unpack(
    host: LocalHost, tmp_path: Path, lacking: tuple[str, ...]
) -> None:
    host.lacks(*lacking)
    content = random.Random(7).randbytes(900_000) + b"same" * 200_000
    upload = Upload(
        release_file(tmp_path, "kubelet", content=content), str(host.path("kubelet")), 0o755,
        host.owner,
    )  # fmt: skip
    run = host.make(upload)
    assert run.status == 0, run.log
    (wanted,) = [e.data["packed"] for e in run.events if e.verb == "want"]
    assert wanted == (bool(shutil.which("zstd")) and not lacking)
    assert host.path("kubelet").read_bytes() == content
    # Large files are compared by another program than small ones: it agrees.
    os.utime(host.path("kubelet"))
    assert host.make(upload).states(upload.key) == ["ok"]


def test_a_program_that_was_tampered_with_is_sent_again(host: LocalHost, tmp_path: Path) -> None:
    file = release_file(tmp_path, "kubelet", content=b"good" * 1000)
    path = host.path("kubelet")
    upload = Upload(file, str(path), 0o755, host.owner)
    host.make(upload)
    was = path.stat()
    path.write_bytes(b"evil" * 1000)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    run = host.make(upload)
    assert [e for e in run.events if e.verb == "want"]
    assert path.read_bytes() == b"good" * 1000


def test_several_uploads_share_one_channel(host: LocalHost, tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    uploads = [
        Upload(release_file(tmp_path, n, content=n.encode() * 70_000), str(host.path(n)), 0o755,
               host.owner)
        for n in names
    ]  # fmt: skip
    run = host.make(*uploads, File(str(host.path("after")), "after", 0o644, host.owner))
    assert run.status == 0
    assert [host.path(n).read_bytes() for n in names] == [n.encode() * 70_000 for n in names]
    assert host.path("after").read_text() == "after"


def test_a_flipped_byte_is_found_and_nothing_is_put_in_place(
    host: LocalHost, tmp_path: Path
) -> None:
    good = release_file(tmp_path, "kubelet", content=b"good" * 1000)
    bad = release_file(tmp_path, "kubelet", content=b"gooe" * 1000)
    assert good.packed == bad.packed
    upload = Upload(good, str(host.path("kubelet")), 0o755, host.owner)
    run = host.make(
        Upload(
            type(good)(**{**vars(good), "packed_size": bad.packed_size}),
            upload.path, 0o755, host.owner,
        )
    )  # fmt: skip
    assert run.failure["hint_code"] == "checksum"
    assert good.sha256 in str(run.failure["expected"])
    assert not host.path("kubelet").exists()


def test_the_same_key_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        compile_script([File("/etc/x", "a"), File("/etc/x", "b")], NONCE, CLUSTER)


def test_a_script_that_only_looked_leaves_no_state_folder(host: LocalHost) -> None:
    path = host.path("here")
    path.mkdir(mode=0o755)
    host.make(Directory(str(path), 0o755, host.owner))
    assert not host.state.exists()
