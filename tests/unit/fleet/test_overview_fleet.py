"""The fleet's overview: figures, what needs attention, what ends, cost, those without a role."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters.figures import refresh
from clusters.fleet import fleet
from clusters.models import Cluster, ClusterStatus, Object
from console.accounts.models import ApiToken, User
from tests.factories import ClusterFactory
from tests.unit.fleet.rows import NOW, make, many_pods

pytestmark = pytest.mark.django_db


def failing(cluster: Cluster, pods: int, name: str = "web") -> None:
    """A Deployment that says it is well, with so many pods that are not."""
    make(cluster, "deployments.apps", name, "shop", uid=f"{cluster.pk}d{name}", status="Available",
         health="good")  # fmt: skip
    make(cluster, "replicasets.apps", f"{name}-5d", "shop", uid=f"{cluster.pk}r{name}",
         owner_kind="Deployment", owner_name=name, owner_uid=f"{cluster.pk}d{name}")  # fmt: skip
    for n in range(pods):
        make(cluster, "pods", f"{name}-5d-{n}", "shop", uid=f"{cluster.pk}p{name}{n}",
             owner_kind="ReplicaSet", owner_name=f"{name}-5d", owner_uid=f"{cluster.pk}r{name}",
             status="ImagePullBackOff",
             health="bad", summary={"containers": [
                 {"name": "c", "state": "waiting", "reason": "ImagePullBackOff",
                  "message": "cannot pull <x>"}]})  # fmt: skip


def test_figures_sum_what_pods_ask_for_and_nodes_offer() -> None:
    cluster = ClusterFactory()
    make(cluster, "nodes", "n1", health="good", summary={"cpu": 4.0, "memory": 2**33, "pods": 110})
    make(cluster, "nodes", "n2", health="bad", summary={"cpu": 2.0, "memory": 2**32, "pods": 110})
    make(cluster, "pods", "a", "x", health="good", node="n1", summary={
        "phase": "Running", "cpu_request": 0.5, "cpu_limit": 1.0, "memory_request": 2**30},
    )  # fmt: skip
    make(cluster, "pods", "b", "x", health="bad", node="n2",
         summary={"phase": "Pending", "cpu_request": 1.25})  # fmt: skip
    make(cluster, "pods", "waits", "x", health="warn",
         summary={"phase": "Pending", "cpu_request": 64.0})  # fmt: skip
    make(cluster, "pods", "done", "x", health="good", summary={"phase": "Succeeded",
                                                               "cpu_request": 7.0})  # fmt: skip
    make(cluster, "pods", "bare", "x", health="warn")
    make(cluster, "jobs.batch", "j", "x", health="bad")
    make(ClusterFactory(), "pods", "other", "x", summary={"cpu_request": 9.0})
    figures = refresh(cluster)
    assert (figures.nodes, figures.nodes_failing) == (2, 1)
    assert (figures.cpu_allocatable, figures.memory_allocatable) == (6.0, 2**33 + 2**32)
    assert (figures.cpu_request, figures.cpu_limit, figures.memory_request) == (1.75, 1.0, 2**30)
    assert (figures.pods, figures.pods_active, figures.pods_pending) == (5, 4, 2)
    assert (figures.pods_failing, figures.pods_doubtful) == (1, 2)
    assert (figures.workloads, figures.workloads_failing) == (1, 1)
    Object.objects.filter(cluster=cluster).delete()
    assert refresh(cluster).pods == 0


def test_fifty_pods_of_one_deployment_are_one_line(admin_client: Client) -> None:
    cluster = ClusterFactory(name="north", seen=timezone.now())
    failing(cluster, 50)
    make(cluster, "nodes", "n9", status="NotReady", health="bad")
    make(cluster, "pods", "alone", "shop", status="Pending", health="warn", summary={
        "conditions": [{"type": "PodScheduled", "status": "False",
                        "message": "0/3 nodes are available: 3 Insufficient cpu."}]})  # fmt: skip
    refresh(cluster)
    page = admin_client.get("/").content.decode()
    assert "cannot pull &lt;x&gt;" in page
    assert "50 pods" in page
    assert page.count("web-5d-") == 0


def test_the_worst_clusters_come_first_and_the_rest_stays_short() -> None:
    for n in range(40):
        ClusterFactory(name=f"site-{n:02d}", seen=timezone.now())
    ClusterFactory(name="zz-away", status=ClusterStatus.UNREACHABLE, seen=NOW - timedelta(hours=1))
    sick = ClusterFactory(name="zz-sick", seen=timezone.now())
    many_pods(sick, 200)
    refresh(sick)
    seen = fleet(Cluster.objects.select_related("figures"))
    assert [card.cluster.name for card in seen.cards[:3]] == ["zz-away", "zz-sick", "site-00"]
    assert len(seen.cards) == 12
    assert len(seen.rest) == 30
    assert seen.old == 1
    assert seen.total["cpu_request"] == 50.0


def test_the_overview_and_the_list_take_the_same_queries_for_any_fleet(
    admin_client: Client,
) -> None:
    counts = []
    for clusters in (3, 60):
        for n in range(clusters):
            cluster = ClusterFactory(name=f"c{clusters}-{n}", seen=timezone.now())
            failing(cluster, 2)
            refresh(cluster)
        taken = []
        for path in ("/", "/clusters/"):
            admin_client.get(path)
            with CaptureQueriesContext(connection) as captured:
                assert admin_client.get(path).status_code == 200
            taken.append(len(captured))
        counts.append(taken)
    assert counts[0] == counts[1]


def test_what_ends_soon_is_listed(admin_client: Client, admin: User, auditor: User) -> None:
    for user, name, days in ((admin, "near", 3), (admin, "later", 60), (auditor, "theirs", 3)):
        ApiToken.issue(user, name, days=days)
    page = admin_client.get("/").content.decode()
    assert "near (ada)" in page
    assert "later (ada)" not in page
    assert "theirs" in page, "who manages users sees whose tokens end"


def test_without_a_role_one_sees_what_one_has_and_whom_to_ask(
    nobody_client: Client, nobody: User, admin: User
) -> None:
    ApiToken.issue(nobody, "my-script")
    ClusterFactory(name="secret-name")
    page = nobody_client.get("/").content.decode()
    assert "my-script" in page
    assert "ada" in page
    assert "nemo" in page
    assert "secret-name" not in page


def test_the_list_of_clusters_counts_failing_pods(admin_client: Client) -> None:
    cluster = ClusterFactory(name="north")
    ClusterFactory(name="uncounted")
    failing(cluster, 4)
    refresh(cluster)
    page = admin_client.get("/clusters/").content.decode()
    assert "4 failing" in page
    assert "uncounted" in page
