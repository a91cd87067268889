"""The lists of a cluster's page: filter, order, pages, columns, cost, rights, hostile names."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from clusters.bulk import BulkAction, bulk_actions
from clusters.listings import LISTINGS, POD_LIST
from clusters.models import Cluster, ClusterEvent, ClusterStatus, Object
from clusters.several import chosen, named
from clusters.views_lists import list_context
from console.accounts.models import Role, User
from tests.factories import ClusterFactory, ObjectFactory, UserFactory
from tests.unit.fleet.rows import NOW, build, make, many_pods

pytestmark = pytest.mark.django_db
TABS = [*LISTINGS, "events"]
MARKUP = '<script>alert(1)</script>"&'
SHORT_MARKUP = "<script>alert(1)"


@pytest.fixture
def cluster() -> Cluster:
    return ClusterFactory(name="demo", seen=timezone.now())


def names(client: Client, cluster: Cluster, tab: str, query: str = "") -> list[str]:
    """The names on one page of a list, in order."""
    answer = client.get(f"/clusters/{cluster.pk}/{tab}/{query}")
    assert answer.status_code == 200
    return [row.name for row in answer.context["rows"]]


def ask(user: User, cluster: Cluster, query: str = "") -> dict[str, Any]:
    """A page of the pods without the frame around it."""
    request: HttpRequest = RequestFactory().get(f"/{query}")
    request.user = user
    return list_context(request, cluster, POD_LIST)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["api-1", "db-1", "web-1", "web-2"]),
        ("?q=WEB", ["web-1", "web-2"]),
        ("?q=100%25", []),
        ("?namespace=shop", ["web-1", "web-2"]),
        ("?status=CrashLoopBackOff", ["web-2"]),
        ("?health=look", ["db-1", "web-2"]),
        ("?health=bad", ["web-2"]),
        ("?node=n1", ["web-1"]),
        ("?labels=app%3Dweb", ["web-1", "web-2"]),
        ("?labels=app%3Dweb,tier!%3Dfront", ["web-2"]),
        ("?labels=!app", ["db-1"]),
        ("?labels=app+notin+(web)", ["api-1", "db-1"]),
        ("?labels=app+in+(web,api),example.com/tier", ["api-1"]),
        ("?sort=-name", ["web-2", "web-1", "db-1", "api-1"]),
        ("?sort=status", ["web-2", "db-1", "api-1", "web-1"]),
        ("?sort=node", ["api-1", "db-1", "web-2", "web-1"]),
    ],
)
def test_pods_are_filtered_and_sorted(
    admin_client: Client, cluster: Cluster, query: str, found: list[str]
) -> None:
    make(cluster, "pods", "web-1", "shop", status="Running", health="good", node="n1",
         labels={"app": "web", "tier": "front"})  # fmt: skip
    make(cluster, "pods", "web-2", "shop", status="CrashLoopBackOff", health="bad",
         labels={"app": "web"})  # fmt: skip
    make(cluster, "pods", "api-1", "core", status="Running", health="good",
         labels={"app": "api", "example.com/tier": "x"})  # fmt: skip
    make(cluster, "pods", "db-1", "core", status="Pending", health="warn")
    make(ClusterFactory(), "pods", "elsewhere", "shop")
    assert names(admin_client, cluster, "pods", query) == found


def test_workloads_are_one_list_without_replica_sets(
    admin_client: Client, cluster: Cluster
) -> None:
    make(cluster, "deployments.apps", "b-web", "shop")
    make(cluster, "replicasets.apps", "b-web-5d", "shop")
    make(cluster, "cronjobs.batch", "a-backup", "shop")
    make(cluster, "statefulsets.apps", "c-db", "shop")
    assert names(admin_client, cluster, "workloads") == ["a-backup", "b-web", "c-db"]
    only = names(admin_client, cluster, "workloads", "?kind=statefulsets.apps")
    assert only == ["c-db"]


def test_a_bad_selector_is_said_beside_its_field_and_stays_typed(
    admin_client: Client, cluster: Cluster
) -> None:
    make(cluster, "pods", "web", "shop")
    page = admin_client.get(f"/clusters/{cluster.pk}/pods/?labels=app%3D%3D%3D(").content.decode()
    assert "is no label selector" in page
    assert 'value="app===("' in page
    assert "aria-invalid" in page


@pytest.mark.parametrize("tab", TABS)
def test_every_list_says_what_an_empty_one_means(
    admin_client: Client, cluster: Cluster, tab: str
) -> None:
    page = admin_client.get(f"/clusters/{cluster.pk}/{tab}/").content.decode()
    assert "empty-title" in page
    filtered = admin_client.get(f"/clusters/{cluster.pk}/{tab}/?q=nothing").content.decode()
    assert "Change or clear the filter" in filtered


@pytest.mark.parametrize("tab", list(LISTINGS))
def test_markup_in_names_labels_and_texts_is_shown_as_text(
    admin_client: Client, cluster: Cluster, tab: str
) -> None:
    for resource in LISTINGS[tab].resources:
        make(cluster, resource, MARKUP, MARKUP, status=MARKUP, health="bad", node=MARKUP,
             owner_kind=MARKUP, owner_name=MARKUP, address=SHORT_MARKUP, images=MARKUP,
             labels={MARKUP: MARKUP},
             summary={"type": MARKUP, "class": MARKUP, "ports": [MARKUP], "hosts": [MARKUP],
                      "qos": MARKUP, "schedule": MARKUP, "claim": MARKUP, "capacity": MARKUP,
                      "cluster_ips": [MARKUP], "modes": [MARKUP], "provisioner": MARKUP,
                      "conditions": [{"type": "Ready", "status": "False", "message": MARKUP}],
                      "containers": [{"name": MARKUP, "state": "waiting", "reason": MARKUP}]},
    )  # fmt: skip
    every = ",".join(column.id for column in LISTINGS[tab].columns)
    page = admin_client.get(f"/clusters/{cluster.pk}/{tab}/?columns={every}").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("tab", list(LISTINGS))
def test_summaries_of_unexpected_types_break_no_list(
    admin_client: Client, cluster: Cluster, tab: str
) -> None:
    odd = {
        key: {"not": ["expected"]}
        for key in ("ready", "restarts", "type", "class", "ports", "claim", "cpu_request")
    }
    for resource in LISTINGS[tab].resources:
        make(cluster, resource, f"odd-{resource}", "shop", summary=odd, labels={"a": 1})
        make(cluster, resource, f"none-{resource}", "shop")
    every = ",".join(column.id for column in LISTINGS[tab].columns)
    found = names(admin_client, cluster, tab, f"?columns={every}")
    assert len(found) == 2 * len(LISTINGS[tab].resources)


def test_events_are_the_newest_first_and_lead_to_their_objects(
    admin_client: Client, cluster: Cluster
) -> None:
    ObjectFactory(cluster=cluster, resource="pods", namespace="shop", name="x0")
    ObjectFactory(cluster=cluster, resource="nodes", kind="Node", namespace="", name="x1")
    for n, kind in enumerate(("Pod", "Node", "Unheard", "Pod")):
        ClusterEvent.objects.create(
            cluster=cluster, uid=f"e{n}", namespace="shop", about_kind=kind, about_name=f"x{n}",
            reason="Reason", message=MARKUP, warning=n == 1, last=NOW.replace(microsecond=n),
        )  # fmt: skip
    answer = admin_client.get(f"/clusters/{cluster.pk}/events/")
    page = answer.content.decode()
    assert [row.event.about_name for row in answer.context["rows"]] == ["x3", "x2", "x1", "x0"]
    assert f'href="/clusters/{cluster.pk}/objects/pods/shop/x0/"' in page
    assert "/objects/pods/shop/x3/" not in page, "what has gone has no page"
    assert f'href="/clusters/{cluster.pk}/objects/nodes/-/x1/"' in page
    assert "<script>alert" not in page
    warnings = admin_client.get(f"/clusters/{cluster.pk}/events/?type=warning").context["rows"]
    assert [row.event.about_name for row in warnings] == ["x1"]


@pytest.mark.parametrize("tab", TABS)
def test_who_may_not_see_clusters_finds_no_list(
    nobody_client: Client, auditor_client: Client, cluster: Cluster, tab: str
) -> None:
    assert nobody_client.get(f"/clusters/{cluster.pk}/{tab}/").status_code == 404
    assert auditor_client.get(f"/clusters/{cluster.pk}/{tab}/").status_code == 200


def test_boxes_and_buttons_are_for_those_who_may_use_them(
    operator_client: Client, auditor_client: Client, cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(bulk_actions, "actions", [])
    make(cluster, "pods", "web", "shop")
    address = f"/clusters/{cluster.pk}/pods/"
    assert 'name="objects"' not in operator_client.get(address).content.decode()
    bulk_actions.add(
        BulkAction("again", "Do it again", "clusters:detail", "clusters.operate", "refresh",
                   lambda resource: resource == "pods")
    )  # fmt: skip
    page = operator_client.get(address).content.decode()
    assert 'name="objects" value="pods/shop/web"' in page
    assert "Do it again" in page
    seen = auditor_client.get(address).content.decode()
    assert 'name="objects"' not in seen
    assert "Do it again" not in seen
    services = operator_client.get(f"/clusters/{cluster.pk}/network/").content.decode()
    assert "Do it again" not in services


def test_the_chosen_rows_are_those_of_this_cluster_that_are_still_there(
    cluster: Cluster, operator: User, nobody: User
) -> None:
    make(cluster, "pods", "web", "shop")
    make(cluster, "nodes", "n1")
    make(ClusterFactory(), "pods", "other", "shop")
    keys = ["pods/shop/web", "pods/shop/gone", "pods/shop/other", "nodes//n1", "odd", "a/b/c/d"]
    request = RequestFactory().post("/", {"objects": keys})
    found = chosen(operator, cluster, named(request))
    assert {row.name for _key, row in found if row} == {"n1", "web"}
    assert not any(row for _key, row in chosen(nobody, cluster, named(request)))


def test_columns_are_kept_in_the_browser(admin_client: Client, cluster: Cluster) -> None:
    make(cluster, "pods", "web", "shop", address="10.244.0.9")
    address = f"/clusters/{cluster.pk}/pods/"
    assert "10.244.0.9" not in admin_client.get(address).content.decode()
    chosen = {"list": "pods", "column": ["ip", "nonsense"], "next": address}
    assert admin_client.post("/clusters/columns/", chosen)["Location"] == address
    page = admin_client.get(address)
    assert "10.244.0.9" in page.content.decode()
    assert [column.id for column in page.context["columns"]] == ["name", "ip"]
    shared = admin_client.get(f"{address}?columns=status").context["columns"]
    assert [column.id for column in shared] == ["name", "status"]
    admin_client.post("/clusters/columns/", {"list": "pods", "reset": "1", "next": address})
    assert "10.244.0.9" not in admin_client.get(address).content.decode()
    elsewhere = admin_client.post("/clusters/columns/", {**chosen, "next": "//evil.example.com/"})
    assert elsewhere["Location"] == "/"
    assert admin_client.post("/clusters/columns/", {"list": "no"}).status_code == 400


def test_what_is_old_says_so(admin_client: Client, cluster: Cluster) -> None:
    make(cluster, "pods", "web", "shop")
    assert ">Old<" not in admin_client.get(f"/clusters/{cluster.pk}/pods/").content.decode()
    cluster.set_status(ClusterStatus.UNREACHABLE, "no answer")
    page = admin_client.get(f"/clusters/{cluster.pk}/pods/").content.decode()
    assert ">Old<" in page
    assert "web" in page


def test_rows_follow_changes_and_the_filter_is_left_alone(
    admin_client: Client, cluster: Cluster
) -> None:
    make(cluster, "pods", "web", "shop", status="Running", health="good")
    page = admin_client.get(f"/clusters/{cluster.pk}/pods/?q=we").content.decode()
    again = re.search(r'hx-get="([^"]+live=[0-9a-f]+)"', page)
    assert again is not None
    address = again[1].replace("&amp;", "&")
    same = admin_client.get(address)
    assert same["HX-Reswap"] == "none"
    assert 'id="fresh"' in same.content.decode()
    assert "<table" not in same.content.decode()
    Object.objects.filter(name="web").update(status="Error", health="bad")
    moved = admin_client.get(address).content.decode()
    assert "Error" in moved
    assert 'id="live-rows" hx-swap-oob="true"' in moved
    assert "<form" not in moved


def test_many_pods_take_the_same_queries(admin: User) -> None:
    small, large = ClusterFactory(), ClusterFactory()
    many_pods(small, 200)
    many_pods(large, 20_000)
    for query in (
        "", "?sort=-name", "?sort=status", "?sort=-created", "?sort=node", "?namespace=space-3",
        "?status=CrashLoopBackOff", "?health=look&sort=-created", "?q=99", "?labels=app%3Dweb",
    ):  # fmt: skip
        counts = []
        for cluster in (small, large):
            with CaptureQueriesContext(connection) as captured:
                context = ask(admin, cluster, query)
            counts.append(len(captured))
            assert context["rows"], query
        assert counts[0] == counts[1] <= 3, query


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan")
@pytest.mark.parametrize(
    ("query", "index"),
    [("", "object_by_name"), ("?sort=status", "object_by_status"), ("?sort=node", "object_by_node"),
     ("?sort=-created", "object_by_age"), ("?namespace=space-3", "autoindex"),
     ("?status=CrashLoopBackOff", "object_by_status"), ("?health=bad", "object_by_health")],
)  # fmt: skip
def test_pages_are_read_from_an_index_in_its_order(
    admin: User, cluster: Cluster, query: str, index: str
) -> None:
    many_pods(cluster, 6000)
    page = ask(admin, cluster, query)["page"]
    for address in (query, page.next):
        with CaptureQueriesContext(connection) as captured:
            ask(admin, cluster, address)
        sql = captured.captured_queries[-1]["sql"]
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = " / ".join(str(line[3]) for line in cursor.fetchall())
        assert index in plan, plan
        assert "TEMP B-TREE FOR ORDER BY" not in plan, plan


class Pages(TestCase):
    """Whatever rows there are and however they are sorted: each row is on exactly one page."""

    @settings(max_examples=25)
    @given(
        rows=st.lists(
            st.tuples(
                st.sampled_from(["a", "b", "b%", "é"]), st.sampled_from(["Running", "Error"]),
                st.sampled_from(["", "n1", "n2"]), st.integers(0, 2),
            ),
            max_size=120,
        ),
        sort=st.sampled_from(["name", "-name", "status", "-status", "node", "created", "-created"]),
    )  # fmt: skip
    def test_every_row_once(self, rows: list[Any], sort: str) -> None:
        user, cluster = UserFactory(role=Role.ADMIN), ClusterFactory()
        Object.objects.bulk_create(
            build(cluster, "pods", f"{name}{n % 3}", f"space-{n}", status=status, node=node,
                  created=NOW.replace(microsecond=age), uid=f"{n}")
            for n, (name, status, node, age) in enumerate(rows)
        )  # fmt: skip
        seen: list[str] = []
        page = ask(user, cluster, f"?sort={sort}")["page"]
        while True:
            seen += [row.uid for row in page]
            if not page.next:
                break
            following = ask(user, cluster, page.next)["page"]
            back = ask(user, cluster, following.previous)["page"]
            assert [row.uid for row in back] == [row.uid for row in page]
            page = following
        assert sorted(seen, key=int) == [str(n) for n in range(len(rows))]
        column = sort.removeprefix("-")
        values = dict(Object.objects.values_list("uid", column))
        shown = [values[uid] for uid in seen]
        assert shown == sorted(shown, reverse=sort.startswith("-"))


def test_a_poll_is_no_filter(cluster: Cluster, admin_client: Client) -> None:
    """An empty list stays "nothing here" and page links carry no stamp of a poll."""
    empty = admin_client.get(f"/clusters/{cluster.pk}/pods/?live=0").content.decode()
    assert "Nothing matches" not in empty
    assert "Nothing here" in empty
    many_pods(cluster, 60)
    answer = admin_client.get(f"/clusters/{cluster.pk}/pods/?live=0")
    assert answer.context["page"].next
    assert "live=" not in answer.context["page"].next


def test_what_is_in_no_namespace_says_so(cluster: Cluster, admin_client: Client) -> None:
    make(cluster, "storageclasses.storage.k8s.io", "fast")
    page = admin_client.get(f"/clusters/{cluster.pk}/storage/").content.decode()
    assert re.search(r'data-label="Namespace">–</td>', page)
