"""Releases through the pages, the API, the tasks and the command."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from console.audit.models import AuditEvent
from provisioning.engine import run_task
from provisioning.lease import Lease, claim
from provisioning.logs import read
from provisioning.models import Release, ReleaseState, Task, TaskStatus
from provisioning.operation_releases import upload_path
from provisioning.releases import folder_of
from provisioning.releases_sources import import_folder
from tests.factories import ClusterFactory, ReleaseFactory
from tests.unit.releases.conftest import VERSION, Site, packed_tar, program, sha256

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/releases/"
MakeBundle = Callable[..., Path]


def url(name: str, *args: object) -> str:
    return reverse(f"provisioning:{name}", args=args)


def run_next() -> Task:
    """Do what the worker does with the next task."""
    task = claim("default", "tests:1:1")
    assert task is not None
    run_task(task, Lease(task))
    task.refresh_from_db()
    return task


def log_of(task: Task) -> str:
    return "\n".join(line["text"] for line in read(task.pk, after=0, limit=1000))


def upload_of(path: Path) -> SimpleUploadedFile:
    return SimpleUploadedFile("kubernetes.tar.gz", path.read_bytes())


# -- official -----------------------------------------------------------------------------


def test_a_version_is_fetched_by_a_task(operator_client, operator, official: Site):
    response = operator_client.post(
        url("release-add"), {"way": "fetch", "version": "1.30.2", "arch": "amd64"}
    )
    release = Release.objects.get()
    assert (release.version, release.state, release.source) == (VERSION, "pending", "official")
    assert response.url == url("task", Task.objects.get().pk)
    assert AuditEvent.objects.get(action="release.fetched").actor == operator
    task = run_next()
    assert task.status == TaskStatus.SUCCEEDED
    release.refresh_from_db()
    assert release.state == ReleaseState.READY
    assert sha256(program("kubelet")) in log_of(task)
    page = operator_client.get(url("release", release.pk)).content.decode()
    assert sha256(program("kubelet")) in page
    assert official.url in page


def test_a_flipped_byte_fails_the_task_and_the_release_and_a_retry_mends_both(
    operator_client, official: Site
):
    path = f"/release/{VERSION}/bin/linux/amd64/kubelet"
    good = official.files[path]
    official.files[path] = b"X" + good[1:]
    data = {"way": "fetch", "version": VERSION, "arch": "amd64"}
    operator_client.post(url("release-add"), data)
    task = run_next()
    assert task.status == TaskStatus.FAILED
    assert "kubelet" in task.failure["found"]
    assert task.failure["expected"] == f"sha256:{sha256(good)}"
    release = Release.objects.get()
    assert release.state == ReleaseState.FAILED
    assert "kubelet" in operator_client.get(url("release", release.pk)).content.decode()
    official.files[path] = good
    official.asked.clear()
    operator_client.post(url("release-retry", release.pk))
    assert run_next().status == TaskStatus.SUCCEEDED
    release.refresh_from_db()
    assert release.state == ReleaseState.READY
    assert not any(p.rsplit("/", 1)[-1] == "kube-apiserver" for p, _range in official.asked)


@pytest.mark.parametrize(
    ("version", "part"),
    [
        ("", "required"),
        ("latest", "no Kubernetes version"),
        ("v1.30", "no Kubernetes version"),
        ("v1.2.3", "not supported"),
        ("v2.0.0", "not supported"),
        ("../../etc/passwd", "no Kubernetes version"),
    ],
)
def test_a_bad_version_is_said_at_its_field(operator_client, version, part):
    data = {"way": "fetch", "version": version, "arch": "amd64"}
    response = operator_client.post(url("release-add"), data)
    assert part in str(response.context["fetch"].errors["version"])
    assert not Release.objects.exists()


def test_a_version_that_is_there_or_on_its_way_is_not_fetched_twice(operator_client):
    ReleaseFactory(version=VERSION)
    data = {"way": "fetch", "version": VERSION, "arch": "amd64"}
    response = operator_client.post(url("release-add"), data)
    assert "there already" in str(response.context["fetch"].errors["version"])
    data["version"] = "v1.30.3"
    operator_client.post(url("release-add"), data)
    response = operator_client.post(url("release-add"), data)
    assert "being fetched already" in str(response.context["fetch"].errors["version"])
    assert Task.objects.count() == 1


def test_a_canceled_fetch_says_so(operator_client, official: Site):
    data = {"way": "fetch", "version": VERSION, "arch": "amd64"}
    operator_client.post(url("release-add"), data)
    operator_client.post(url("task-cancel", Task.objects.get().pk))
    release = Release.objects.get()
    assert release.state == ReleaseState.FAILED
    assert "Canceled" in release.state_reason


# -- bundles ------------------------------------------------------------------------------


def test_an_uploaded_bundle_becomes_a_release(
    operator_client, bundle: MakeBundle, tmp_path: Path, store: Path
):
    file = upload_of(packed_tar(bundle(), tmp_path / "b.tar.gz"))
    response = operator_client.post(
        url("release-add"), {"way": "bundle", "bundle": file, "arch": "amd64"}
    )
    assert response.url == url("task", Task.objects.get().pk)
    assert run_next().status == TaskStatus.SUCCEEDED
    release = Release.objects.get()
    assert (release.version, release.source, release.state) == (VERSION, "bundle", "ready")
    assert list((store / ".incoming").iterdir()) == []


def test_a_bad_bundle_fails_its_task_with_the_reason(operator_client, tmp_path: Path):
    file = SimpleUploadedFile("<b>evil</b>.tar", b"no archive at all")
    operator_client.post(url("release-add"), {"way": "bundle", "bundle": file, "arch": "amd64"})
    task = run_next()
    assert task.status == TaskStatus.FAILED
    assert "no tar archive" in task.failure["found"]
    page = operator_client.get(url("task", task.pk)).content.decode()
    assert "<b>evil" not in page


def test_a_bundle_that_is_too_large_is_refused(operator_client, settings):
    settings.RELEASE_UPLOAD_MIB = 1
    file = SimpleUploadedFile("big.tar", bytes(1024**2 + 1))
    response = operator_client.post(
        url("release-add"), {"way": "bundle", "bundle": file, "arch": "amd64"}
    )
    assert "larger than the 1 MiB" in str(response.context["bundle"].errors["bundle"])
    assert not Task.objects.exists()


@pytest.mark.parametrize("upload", ["", "../../etc/passwd", "a" * 31, "A" * 32, "a" * 33])
def test_only_an_id_of_an_upload_names_one(upload):
    with pytest.raises(ValueError, match="no upload"):
        upload_path(upload)


# -- verify and delete --------------------------------------------------------------------


def test_verify_finds_a_damaged_file(operator_client, bundle: MakeBundle):
    release = import_folder(bundle())
    operator_client.post(url("release-verify", release.pk))
    assert run_next().status == TaskStatus.SUCCEEDED
    path = folder_of(release) / "kubelet.zst"
    path.write_bytes(path.read_bytes()[:-1])
    assert "kubelet" in operator_client.get(url("release", release.pk)).content.decode()
    operator_client.post(url("release-verify", release.pk))
    task = run_next()
    assert task.status == TaskStatus.FAILED
    assert "kubelet" in task.failure["found"]
    release.refresh_from_db()
    assert release.state == ReleaseState.FAILED


def test_a_release_that_a_cluster_runs_stays(operator_client, bundle: MakeBundle):
    release = import_folder(bundle())
    ClusterFactory(name="prod", version=VERSION)
    assert "prod" in operator_client.get(url("release-remove", release.pk)).content.decode()
    operator_client.post(url("release-remove", release.pk), {"confirm_name": VERSION})
    assert Release.objects.exists()
    assert folder_of(release).exists()


def test_a_release_of_another_architecture_is_not_in_use(operator_client):
    release = ReleaseFactory(version=VERSION, arch="arm64")
    ClusterFactory(name="prod", version=VERSION)
    operator_client.post(url("release-remove", release.pk), {"confirm_name": VERSION})
    assert not Release.objects.exists()


def test_a_release_is_deleted_with_its_files(operator_client, bundle: MakeBundle):
    release = import_folder(bundle())
    folder = folder_of(release)
    operator_client.post(url("release-remove", release.pk), {"confirm_name": "v1"})
    assert folder.exists()
    operator_client.post(url("release-remove", release.pk), {"confirm_name": VERSION})
    assert not Release.objects.exists()
    assert not folder.exists()
    assert AuditEvent.objects.get(action="release.removed").before["version"] == VERSION


# -- pages and API ------------------------------------------------------------------------


def test_the_list_shows_what_there_is(auditor_client, bundle: MakeBundle):
    assert "No releases yet" in auditor_client.get(url("releases")).content.decode()
    import_folder(bundle())
    ClusterFactory(name="prod", version=VERSION)
    page = auditor_client.get(url("releases")).content.decode()
    for text in (VERSION, "amd64", "Ready", "prod"):
        assert text in page


def test_the_api_fetches(operator_api, official: Site):
    response = operator_api.post(f"{API}fetch/", {"version": VERSION}, format="json")
    assert response.status_code == 202
    assert response.data["release"]["state"] == "pending"
    assert response.data["task"]["operation"] == "fetch_release"
    assert run_next().status == TaskStatus.SUCCEEDED
    detail = operator_api.get(f"{API}{response.data['release']['id']}/").data
    kubelet = next(file for file in detail["files"] if file["name"] == "kubelet")
    assert kubelet["sha256"] == sha256(program("kubelet"))
    again = operator_api.post(f"{API}fetch/", {"version": VERSION}, format="json")
    assert again.status_code == 409


@pytest.mark.parametrize("body", [{}, {"version": "latest"}, {"version": ["v1.30.2"]}, []])
def test_the_api_refuses_a_bad_version(operator_api, body):
    response = operator_api.post(f"{API}fetch/", body, format="json")
    assert response.status_code == 400
    assert not Release.objects.exists()


def test_the_api_takes_a_bundle(operator_api, bundle: MakeBundle, tmp_path: Path):
    file = upload_of(packed_tar(bundle(), tmp_path / "b.tar.gz"))
    response = operator_api.post(f"{API}bundle/", {"bundle": file}, format="multipart")
    assert response.status_code == 202
    assert run_next().status == TaskStatus.SUCCEEDED
    rows = operator_api.get(API).data["results"]
    assert [row["version"] for row in rows] == [VERSION]
    assert operator_api.post(f"{API}bundle/", {}, format="multipart").status_code == 400


def test_the_api_verifies_and_deletes(operator_api, bundle: MakeBundle):
    release = import_folder(bundle())
    assert operator_api.post(f"{API}{release.pk}/verify/").status_code == 202
    assert operator_api.delete(f"{API}{release.pk}/").status_code == 409  # the task is at work
    run_next()
    assert operator_api.delete(f"{API}{release.pk}/").status_code == 204


def test_who_may_do_what(auditor_client, auditor_api, nobody_client, nobody_api):
    release = ReleaseFactory()
    for name, args in (("releases", ()), ("release", (release.pk,))):
        assert auditor_client.get(url(name, *args)).status_code == 200
        assert nobody_client.get(url(name, *args)).status_code == 404
    for name, args in (
        ("release-add", ()),
        ("release-verify", (release.pk,)),
        ("release-retry", (release.pk,)),
        ("release-remove", (release.pk,)),
    ):
        data = {"way": "fetch", "version": VERSION, "confirm_name": release.version}
        assert auditor_client.post(url(name, *args), data).status_code == 403
        assert nobody_client.post(url(name, *args), data).status_code == 404
    for method, address in (
        ("post", f"{API}fetch/"),
        ("post", f"{API}bundle/"),
        ("post", f"{API}{release.pk}/verify/"),
        ("delete", f"{API}{release.pk}/"),
    ):
        assert getattr(auditor_api, method)(address).status_code == 403
        assert getattr(nobody_api, method)(address).status_code == 404
    assert not Task.objects.exists()
    assert Release.objects.count() == 1


# -- the command --------------------------------------------------------------------------


def test_the_command_imports_lists_and_fetches(bundle: MakeBundle, official: Site):
    out = io.StringIO()
    call_command("release", "import", str(bundle(version="v1.29.0")), stdout=out)
    call_command("release", "fetch", VERSION, stdout=out)
    call_command("release", "list", stdout=out)
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines[-2:]] == [VERSION, "v1.29.0"]
    assert AuditEvent.objects.filter(action__startswith="release.").count() == 2


def test_the_command_says_what_is_wrong(bundle: MakeBundle, tmp_path: Path):
    folder = bundle()
    (folder / "kubelet").write_bytes(bytes(50_000))
    with pytest.raises(CommandError, match="kubelet") as refused:
        call_command("release", "import", str(folder), stdout=io.StringIO())
    assert "expected: sha256:" in str(refused.value)
    assert "found: sha256:" in str(refused.value)
    with pytest.raises(CommandError, match="nothing at"):
        call_command("release", "import", str(tmp_path / "nowhere"), stdout=io.StringIO())


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN: only root can give files away")
def test_what_root_imports_belongs_to_the_consoles_user(bundle, settings):
    store = Path(settings.RELEASES_DIR)
    store.mkdir(parents=True, exist_ok=True)
    os.chown(store, 61077, 61077)
    call_command("release", "import", str(bundle(version="v1.29.0")), stdout=io.StringIO())
    found = list(store.rglob("*"))
    assert len(found) > 3 and {path.stat().st_uid for path in found} == {61077}
