"""The cluster around the console's own pod: found, added once, its rotated token taken over."""

from __future__ import annotations

import pytest
from django.utils import timezone

from clusters import system_cluster
from clusters.kube import connect
from clusters.kube.credentials import CA, TOKEN
from clusters.models import Cluster, Origin
from console.audit.models import AuditEvent
from tests.factories import ClusterFactory
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.import_server import ImportServer

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority):
    with ImportServer(authority) as running:
        yield running


@pytest.fixture
def pod(server, settings, tmp_path):
    """What Kubernetes puts into a pod: the mounted account and two variables."""
    (tmp_path / "token").write_text("a-token\n")
    (tmp_path / "ca.crt").write_text(server.authority.crt)
    settings.SYSTEM_ACCOUNT_DIR = tmp_path
    settings.KUBERNETES_SERVICE_HOST = "127.0.0.1"
    settings.KUBERNETES_SERVICE_PORT = str(server.port)
    return tmp_path


def test_it_is_added_by_itself_and_only_once(pod, server):
    found = system_cluster.find()
    assert found is not None
    assert (found.name, found.origin, found.status) == ("system", Origin.SYSTEM, "active")
    assert (found.endpoint, found.uid) == (server.endpoint, "uid-1")
    assert connect(found).version() == "v1.20.2"
    system_cluster.find()
    assert Cluster.objects.count() == 1
    assert AuditEvent.objects.filter(action="cluster.imported").count() == 1


def test_the_rotated_token_is_read_again(pod, server):
    found = system_cluster.find()
    server.accepted = {"rotated"}
    (pod / "token").write_text("rotated")
    system_cluster.find()
    assert found.secrets.get(name=TOKEN).value == "rotated"
    assert connect(found).version() == "v1.20.2"
    assert server.tokens[-1] == "rotated"


def test_an_unchanged_token_is_not_written_again(pod):
    found = system_cluster.find()
    before = dict(found.secrets.values_list("name", "updated"))
    system_cluster.find()
    assert dict(found.secrets.values_list("name", "updated")) == before
    assert set(before) == {CA, TOKEN}


def test_a_taken_name_is_not_taken_away(pod):
    ClusterFactory(name="system")
    assert system_cluster.find().name == "system-2"


def test_the_same_cluster_imported_before_is_not_added_again(pod):
    ClusterFactory(name="known", origin=Origin.IMPORTED, uid="uid-1")
    assert system_cluster.find() is None
    assert Cluster.objects.count() == 1


def test_the_namespace_of_the_console_is_kept_and_follows(pod):
    (pod / "namespace").write_text("fleet\n")
    found = system_cluster.find()
    assert found.console_namespace == "fleet" and found.hosts_console
    (pod / "namespace").write_text("fleet-2")
    system_cluster.find()
    found.refresh_from_db()
    assert found.console_namespace == "fleet-2"
    event = AuditEvent.objects.get(action="cluster.console_found")
    assert event.before == {"console_namespace": "fleet"}
    assert event.after == {"console_namespace": "fleet-2"}


@pytest.mark.parametrize("text", [None, "", "Not/A_Namespace", "a" * 64])
def test_a_namespace_that_is_none_takes_no_guard_away(pod, text):
    (pod / "namespace").write_text("fleet")
    found = system_cluster.find()
    (pod / "namespace").unlink()
    if text is not None:
        (pod / "namespace").write_text(text)
    system_cluster.find()
    found.refresh_from_db()
    assert found.console_namespace == "fleet"
    assert not AuditEvent.objects.filter(action="cluster.console_found").exists()


def test_a_cluster_without_a_known_namespace_still_hosts_the_console(pod):
    found = system_cluster.find()
    assert found.console_namespace == "" and found.hosts_console


def test_an_import_of_the_same_cluster_is_known_as_the_consoles(pod):
    (pod / "namespace").write_text("fleet")
    known = ClusterFactory(name="known", origin=Origin.IMPORTED, uid="uid-1")
    assert not known.hosts_console
    assert system_cluster.find() is None
    known.refresh_from_db()
    assert known.console_namespace == "fleet" and known.hosts_console


def test_outside_of_a_pod_nothing_happens(settings, server):
    settings.KUBERNETES_SERVICE_HOST = ""
    assert system_cluster.find() is None
    assert server.requests == []


def test_it_can_be_switched_off(pod, settings, server):
    settings.SYSTEM_CLUSTER = False
    assert system_cluster.find() is None
    assert server.requests == []


@pytest.mark.parametrize("broken", ["token", "ca.crt"])
def test_an_account_that_is_not_mounted_or_broken_adds_nothing(pod, broken, server):
    (pod / broken).write_text("not what it should be\n")
    assert system_cluster.find() is None
    (pod / broken).unlink()
    assert system_cluster.find() is None
    assert server.requests == []


def test_an_api_server_that_is_away_is_asked_again_later(pod, server):
    server.down()
    assert system_cluster.find() is None
    server.up()
    assert system_cluster.find() is not None


def test_it_offers_no_forgetting(pod, admin_client):
    found = system_cluster.find()
    Cluster.objects.update(seen=timezone.now())
    page = admin_client.get(f"/clusters/{found.pk}/").content.decode()
    for page_of_imported in ("forget", "credentials"):
        assert f"/clusters/{found.pk}/{page_of_imported}/" not in page
