"""Pages and API of resource pools."""

from __future__ import annotations

import pytest

from clusters.models import Object, ResourcePool
from console.audit.models import AuditEvent
from tests.factories import ClusterFactory, NodeFactory


@pytest.fixture
def cluster(db):
    cluster = ClusterFactory(name="east")
    for name in ("n1", "n2", "n3"):
        NodeFactory(cluster=cluster, name=name, allocatable={"cpu": "2", "memory": "4Gi"})
    return cluster


def pool(cluster, name: str = "gold", **fields):
    return ResourcePool.objects.create(cluster=cluster, name=name, **fields)


GOOD = {
    "name": "gold", "nodes": ["n1", "n2"], "labels": "disk=ssd",
    "taints": "team=shop:NoSchedule", "namespaces": "shop, web",
}  # fmt: skip


def test_a_pool_is_made_by_choosing_nodes(cluster, operator_client) -> None:
    page = operator_client.get("/pools/add/").content.decode()
    assert "east" in page
    page = operator_client.get(f"/pools/add/?cluster={cluster.pk}").content.decode()
    assert all(name in page for name in ("n1", "n2", "n3"))
    response = operator_client.post("/pools/add/", {"cluster": cluster.pk, **GOOD}, follow=True)
    made = ResourcePool.objects.get()
    assert response.redirect_chain[-1][0] == f"/pools/{made.pk}/"
    assert (made.nodes, made.labels, made.namespaces) == (
        ["n1", "n2"], {"disk": "ssd"}, ["shop", "web"],
    )  # fmt: skip
    assert made.taints == [{"key": "team", "value": "shop", "effect": "NoSchedule"}]
    page = response.content.decode()
    assert "flotilla.dev/pool=gold" in page and "team=shop:NoSchedule" in page
    assert "The watcher has yet to change: n1, n2" in page
    event = AuditEvent.objects.get(action="pool.created")
    assert (event.object_name, event.after["nodes"]) == ("gold", ["n1", "n2"])


def test_bad_input_stands_beside_its_field_and_nothing_typed_is_lost(
    cluster, operator_client
) -> None:
    pool(cluster, "silver", nodes=["n3"])
    body = {
        "cluster": cluster.pk, "name": "Gold!", "nodes": ["n1", "n3", "ghost"],
        "labels": "disk", "taints": "a=1:Never", "namespaces": "Shop",
        "description": "what I typed",
    }  # fmt: skip
    page = operator_client.post("/pools/add/", body).content.decode()
    for said in (
        "lower-case letters", "belongs to the pool “silver”", "has no node “ghost”",
        "“disk” is no label", "“a=1:Never” is no taint", "“Shop” is no name of a namespace",
        "what I typed", "a=1:Never</textarea>",
    ):  # fmt: skip
        assert said in page.replace("&quot;", '"'), said
    assert 'value="n1" checked' in page
    assert ResourcePool.objects.count() == 1


def test_a_name_is_there_once_in_a_cluster(cluster, operator_client) -> None:
    pool(cluster)
    pool(ClusterFactory(), "other")
    page = operator_client.post("/pools/add/", {"cluster": cluster.pk, "name": "gold"})
    assert "has a pool “gold” already" in page.content.decode()
    operator_client.post("/pools/add/", {"cluster": cluster.pk, "name": "other"})
    assert ResourcePool.objects.filter(name="other").count() == 2


def test_a_pool_is_changed_and_keeps_its_name(cluster, operator_client) -> None:
    row = pool(cluster, nodes=["n1", "gone"], labels={"a": "1"}, put={"n1": {}})
    page = operator_client.get(f"/pools/{row.pk}/edit/").content.decode()
    assert "a=1</textarea>" in page and "Not in the cluster now" in page
    body = {"nodes": ["gone", "n2"], "labels": "a=2", "name": "other"}
    assert operator_client.post(f"/pools/{row.pk}/edit/", body).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.nodes, row.labels) == ("gold", ["gone", "n2"], {"a": "2"})
    assert row.put == {"n1": {}}, "what is on nodes is the watcher's to say"
    event = AuditEvent.objects.get(action="pool.changed")
    assert (event.before["labels"], event.after["labels"]) == ({"a": "1"}, {"a": "2"})


def test_deleting_names_what_goes_and_waits_for_the_nodes(cluster, operator_client) -> None:
    row = pool(
        cluster, nodes=["n1"], labels={"disk": "ssd"}, put={"n1": {"labels": {"disk": "ssd"}}}
    )
    page = operator_client.get(f"/pools/{row.pk}/delete/").content.decode()
    assert "of the node n1:" in page and "flotilla.dev/pool, disk" in page
    operator_client.post(f"/pools/{row.pk}/delete/", {"confirm_name": "wrong"})
    assert not ResourcePool.objects.get().deleting
    operator_client.post(f"/pools/{row.pk}/delete/", {"confirm_name": "gold"})
    assert ResourcePool.objects.get().deleting, "the watcher takes the labels away first"
    assert "Being deleted" in operator_client.get("/pools/").content.decode()
    assert AuditEvent.objects.filter(action="pool.removed").count() == 1
    # Its nodes are free for another pool at once.
    assert operator_client.post(
        "/pools/add/", {"cluster": cluster.pk, "name": "new", "nodes": ["n1"]}
    ).status_code == 302  # fmt: skip


