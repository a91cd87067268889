"""The inventory against a real kube-apiserver: bulk, changes, restarts, and watchers that die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection as database

from clusters.kube import Connection
from clusters.kube.credentials import CA, CERTIFICATE, KEY
from clusters.models import Cluster, ClusterEvent, Object
from tests.factories import ClusterFactory, ClusterSecretFactory
from tests.integration import api_server, bulk
from tests.integration.api_server import RealApiServer
from tests.unit.clusters.watching import FAST, until, watching

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]
CHECKOUT = Path(__file__).resolve().parents[2]
HIDDEN = "c3VwZXItc2VjcmV0"


@pytest.fixture(scope="module")
def server():
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer() as running:
        yield running


@pytest.fixture(scope="module")
def conn(server) -> Connection:
    return server.connection()


@pytest.fixture
def cluster(server) -> Cluster:
    cluster = ClusterFactory(endpoint=server.endpoint, version="")
    credentials = server.credentials()
    for name, value in (
        (CA, credentials.ca),
        (CERTIFICATE, credentials.certificate),
        (KEY, credentials.key),
    ):
        ClusterSecretFactory(cluster=cluster, name=name, value=value)
    return cluster


def names(cluster: Cluster, resource: str) -> set[str]:
    rows = Object.objects.filter(cluster=cluster, resource=resource)
    return set(rows.values_list("name", flat=True))


def test_two_thousand_objects_appear_and_follow(server, conn, cluster):
    bulk.make(conn, bulk.PODS, (bulk.pod(f"p{n:04}") for n in range(1000)))
    with watching():
        until(lambda: len(names(cluster, "pods")) == 1000, 60)
        bulk.make(conn, bulk.MAPS, (bulk.config_map(f"c{n:04}") for n in range(1000)))
        until(lambda: len({n for n in names(cluster, "configmaps") if n[0] == "c"}) == 1000, 60)
        row = cluster.inventory.get(resource="pods", name="p0007")
        assert (row.status, row.images) == ("Pending", "registry.example/shop/web:1.2.3")
        assert row.summary["memory_request"] == 64 * 2**20
        conn.merge_patch(f"{bulk.PODS}/p0007", {"metadata": {"labels": {"tier": "front"}}})
        until(lambda: cluster.inventory.get(name="p0007").labels == {"tier": "front"})
        conn.delete(f"{bulk.PODS}/p0007", {"gracePeriodSeconds": 0})
        until(lambda: "p0007" not in names(cluster, "pods"))
        server.down()
        server.up()
        conn.post(bulk.PODS, bulk.pod("after-the-restart"))
        until(lambda: "after-the-restart" in names(cluster, "pods"), 30)
    assert len(names(cluster, "pods")) == 1000
    found = Cluster.objects.get(pk=cluster.pk)
    # This server is of a version of its own for cron jobs and more, and serves all kinds.
    assert found.not_watched == {}
    assert found.version.startswith("v1.")


def test_a_secrets_type_is_known_and_its_values_are_not(conn, cluster):
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "first"},
        "type": "example.org/own", "data": {"password": HIDDEN},
    }  # fmt: skip
    path = "/api/v1/namespaces/default/secrets"
    conn.post(path, secret)
    with watching():
        until(lambda: names(cluster, "secrets") == {"first"})
        conn.post(path, secret | {"metadata": {"name": "second"}, "type": "Opaque"})
        until(lambda: names(cluster, "secrets") == {"first", "second"})
        conn.merge_patch(f"{path}/second", {"metadata": {"labels": {"a": "b"}}})
        until(lambda: cluster.inventory.get(name="second").labels == {"a": "b"})
        conn.delete(f"{path}/first")
        until(lambda: names(cluster, "secrets") == {"second"})
    row = cluster.inventory.get(name="second")
    assert row.summary == {"type": "Opaque"}
    assert HIDDEN not in str(list(Object.objects.values()))
    conn.delete(f"{path}/second")


def test_events_are_kept_when_the_cluster_deletes_them(conn, cluster):
    path = "/api/v1/namespaces/default/events"
    conn.post(path, {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e.1"}, "type": "Warning",
        "reason": "BackOff", "message": "again", "count": 3,
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p", "uid": "u"},
        "firstTimestamp": "2026-01-02T03:04:05Z",
        "lastTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    })  # fmt: skip
    with watching():
        until(lambda: ClusterEvent.objects.filter(cluster=cluster, about_name="p").count() == 1)
        conn.delete(f"{path}/e.1")
        conn.post(bulk.MAPS, bulk.config_map("marks-the-time"))
        until(lambda: "marks-the-time" in names(cluster, "configmaps"))
        time.sleep(0.5)
    assert ClusterEvent.objects.get(cluster=cluster, about_name="p").count == 3


def test_a_watch_that_ends_goes_on_without_a_list(conn, cluster):
    with watching(FAST):  # watches end after 3 seconds
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen)
        ends = time.monotonic() + 7
        number = 0
        while time.monotonic() < ends:
            number += 1
            conn.post(bulk.MAPS, bulk.config_map(f"steady-{number}"))
            time.sleep(0.2)
        wanted = {f"steady-{n}" for n in range(1, number + 1)}
        until(lambda: wanted <= names(cluster, "configmaps"))


@contextmanager
def process():
    """`manage.py watcher` as it runs in real life, on the tests' database."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "DATABASE_URL": f"sqlite:///{database.settings_dict['NAME']}",
    }
    running = subprocess.Popen([sys.executable, "manage.py", "watcher"], cwd=CHECKOUT,
                               env=environment)  # fmt: skip
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3",
    reason="the second process opens the tests' SQLite file",
)
def test_a_second_watcher_takes_over_when_the_first_is_killed(conn, cluster):
    with process() as first:
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen, 30)
        until(lambda: "default" in names(cluster, "namespaces"), 30)
        holder = Cluster.objects.get(pk=cluster.pk).watcher
        with process():
            first.kill()
            first.wait()
            conn.post(bulk.MAPS, bulk.config_map("while-nobody-watched"))
            until(lambda: "while-nobody-watched" in names(cluster, "configmaps"), 60)
            assert Cluster.objects.get(pk=cluster.pk).watcher != holder
