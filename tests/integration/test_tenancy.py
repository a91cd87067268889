"""Tenants' namespaces against a real kube-apiserver: applied, changed by hand, mended, gone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from django.utils import timezone

from clusters.kube import Connection, NotFound
from clusters.models import Cluster
from tenancy import drift, reconcile
from tenancy.models import Namespace, NamespaceState, Tenant
from tests.factories import ClusterFactory
from tests.integration.api_server import RealApiServer, missing

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
NETWORKING, RBAC = "networking.k8s.io", "rbac.authorization.k8s.io"
HTTP = {"port": 80, "protocol": "TCP"}
numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    with RealApiServer() as server:
        yield server


class Counting(Connection):
    """The requests that are made on a connection."""

    def __init__(self, shared: Connection) -> None:
        self.__dict__.update(shared.__dict__)
        self.reads: list[str] = []
        self.writes: list[str] = []

    def close(self) -> None:
        pass

    def _open(self, path, params, timeout, accept, method="GET", body=None, more=()):
        (self.reads if method == "GET" else self.writes).append(f"{method} {path}")
        return super()._open(path, params, timeout, accept, method, body, more)


@pytest.fixture
def conn(server: RealApiServer) -> Counting:
    return Counting(server.connection())


@pytest.fixture
def cluster(conn: Counting) -> Cluster:
    return ClusterFactory(version=conn.version())


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.create(name="Shop", slug="shop")


def row_of(cluster: Cluster, tenant: Tenant, **fields: object) -> Namespace:
    given = {
        "name": f"web-{next(numbers)}",
        "quota": {"requests.cpu": "1500m", "requests.memory": "2048Mi", "pods": "20"},
        "limits": {"cpu": {"request": "0.1", "limit": "1000m"}, "memory": {"limit": "1024Mi"}},
        "isolation": "strict",
        "exceptions": [
            {"kind": "ingress-controller", "direction": "in", "ports": [HTTP]},
            {"kind": "cidr", "cidr": "10.9.0.0/16", "direction": "out", "ports": []},
        ],
        "labels": {"team": "web"},
    }  # fmt: skip
    return Namespace.objects.create(cluster=cluster, tenant=tenant, **(given | fields))


def keep(cluster: Cluster, conn: Counting, *, late: bool = True) -> list[str]:
    """One round, a minute later than the last one; the writes of it."""
    if late:
        Namespace.objects.filter(checked__lt=timezone.now()).update(
            checked=timezone.now() - reconcile.ROUND * 2
        )
    conn.writes.clear()
    conn.reads.clear()
    reconcile.keep(cluster, conn, lambda: None)
    return list(conn.writes)


def got(row: Namespace) -> Namespace:
    row.refresh_from_db()
    return row


def path(row: Namespace, plural: str, name: str, group: str = "") -> str:
    root = f"/apis/{group}/v1" if group else "/api/v1"
    return f"{root}/namespaces/{row.name}/{plural}/{name}"


def want(row: Namespace, **fields: object) -> None:
    """As the pages do it."""
    row.refresh_from_db()
    fields |= {"revision": row.revision + 1, "state": "pending"}
    Namespace.objects.filter(pk=row.pk).update(**fields)


def test_everything_is_applied_once_and_then_left_alone(conn, cluster, tenant):
    row = row_of(cluster, tenant)
    writes = keep(cluster, conn)
    assert got(row).state == NamespaceState.APPLIED, row.state_reason
    assert row.applied_revision == row.revision
    live = conn.get_json(f"/api/v1/namespaces/{row.name}")
    assert live["metadata"]["labels"]["flotilla.dev/tenant"] == "shop"
    assert live["metadata"]["labels"]["team"] == "web"
    quota = conn.get_json(path(row, "resourcequotas", "flotilla"))
    assert quota["spec"]["hard"]["requests.cpu"] == "1500m"
    binding = conn.get_json(path(row, "rolebindings", "flotilla:tenant:developer", RBAC))
    assert binding["subjects"][0]["name"] == "flotilla:tenant:shop:developer"
    managers = {m["manager"] for m in quota["metadata"]["managedFields"]}
    assert managers == {"flotilla"}
    # Whoever may come in does so last, when all limits are there.
    assert ["rolebindings" in w for w in writes] == sorted("rolebindings" in w for w in writes)
    for _ in range(2):
        assert keep(cluster, conn) == []
    assert got(row).state == NamespaceState.APPLIED
    assert keep(cluster, conn, late=False) == []
    assert conn.reads == []


def test_a_new_wish_is_applied_and_only_what_it_changes(conn, cluster, tenant):
    row = row_of(cluster, tenant)
    keep(cluster, conn)
    want(row, quota={"pods": "5"}, isolation="tenant")
    writes = keep(cluster, conn, late=False)
    assert sorted(w.rsplit("/", 2)[-2] + "/" + w.rsplit("/", 1)[-1] for w in writes) == [
        "networkpolicies/flotilla-egress",
        "networkpolicies/flotilla-ingress",
        "resourcequotas/flotilla",
    ]
    assert got(row).state == NamespaceState.APPLIED
    assert conn.get_json(path(row, "resourcequotas", "flotilla"))["spec"]["hard"] == {"pods": "5"}
    with pytest.raises(NotFound):
        conn.get_json(path(row, "networkpolicies", "flotilla-egress", NETWORKING))


def test_what_is_changed_by_hand_is_told_and_not_overwritten_until_it_is_mended(
    conn, cluster, tenant
):
    row = row_of(cluster, tenant)
    keep(cluster, conn)
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    conn.merge_patch(f"/api/v1/namespaces/{row.name}", label)
    conn.merge_patch(path(row, "resourcequotas", "flotilla"), {"spec": {"hard": {"pods": "1000"}}})
    conn.delete(path(row, "networkpolicies", "flotilla-ingress", NETWORKING))
    stranger = {"kind": "User", "name": "mallory", "apiGroup": RBAC}
    conn.merge_patch(
        path(row, "rolebindings", "flotilla:tenant:viewer", RBAC), {"subjects": [stranger]}
    )
    allow = {"metadata": {"name": "let-all-in"}, "spec": {"podSelector": {}, "ingress": [{}]}}
    conn.post(path(row, "networkpolicies", "", NETWORKING).rstrip("/"), allow)
    for _ in range(2):
        assert keep(cluster, conn) == []
    assert got(row).state == NamespaceState.DRIFTED
    told = {(item["kind"], item["name"]): item["diff"] for item in row.drift}
    assert set(told) == {
        ("Namespace", row.name),
        ("ResourceQuota", "flotilla"),
        ("NetworkPolicy", "flotilla-ingress"),
        ("NetworkPolicy", "let-all-in"),
        ("RoleBinding", "flotilla:tenant:viewer"),
    }
    assert "+    pod-security.kubernetes.io/enforce: privileged" in told["Namespace", row.name]
    assert "+    pods: 1k" in told["ResourceQuota", "flotilla"]
    # Another spelling of the same is no difference.
    assert "-    requests.memory" not in told["ResourceQuota", "flotilla"]
    assert "mallory" in told["RoleBinding", "flotilla:tenant:viewer"]
    # Another wish does not overwrite it on the way.
    want(row, description="other", limits={})
    writes = keep(cluster, conn, late=False)
    assert [w.rsplit("/", 2)[-2] for w in writes] == ["limitranges"]
    assert got(row).state == NamespaceState.DRIFTED
    assert len(row.drift) == 5
    # Mended: as the page does it. What is somebody else's is never deleted.
    want(row, drift=[])
    keep(cluster, conn, late=False)
    assert [item["name"] for item in got(row).drift] == ["let-all-in"]
    binding = conn.get_json(path(row, "rolebindings", "flotilla:tenant:viewer", RBAC))
    assert [s["name"] for s in binding["subjects"]] == ["flotilla:tenant:shop:viewer"]
    conn.delete(path(row, "networkpolicies", "let-all-in", NETWORKING))
    keep(cluster, conn)
    assert got(row).state == NamespaceState.APPLIED
    assert row.drift == []


def test_drift_can_be_accepted_until_it_is_another(conn, cluster, tenant):
    row = row_of(cluster, tenant)
    keep(cluster, conn)
    quota = path(row, "resourcequotas", "flotilla")
    conn.merge_patch(quota, {"spec": {"hard": {"pods": "25"}}})
    policy = path(row, "networkpolicies", "flotilla-ingress", NETWORKING)
    conn.merge_patch(policy, {"spec": {"ingress": []}})
    keep(cluster, conn)
    fields = drift.accept(got(row))
    row.save(update_fields=fields)
    assert row.quota["pods"] == "25"
    for late in (False, True, True):
        keep(cluster, conn, late=late)
        assert got(row).state == NamespaceState.APPLIED, (row.state_reason, row.drift)
    assert "ingress" not in conn.get_json(policy)["spec"]
    conn.merge_patch(policy, {"spec": {"ingress": [{}]}})
    keep(cluster, conn)
    assert got(row).state == NamespaceState.DRIFTED
    assert [item["name"] for item in drift.unsettled(row.drift)] == ["flotilla-ingress"]


def finish_deletion(conn: Connection, name: str) -> None:
    """What the namespace controller does at the end."""
    live = conn.get_json(f"/api/v1/namespaces/{name}")
    live["spec"]["finalizers"] = []
    conn._send(
        "PUT", f"/api/v1/namespaces/{name}/finalize", {}, live, "application/json", 5.0, None
    )


def test_a_namespace_that_kubectl_deletes_is_gone_and_made_again_only_on_request(
    conn, cluster, tenant
):
    row = row_of(cluster, tenant)
    keep(cluster, conn)
    conn.delete(f"/api/v1/namespaces/{row.name}")
    keep(cluster, conn)
    assert got(row).state == NamespaceState.DRIFTED
    assert "deleted" in row.state_reason
    finish_deletion(conn, row.name)
    for _ in range(2):
        assert keep(cluster, conn) == []
    assert got(row).state == NamespaceState.DRIFTED
    assert drift.is_gone(row)
    want(row, description="an edit is no order to make it again")
    assert keep(cluster, conn, late=False) == []
    assert drift.is_gone(got(row))
    want(row, drift=[])
    keep(cluster, conn, late=False)
    assert got(row).state == NamespaceState.APPLIED
    assert conn.get_json(f"/api/v1/namespaces/{row.name}")


def test_what_was_deleted_by_hand_may_stay_so(conn, cluster, tenant):
    row = row_of(cluster, tenant)
    keep(cluster, conn)
    conn.delete(f"/api/v1/namespaces/{row.name}")
    finish_deletion(conn, row.name)
    keep(cluster, conn)
    row.save(update_fields=drift.accept(got(row)))
    keep(cluster, conn, late=False)
    assert not Namespace.objects.filter(pk=row.pk).exists()


def test_a_deletion_says_what_it_waits_for_and_the_row_goes_at_the_end(conn, cluster, tenant):
    row = row_of(cluster, tenant)
    keep(cluster, conn)
    Namespace.objects.filter(pk=row.pk).update(state="deleting")
    assert [w.split()[0] for w in keep(cluster, conn, late=False)] == ["DELETE"]
    condition = {
        "type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain",
        "message": "Some resources are remaining: pods. has 1 resource instances",
    }  # fmt: skip
    conn.merge_patch(
        f"/api/v1/namespaces/{row.name}/status", {"status": {"conditions": [condition]}}
    )
    assert keep(cluster, conn, late=False) == []
    assert got(row).state == NamespaceState.DELETING
    assert row.remaining == [condition["message"]]
    finish_deletion(conn, row.name)
    keep(cluster, conn, late=False)
    assert not Namespace.objects.filter(pk=row.pk).exists()


def test_a_released_namespace_stays_with_nothing_of_the_console(conn, cluster, tenant):
    row = row_of(cluster, tenant)
    keep(cluster, conn)
    conn.post(path(row, "configmaps", "").rstrip("/"), {"metadata": {"name": "theirs"}})
    Namespace.objects.filter(pk=row.pk).update(state="releasing")
    keep(cluster, conn, late=False)
    assert not Namespace.objects.filter(pk=row.pk).exists()
    metadata = conn.get_json(f"/api/v1/namespaces/{row.name}")["metadata"]
    assert "flotilla" not in str(metadata["labels"]) + str(metadata.get("annotations"))
    assert metadata["labels"]["team"] == "web"
    assert conn.get_json(path(row, "configmaps", "theirs"))
    for group, plural in (
        ("", "resourcequotas"), ("", "limitranges"), (NETWORKING, "networkpolicies"),
        (RBAC, "rolebindings"),
    ):  # fmt: skip
        assert conn.listing(path(row, plural, "", group).rstrip("/")).items == []


def test_a_name_that_is_taken_is_refused_and_may_be_adopted(conn, cluster, tenant):
    name = f"old-{next(numbers)}"
    conn.post("/api/v1/namespaces", {"metadata": {"name": name, "labels": {"own": "yes"}}})
    row = row_of(cluster, tenant, name=name)
    assert not [w for w in keep(cluster, conn) if name in w]
    assert got(row).state == NamespaceState.FAILED
    assert "adopt" in row.state_reason
    live = conn.get_json(f"/api/v1/namespaces/{name}")["metadata"]
    assert "flotilla.dev/tenant" not in live["labels"]
    # Given up again, it is not touched.
    Namespace.objects.filter(pk=row.pk).update(state="deleting")
    keep(cluster, conn, late=False)
    assert not Namespace.objects.filter(pk=row.pk).exists()
    assert "deletionTimestamp" not in conn.get_json(f"/api/v1/namespaces/{name}")["metadata"]
    adopted = row_of(cluster, tenant, name=name, adopted=True)
    keep(cluster, conn, late=False)
    assert got(adopted).state == NamespaceState.APPLIED
    labels = conn.get_json(f"/api/v1/namespaces/{name}")["metadata"]["labels"]
    assert (labels["own"], labels["flotilla.dev/tenant"]) == ("yes", "shop")


@pytest.mark.parametrize("name", ["kube-system", "default"])
def test_kubernetes_own_namespaces_are_never_touched(conn, cluster, tenant, name):
    row = row_of(cluster, tenant, name=name, adopted=True)
    assert not [w for w in keep(cluster, conn) if f"namespaces/{name}" in w]
    assert got(row).state == NamespaceState.FAILED
    assert name in row.state_reason


def test_a_namespace_that_another_console_keeps_is_left_to_it(conn, cluster, tenant, settings):
    row = row_of(cluster, tenant)
    keep(cluster, conn)
    Namespace.objects.all().delete()
    settings.SECRET_KEY = "of another console"
    other = row_of(cluster, tenant, name=row.name, adopted=True)
    assert not [w for w in keep(cluster, conn) if row.name in w]
    assert got(other).state == NamespaceState.FAILED
    assert "another console" in other.state_reason


def test_a_cluster_that_is_away_changes_nothing_and_everything_is_done_when_it_is_back(
    server, conn, cluster, tenant
):
    row = row_of(cluster, tenant)
    server.down()
    try:
        with pytest.raises(Exception, match="connection") as caught:
            keep(cluster, conn)
        assert type(caught.value).__name__ == "ClusterUnreachable"
        assert got(row).state == NamespaceState.PENDING
    finally:
        server.up()
    keep(cluster, conn)
    assert got(row).state == NamespaceState.APPLIED


def test_what_the_cluster_cannot_take_is_said_and_tried_again(conn, cluster, tenant):
    row = row_of(cluster, tenant, quota={"pods": "many"})
    keep(cluster, conn)
    assert got(row).state == NamespaceState.FAILED
    assert "many" in row.state_reason or "quantities" in row.state_reason
    with pytest.raises(NotFound):  # nobody comes in before the limits are there
        conn.get_json(path(row, "rolebindings", "flotilla:tenant:developer", RBAC))
    want(row, quota={"pods": "3"})
    keep(cluster, conn, late=False)
    assert got(row).state == NamespaceState.APPLIED


def test_roles_that_others_widened_are_put_right(conn, cluster, tenant):
    row_of(cluster, tenant)
    keep(cluster, conn)
    role = f"/apis/{RBAC}/v1/clusterroles/flotilla:tenant:viewer"
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    conn.merge_patch(role, {"rules": everything})
    assert keep(cluster, conn)
    assert conn.get_json(role)["rules"] != everything
    aggregated = {"clusterRoleSelectors": [{"matchLabels": {"any": "thing"}}]}
    conn.merge_patch(role, {"aggregationRule": aggregated})
    keep(cluster, conn)
    assert "aggregationRule" not in conn.get_json(role)
    assert keep(cluster, conn) == []
