"""An object's page: summary of every kind, family, events, YAML without secrets, hostile rows."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from clusters.inventory.kinds import KINDS
from clusters.listings import tab_of
from clusters.models import Cluster, ClusterEvent, ClusterStatus, Object
from clusters.object_yaml import LAST_APPLIED, shown
from clusters.yaml_text import document, pieces
from tests.factories import ClusterFactory
from tests.unit.fleet.rows import make

pytestmark = pytest.mark.django_db
MARKUP = '<script>alert(1)</script>"&'
RESOURCES = [kind.resource for kind in KINDS]


@pytest.fixture
def cluster() -> Cluster:
    return ClusterFactory(name="demo", seen=timezone.now())


def read(client: Client, cluster: Cluster, rest: str) -> str:
    answer = client.get(f"/clusters/{cluster.pk}/objects/{rest}")
    assert answer.status_code == 200
    return answer.content.decode()


def family(cluster: Cluster) -> None:
    """A Deployment with one ReplicaSet and two pods, and a service before them."""
    make(cluster, "deployments.apps", "web", "shop", uid="d", status="Stalled", health="bad",
         summary={"desired": 2, "ready": 1, "generation": 3, "observed": 2})  # fmt: skip
    make(cluster, "replicasets.apps", "web-5d", "shop", uid="r", owner_kind="Deployment",
         owner_name="web", owner_uid="d")  # fmt: skip
    for n in "12":
        make(cluster, "pods", f"web-5d-{n}", "shop", uid=f"p{n}", owner_kind="ReplicaSet",
             owner_name="web-5d", owner_uid="r", node="n1", labels={"app": "web", "items": "x"},
             status="CrashLoopBackOff", health="bad",
             summary={"phase": "Running", "cpu_request": 1.5, "memory_request": 2**30,
                      "volumes": [{"name": "v", "kind": "persistentVolumeClaim", "ref": "data"}],
                      "containers": [
                          {"name": "web", "image": "nginx:1.27", "state": "waiting",
                           "reason": "CrashLoopBackOff", "message": "back-off 5m0s",
                           "last": {"reason": "OOMKilled", "exit_code": 137},
                           "probes": {"liveness": "GET :8080/healthz every 10 s"},
                           "requests": {"cpu": "1500m"}, "limits": {"memory": "1Gi"}}]},
        )  # fmt: skip
    make(cluster, "services", "front", "shop",
         summary={"type": "ClusterIP", "selector": {"app": "web", "items": "x"}})  # fmt: skip
    make(cluster, "services", "other", "shop", summary={"selector": {"app": "api"}})
    make(cluster, "persistentvolumeclaims", "data", "shop", summary={"volume": "pv1"})
    make(cluster, "nodes", "n1", summary={"cpu": 6.0, "memory": 2**33, "pods": 110})


def test_a_pod_tells_what_its_containers_do_and_leads_to_what_it_uses(
    admin_client: Client, cluster: Cluster
) -> None:
    family(cluster)
    page = read(admin_client, cluster, "pods/shop/web-5d-1/")
    for said in ("back-off 5m0s", "OOMKilled", "137", "GET :8080/healthz every 10 s",
                 "nginx:1.27", "request 1500m, limit –", "request –, limit 1Gi"):  # fmt: skip
        assert said in page
    base = f"/clusters/{cluster.pk}/objects/"
    for place in ("namespaces/-/shop/", "nodes/-/n1/", "replicasets.apps/shop/web-5d/",
                  "persistentvolumeclaims/shop/data/"):  # fmt: skip
        assert f'href="{base}{place}"' in page


def test_what_a_volume_names_and_is_not_there_is_no_link(
    admin_client: Client, cluster: Cluster
) -> None:
    family(cluster)
    Object.objects.filter(cluster=cluster, resource="persistentvolumeclaims").delete()
    make(cluster, "persistentvolumeclaims", "data", "another")
    page = read(admin_client, cluster, "pods/shop/web-5d-1/")
    assert "persistentVolumeClaim" in page and "data" in page
    assert "persistentvolumeclaims/shop/data/" not in page


def test_the_tree_goes_from_the_deployment_to_its_pods(
    admin_client: Client, cluster: Cluster
) -> None:
    family(cluster)
    for rest in ("deployments.apps/shop/web/", "replicasets.apps/shop/web-5d/"):
        places = admin_client.get(f"/clusters/{cluster.pk}/objects/{rest}related/").context[
            "places"
        ]
        assert [(place.depth, place.row.name) for place, _line in places] == [
            (0, "web"), (1, "web-5d"), (2, "web-5d-1"), (2, "web-5d-2"),
        ]  # fmt: skip
    page = read(admin_client, cluster, "pods/shop/web-5d-1/related/")
    assert "/services/shop/front/" in page
    assert "/services/shop/other/" not in page


def test_owners_that_own_each_other_do_not_go_on_for_ever(
    admin_client: Client, cluster: Cluster
) -> None:
    make(cluster, "pods", "a", "shop", uid="a", owner_kind="Pod", owner_name="b", owner_uid="b")
    make(cluster, "pods", "b", "shop", uid="b", owner_kind="Pod", owner_name="a", owner_uid="a")
    assert "b" in read(admin_client, cluster, "pods/shop/a/related/")


def test_a_service_shows_the_pods_that_it_selects(admin_client: Client, cluster: Cluster) -> None:
    family(cluster)
    make(cluster, "pods", "web-elsewhere", "core", labels={"app": "web", "items": "x"})
    page = read(admin_client, cluster, "services/shop/front/")
    assert "web-5d-1" in page
    assert "web-5d-2" in page
    assert "web-elsewhere" not in page
    assert "web-5d-1" in read(admin_client, cluster, "persistentvolumeclaims/shop/data/")


def test_a_node_sums_what_its_pods_ask_for(admin_client: Client, cluster: Cluster) -> None:
    family(cluster)
    make(cluster, "pods", "done", "shop", node="n1", summary={"phase": "Succeeded",
                                                              "cpu_request": 4.0})  # fmt: skip
    context = admin_client.get(f"/clusters/{cluster.pk}/objects/nodes/-/n1/").context
    assert context["cpu"] == {"have": 6.0, "asked": 3.0, "limit": 0, "percent": 50}
    assert context["memory"]["percent"] == 25
    assert context["pod_room"]["asked"] == 2
    tab = admin_client.get(f"/clusters/{cluster.pk}/nodes/")
    assert tab.status_code == 200


def test_events_are_those_of_the_object_and_of_what_it_owns(
    admin_client: Client, cluster: Cluster
) -> None:
    family(cluster)
    for uid in ("d", "p1", "stranger", ""):
        ClusterEvent.objects.create(
            cluster=cluster, uid=f"e{uid}", about_uid=uid, message=f"<{uid}>"
        )
    page = read(admin_client, cluster, "deployments.apps/shop/web/events/")
    assert "&lt;d&gt;" in page
    assert "&lt;p1&gt;" in page
    assert "stranger" not in page
    assert "&lt;&gt;" not in page


@pytest.mark.parametrize("resource", RESOURCES)
def test_markup_and_unexpected_types_break_no_page(
    admin_client: Client, cluster: Cluster, resource: str
) -> None:
    words = (
        "type class strategy revision schedule provisioner reclaim binding source capacity "
        "requested os kernel runtime version qos last_run service_account priority_class"
    )
    texts: dict[str, Any] = dict.fromkeys(words.split(), MARKUP)
    container = {
        "name": MARKUP,
        "image": MARKUP,
        "message": MARKUP,
        "probes": {MARKUP: MARKUP},
        "requests": {MARKUP: MARKUP},
        "ports": [MARKUP],
    }
    texts |= {
        "conditions": [{"type": MARKUP, "status": MARKUP, "message": MARKUP}, "odd"],
        "containers": [container],
        "volumes": [{"name": MARKUP, "kind": "secret", "ref": MARKUP}],
        "rules": [{"host": MARKUP, "service": MARKUP}],
        "selector": {MARKUP: MARKUP, "items": "x"},
        "taints": [{"key": MARKUP}],
        "roles": [MARKUP],
        "cluster_ips": [MARKUP],
        "modes": [MARKUP],
    }
    make(cluster, resource, "odd", "shop" if resource != "nodes" else "", summary=texts,
         labels={MARKUP: MARKUP}, status=MARKUP, health="bad", images=MARKUP, node=MARKUP,
         owner_kind=MARKUP, owner_name=MARKUP)  # fmt: skip
    place = "shop" if resource != "nodes" else "-"
    make(cluster, resource, "bare", "shop" if resource != "nodes" else "")
    for tab in ("", "related/", "events/"):
        page = read(admin_client, cluster, f"{resource}/{place}/odd/{tab}")
        assert "<script>alert" not in page
        read(admin_client, cluster, f"{resource}/{place}/bare/{tab}")


def test_rights(nobody_client: Client, auditor_client: Client, cluster: Cluster) -> None:
    make(cluster, "pods", "web", "shop")
    address = f"/clusters/{cluster.pk}/objects/pods/shop/web/"
    assert nobody_client.get(address).status_code == 404
    assert auditor_client.get(address).status_code == 200
    assert auditor_client.get(f"{address}nonsense/").status_code == 404
    assert (
        auditor_client.get(f"/clusters/{cluster.pk + 1}/objects/pods/shop/web/").status_code == 404
    )
    assert auditor_client.get(address.replace("/shop/", "/-/")).status_code == 404


def test_the_yaml_of_a_cluster_that_is_away_asks_nobody_and_shows_what_is_known(
    admin_client: Client, cluster: Cluster
) -> None:
    make(cluster, "deployments.apps", "web", "shop", summary={"desired": 3, "strategy": MARKUP})
    page = read(admin_client, cluster, "deployments.apps/shop/web/yaml/")
    assert "did not give the object" in page  # no credentials: what to do stands there
    cluster.set_status(ClusterStatus.UNREACHABLE, "no answer")
    page = read(admin_client, cluster, "deployments.apps/shop/web/yaml/")
    assert "does not answer" in page
    assert "desired" in page
    assert "<script>alert" not in page
    assert "hx-get" not in page.split("<main")[1]


def test_no_value_of_a_secret_is_shown() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {
            "name": "s", "managedFields": [{"manager": "kubectl"}],
            "annotations": {LAST_APPLIED: '{"data":{"password":"aHVudGVyMg=="}}', "note": "kept"},
        },
        "data": {"password": "aHVudGVyMg==", "odd": 7},
        "stringData": {"token": "hunter2"},
    }  # fmt: skip
    text = document(shown(secret, managed=True))
    assert "hunter2" not in text
    assert "aHVudGVyMg" not in text
    assert "password" in text
    assert "7 bytes" in text
    assert "kept" in text
    assert "managedFields" in text
    assert "managedFields" not in document(shown(secret))
    assert "hidden" in document(shown({"kind": "Secret", "data": "aHVudGVyMg=="}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=30)
    | st.sampled_from(["yes", "0x1f", "1e3", "1_0", "2024-01-01", "a: b", "- a", "~", "#x", "|", "",
                       "a\nb\n", "a\n\nb\n", " a\nb\n", "a\n", "a\nb", "null", "12:30:45", "=",
                       "<<", ".5", "+1", "a:b", "x\t\ny\n", "no"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8)
                      | st.sampled_from(["on", "1", "a b", "a:"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(value=json_values)
@example(value=5e-324)
def test_what_is_written_reads_back_as_the_same(value: Any) -> None:
    read_back = yaml.safe_load(document(value))
    assert read_back == value
    assert type(read_back) is type(value)


def test_pieces_say_what_they_are() -> None:
    found = {piece.text: piece.kind for piece in pieces({"a": "x", "n": 1, "w": None})}
    assert found["a"] == "key"
    assert found["x"] == "string"
    assert found["1"] == "number"
    assert found["null"] == "word"


@pytest.mark.parametrize(
    ("resource", "tab"),
    [("replicasets.apps", "workloads"), ("secrets", "config"), ("widgets.example.com", "kinds")],
)
def test_the_kind_leads_to_the_list_that_has_it(resource: str, tab: str) -> None:
    assert tab_of(resource) == tab
