"""Downloading a release from a site with the official layout, whatever the network does."""

from __future__ import annotations

import time

import pytest

from provisioning.models import Release, ReleaseState
from provisioning.releases import begin, folder_of, release_spec
from provisioning.releases_download import Downloader, Limits
from provisioning.releases_layout import BINARIES, CNI, ETCD, ReleaseError
from provisioning.releases_sources import fetch_official
from tests.unit.releases.conftest import VERSION, Site, program, sha256, tarball, unpacked

pytestmark = pytest.mark.django_db

KUBELET = f"/release/{VERSION}/bin/linux/amd64/kubelet"
QUICK = Limits(silence=0.5, least_bytes=64, attempts=3, pause=0.0)


def fetched(lines: list[str] | None = None, limits: Limits = QUICK, **kwargs) -> Release:
    """The release, begun and fetched."""
    release = begin(VERSION, "amd64", "official")
    log = lines.append if lines is not None else lambda _line: None
    fetch_official(release, log=log, downloader=Downloader(limits=limits, **kwargs))
    release.refresh_from_db()
    return release


def test_every_file_is_downloaded_checked_packed_and_recorded(official: Site):
    release = fetched()
    assert release.state == ReleaseState.READY
    assert official.url in release.provenance
    spec = release_spec(release)
    assert {file.name for file in spec.files} == {*BINARIES, *ETCD, *CNI}
    assert {file.kind for file in spec.files} == {"binary", "etcd", "cni"}
    for file in spec.files:
        assert unpacked(file.packed) == program(file.name)
        assert file.sha256 == sha256(program(file.name))
        assert file.packed_size == file.packed.stat().st_size
    assert spec.pause_image == "registry.k8s.io/pause:3.9"
    kubelet = release.files.get(name="kubelet")
    assert kubelet.origin == f"{official.url}{KUBELET}"
    assert release.files.get(name="etcd").origin.endswith("etcd-v3.5.12-linux-amd64.tar.gz")


def test_nothing_of_the_download_is_left_lying_about(official: Site, store):
    release = fetched()
    files = {path for path in store.rglob("*") if path.is_file()}
    assert files == {file.packed for file in release_spec(release).files}


def test_one_flipped_byte_is_refused_naming_file_expected_and_found(official: Site):
    good = official.files[KUBELET]
    flipped = good[:1000] + bytes([good[1000] ^ 1]) + good[1001:]
    official.files[KUBELET] = flipped
    with pytest.raises(ReleaseError, match="kubelet") as refused:
        fetched()
    assert refused.value.expected == f"sha256:{sha256(good)}"
    assert refused.value.found == f"sha256:{sha256(flipped)}"
    release = Release.objects.get()
    assert release.state != ReleaseState.READY
    assert not (folder_of(release) / "kubelet.zst").exists()


def test_an_archive_with_a_flipped_byte_is_refused_before_it_is_opened(official: Site):
    path = next(path for path in official.files if path.endswith("linux-amd64.tar.gz"))
    official.files[path] = official.files[path][:-5] + b"\xff" * 5
    with pytest.raises(ReleaseError, match=r"etcd-v3\.5\.12") as refused:
        fetched()
    assert refused.value.expected.startswith("sha256:")


def test_an_archive_without_the_program_is_refused(official: Site):
    name = "cni-plugins-linux-amd64-v1.5.1.tgz"
    archive = tarball({"./bridge": program("bridge")})
    official.files[f"/cni/v1.5.1/{name}"] = archive
    official.files[f"/cni/v1.5.1/{name}.sha256"] = sha256(archive).encode()
    with pytest.raises(ReleaseError, match="host-local"):
        fetched()


def test_a_download_that_breaks_off_goes_on_where_it_was(official: Site):
    official.cut_off[KUBELET] = [20_000, 10_000]
    release = fetched()
    assert release.state == ReleaseState.READY
    asked = [wanted for path, wanted in official.asked if path == KUBELET]
    assert asked == ["", "bytes=20000-", "bytes=30000-"]


def test_a_download_that_always_breaks_off_is_refused_and_resumed_by_the_next_attempt(
    official: Site,
):
    official.cut_off[KUBELET] = [1_000] * 3
    with pytest.raises(ReleaseError, match="ended after 3000 of 50000 bytes"):
        fetched()
    official.asked.clear()
    assert fetched().state == ReleaseState.READY
    kubelet = [wanted for path, wanted in official.asked if path == KUBELET]
    assert kubelet == ["bytes=3000-"]
    assert not [path for path, _wanted in official.asked if path.endswith("kube-apiserver")]


def test_a_server_that_cannot_resume_sends_all_again(official: Site):
    official.ranges = False
    official.cut_off[KUBELET] = [20_000]
    assert fetched().state == ReleaseState.READY


def test_a_part_of_another_file_is_thrown_away(official: Site, store):
    part = store / ".incoming" / f"{VERSION}-amd64.parts" / "kubelet"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"another file's beginning")
    assert fetched().state == ReleaseState.READY


