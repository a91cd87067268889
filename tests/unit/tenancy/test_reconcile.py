"""The watcher's rounds over tenants' namespaces, against the scripted API server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.inventory.lease import LeaseLost, claim
from clusters.kube import ClusterUnreachable, connect
from clusters.models import ClusterStatus, ResourcePool
from clusters.upkeep import Upkeep
from tenancy import desired, reconcile, roles
from tenancy.consoles import console_id
from tenancy.models import Namespace, NamespaceState, Tenant
from tests.unit.clusters.rows import cluster_of
from tests.unit.clusters.test_watcher import until
from tests.unit.tenancy.cluster_server import ClusterServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with ClusterServer() as running:
        yield running


@pytest.fixture
def cluster(server):
    return cluster_of(server, version="v1.31.0")


@pytest.fixture
def tenant():
    return Tenant.objects.create(name="Shop", slug="shop")


def row_of(cluster, tenant, name="web", **fields) -> Namespace:
    given = {"quota": {"pods": "20"}, "limits": {"cpu": {"limit": "1"}}}
    return Namespace.objects.create(tenant=tenant, cluster=cluster, name=name, **(given | fields))


def keep(cluster, held=lambda: None) -> None:
    reconcile.keep(cluster, connect(cluster), held)


def as_applied(server: ClusterServer, row: Namespace) -> None:
    """What the cluster has when everything of a row is there."""
    for body in desired.manifests(desired.spec_of(row, console_id())):
        resource, namespace, name = server.place(desired.path_of(body))
        server.objects[resource][f"{namespace}/{name}".lstrip("/")] = body


def late() -> None:
    Namespace.objects.update(checked=timezone.now() - timedelta(hours=1))


def test_a_cluster_without_tenants_namespaces_is_not_asked(server, cluster):
    keep(cluster)
    assert server.requests == []


def test_what_is_new_is_made_and_a_state_tells_so(server, cluster, tenant):
    row = row_of(cluster, tenant)
    keep(cluster)
    row.refresh_from_db()
    assert row.state == NamespaceState.APPLIED
    assert row.applied_revision == 1
    assert "web" in server.objects["namespaces"]
    assert len(server.objects["clusterroles.rbac.authorization.k8s.io"]) == len(roles.RULES)
    writes = len(server.writes)
    late()
    keep(cluster)
    assert len(server.writes) == writes


def test_a_thousand_namespaces_as_wanted_cost_a_few_lists_and_no_write(server, cluster, tenant):
    rows = [
        Namespace(
            tenant=tenant, cluster=cluster, name=f"n{number}", quota={"pods": "3"},
            isolation="strict", state="applied", applied_revision=1,
        )
        for number in range(1000)
    ]  # fmt: skip
    for row in Namespace.objects.bulk_create(rows):
        as_applied(server, row)
    for body in roles.manifests():
        server.objects["clusterroles.rbac.authorization.k8s.io"][body["metadata"]["name"]] = body
    keep(cluster)
    assert server.writes == []
    # Pages of 500: 1,000 namespaces, 2,000 quotas, 2,000 policies, 4,000 bindings.
    assert len(server.requests) <= 22, server.requests
    assert set(Namespace.objects.values_list("state", flat=True)) == {"applied"}
    server.requests.clear()
    keep(cluster)  # not a minute later
    assert server.requests == []
    # A tenth of them with new wishes: these are written, and nothing else.
    late()
    Namespace.objects.filter(name__endswith="7").update(
        quota={"pods": "4"}, revision=2, state="pending"
    )
    keep(cluster)
    assert len(server.writes) == 100
    assert all(write.endswith("7/resourcequotas/flotilla") for write in server.writes)
    assert not Namespace.objects.exclude(state="applied").exists()


@pytest.mark.parametrize(
    ("status", "state"),
    [(429, "pending"), (503, "pending"), (403, "failed"), (422, "failed"), (500, "failed")],
)
def test_a_refusal_is_told_and_one_that_passes_stays_pending(
    server, cluster, tenant, status, state
):
    row, other = row_of(cluster, tenant), row_of(cluster, tenant, "other")
    server.refuses["web/resourcequotas"] = (status, "no quota today")
    keep(cluster)
    row.refresh_from_db()
    other.refresh_from_db()
    assert row.state == state
    assert "no quota today" in row.state_reason
    assert row.applied_revision == 0
    assert other.state == NamespaceState.APPLIED
    # Nobody was let in before the limits were there.
    assert not [w for w in server.writes if "web/rolebindings" in w]
    server.refuses.clear()
    late()
    keep(cluster)
    row.refresh_from_db()
    assert (row.state, row.state_reason) == ("applied", "")


def test_a_cluster_that_goes_away_in_the_middle_leaves_the_rest_pending(server, cluster, tenant):
    first, second = row_of(cluster, tenant, "a"), row_of(cluster, tenant, "b")

    def cut() -> None:
        if "b/networkpolicies" in server.writes[-1]:
            raise ConnectionResetError

    server.before_write = cut
    with pytest.raises(ClusterUnreachable):
        keep(cluster)
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.state == NamespaceState.APPLIED
    assert second.state == NamespaceState.PENDING
    server.before_write = lambda: None
    keep(cluster)
    second.refresh_from_db()
    assert second.state == NamespaceState.APPLIED


@pytest.mark.parametrize("state", ["deleting", "releasing"])
def test_a_cluster_that_goes_away_while_a_namespace_leaves_is_asked_again(
    server, cluster, tenant, state
):
    row = row_of(cluster, tenant)
    keep(cluster)
    Namespace.objects.filter(pk=row.pk).update(state=state)
    writes = len(server.writes)

    def cut() -> None:
        # The first step of a release is done, the only one of a deletion is not.
        if state == "deleting" or len(server.writes) > writes + 1:
            raise ConnectionResetError

    server.before_write = cut
    with pytest.raises(ClusterUnreachable):
        keep(cluster)
    row.refresh_from_db()
    assert row.state == state
    server.before_write = lambda: None
    keep(cluster)
    keep(cluster)
    assert not Namespace.objects.filter(pk=row.pk).exists()
    assert ("web" in server.objects["namespaces"]) == (state == "releasing")


def test_a_cluster_that_goes_away_while_a_wish_is_applied_gets_it_when_it_is_back(
    server, cluster, tenant
):
    row = row_of(cluster, tenant)
    keep(cluster)
    Namespace.objects.filter(pk=row.pk).update(
        quota={"pods": "7"}, isolation="strict", revision=2, state="pending"
    )

    def cut() -> None:
        if "networkpolicies" in server.writes[-1]:
            raise ConnectionResetError

    server.before_write = cut
    with pytest.raises(ClusterUnreachable):
        keep(cluster)
    row.refresh_from_db()
    assert (row.state, row.applied_revision, row.quota) == ("pending", 1, {"pods": "7"})
    server.before_write = lambda: None
    keep(cluster)
    row.refresh_from_db()
    assert (row.state, row.applied_revision) == ("applied", 2)
    assert server.objects["resourcequotas"]["web/flotilla"]["spec"]["hard"] == {"pods": "7"}


def test_a_cluster_that_is_away_changes_no_state(server, cluster, tenant):
    row = row_of(cluster, tenant)
    server.down()
    with pytest.raises(ClusterUnreachable):
        keep(cluster)
    row.refresh_from_db()
    assert row.state == NamespaceState.PENDING
    server.up()


def test_roles_that_are_refused_are_the_reason_of_what_waits(server, cluster, tenant):
    row = row_of(cluster, tenant)
    server.refuses["clusterroles"] = (403, "cannot escalate")
    keep(cluster)
    row.refresh_from_db()
    assert row.state == NamespaceState.FAILED
    assert "cannot escalate" in row.state_reason
    assert "web" not in server.objects["namespaces"]


def test_without_the_lease_nothing_is_written(server, cluster, tenant):
    row = row_of(cluster, tenant)

    def lost() -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        keep(cluster, lost)
    assert server.writes == []
    row.refresh_from_db()
    assert row.state == NamespaceState.PENDING


def test_a_wish_that_changes_while_it_is_applied_is_applied_again(server, cluster, tenant):
    row = row_of(cluster, tenant)

    def somebody_edits() -> None:
        server.before_write = lambda: None
        Namespace.objects.update(quota={"pods": "7"}, revision=2)

    server.before_write = somebody_edits
    keep(cluster)
    row.refresh_from_db()
    assert (row.state, row.applied_revision) == (NamespaceState.PENDING, 0)
    keep(cluster)
    row.refresh_from_db()
    assert (row.state, row.applied_revision) == (NamespaceState.APPLIED, 2)
    quota = server.objects["resourcequotas"]["web/flotilla"]
    assert quota["spec"]["hard"] == {"pods": "7"}


def test_a_name_that_somebody_takes_at_this_moment_is_not_taken_over(server, cluster, tenant):
    row = row_of(cluster, tenant)
    taken = {"metadata": {"name": "web", "labels": {"own": "yes"}}}

    def somebody_makes_it() -> None:
        if server.writes[-1] == "POST /api/v1/namespaces":
            server.objects["namespaces"]["web"] = taken

    server.before_write = somebody_makes_it
    keep(cluster)
    keep(cluster)
    row.refresh_from_db()
    assert row.state == NamespaceState.FAILED
    assert server.objects["namespaces"]["web"] == taken


def test_an_old_api_server_gets_the_names_that_policies_go_by(server, tenant):
    cluster = cluster_of(server, version="v1.20.2")
    row_of(cluster, tenant, isolation="strict", exceptions=[{"kind": "monitoring"}])
    for name in ("kube-system", "monitoring", "else"):
        server.objects["namespaces"][name] = {"metadata": {"name": name}}
    keep(cluster)
    assert server.objects["namespaces"]["monitoring"]["metadata"]["labels"] == {
        "kubernetes.io/metadata.name": "monitoring"
    }
    assert "labels" not in server.objects["namespaces"]["else"]["metadata"]


def test_the_pool_lets_go_of_a_namespace_that_is_gone(server, cluster, tenant):
    pool = ResourcePool.objects.create(cluster=cluster, name="gold", namespaces=["else", "web"])
    row = row_of(cluster, tenant, pool=pool)
    keep(cluster)
    Namespace.objects.filter(pk=row.pk).update(state="deleting")
    keep(cluster)
    keep(cluster)
    assert not Namespace.objects.exists()
    pool.refresh_from_db()
    assert pool.namespaces == ["else"]


def test_somebody_who_changes_their_mind_while_it_goes_keeps_the_row(server, cluster, tenant):
    row = row_of(cluster, tenant)
    keep(cluster)
    Namespace.objects.filter(pk=row.pk).update(state="releasing")
    server.before_write = lambda: Namespace.objects.update(state="pending")
    keep(cluster)
    assert Namespace.objects.filter(pk=row.pk, state="pending").exists()


def test_the_watcher_keeps_namespaces_of_clusters_that_answer(server, cluster, tenant):
    row = row_of(cluster, tenant)
    away = cluster_of(server, status=ClusterStatus.UNREACHABLE, version="v1.31.0")
    other = row_of(away, tenant, "other")
    leases = claim("me", 50)
    watches = [Upkeep(lease, period=0.1) for lease in leases]
    for watch in watches:
        watch.start()
    try:
        until(lambda: Namespace.objects.get(pk=row.pk).state == "applied", 60)
        assert Namespace.objects.get(pk=other.pk).state == NamespaceState.PENDING
    finally:
        for watch in watches:
            watch.stop()
            watch.join(5)
