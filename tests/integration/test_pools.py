"""Resource pools against a real kube-apiserver: nodes join, drift, move, leave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusters.kube import Connection
from clusters.models import Cluster, ResourcePool
from clusters.pools import reconcile
from clusters.pools_rules import POOL_LABEL
from tests.factories import ClusterFactory
from tests.integration.api_server import RealApiServer, missing

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    with RealApiServer() as server:
        yield server


@pytest.fixture
def conn(server: RealApiServer) -> Iterator[Connection]:
    conn = server.connection()
    for name in ("n1", "n2"):
        conn.post(
            "/api/v1/nodes",
            {
                "kind": "Node", "apiVersion": "v1",
                "metadata": {"name": name, "labels": {"own": "yes", "disk": "hdd"}},
                "spec": {"taints": [{"key": "own", "value": "x", "effect": "NoExecute"}]},
            },
        )  # fmt: skip
    yield conn
    for name in ("n1", "n2"):
        conn.delete(f"/api/v1/nodes/{name}")


def labels(conn: Connection, node: str) -> dict[str, str]:
    found = conn.get_json(f"/api/v1/nodes/{node}")["metadata"]["labels"]
    return {k: v for k, v in found.items() if not k.startswith("kubernetes.io/")}


def taints(conn: Connection, node: str) -> list[tuple[str, str, str]]:
    found = conn.get_json(f"/api/v1/nodes/{node}")["spec"].get("taints") or []
    return sorted(
        (t["key"], t.get("value", ""), t["effect"])
        for t in found
        if "node.kubernetes.io" not in t["key"]
    )


def version(conn: Connection, node: str) -> str:
    return conn.get_json(f"/api/v1/nodes/{node}")["metadata"]["resourceVersion"]


RBAC = "rbac.authorization.k8s.io"
BEFORE = {"own": "yes", "disk": "hdd"}
OWN = ("own", "x", "NoExecute")
TAINT = {"key": "team", "value": "shop", "effect": "NoSchedule"}


def pool(cluster: Cluster, name: str, nodes: list[str], **fields: object) -> ResourcePool:
    return ResourcePool.objects.create(cluster=cluster, name=name, nodes=nodes, **fields)


def test_nodes_join_stay_as_wanted_move_and_leave_as_they_came(conn: Connection) -> None:
    cluster = ClusterFactory()
    gold = pool(cluster, "gold", ["n1"], labels={"disk": "ssd"}, taints=[TAINT])
    assert reconcile(cluster, conn) == []
    assert labels(conn, "n1") == {"own": "yes", "disk": "ssd", POOL_LABEL: "gold"}
    assert taints(conn, "n1") == [OWN, ("team", "shop", "NoSchedule")]
    assert labels(conn, "n2") == BEFORE

    # Nothing to do is nothing done.
    before = version(conn, "n1")
    reconcile(cluster, conn)
    assert version(conn, "n1") == before

    # Drift, and what others put there meanwhile.
    conn.merge_patch(
        "/api/v1/nodes/n1",
        {
            "metadata": {"labels": {"disk": "usb", POOL_LABEL: None, "theirs": "1"}},
            "spec": {"taints": [{"key": "theirs", "effect": "PreferNoSchedule"}]},
        },
    )
    assert reconcile(cluster, conn) == []
    assert labels(conn, "n1") == {
        "own": "yes", "theirs": "1", "disk": "ssd", POOL_LABEL: "gold",
    }  # fmt: skip
    assert taints(conn, "n1") == [
        ("team", "shop", "NoSchedule"), ("theirs", "", "PreferNoSchedule"),
    ]  # fmt: skip

    # Moved to another pool in one go.
    ResourcePool.objects.filter(pk=gold.pk).update(nodes=["n2"])
    silver = pool(cluster, "silver", ["n1"], labels={"tier": "2"})
    assert reconcile(cluster, conn) == []
    assert labels(conn, "n1") == {
        "own": "yes", "theirs": "1", "disk": "hdd", "tier": "2", POOL_LABEL: "silver",
    }  # fmt: skip
    assert taints(conn, "n1") == [("theirs", "", "PreferNoSchedule")]
    assert labels(conn, "n2")[POOL_LABEL] == "gold"

    # Deleted: every node is as it came, and the rows are gone.
    ResourcePool.objects.update(deleting=True)
    assert reconcile(cluster, conn) == []
    assert labels(conn, "n1") == {**BEFORE, "theirs": "1"}
    assert (labels(conn, "n2"), taints(conn, "n2")) == (BEFORE, [OWN])
    assert not ResourcePool.objects.filter(pk__in=(gold.pk, silver.pk)).exists()


def test_a_node_that_is_not_there_is_named_and_comes_in_when_it_is(conn: Connection) -> None:
    cluster = ClusterFactory()
    row = pool(cluster, "gold", ["n1", "later"])
    assert "later" in reconcile(cluster, conn)[0]
    row.refresh_from_db()
    assert "no node of this name" in row.problem and set(row.put) == {"n1"}
    conn.post("/api/v1/nodes", {"metadata": {"name": "later"}})
    assert reconcile(cluster, conn) == []
    assert labels(conn, "later")[POOL_LABEL] == "gold"
    conn.delete("/api/v1/nodes/later")
    row.refresh_from_db()
    assert row.problem == ""


def test_without_the_right_nothing_changes_and_the_pool_says_why(
    server: RealApiServer, conn: Connection
) -> None:
    conn.post(
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        {"metadata": {"name": "reader"},
         "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "get"]}]},
    )  # fmt: skip
    conn.post(
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {"metadata": {"name": "reader"},
         "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "reader"},
         "subjects": [{"kind": "User", "name": "reader", "apiGroup": RBAC}]},
    )  # fmt: skip
    cluster = ClusterFactory()
    row = pool(cluster, "gold", ["n1"], taints=[TAINT])
    said = reconcile(cluster, server.connection("reader", "nobody"))
    assert "gold: n1:" in said[0] and "403" in said[0]
    assert labels(conn, "n1") == BEFORE and taints(conn, "n1") == [OWN]
    row.refresh_from_db()
    assert "403" in row.problem
    # What may have been put is known, so that leaving takes it away whoever comes next.
    assert reconcile(cluster, conn) == []
    ResourcePool.objects.update(deleting=True)
    reconcile(cluster, conn)
    assert labels(conn, "n1") == BEFORE and taints(conn, "n1") == [OWN]


def test_a_change_between_reading_and_patching_is_not_overwritten(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody adds a taint after the nodes were listed: both are there in the end."""
    cluster = ClusterFactory()
    pool(cluster, "gold", ["n1"], taints=[TAINT])
    nodes = conn.nodes()
    theirs = {"key": "theirs", "effect": "NoSchedule"}
    conn.merge_patch("/api/v1/nodes/n1", {"spec": {"taints": [theirs]}})
    monkeypatch.setattr(conn, "nodes", lambda: nodes)
    assert reconcile(cluster, conn) == []
    assert taints(conn, "n1") == [("team", "shop", "NoSchedule"), ("theirs", "", "NoSchedule")]