def test_a_part_longer_than_the_file_is_thrown_away(official: Site, store):
    part = store / ".incoming" / f"{VERSION}-amd64.parts" / "kubelet"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(60_000))
    assert fetched().state == ReleaseState.READY


def test_a_part_that_is_whole_is_not_fetched_again(official: Site, store):
    part = store / ".incoming" / f"{VERSION}-amd64.parts" / "kubelet"
    part.parent.mkdir(parents=True)
    part.write_bytes(program("kubelet"))
    assert fetched().state == ReleaseState.READY


def test_a_version_that_is_not_there_is_named_with_its_address(official: Site):
    official.files = {k: v for k, v in official.files.items() if "kubectl" not in k}
    with pytest.raises(ReleaseError) as refused:
        fetched()
    assert VERSION in str(refused.value)
    assert f"{official.url}/release/{VERSION}/bin/linux/amd64/kubectl" in str(refused.value)
    assert refused.value.found == "HTTP 404"


def test_a_checksum_that_is_no_checksum_is_refused(official: Site):
    official.files[f"{KUBELET}.sha256"] = b"<html>Please sign in</html>"
    with pytest.raises(ReleaseError, match="SHA-256"):
        fetched()


def test_sums_without_the_file_are_refused(official: Site):
    official.files["/etcd/v3.5.12/SHA256SUMS"] = f"{'0' * 64}  other.tar.gz\n".encode()
    with pytest.raises(ReleaseError, match="no checksum of etcd"):
        fetched()


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(official: Site):
    official.slow[KUBELET] = 0.05
    started = time.monotonic()
    with pytest.raises(ReleaseError, match=r"only .* bytes came"):
        fetched(limits=Limits(silence=0.3, least_bytes=1000, attempts=1, pause=0))
    assert time.monotonic() - started < 5


def test_a_server_that_says_nothing_times_out(official: Site):
    official.slow[KUBELET] = 30
    with pytest.raises(ReleaseError, match="no answer in time"):
        fetched(limits=Limits(silence=0.2, least_bytes=1, attempts=1, pause=0))


def test_a_server_that_is_not_there_is_named(settings):
    settings.RELEASE_MIRROR = "http://127.0.0.1:9/release"
    with pytest.raises(ReleaseError, match=r"127\.0\.0\.1:9.*refused") as refused:
        fetched()
    assert "mirror" in refused.value.hint


def test_a_redirect_within_the_site_is_followed(official: Site):
    official.files["/elsewhere/kubelet"] = official.files.pop(KUBELET)
    official.redirects[KUBELET] = "/elsewhere/kubelet"
    assert fetched().state == ReleaseState.READY


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("http://other.example/kubelet", "away from https"),
        ("https://127.0.0.1:1/kubelet", "own network"),
        ("https://169.254.169.254/latest/meta-data", "own network"),
        ("https://[::1]/kubelet", "own network"),
        ("file:///etc/passwd", "refused kubelet"),
        ("ftp://127.0.0.1/kubelet", "away from https"),
    ],
)
def test_redirects_that_lead_astray_are_not_followed(official: Site, to, why):
    official.redirects[KUBELET] = to
    with pytest.raises(ReleaseError, match=why):
        fetched()


def test_a_redirect_to_itself_ends(official: Site):
    official.redirects[KUBELET] = KUBELET
    with pytest.raises(ReleaseError):
        fetched()


def test_a_file_without_end_is_refused(official: Site, monkeypatch):
    downloader = Downloader(limits=QUICK)
    with pytest.raises(ReleaseError, match="larger than"):
        part = folder_of(Release(version="v1.0.0", arch="amd64")) / "part"
        downloader.file(official.url + KUBELET, part, "kubelet", limit=1000)


def test_it_can_be_stopped_between_two_pieces(official: Site):
    class StoppedError(Exception):
        pass

    def stop() -> None:
        if official.asked:
            raise StoppedError

    with pytest.raises(StoppedError):
        fetched(check=stop)


def test_the_progress_is_logged(official: Site):
    lines: list[str] = []
    fetched(lines)
    assert any(f"{official.url}{KUBELET}" in line for line in lines)
    assert any(sha256(program("kubelet")) in line for line in lines)


def test_an_unsupported_version_is_refused_with_those_that_are():
    with pytest.raises(ReleaseError, match="not supported") as refused:
        begin("v1.12.0", "amd64", "official")
    assert "v1.20" in refused.value.expected
    assert not Release.objects.exists()


@pytest.mark.parametrize("version", ["", "latest", "v1.30", "1.30.2-rc.1", "../../etc", "v01.30.2"])
def test_what_is_no_version_is_refused(version):
    with pytest.raises(ReleaseError, match="no Kubernetes version"):
        begin(version, "amd64", "official")


def test_a_release_that_is_ready_is_not_begun_again(official: Site):
    fetched()
    with pytest.raises(ReleaseError, match="there already"):
        begin("1.30.2", "amd64", "official")
