"""Where an operator only looks: namespaces that keep a cluster running, and the console's own
cluster. By every way that leads there: pages, REST, lists of rows, manifests, drains, pools."""

from __future__ import annotations

import pytest

from clusters.guarded import NoPlainPath, Use, is_discovery, use_of, why_not
from clusters.models import Node, Object, Origin, ResourcePool
from clusters.object_tabs import object_registry
from clusters.operate import NotAllowed, connection
from console.accounts.models import Role
from console.audit.models import AuditEvent
from provisioning.models import Task
from tests.factories import ClusterFactory, ObjectFactory
from tests.unit.operations.conftest import page_of
from tests.unit.operations.test_api import address
from tests.unit.operations.test_pages import CONFIG, CORE, text_of

pytestmark = pytest.mark.django_db

GUARDED = ("kube-system", "kube-public", "kube-node-lease", "flotilla")


@pytest.fixture
def apart(cluster):
    """The console runs on the cluster itself, in the namespace fleet."""
    cluster.origin, cluster.console_namespace = Origin.SYSTEM, "fleet"
    cluster.save()
    return cluster


def deployment(cluster, calls, namespace: str) -> Object:
    """A Deployment "dns" that the cluster and the inventory have."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/dns"
    calls.objects[path] = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "dns", "namespace": namespace, "resourceVersion": "1"},
        "spec": {"replicas": 2, "template": {"metadata": {}, "spec": {"containers": []}}},
    }  # fmt: skip
    calls.objects[f"{path}/scale"] = {"spec": {"replicas": 2}}
    return ObjectFactory(cluster=cluster, namespace=namespace, name="dns", uid="u-dns")


def pod(cluster, namespace: str) -> Object:
    return ObjectFactory(
        cluster=cluster, resource="pods", api_version="v1", kind="Pod", namespace=namespace,
        name="dns-1", summary={"phase": "Running"},
    )  # fmt: skip


# The rule itself: role x place x use.

PLACES = {
    # origin, console_namespace, namespace: what an operator may do there
    ("imported", "", "shop"): {Use.LOOK, Use.LOGS, Use.EXEC, Use.CHANGE},
    ("imported", "", ""): {Use.LOOK, Use.LOGS, Use.EXEC, Use.CHANGE},
    **{("imported", "", name): {Use.LOOK, Use.LOGS} for name in GUARDED},
    ("provisioned", "", "kube-system"): {Use.LOOK, Use.LOGS},
    ("provisioned", "", "networking"): {Use.LOOK, Use.LOGS},  # FLOTILLA_GUARDED_NAMESPACES
    ("system", "fleet", "shop"): {Use.LOOK, Use.LOGS},
    ("system", "fleet", "kube-system"): {Use.LOOK, Use.LOGS},
    ("system", "fleet", ""): {Use.LOOK},
    ("system", "fleet", "fleet"): {Use.LOOK},
    # Nobody knows in which namespace the console runs: it may be any.
    ("system", "", "shop"): {Use.LOOK},
    # Imported or built here, and the console was found to run on it later.
    ("imported", "fleet", "shop"): {Use.LOOK, Use.LOGS},
    ("provisioned", "fleet", "fleet"): {Use.LOOK},
}


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("use", Use)
def test_what_each_role_may_do_in_each_place(settings, place, use):
    settings.GUARDED_NAMESPACES = ("networking",)
    origin, console_namespace, namespace = place
    cluster = ClusterFactory(origin=origin, console_namespace=console_namespace)
    assert why_not(Role.ADMIN, use, cluster, namespace) == ""
    for role in (Role.OPERATOR, Role.AUDITOR, Role.NONE):
        reason = why_not(role, use, cluster, namespace)
        assert (reason == "") == (use in PLACES[place]), reason
        if reason:
            assert cluster.name in reason and "Only admins" in reason


NS = "/api/v1/namespaces/kube-system"


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("GET", f"{NS}/pods", (Use.LOOK, "kube-system")),
        ("GET", f"{NS}/pods/a/log", (Use.LOGS, "kube-system")),
        ("GET", f"{NS}/pods/a/exec?command=sh", (Use.EXEC, "kube-system")),
        ("POST", f"{NS}/pods/a/attach", (Use.EXEC, "kube-system")),
        ("GET", f"{NS}/pods/a/portforward", (Use.EXEC, "kube-system")),
        ("GET", f"{NS}/services/a/proxy/x/y", (Use.EXEC, "kube-system")),
        ("GET", f"{NS}/pods/log", (Use.LOOK, "kube-system")),  # a pod of this name
        ("POST", f"{NS}/pods/a/eviction", (Use.CHANGE, "")),
        ("DELETE", f"{NS}/pods/a/eviction", (Use.CHANGE, "kube-system")),
        ("POST", f"{NS}/configmaps/a/eviction", (Use.CHANGE, "kube-system")),
        ("POST", f"{NS}/pods", (Use.CHANGE, "kube-system")),
        ("PATCH", NS, (Use.CHANGE, "kube-system")),
        ("PUT", f"{NS}/finalize", (Use.CHANGE, "kube-system")),
        ("PATCH", "/apis/apps/v1/namespaces/kube%2Dsystem/deployments/a",
         (Use.CHANGE, "kube-system")),
        ("PATCH", "/api/v1/nodes/n1", (Use.CHANGE, "")),
        ("POST", "/api/v1/namespaces", (Use.CHANGE, "")),
        ("GET", "/version", (Use.LOOK, "")),
    ],
)  # fmt: skip
def test_what_a_call_is_and_where(method, path, meant):
    assert use_of(method, path) == meant


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/shop/../kube-system/pods/a",
        "/api/v1/namespaces/shop/%2e%2e/kube-system/pods/a",
        "/api/v1/namespaces//pods",
        "/api/v1/namespaces/shop/pods/./a",
        "//api/v1/namespaces/kube-system/pods/a",
    ],
)
def test_a_path_that_could_be_read_two_ways_is_refused(cluster, operator, calls, path):
    with pytest.raises(NoPlainPath):
        use_of("DELETE", path)
    with pytest.raises(Exception, match="no path of an object"):
        connection(cluster, operator).delete(path)
    assert not calls.made


@pytest.mark.parametrize(
    "path", ["/version", "/api", "/api/v1", "/apis", "/apis/apps/v1", "/apis/apps?timeout=5s"]
)
def test_which_kinds_there_are_is_told_to_everybody(path):
    assert is_discovery("GET", path)
    assert not is_discovery("POST", path)


@pytest.mark.parametrize(
    "path",
    ["/api/v1/secrets", "/apis/apps/v1/deployments", "/api/v1%2Fsecrets", "/metrics",
     "/api/../v1", "/version/../api/v1/secrets", "/apis/apps/v1/%2e%2e", "//api", "/logs", "/"],
)  # fmt: skip
def test_nothing_else_counts_as_that(path):
    assert not is_discovery("GET", path)


def test_a_slash_that_is_written_as_a_number_is_a_slash():
    path = "/api/v1/namespaces/shop%2F..%2Fkube-system/pods"
    with pytest.raises(NoPlainPath):
        use_of("POST", path)
    assert use_of("POST", "/api/v1/namespaces%2Fkube-system/pods") == (Use.CHANGE, "kube-system")


# The one place that every call goes through.


def test_no_call_on_a_persons_connection_gets_there(cluster, operator, admin, calls):
    conn = connection(cluster, operator)
    for call in (
        lambda c: c.post(f"{NS}/pods", {"metadata": {"name": "x"}}),
        lambda c: c.delete(f"{NS}/pods/x"),
        lambda c: c.merge_patch(f"{NS}/configmaps/coredns", {"data": {}}),
        lambda c: c.apply(f"{NS}/configmaps/coredns", {"data": {}}),
        lambda c: c.try_apply(f"{NS}/configmaps/coredns", {"data": {}}),
        lambda c: c.put(f"{NS}/configmaps/coredns", {"data": {}}),
        lambda c: c.get_json(f"{NS}/pods/x/exec", {"command": "sh"}),
        lambda c: c.post("/api/v1/namespaces/flotilla/pods", {"metadata": {"name": "x"}}),
    ):
        with pytest.raises(NotAllowed, match="Only admins"):
            call(conn)
    assert not calls.made
    connection(cluster, admin).post(f"{NS}/pods", {"metadata": {"name": "x"}})
    conn.post("/api/v1/namespaces/shop/pods", {"metadata": {"name": "x"}})
    conn.post(f"{NS}/pods/x/eviction", {})  # a drain
    assert len(calls.changes) == 3


# REST.

ATTEMPTS = {
    "restart": lambda api, row: api.post(address(row, "restart/")),
    "pause": lambda api, row: api.post(address(row, "pause/")),
    "scale": lambda api, row: api.post(address(row, "scale/"), {"replicas": 0}, format="json"),
    "rollback": lambda api, row: api.post(
        address(row, "rollback/"), {"revision": 1, "generation": 1}, format="json"
    ),
    "delete": lambda api, row: api.delete(address(row)),
}


@pytest.mark.parametrize("namespace", GUARDED)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_rest_refuses_an_operator_in_a_guarded_namespace(
    operator_api, cluster, calls, namespace, attempt
):
    answer = ATTEMPTS[attempt](operator_api, deployment(cluster, calls, namespace))
    assert answer.status_code == 403
    assert f"namespace {namespace} of harbour" in answer.json()["detail"]
    assert "Ask a platform admin" in answer.json()["detail"]
    assert not calls.made
    assert AuditEvent.objects.get(action="request.denied").outcome == "denied"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_rest_refuses_an_operator_anywhere_beside_the_console(operator_api, apart, calls, attempt):
    answer = ATTEMPTS[attempt](operator_api, deployment(apart, calls, "shop"))
    assert answer.status_code == 403 and "the console itself runs there" in answer.json()["detail"]
    assert not calls.made


@pytest.mark.parametrize("attempt", ["restart", "scale", "delete"])
def test_an_admin_still_may(admin_api, apart, calls, attempt):
    row = deployment(apart, calls, "kube-system")
    assert ATTEMPTS[attempt](admin_api, row).status_code == 200
    assert calls.changes


def test_the_namespace_itself_is_guarded_too(operator_api, cluster, calls):
    row = ObjectFactory(
        cluster=cluster, resource="namespaces", api_version="v1", kind="Namespace", namespace="",
        name="kube-system",
    )  # fmt: skip
    assert operator_api.delete(address(row)).status_code == 403
    assert not calls.made


def test_nodes_are_the_operators_but_not_beside_the_console(operator_api, cluster, n1, calls):
    nodes = f"/api/v1/clusters/{cluster.pk}/nodes/n1"
    assert operator_api.post(f"{nodes}/cordon/").status_code == 200
    assert operator_api.post(f"{nodes}/drain/", {}, format="json").status_code == 202
    made = len(calls.changes)
    cluster.console_namespace = "fleet"
    cluster.save()
    Task.objects.all().delete()
    assert operator_api.post(f"{nodes}/uncordon/").status_code == 403
    assert operator_api.post(f"{nodes}/drain/", {}, format="json").status_code == 403
    assert len(calls.changes) == made and not Task.objects.exists()


# Manifests: each document's own namespace.

INTO = CONFIG.replace("name: ", "namespace: kube-system, name: ", 1)


def test_each_document_of_a_text_is_looked_at(operator_api, cluster, calls):
    calls.objects["/api/v1"] = CORE
    url = f"/api/v1/clusters/{cluster.pk}/manifests/"
    text = "---\n".join([CONFIG % 1, INTO % 2])
    for dry_run in ("true", "false"):
        answer = operator_api.post(f"{url}?dry_run={dry_run}", {"yaml": text}, format="json")
        states = {r["namespace"]: (r["state"], r["error"]) for r in answer.json()["results"]}
        assert states["default"][0] == "created"
        assert states["kube-system"][0] == "refused" and "Only admins" in states["kube-system"][1]
    assert not [c for c in calls.changes if "kube-system" in c["path"]]
    failed = AuditEvent.objects.get(action="object.applied", outcome="failure")
    assert "Only admins" in failed.reason


def test_nor_by_the_namespace_of_those_that_name_none(operator_api, cluster, calls):
    calls.objects["/api/v1"] = CORE
    body = {"yaml": CONFIG % 1, "namespace": "flotilla"}
    url = f"/api/v1/clusters/{cluster.pk}/manifests/"
    (result,) = operator_api.post(url, body, format="json").json()["results"]
    assert result["state"] == "refused" and not calls.changes


def test_no_manifest_beside_the_console(operator_api, operator_client, apart, calls):
    calls.objects["/api/v1"] = CORE
    url = f"/api/v1/clusters/{apart.pk}/manifests/"
    many = "---\n".join(CONFIG % n for n in range(21))
    for text in (CONFIG % 1, many):
        assert operator_api.post(url, {"yaml": text}, format="json").status_code == 403
    page = f"/clusters/{apart.pk}/manifests/"
    answer = operator_client.get(page)
    assert answer.status_code == 403 and "the console itself runs there" in text_of(answer)
    for address_ in (page, f"{page}task/"):
        assert operator_client.post(address_, {"text": CONFIG % 1}).status_code == 403
    assert not calls.made and not Task.objects.exists()


# Pages.


@pytest.mark.parametrize("action", ["restart", "scale", "delete", "edit", "pause"])
def test_pages_refuse_and_say_why(operator_client, cluster, calls, action):
    row = deployment(cluster, calls, "kube-system")
    sent = {"replicas": 1, "confirm_name": "dns", "propagation": "Background", "text": "a: b"}
    for answer in (
        operator_client.get(page_of(row, action)),
        operator_client.post(page_of(row, action), sent),
    ):
        assert answer.status_code == 403
        assert "namespace kube-system of harbour" in text_of(answer)
    assert not calls.changes


def test_what_is_refused_is_not_offered(operator, admin, cluster, apart, calls):
    def offered(user, row: Object) -> set[str]:
        return {a.id for a in object_registry.actions_for(user, row)} | {
            f"tab {t.id}" for t in object_registry.tabs_for(user, row)
        }

    other = ClusterFactory()
    free = offered(operator, ObjectFactory(cluster=other, namespace="shop", name="a"))
    assert {"restart", "scale", "edit", "delete", "tab logs", "tab yaml"} <= free
    guarded = offered(operator, ObjectFactory(cluster=other, namespace="kube-system", name="b"))
    assert not {"restart", "scale", "edit", "delete"} & guarded
    assert {"rollout", "tab logs", "tab yaml"} <= guarded
    assert "terminal" not in offered(operator, pod(other, "kube-system"))
    assert "terminal" in offered(operator, pod(other, "shop"))
    assert "terminal" in offered(admin, pod(other, "flotilla"))
    beside = offered(operator, pod(apart, "shop"))
    assert not {"terminal", "edit", "delete"} & beside and "tab logs" in beside
    assert "tab logs" not in offered(operator, pod(apart, "fleet"))


def test_pages_say_why_nothing_is_offered(operator_client, admin_client, auditor_client, apart):
    other = ClusterFactory()
    held = page_of(ObjectFactory(cluster=other, namespace="kube-system", name="held"), "")[:-1]
    free = page_of(ObjectFactory(cluster=other, namespace="shop", name="free"), "")[:-1]
    assert "Only admins may change" in text_of(operator_client.get(held))
    assert "Only admins may change" not in text_of(operator_client.get(free))
    for address_ in (held, f"/clusters/{apart.pk}/"):
        # An auditor only looks everywhere: nothing special to say.
        for client in (admin_client, auditor_client):
            assert "Only admins may change" not in text_of(client.get(address_))
    assert "the console itself runs there" in text_of(operator_client.get(f"/clusters/{apart.pk}/"))


def test_rows_of_guarded_namespaces_have_no_box(operator_client, admin_client, cluster, apart):
    other = ClusterFactory()
    ObjectFactory(cluster=other, namespace="shop", name="free")
    ObjectFactory(cluster=other, namespace="kube-system", name="held")
    address = f"/clusters/{other.pk}/workloads/"
    page = text_of(operator_client.get(address))
    free, held = ('value="deployments.apps/shop/free"', 'value="deployments.apps/kube-system/held"')
    assert free in page and held not in page and ">held<" in page
    assert held in text_of(admin_client.get(address))
    ObjectFactory(cluster=apart, namespace="shop", name="free")
    page = text_of(operator_client.get(f"/clusters/{apart.pk}/workloads/"))
    assert "data-bulk" not in page and ">free<" in page


def test_several_at_once_get_a_result_each(operator_client, cluster, web, calls):
    deployment(cluster, calls, "kube-system")
    keys = ["deployments.apps/shop/web", "deployments.apps/kube-system/dns"]
    sent = {"objects": keys, "confirmed": "yes"}
    answer = operator_client.post(f"/clusters/{cluster.pk}/bulk/restart/", sent)
    assert answer.status_code == 200 and "namespace kube-system of harbour" in text_of(answer)
    assert len(calls.changes) == 1 and "/shop/" in calls.changes[0]["path"]
    sent["objects"] = keys[1:]
    answer = operator_client.post(f"/clusters/{cluster.pk}/bulk/restart/", sent)
    assert answer.status_code == 403 and len(calls.changes) == 1


# Terminals and logs (their websockets: tests/unit/clusters/test_guarded_sockets.py).


def test_the_terminals_page(operator_client, admin_client, cluster, apart):
    other = ClusterFactory()
    for row in (pod(other, "kube-system"), pod(apart, "shop")):
        page = page_of(row, "terminal")
        assert operator_client.get(page).status_code == 403
        assert admin_client.get(page).status_code == 200


def test_logs_are_for_operators_but_those_of_the_console(
    operator_client, operator_api, apart, calls
):
    own, system = pod(apart, "fleet"), pod(apart, "kube-system")
    rest = "/api/v1/clusters/{0.cluster_id}/pods/{0.namespace}/{0.name}/log/"
    assert operator_client.get(page_of(own, "log")).status_code == 403
    assert "the console itself runs there" in text_of(operator_client.get(page_of(own, "log")))
    assert operator_client.get(f"{page_of(own, 'log')[:-1]}.txt").status_code == 403
    refused = operator_api.get(rest.format(own))
    assert refused.status_code == 403 and "fleet" in refused.json()["detail"]
    assert not calls.made
    assert operator_client.get(page_of(system, "log")).status_code == 200
    assert operator_api.get(rest.format(system)).status_code != 403


# Pools write labels and taints of nodes with the console's own rights.


def test_pools_beside_the_console_are_the_admins(operator_api, operator_client, admin_api, apart):
    Node.objects.create(cluster=apart, name="n1")
    body = {"cluster": apart.pk, "name": "batch", "nodes": ["n1"]}
    answer = operator_api.post("/api/v1/pools/", body, format="json")
    assert answer.status_code == 403 and not ResourcePool.objects.exists()
    assert admin_api.post("/api/v1/pools/", body, format="json").status_code == 201
    row = ResourcePool.objects.get()
    url = f"/api/v1/pools/{row.pk}/"
    assert operator_api.patch(url, {"nodes": []}, format="json").status_code == 403
    assert operator_api.delete(url).status_code == 403
    for page in (
        f"/pools/add/?cluster={apart.pk}",
        f"/pools/{row.pk}/edit/",
        f"/pools/{row.pk}/delete/",
    ):
        assert operator_client.get(page).status_code == 403, page
    row.refresh_from_db()
    assert row.nodes == ["n1"]
    assert "/edit/" not in text_of(operator_client.get(f"/pools/{row.pk}/"))
