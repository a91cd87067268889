"""What API servers do wrong, and that it harms neither the rows nor other kinds and clusters."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.db import DatabaseError

from clusters.inventory import writer as writer_module
from clusters.models import Cluster, ClusterStatus, Origin
from tests.factories import ClusterSecretFactory
from tests.unit.clusters.apiserver import ApiServer, node
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.objects import made, pod
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.test_inventory_watch import names, state
from tests.unit.clusters.watching import FAST, until, watching

pytestmark = pytest.mark.django_db(transaction=True)

JSON = {"Content-Type": "application/json"}
PATIENT = replace(FAST, rarely=60)


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority):
    with ApiServer(authority) as running:
        yield running


def refusal(code: int, message: str = "no", **more: object) -> tuple:
    body = {"kind": "Status", "code": code, "message": message, **more}
    return code, JSON, json.dumps(body).encode()


def not_watched(cluster: Cluster) -> dict:
    return Cluster.objects.get(pk=cluster.pk).not_watched


@pytest.mark.parametrize(
    ("code", "told"), [(403, "may not list"), (404, "does not serve"), (406, "406")]
)
def test_a_kind_that_is_refused_is_noted_and_disturbs_no_other(server, code, told):
    server.faults["ingresses.networking.k8s.io"] = refusal(code, "ingresses is forbidden")
    server.put("pods", pod("a"))
    cluster = cluster_of(server)
    with watching(PATIENT):
        until(lambda: names(cluster, "pods") == ["a"])
        until(lambda: not_watched(cluster))
        time.sleep(1)
        assert list(not_watched(cluster)) == ["ingresses.networking.k8s.io"]
        assert told in not_watched(cluster)["ingresses.networking.k8s.io"]
        known = server.count("/ingresses?limit")
        assert known >= 3, "a new cluster grants its rights moments later"
        time.sleep(1)
        assert server.count("/ingresses?limit") <= known + 3, "tried again more and more rarely"
        assert Cluster.objects.get(pk=cluster.pk).status == ClusterStatus.ACTIVE


def test_a_kind_that_may_be_listed_later_is_watched_from_then_on(server):
    server.faults["secrets"] = refusal(403)
    server.put("secrets", made("Secret", "s", type="Opaque"))
    cluster = cluster_of(server)
    with watching(replace(FAST, rarely=0.5)):
        until(lambda: not_watched(cluster))
        del server.faults["secrets"]
        until(lambda: names(cluster, "secrets") == ["s"])
        until(lambda: not_watched(cluster) == {})


@pytest.mark.parametrize(
    "fault",
    [
        refusal(500),
        refusal(401),
        refusal(429),
        (200, {"Content-Type": "text/html"}, b"<!doctype html><p>Sign in"),
        (200, JSON, b'{"kind": "PodList", "items": [{"metadata": {"na'),
        (200, JSON, b'{"items": 7, "metadata": "?"}'),
        (200, JSON, b'{"items": [1, null, "x"], "metadata": {"resourceVersion": {}}}'),
        (302, {"Location": "https://elsewhere.example/"}, b""),
        (200, JSON, b"[" * 100_000),
    ],
    ids=["500", "401", "429", "html", "cut", "types", "items", "redirect", "deep"],
)
def test_rows_outlive_a_list_that_fails_and_come_right_afterwards(server, fault):
    cluster = cluster_of(server)
    server.put("pods", pod("a"))
    with watching():
        until(lambda: names(cluster, "pods") == ["a"])
        server.faults["pods"] = fault
        with server.lock:  # a change that only a new list can tell
            server.objects["pods"]["default/b"] = pod("b")
            server.events.clear()
        server.compact()
        asked = server.count("/pods?limit")
        until(lambda: server.count("/pods?limit") >= asked + 2)
        if fault[0] != 200 or b"items" not in fault[2]:
            assert names(cluster, "pods") == ["a"]
        server.put("configmaps", made("ConfigMap", "c"))
        until(lambda: names(cluster, "configmaps") == ["c"])
        del server.faults["pods"]
        until(lambda: names(cluster, "pods") == ["a", "b"])


def test_an_answer_of_fifty_megabytes_is_refused_and_the_next_one_counts(server):
    server.faults["pods"] = (200, JSON, b'{"items": [' + b" " * (65 * 1024 * 1024))
    server.put("configmaps", made("ConfigMap", "c"))
    server.put("pods", pod("a"))
    cluster = cluster_of(server)
    with watching(replace(FAST, first_pause=1)):
        until(lambda: names(cluster, "configmaps") == ["c"], 20)
        until(lambda: server.count("/pods?limit"))
        del server.faults["pods"]
        until(lambda: names(cluster, "pods") == ["a"], 30)


def test_retry_after_is_respected(server):
    server.faults["pods"] = (429, {**JSON, "Retry-After": "2"}, b"{}")
    cluster = cluster_of(server)
    with watching():
        until(lambda: server.count("/pods?limit") == 1)
        time.sleep(1.2)
        assert server.count("/pods?limit") == 1
        del server.faults["pods"]
        server.put("pods", pod("a"))
        until(lambda: names(cluster, "pods") == ["a"])


def test_pages_that_go_stale_are_read_from_the_start(server):
    server.page = 2
    for number in range(5):
        server.put("pods", pod(f"p{number}"))
    path = "/api/v1/pods"
    cluster = cluster_of(server)
    server.gone_pages = {path: 2}
    with watching():
        until(lambda: len(names(cluster, "pods")) == 5)
    assert sum(r == f"{path}?limit=500" for r in server.requests) == 3


@pytest.mark.parametrize("levels", [300, 700])
def test_objects_that_are_nested_deep_become_rows_and_disturb_no_other(server, levels):
    nested = json.loads('{"a": [' * (levels // 2) + "1" + "]}" * (levels // 2))
    parts = ("spec", "status", "data", "involvedObject", "subsets", "type", "rules")
    places = ("labels", "annotations", "ownerReferences", "finalizers", "uid")
    cluster = cluster_of(server)

    def odd(name: str, namespace: str = "default") -> dict:
        metadata = {"name": name, "namespace": namespace} | dict.fromkeys(places, nested)
        return dict.fromkeys(parts, nested) | {"metadata": metadata}

    for resource in server.objects:
        server.put(resource, odd("listed"))
    for part in ("containers", "template", "ports", "conditions", "volumes"):
        inner = {part: [nested]}
        server.put("pods", pod(f"in-{part}") | {"spec": inner, "status": inner})
    with watching():
        until(lambda: "listed" in names(cluster, "pods"))
        for resource in server.objects:
            server.put(resource, odd("watched"))
        until(lambda: {"listed", "watched"} <= set(names(cluster, "pods")))
        until(lambda: {"listed", "watched"} <= set(names(cluster, "deployments.apps")))
        server.put("configmaps", made("ConfigMap", "c"))
        until(lambda: "c" in names(cluster, "configmaps"))
        assert len(names(cluster, "pods")) == 7
    assert not_watched(cluster) == {}


def test_an_old_event_again_does_not_turn_back_the_row(server):
    cluster = cluster_of(server)
    server.put("pods", pod("a", word="CrashLoopBackOff"))
    old = json.loads(json.dumps(server.objects["pods"]["default/a"]))
    with watching():
        until(lambda: names(cluster, "pods") == ["a"])
        server.put("pods", pod("a"))
        until(lambda: state(cluster, "pods", "a") == "Running")
        lists = server.count("/pods?limit")
        server.say("pods", "MODIFIED", old)
        until(lambda: server.count("/pods?limit") > lists)
        server.put("pods", pod("b"))
        until(lambda: names(cluster, "pods") == ["a", "b"])
        assert state(cluster, "pods", "a") == "Running"


def test_the_same_event_twice_is_one_row(server):
    cluster = cluster_of(server)
    with watching():
        until(lambda: server.count("/pods?watch"))
        server.put("pods", pod("a"))
        lists = server.count("/pods?limit")
        server.say("pods", "ADDED", json.loads(json.dumps(server.objects["pods"]["default/a"])))
        server.say("pods", "DELETED", {"metadata": {"name": "never-seen", "namespace": "x"}})
        server.say("pods", "INVENTED", pod("c"))
        server.say("pods", "MODIFIED", {"metadata": None, "spec": 7})
        server.put("pods", pod("z"))
        until(lambda: names(cluster, "pods") == ["a", "z"])
    assert server.count("/pods?limit") == lists


def test_a_watch_that_is_cut_in_a_line_goes_on(server):
    cluster = cluster_of(server)
    with watching():
        until(lambda: server.count("/pods?watch"))
        for number in range(20):
            server.put("pods", pod(f"p{number:02}"))
            if number % 4 == 0:
                server.cut()
        until(lambda: len(names(cluster, "pods")) == 20)


def test_a_database_error_is_put_right_by_a_new_list(server, monkeypatch):
    cluster = cluster_of(server)
    real, failures = writer_module.write, []

    def fails_on_b(lease, changes) -> None:
        found = [entry for change in changes for entry in change.entries]
        if any(entry.key[1] == "b" for entry in found) and len(failures) < 2:
            failures.append(1)
            raise DatabaseError("disk I/O error")
        real(lease, changes)

    server.put("pods", pod("a"))
    with watching():
        until(lambda: names(cluster, "pods") == ["a"])
        until(lambda: server.count("/pods?watch"))
        monkeypatch.setattr(writer_module, "write", fails_on_b)
        server.put("pods", pod("b"))
        until(lambda: names(cluster, "pods") == ["a", "b"])
    assert len(failures) == 2
    assert server.count("/pods?limit") >= 3


def test_a_cluster_that_hangs_holds_up_no_other(authority, server):
    with ApiServer(authority) as hung:
        hung.delay = 30
        away = [cluster_of(hung) for _ in range(9)]
        server.put("pods", pod("a"))
        good = cluster_of(server)
        with watching():
            until(lambda: names(good, "pods") == ["a"])
            until(lambda: Cluster.objects.get(pk=away[0].pk).status == ClusterStatus.UNREACHABLE)
        # While it is away, nothing but the pulse knocks.
        assert {path.split("?")[0] for path in hung.requests} <= {"/readyz"}


def test_a_kind_that_hangs_holds_up_no_other_kind(server):
    server.hangs.add("pods")
    server.put("pods", pod("a"))
    server.put("configmaps", made("ConfigMap", "c"))
    cluster = cluster_of(server)
    with watching(replace(FAST, page=0.5)):
        until(lambda: names(cluster, "configmaps") == ["c"])
        assert names(cluster, "pods") == []
        assert Cluster.objects.get(pk=cluster.pk).status == ClusterStatus.ACTIVE
        server.hangs.clear()
        until(lambda: names(cluster, "pods") == ["a"])


def test_refused_credentials_are_the_reason_of_an_imported_cluster(server, settings):
    settings.OUTBOUND_ALLOWED = [ip_network("127.0.0.0/8")]
    cluster = cluster_of(server, origin=Origin.IMPORTED)
    with watching():
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen)
        server.override = refusal(401, "Unauthorized")
        until(lambda: Cluster.objects.get(pk=cluster.pk).status == ClusterStatus.UNREACHABLE)
    assert "Replace the cluster's credentials" in Cluster.objects.get(pk=cluster.pk).status_reason


def test_an_expired_certificate_is_named_with_its_date(server, settings):
    settings.OUTBOUND_ALLOWED = [ip_network("127.0.0.0/8")]
    cluster = cluster_of(server, origin=Origin.IMPORTED)
    certificate, key = server.authority.client(life=timedelta(minutes=-5))
    cluster.secrets.filter(name__startswith="console/").delete()
    ClusterSecretFactory(cluster=cluster, name="console/client.crt", value=certificate)
    ClusterSecretFactory(cluster=cluster, name="console/client.key", value=key)
    with watching():
        until(lambda: Cluster.objects.get(pk=cluster.pk).status == ClusterStatus.UNREACHABLE)
    assert "expired on 20" in Cluster.objects.get(pk=cluster.pk).status_reason


def test_a_server_that_hides_readyz_is_there(server):
    cluster = cluster_of(server)
    server.faults["/readyz"] = refusal(403)
    with watching():
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen)
    assert Cluster.objects.get(pk=cluster.pk).status == ClusterStatus.ACTIVE


def test_kubelets_that_are_too_old_degrade_an_imported_cluster(server, settings):
    settings.OUTBOUND_ALLOWED = [ip_network("127.0.0.0/8")]
    server.git_version = "v1.31.0"
    server.put(node("old"))  # v1.20.2
    cluster = cluster_of(server, origin=Origin.IMPORTED)
    ours = cluster_of(server, version="v1.31.0")
    with watching():
        until(lambda: Cluster.objects.get(pk=cluster.pk).status == ClusterStatus.DEGRADED)
        assert "old (v1.20.2) is too old" in Cluster.objects.get(pk=cluster.pk).status_reason
        assert Cluster.objects.get(pk=ours.pk).status == ClusterStatus.ACTIVE
