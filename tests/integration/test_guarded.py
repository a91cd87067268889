"""Where operators only look, against a real API server with RBAC: kube-system by each way, and
the cluster that the console itself runs on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from clusters import access
from clusters.kube import Connection, Forbidden, Impersonation, KubeError, NotFound, disconnect
from clusters.kube.acting import Acting
from clusters.kube.drain import drain
from clusters.kube.manifests import State, Wish, run
from clusters.kube.nodes_api import set_unschedulable
from clusters.kube.workloads_api import delete, restart, scale
from clusters.manifest_text import read
from clusters.models import Cluster, Origin
from clusters.operate import NotAllowed, connection
from console.accounts.models import Role
from tests.factories import ClusterFactory, ClusterSecretFactory, UserFactory
from tests.integration import api_server
from tests.integration.api_server import RealApiServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SYSTEM = "/api/v1/namespaces/kube-system"
DNS = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
POD = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns"}, "data": {}}
# What the console's own service account would be used for.
TOKEN_POD = {
    "metadata": {"name": "thief"},
    "spec": {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "t", "secret": {"secretName": "console-token"}}],
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer() as running:
        conn = running.connection()
        for name in ("shop", "fleet", "flotilla", "kube-system"):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            conn.apply(f"/api/v1/namespaces/{name}", body)
        for namespace in ("kube-system", "shop"):
            account = {"apiVersion": "v1", "kind": "ServiceAccount"}
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
            conn.apply(path, {**account, "metadata": {"name": "default"}})
        labels = {"app": "dns"}
        conn.post(
            DNS.rpartition("/")[0],
            {
                "metadata": {"name": "coredns"},
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": POD["spec"]},
                },
            },
        )
        conn.post("/api/v1/nodes", {"metadata": {"name": "n1"}})
        yield running


@pytest.fixture(scope="module")
def conn(server) -> Connection:
    return server.connection()


@pytest.fixture
def cluster(db, server) -> Iterator[Cluster]:
    credentials = server.credentials()
    row = ClusterFactory(endpoint=server.endpoint, origin=Origin.PROVISIONED)
    for name, value in (
        ("ca/kubernetes.crt", credentials.ca),
        ("console/client.crt", credentials.certificate),
        ("console/client.key", credentials.key),
    ):
        ClusterSecretFactory(cluster=row, name=name, value=value)
    yield row
    disconnect(row.pk)


def eventually(call: Callable[[], bool]) -> None:
    """The authorizer hears of a change a moment later."""
    ends = time.monotonic() + 10
    while not call():
        assert time.monotonic() < ends, "it stays as it was"
        time.sleep(0.1)


def forbidden(call: Callable[[Acting], object], who: Acting) -> bool:
    try:
        call(who)
    except Forbidden:
        return True
    except KubeError:
        return False
    return False


# Ordinary clusters: the console's own lock.


@pytest.mark.parametrize(
    "attempt",
    [
        lambda c: c.post(f"{SYSTEM}/pods", POD),
        lambda c: c.get_json(f"{SYSTEM}/pods/etcd/exec", {"command": "sh"}),
        lambda c: c.post(f"{SYSTEM}/pods/etcd/exec", {}),
        lambda c: c.post(f"{SYSTEM}/pods/etcd/attach", {}),
        lambda c: c.get_json(f"{SYSTEM}/pods/etcd/portforward"),
        lambda c: c.apply(f"{SYSTEM}/configmaps/coredns", CONFIG, force=True),
        lambda c: c.try_apply(f"{SYSTEM}/configmaps/coredns", CONFIG),
        lambda c: c.put(f"{SYSTEM}/configmaps/coredns", CONFIG),
        lambda c: c.merge_patch(DNS, {"spec": {"replicas": 0}}),
        lambda c: scale(c, DNS, 0),
        lambda c: restart(c, DNS),
        lambda c: delete(c, DNS, "", "Background"),
        lambda c: c.delete(f"{SYSTEM}/pods"),
        lambda c: c.post("/api/v1/namespaces/flotilla/pods", TOKEN_POD),
        lambda c: c.post("/api/v1/namespaces/kube%2Dsystem/pods", POD),
        lambda c: c.post("/api/v1/namespaces%2Fkube-system/pods", POD),
    ],
    ids=lambda _call: "",
)
def test_an_operator_gets_nowhere_in_a_guarded_namespace(cluster, conn, attempt):
    assert access.ensure(conn, cluster).works
    with pytest.raises(NotAllowed, match="Only admins"):
        attempt(connection(cluster, UserFactory(role=Role.OPERATOR)))
    assert not conn.listing("/api/v1/pods").items
    live = conn.get_json(DNS)
    assert live["metadata"]["generation"] == 1 and live["spec"]["replicas"] == 2
    with pytest.raises(NotFound):
        conn.get_json(f"{SYSTEM}/configmaps/coredns")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/shop/../kube-system/pods",
        "/api/v1/namespaces/shop%2F..%2Fkube-system/pods",
    ],
)
def test_nor_by_a_path_that_only_looks_like_another(cluster, conn, path):
    with pytest.raises(KubeError, match="no path of an object"):
        connection(cluster, UserFactory(role=Role.OPERATOR)).post(path, POD)
    assert not conn.listing("/api/v1/pods").items


def test_nor_by_a_manifest_and_the_other_documents_are_applied(cluster, conn):
    access.ensure(conn, cluster)
    one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: %s}\ndata: {a: b}\n"
    text = "---\n".join([one % ("free", "shop"), one % ("held", "kube-system")])
    operator = connection(cluster, UserFactory(role=Role.OPERATOR))
    states = {o.namespace: o for o in run(operator, read(text), Wish(dry_run=False))}
    assert states["shop"].state is State.CREATED
    assert (
        states["kube-system"].state is State.REFUSED
        and "Only admins" in states["kube-system"].error
    )
    with pytest.raises(NotFound):
        conn.get_json(f"{SYSTEM}/configmaps/held")
    conn.delete("/api/v1/namespaces/shop/configmaps/free")


def test_what_operators_keep_looking_elsewhere_and_nodes(cluster, conn):
    access.ensure(conn, cluster)
    operator = connection(cluster, UserFactory(role=Role.OPERATOR))
    assert operator.get_json(DNS)["kind"] == "Deployment"
    with pytest.raises(NotFound):  # no such pod, and no "forbidden"
        operator.get_json(f"{SYSTEM}/pods/etcd/log")
    set_unschedulable(operator, "n1", True)
    # A drain ends pods of every namespace, or nodes could not be looked after.
    pod = {"metadata": {"name": "dns-1"}, "spec": {"nodeName": "n1", **POD["spec"]}}
    conn.post(f"{SYSTEM}/pods", pod)
    drain(operator, "n1", timeout=3, grace=0, force=True)
    gone = conn.listing(f"{SYSTEM}/pods").items
    assert not gone or "deletionTimestamp" in gone[0]["metadata"]
    if gone:
        conn.delete(f"{SYSTEM}/pods/dns-1", {"gracePeriodSeconds": 0})
    set_unschedulable(operator, "n1", False)


def test_an_admin_may(cluster, conn):
    access.ensure(conn, cluster)
    admin = connection(cluster, UserFactory(role=Role.ADMIN))
    assert scale(admin, DNS, 2).before == {"replicas": 2}
    admin.apply(f"{SYSTEM}/configmaps/coredns", CONFIG)
    admin.delete(f"{SYSTEM}/configmaps/coredns")


# The console's own cluster: RBAC alone, without the console's lock before it.


@pytest.fixture
def beside(conn) -> Iterator[Cluster]:
    """The cluster of the console, which runs in the namespace fleet."""
    row = Cluster(name="system", origin=Origin.SYSTEM, console_namespace="fleet")
    assert access.ensure(conn, row).error is None
    eventually(lambda: forbidden(lambda c: scale(c, DNS, 2), operator_of(conn)))
    yield row


def operator_of(conn: Connection) -> Acting:
    return Acting(conn, Impersonation("flotilla:user:7", ("flotilla:platform:operator",)))


SHOP = "/api/v1/namespaces/shop"


@pytest.mark.parametrize(
    "attempt",
    [
        lambda c: c.post(f"{SHOP}/pods", POD),
        lambda c: c.post("/api/v1/namespaces/fleet/pods", POD),
        lambda c: c.post(f"{SYSTEM}/pods", POD),
        lambda c: c.post(f"{SHOP}/pods/any/exec", {}),
        lambda c: c.get_json(f"{SHOP}/pods/any/exec"),
        lambda c: c.post(f"{SHOP}/pods/any/attach", {}),
        lambda c: c.get_json(f"{SHOP}/pods/any/portforward"),
        lambda c: c.post(f"{SHOP}/pods/any/eviction", {}),
        lambda c: c.post(f"{SHOP}/configmaps", CONFIG),
        lambda c: c.merge_patch(DNS, {"spec": {"replicas": 0}}),
        lambda c: c.merge_patch(f"{DNS}/scale", {"spec": {"replicas": 0}}),
        lambda c: c.delete(DNS),
        lambda c: set_unschedulable(c, "n1", True),
        lambda c: c.merge_patch("/api/v1/nodes/n1", {"metadata": {"labels": {"a": "b"}}}),
        lambda c: c.get_json("/api/v1/namespaces/fleet/pods/any/log"),
        lambda c: c.listing("/api/v1/secrets"),
        lambda c: c.post("/apis/batch/v1/namespaces/shop/jobs", {"metadata": {"name": "x"}}),
        lambda c: c.post(
            f"/apis/{access.RBAC}/v1/namespaces/fleet/rolebindings",
            access.manifests(Cluster(origin=Origin.SYSTEM, console_namespace="x"), ["fleet"])[-1],
        ),
    ],
    ids=lambda _call: "",
)
def test_rbac_alone_keeps_an_operator_from_everything_beside_the_console(conn, beside, attempt):
    with pytest.raises(Forbidden, match="flotilla:user:7"):
        attempt(operator_of(conn))


def test_they_look_and_read_logs_but_those_of_the_console(conn, beside):
    operator = operator_of(conn)
    assert operator.listing("/apis/apps/v1/deployments").items
    assert operator.get_json("/api/v1/nodes/n1")["kind"] == "Node"
    for namespace in ("shop", "kube-system"):
        path = f"/api/v1/namespaces/{namespace}/pods/any/log"
        eventually(lambda path=path: not forbidden(lambda c: c.get_json(path), operator))
    again = access.ensure(conn, beside)
    assert again == access.Ensured((), True, None)


def test_logs_of_new_namespaces_follow_and_those_of_the_console_go(conn, beside):
    conn.post("/api/v1/namespaces", {"metadata": {"name": "new"}})
    binding = "rolebindings/flotilla:platform:operator:logs"
    assert access.ensure(conn, beside).changed == (f"namespaces/new/{binding}",)
    # The console has moved: what was open closes, what was closed opens.
    moved = Cluster(name="system", origin=Origin.SYSTEM, console_namespace="new")
    assert set(access.ensure(conn, moved).changed) == {
        f"namespaces/new/{binding}", f"namespaces/fleet/{binding}",
    }  # fmt: skip
    log = "/api/v1/namespaces/new/pods/any/log"
    eventually(lambda: forbidden(lambda c: c.get_json(log), operator_of(conn)))
    # Nobody knows where it runs: no logs at all.
    lost = Cluster(name="system", origin=Origin.SYSTEM)
    assert len(access.ensure(conn, lost).changed) > 2
    for namespace in ("shop", "fleet", "new", "kube-system"):
        log = f"/api/v1/namespaces/{namespace}/pods/any/log"
        eventually(lambda log=log: forbidden(lambda c: c.get_json(log), operator_of(conn)))


def test_a_binding_that_somebody_widened_is_put_right(conn, beside):
    path = f"/apis/{access.RBAC}/v1/namespaces/shop/rolebindings/flotilla:platform:operator:logs"
    body = conn.get_json(path)
    conn.delete(path)
    del body["metadata"]["resourceVersion"], body["metadata"]["uid"]
    body["roleRef"]["name"] = "cluster-admin"
    conn.post(path.rpartition("/")[0], body)
    assert access.ensure(conn, beside).changed == (
        "namespaces/shop/rolebindings/flotilla:platform:operator:logs",
    )
    assert conn.get_json(path)["roleRef"]["name"] == access.LOGS_ROLE
    with pytest.raises(Forbidden):
        operator_of(conn).post(f"{SHOP}/configmaps", CONFIG)


def test_a_cluster_that_turns_out_to_be_the_consoles_is_narrowed(conn):
    ordinary = Cluster(name="harbour", origin=Origin.IMPORTED)
    access.ensure(conn, ordinary)
    eventually(lambda: not forbidden(lambda c: scale(c, DNS, 2), operator_of(conn)))
    ordinary.console_namespace = "fleet"
    found = access.ensure(conn, ordinary)
    assert "clusterroles/flotilla:platform:operator" in found.changed and found.works
    eventually(lambda: forbidden(lambda c: scale(c, DNS, 2), operator_of(conn)))
