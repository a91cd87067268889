"""What pods and nodes use, beside what they may use, in lists; and names that stay readable."""

from __future__ import annotations

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters.inventory.lease import Lease
from clusters.kube.metrics_api import Use
from clusters.links import breakable
from clusters.listings import POD_LIST
from clusters.metrics.collector import KUBELET, Round
from clusters.metrics.store import Store
from clusters.models import Cluster
from clusters.models_metrics import Of
from clusters.views_lists import list_context
from console.accounts.models import User
from tests.factories import ClusterFactory, NodeFactory
from tests.unit.fleet.rows import NOW, make, many_pods

pytestmark = pytest.mark.django_db
USED = "?columns=name,cpu-used,memory-used"


def measured(pods: int = 0) -> Cluster:
    """A cluster with figures of node n1, of shop/web, and of the first so many others."""
    until = NOW + timezone.timedelta(days=1)
    cluster = ClusterFactory(seen=timezone.now(), watcher="me", watcher_until=until)
    uses = {
        (Of.NODE, "", "n1"): Use(0.5, 2.0**30),
        (Of.POD, "shop", "web"): Use(0.25, 2.0**27),
        **{(Of.POD, f"space-{n % 20}", f"pod-{n:05d}"): Use(0.1, 1.0) for n in range(pods)},
    }
    Store(Lease(cluster.pk, "me")).write(Round(KUBELET, uses), int(timezone.now().timestamp()))
    return cluster


def test_a_pod_uses_so_much_of_its_limit_or_of_what_it_asks_for(operator_client: Client) -> None:
    cluster = measured()
    figures = {"cpu_request": 0.5, "cpu_limit": 1.0, "memory_request": 2.0**28}
    make(cluster, "pods", "web", "shop", summary=figures)
    make(cluster, "pods", "unmeasured", "shop", summary=figures)
    address = f"/clusters/{cluster.pk}/pods/"
    page = operator_client.get(address + USED).content.decode()
    assert "0.25 CPU" in page and "of 1 CPU" in page
    assert "128 MiB" in page and "of 256 MiB" in page
    assert page.count("<progress") == 2, "no bar where nothing was measured"
    assert "<progress" not in operator_client.get(address).content.decode()


def test_nodes_show_what_is_used_of_what_pods_may_take(operator_client: Client) -> None:
    cluster = measured()
    room = {"cpu": "1900m", "memory": "4Gi"}
    NodeFactory(cluster=cluster, name="n1", capacity={"cpu": "2"}, allocatable=room)
    NodeFactory(cluster=cluster, name="n2", allocatable=room)
    page = operator_client.get(f"/clusters/{cluster.pk}/nodes/").content.decode()
    assert "0.5 CPU" in page and "of 1.9 CPU" in page
    assert "1 GiB" in page and "of 4 GiB" in page
    assert page.count("<progress") == 2


def test_nodes_without_figures_have_no_such_columns(operator_client: Client) -> None:
    cluster = ClusterFactory()
    NodeFactory(cluster=cluster, name="n1")
    page = operator_client.get(f"/clusters/{cluster.pk}/nodes/").content.decode()
    assert "CPU used" not in page


def test_what_pods_use_takes_the_same_queries_for_many(operator: User) -> None:
    counts = []
    for number in (200, 6000):
        cluster = measured(number)
        many_pods(cluster, number)
        request: HttpRequest = RequestFactory().get(f"/{USED}")
        request.user = operator
        with CaptureQueriesContext(connection) as captured:
            rows = list_context(request, cluster, POD_LIST)["rows"]
        assert "0.1 CPU" in str(rows[0].cells[1].content)
        counts.append(len(captured))
    with CaptureQueriesContext(connection) as captured:
        request = RequestFactory().get("/")
        request.user = operator
        list_context(request, cluster, POD_LIST)
    assert counts[0] == counts[1] == len(captured) + 3


def test_names_break_behind_hyphens_and_dots_alone() -> None:
    assert breakable("node-1") == "node-1"
    long = "ip-10-0-0-1.eu-west-3.compute.internal"
    assert breakable(long).replace("<wbr>", "") == long
    assert ".<wbr>compute.<wbr>internal" in breakable(long)
    assert breakable('<a>.x-y-z"').startswith("&lt;a&gt;")
