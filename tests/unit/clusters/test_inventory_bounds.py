"""API servers that tell of objects without end, and that the rows have one."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace

import pytest

from clusters.models import Cluster, ClusterStatus, Object
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.objects import made, pod
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.test_inventory_watch import names
from tests.unit.clusters.watching import FAST, until, watching

pytestmark = pytest.mark.django_db(transaction=True)

MOST = 40
JSON = {"Content-Type": "application/json"}
RARELY = replace(FAST, rarely=0.5)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority, settings):
    settings.MAX_OBJECTS = MOST
    with ApiServer(authority) as running:
        yield running


def note(cluster: Cluster) -> str:
    return Cluster.objects.get(pk=cluster.pk).not_watched.get("pods", "")


def endless(server: ApiServer, items, fails_at: int = 0) -> None:
    """Pages of pods for ever; each `fails_at`th page is an error."""
    count = itertools.count(1)

    def page() -> tuple:
        number = next(count)
        if fails_at and number % fails_at == 0:
            return 500, JSON, b"{}"
        metadata = {"resourceVersion": "100", "continue": str(number)}
        body = {"kind": "PodList", "metadata": metadata, "items": items(number)}
        return 200, JSON, json.dumps(body).encode()

    server.paths["/api/v1/pods"] = page


def new_names(number: int) -> list[dict]:
    return [pod(f"p{number:06}-{place}") for place in range(10)]


def rows(cluster: Cluster) -> int:
    return Object.objects.filter(cluster=cluster, resource="pods").count()


def test_a_list_without_end_is_stopped_and_the_cluster_says_so(server):
    endless(server, new_names)
    server.put("configmaps", made("ConfigMap", "c"))
    cluster = cluster_of(server)
    with watching(RARELY):
        until(lambda: note(cluster))
        assert f"more than {MOST} pods" in note(cluster)
        assert "FLOTILLA_MAX_OBJECTS" in note(cluster)
        asked = server.count("/pods?limit")
        until(lambda: server.count("/pods?limit") >= asked + 10)
        assert 0 < rows(cluster) <= 2 * MOST
        until(lambda: names(cluster, "configmaps") == ["c"])  # no other kind is disturbed
        assert Cluster.objects.get(pk=cluster.pk).status == ClusterStatus.ACTIVE
        asked = server.count("/pods?limit")
        time.sleep(1)
        assert server.count("/pods?limit") <= asked + 25, "asked again more and more rarely"


@pytest.mark.parametrize(
    "items", [lambda _n: [pod("a")], lambda _n: []], ids=["the same", "nothing"]
)
def test_a_list_that_goes_on_without_new_names_has_an_end_too(server, items):
    endless(server, items)
    cluster = cluster_of(server)
    with watching(RARELY):
        until(lambda: note(cluster))
    assert rows(cluster) <= 1


def test_lists_that_break_off_leave_no_rows_without_end(server):
    endless(server, new_names, fails_at=3)
    cluster = cluster_of(server)
    with watching(replace(FAST, longest_pause=0.05)):
        until(lambda: server.count("/pods?limit") >= 45, 20)
        assert rows(cluster) <= 3 * MOST


def test_a_watch_that_tells_of_new_objects_without_end_adds_no_rows_without_end(server):
    server.put("pods", pod("a"))
    cluster = cluster_of(server)
    with watching(RARELY):
        until(lambda: names(cluster, "pods") == ["a"])
        until(lambda: server.count("/pods?watch"))
        lists = server.count("/pods?limit")
        for number in range(5 * MOST):
            ghost = pod(f"ghost-{number}")
            ghost["metadata"]["resourceVersion"] = str(server.version + 1)
            server.say("pods", "MODIFIED", ghost)
        until(lambda: server.count("/pods?limit") > lists)
        until(lambda: rows(cluster) <= MOST)
        time.sleep(0.5)
        assert rows(cluster) <= MOST


def test_a_cluster_that_has_shrunk_is_watched_again(server):
    for number in range(MOST + 5):
        server.put("pods", pod(f"p{number:03}"))
    cluster = cluster_of(server)
    with watching(RARELY):
        until(lambda: note(cluster))
        until(lambda: rows(cluster) == MOST)
        for number in range(10):
            server.remove("pods", f"default/p{number:03}")
        until(lambda: note(cluster) == "")
        assert rows(cluster) == MOST - 5
        server.put("pods", pod("z"))
        until(lambda: "z" in names(cluster, "pods"))


def test_exactly_as_many_as_may_be_are_no_problem(server):
    server.page = 7
    for number in range(MOST):
        server.put("pods", pod(f"p{number:03}"))
    cluster = cluster_of(server)
    with watching(RARELY):
        until(lambda: rows(cluster) == MOST)
        until(lambda: server.count("/pods?watch"))
    assert note(cluster) == ""
