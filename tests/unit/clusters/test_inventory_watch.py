"""Every kind from an API server's lists and watches into rows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.inventory.kinds import BY_RESOURCE, KINDS, Kind
from clusters.models import Cluster, ClusterEvent, ClusterStatus, Object, OfferedKinds, WatchedKind
from tests.unit.clusters.apiserver import ApiServer, node
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.objects import made, pod
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.watching import FAST, until, watching

pytestmark = pytest.mark.django_db(transaction=True)

HIDDEN = "aHVudGVyMg=="


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def server(authority):
    with ApiServer(authority) as running:
        yield running


def names(cluster: Cluster, resource: str) -> list[str]:
    return sorted(cluster.inventory.filter(resource=resource).values_list("name", flat=True))


def state(cluster: Cluster, resource: str, name: str) -> str:
    return cluster.inventory.get(resource=resource, name=name).status


def changes(cluster: Cluster) -> int:
    return Cluster.objects.get(pk=cluster.pk).changes


def test_every_kind_is_listed_and_followed(server):
    cluster = cluster_of(server)
    for kind in KINDS:
        item = node("a") if kind.kind == "Node" else made(kind.kind, "a")
        if not kind.namespaced:
            item["metadata"].pop("namespace", None)
        server.put(kind.resource, item)
    with watching():
        until(lambda: cluster.inventory.count() == len(KINDS))
        found = {row.resource: row for row in cluster.inventory.all()}
        for kind in KINDS:
            row = found[kind.resource]
            assert (row.kind, row.api_version) == (kind.kind, kind.api_version())
            assert row.namespace == ("default" if kind.namespaced else "")
        before = changes(cluster)
        server.put("pods", pod("b", "shop", "CrashLoopBackOff"))
        until(lambda: names(cluster, "pods") == ["a", "b"])
        assert state(cluster, "pods", "b") == "CrashLoopBackOff"
        until(lambda: changes(cluster) > before)
        server.put("pods", pod("b", "shop"))
        until(lambda: state(cluster, "pods", "b") == "Running")
        server.remove("pods", "shop/b")
        until(lambda: names(cluster, "pods") == ["a"])
    assert Cluster.objects.get(pk=cluster.pk).not_watched == {}


def test_a_list_replaces_what_was_known(server):
    cluster, other = cluster_of(server), cluster_of(server)
    for owner in (cluster, other):
        Object.objects.create(cluster=owner, resource="pods", namespace="x", name="old", kind="Pod")
    Cluster.objects.filter(pk=other.pk).update(status=ClusterStatus.FAILED)  # not watched
    server.put("pods", pod("new"))
    with watching():
        until(lambda: names(cluster, "pods") == ["new"])
    assert names(other, "pods") == ["old"]


def test_pages_are_written_as_they_come(server):
    server.page = 3
    for number in range(10):
        server.put("pods", pod(f"p{number}"))
    cluster = cluster_of(server)
    with watching():
        until(lambda: len(names(cluster, "pods")) == 10)
    assert server.count("/api/v1/pods?limit=500&continue=") == 3


def test_values_never_cross_the_wire_nor_reach_the_database(server):
    server.put("secrets", made("Secret", "s", data={"password": HIDDEN}, type="kubernetes.io/tls"))
    server.put("configmaps", made("ConfigMap", "c", data={"password": HIDDEN}))
    cluster = cluster_of(server)
    with watching():
        until(lambda: names(cluster, "secrets") == ["s"] and names(cluster, "configmaps") == ["c"])
        server.put("secrets", made("Secret", "t", data={"password": HIDDEN}, type="Opaque"))
        server.put("configmaps", made("ConfigMap", "d", data={"password": HIDDEN}))
        until(lambda: names(cluster, "secrets") == ["s", "t"])
        until(lambda: names(cluster, "configmaps") == ["c", "d"])
    types = {row.name: row.summary["type"] for row in cluster.inventory.filter(resource="secrets")}
    assert types == {"s": "kubernetes.io/tls", "t": "Opaque"}
    asked = {(p.split("?")[0], accept) for p, accept in server.accepts}
    # Nothing else is ever asked for, and no second choice is offered.
    assert {accept for path, accept in asked if path == "/api/v1/secrets"} == {
        "application/json;as=Table;g=meta.k8s.io;v=v1"
    }
    assert {accept for path, accept in asked if path == "/api/v1/configmaps"} == {
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    }
    rows = list(Object.objects.filter(cluster=cluster).values())
    assert HIDDEN not in json.dumps(rows, default=str)


def test_a_server_that_sends_values_all_the_same_does_not_get_them_stored(server, monkeypatch):
    monkeypatch.setattr("tests.unit.clusters.apiserver.as_asked", lambda item, *_a, **_k: item)
    server.put("configmaps", made("ConfigMap", "c", data={"password": HIDDEN}))
    cluster = cluster_of(server)
    with watching():
        until(lambda: names(cluster, "configmaps") == ["c"])
    assert HIDDEN not in json.dumps(list(Object.objects.values()), default=str)


def event(name: str, count: int = 1, minutes: int = 0) -> dict:
    now = timezone.now() - timedelta(minutes=minutes)
    return made(
        "Event", name, type="Warning", reason="BackOff", message="again", count=count,
        lastTimestamp=now.isoformat(), involvedObject={"kind": "Pod", "name": "p", "uid": "u"},
    )  # fmt: skip


def test_events_stay_when_the_cluster_forgets_them(server):
    cluster = cluster_of(server)
    old = timezone.now() - timedelta(hours=26)
    ClusterEvent.objects.create(cluster=cluster, uid="ancient", first=old, last=old)
    ClusterEvent.objects.create(cluster=cluster, uid="before")
    server.put("events", event("e"))
    with watching():
        until(lambda: cluster.events.filter(reason="BackOff").count() == 1)
        server.put("events", event("e", count=5))
        until(lambda: cluster.events.filter(count=5).count() == 1)
        server.remove("events", "default/e")
        server.put("events", event("f"))
        until(lambda: cluster.events.filter(reason="BackOff").count() == 2)
        until(lambda: not cluster.events.filter(uid="ancient").exists())
    assert cluster.events.filter(uid="before").exists(), "no list takes events away"


def test_an_old_version_is_watched_where_the_new_one_is_not_served(server):
    server.serve(BY_RESOURCE["cronjobs.batch"], "v1beta1")
    item = made("CronJob", "c", spec={"schedule": "* * * * *"})
    server.put("cronjobs.batch", item)
    cluster = cluster_of(server)
    with watching():
        until(lambda: names(cluster, "cronjobs.batch") == ["c"])
        server.remove("cronjobs.batch", "default/c")
        until(lambda: names(cluster, "cronjobs.batch") == [])
        server.put("cronjobs.batch", item)
        until(lambda: names(cluster, "cronjobs.batch") == ["c"])
    assert cluster.inventory.get(name="c").api_version == "batch/v1beta1"
    assert Cluster.objects.get(pk=cluster.pk).not_watched == {}


WIDGETS = Kind("example.org", ("v1",), "widgets", "Widget")


def widget(name: str, ready: str = "True") -> dict:
    conditions = [{"type": "Ready", "status": ready, "message": "as told"}]
    return made("Widget", name, spec={"secret": HIDDEN}, status={"conditions": conditions})


def test_a_custom_kind_is_watched_from_when_somebody_wants_it(server):
    server.serve(WIDGETS)
    server.put("widgets.example.org", widget("w"))
    cluster = cluster_of(server)
    with watching():
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen)
        assert names(cluster, "widgets.example.org") == []
        wish = WatchedKind.objects.create(
            cluster=cluster, group="example.org", version="v1", plural="widgets", kind="Widget"
        )
        until(lambda: names(cluster, "widgets.example.org") == ["w"])
        row = cluster.inventory.get(name="w")
        assert (row.status, row.health) == ("Ready", "good")
        assert row.summary == {
            "conditions": [{"type": "Ready", "status": "True", "message": "as told"}]
        }
        server.put("widgets.example.org", widget("w", "False"))
        until(lambda: state(cluster, "widgets.example.org", "w") == "NotReady")
        # In another version the rows are read anew.
        server.serve(WIDGETS, "v2")
        WatchedKind.objects.filter(pk=wish.pk).update(version="v2")
        until(lambda: cluster.inventory.filter(name="w", api_version="example.org/v2").exists())
        wish.delete()
        until(lambda: names(cluster, "widgets.example.org") == [])
    assert HIDDEN not in json.dumps(list(Object.objects.values()), default=str)


def resource(plural: str, kind: str, verbs: tuple = ("get", "list", "watch")) -> dict:
    return {
        "resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced",
        "verbs": list(verbs), "name": plural, "kind": kind, "namespaced": True,
    }  # fmt: skip


OFFERED = [
    {
        "group": "example.org", "version": "v1", "plural": "widgets", "kind": "Widget",
        "namespaced": True,
    }
]  # fmt: skip


def test_what_a_cluster_offers_is_read_when_a_page_asks(server):
    resources = [resource("widgets", "Widget"), resource("reviews", "Review", ("create",))]
    server.paths["/apis"] = {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {
                "metadata": {"name": "example.org"},
                "versions": [{"version": "v1", "resources": resources}],
            },
            {
                "metadata": {"name": "apps"},
                "versions": [{"version": "v1", "resources": [resource("deployments", "D")]}],
            },
        ],
    }
    cluster = cluster_of(server)
    with watching():
        until(lambda: Cluster.objects.get(pk=cluster.pk).seen)
        assert server.count("/apis?") == server.requests.count("/apis") == 0
        row = OfferedKinds.objects.create(cluster=cluster, asked=timezone.now())
        until(lambda: OfferedKinds.objects.filter(pk=row.pk).exclude(read=None).exists())
        row.refresh_from_db()
        assert (row.kinds, row.problem) == (OFFERED, "")
        asked = server.requests.count("/apis")
    assert asked == 1


def test_older_servers_are_walked_group_by_group(server):
    server.paths["/apis"] = {
        "kind": "APIGroupList",
        "groups": [
            {"name": "example.org", "preferredVersion": {"version": "v1"}},
            {"name": "broken.example", "preferredVersion": {"version": "v1"}},
        ],
    }
    server.paths["/apis/example.org/v1"] = {
        "resources": [resource("widgets", "Widget"), resource("widgets/status", "Widget")]
    }
    cluster = cluster_of(server)
    OfferedKinds.objects.create(cluster=cluster, asked=timezone.now())
    with watching():
        until(lambda: OfferedKinds.objects.filter(cluster=cluster).exclude(read=None).exists())
    row = OfferedKinds.objects.get(cluster=cluster)
    assert row.kinds == OFFERED
    assert "broken.example" in row.problem


def test_a_missed_event_is_put_right_by_the_next_list(server):
    cluster = cluster_of(server)
    server.put("pods", pod("a"))
    with watching(replace(FAST, relist=0.5, watch=1)):
        until(lambda: names(cluster, "pods") == ["a"])
        server.change_unseen("pods", pod("a", "default", "CrashLoopBackOff"))
        until(lambda: state(cluster, "pods", "a") == "CrashLoopBackOff")


def test_rows_of_kinds_that_nobody_wants_any_more_go(server):
    cluster = cluster_of(server)
    Object.objects.create(cluster=cluster, resource="olds.example.org", name="o", kind="Old")
    with watching():
        until(lambda: not cluster.inventory.filter(resource="olds.example.org").exists())


def test_new_credentials_try_what_was_refused_before(server):
    refused = {"code": 403, "message": "no"}
    server.faults["secrets"] = (403, {}, json.dumps(refused).encode())
    server.put("secrets", made("Secret", "s", type="Opaque"))
    cluster = cluster_of(server)
    with watching(replace(FAST, rarely=60)):
        until(lambda: "secrets" in Cluster.objects.get(pk=cluster.pk).not_watched)
        del server.faults["secrets"]
        certificate, key = server.authority.client()
        for name, value in (("console/client.crt", certificate), ("console/client.key", key)):
            row = cluster.secrets.get(name=name)
            row.value = value
            row.save()
        until(lambda: names(cluster, "secrets") == ["s"])