def test_a_pool_with_namespaces_is_not_deleted(cluster, operator_client, operator_api) -> None:
    row = pool(cluster, namespaces=["shop"])
    assert "Namespaces are bound to it: shop" in operator_client.get(
        f"/pools/{row.pk}/delete/"
    ).content.decode()  # fmt: skip
    operator_client.post(f"/pools/{row.pk}/delete/", {"confirm_name": "gold"})
    assert operator_api.delete(f"/api/v1/pools/{row.pk}/").status_code == 409
    assert ResourcePool.objects.filter(deleting=False).exists()


def test_a_pool_that_nobody_put_anywhere_goes_at_once(cluster, operator_api) -> None:
    row = pool(cluster, nodes=["n1"])
    assert operator_api.delete(f"/api/v1/pools/{row.pk}/").status_code == 204
    assert not ResourcePool.objects.exists()


def test_capacity_and_use_of_all_its_nodes(
    cluster, operator_client, operator_api, django_assert_max_num_queries
) -> None:
    row = pool(cluster, nodes=["n1", "n2", "gone"])
    for number, (node, phase) in enumerate(
        (("n1", "Running"), ("n2", "Running"), ("n1", "Failed"), ("n3", "Running"))
    ):
        Object.objects.create(
            cluster=cluster, resource="pods", api_version="v1", kind="Pod", namespace="a",
            name=f"p{number}", node=node,
            summary={"phase": phase, "cpu_request": 0.5, "memory_request": 2.0**30},
        )  # fmt: skip
    body = operator_api.get(f"/api/v1/pools/{row.pk}/").json()
    assert body["nodes_ready"] == 2
    total = body["total"]
    assert (total["cpu"], total["memory"]) == (4.0, 2.0**33)
    assert (total["cpu_requested"], total["memory_requested"], total["pods_running"]) == (
        1.0, 2.0**31, 2,
    )  # fmt: skip
    assert total["cpu_used"] is None, "nothing was measured yet"
    for number in range(30):
        pool(cluster, f"more{number}")
    with django_assert_max_num_queries(12):
        page = operator_client.get("/pools/").content.decode()
    assert "2 of 3 ready" in page


def test_problems_are_shown(cluster, operator_client) -> None:
    row = pool(cluster, nodes=["n1"], problem="n1: refused <b>")
    page = operator_client.get(f"/pools/{row.pk}/").content.decode()
    assert "Not every node is as the pool wants it" in page and "refused &lt;b&gt;" in page


def test_the_api_makes_and_changes_pools(cluster, operator_api) -> None:
    body = {
        "cluster": cluster.pk, "name": "gold", "nodes": ["n1"], "labels": {"disk": "ssd"},
        "taints": [{"key": "team", "value": "shop", "effect": "NoSchedule"}],
    }  # fmt: skip
    made = operator_api.post("/api/v1/pools/", body, format="json")
    assert made.status_code == 201, made.content
    number = made.json()["id"]
    changed = operator_api.patch(f"/api/v1/pools/{number}/", {"labels": {}}, format="json")
    assert changed.json()["labels"] == {} and changed.json()["nodes"] == ["n1"]
    assert changed.json()["taints"] == body["taints"]
    for wrong, field in (
        ({"name": "other"}, "name"),
        ({"nodes": ["ghost"]}, "nodes"),
        ({"labels": {"a": "1\nb=2"}}, "labels"),
        ({"labels": {"a b": "1"}}, "labels"),
        ({"taints": [{"key": "a", "effect": "Never"}]}, "taints"),
        ({"taints": [{"key": "a\nb", "value": "", "effect": "NoSchedule"}]}, "taints"),
        ({"namespaces": ["A"]}, "namespaces"),
    ):
        answer = operator_api.patch(f"/api/v1/pools/{number}/", wrong, format="json")
        assert answer.status_code == 400, wrong
        assert field in answer.json()["errors"], answer.json()
    assert operator_api.post(
        "/api/v1/pools/", {**body, "cluster": 987654}, format="json"
    ).status_code == 404  # fmt: skip
    listed = operator_api.get(f"/api/v1/pools/?cluster={cluster.pk}").json()["results"]
    assert [row["name"] for row in listed] == ["gold"]


def test_an_auditor_sees_pools_and_changes_none(cluster, auditor_client, auditor_api) -> None:
    row = pool(cluster)
    assert "gold" in auditor_client.get("/pools/").content.decode()
    assert "Edit" not in auditor_client.get(f"/pools/{row.pk}/").content.decode()
    assert (
        auditor_client.post(f"/pools/{row.pk}/delete/", {"confirm_name": "gold"}).status_code == 403
    )
    assert auditor_api.patch(f"/api/v1/pools/{row.pk}/", {}, format="json").status_code == 403
