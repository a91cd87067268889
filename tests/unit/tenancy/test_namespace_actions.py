"""Adopting, moving, releasing, drift, races: what happens to rows and to their events."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from clusters.models import ResourcePool
from console.audit.models import AuditEvent
from tenancy import namespace_actions as actions
from tenancy.forms_exceptions import exceptions_of, exceptions_text
from tenancy.forms_namespaces import NamespaceForm
from tenancy.models import Namespace, NamespaceState, TenantCluster
from tests.factories import ClusterFactory
from tests.unit.tenancy.namespace_rows import FORM, limited, namespace_of, seen, tenant_of


@pytest.fixture
def cluster(db):
    return ClusterFactory(name="east")


@pytest.fixture
def shop(cluster):
    return tenant_of(cluster)


@pytest.fixture
def bank(cluster):
    return tenant_of(cluster, "bank")


def test_adopting_one_that_is_there(shop, cluster, admin_client) -> None:
    for name in ("legacy", "kube-system", "default", "flotilla-console", "taken"):
        seen(cluster, name)
    namespace_of(shop, cluster, "taken")
    limited(shop, pods="10")
    place = shop.clusters.get().pk
    page = admin_client.get(f"/namespaces/adopt/?place={place}").content.decode()
    assert '<option value="legacy">' in page and '<option value="kube-system">' not in page
    assert 'value="open" checked' in page, "running pods do not lose their connections"
    body = {"place": place, **FORM, "isolation": "open", "quota.pods": "5"}
    for name, said in (
        ("kube-system", "kept for Kubernetes"), ("default", "kept for Kubernetes"),
        ("taken", "is taken"), ("nowhere", "There is no “nowhere” on east"),
    ):  # fmt: skip
        page = admin_client.post("/namespaces/adopt/", {**body, "name": name}).content.decode()
        assert said in page, name
    page = admin_client.post("/namespaces/adopt/", {**body, "name": "legacy", "quota.pods": "11"})
    assert "1 short" in page.content.decode()
    assert admin_client.post(
        "/namespaces/adopt/", {**body, "name": "legacy"}
    ).status_code == 302  # fmt: skip
    row = Namespace.objects.get(name="legacy")
    assert (row.adopted, row.state, row.quota) == (True, "pending", {"pods": "5"})
    event = AuditEvent.objects.get(action="namespace.adopted")
    assert event.after["tenant"] == "shop"


def test_moving_wants_room_grant_pool_and_pod_security(shop, bank, cluster, admin_client) -> None:
    row = namespace_of(
        shop, cluster, quota={"requests.cpu": "2"}, state="applied", applied_revision=1,
        drift=[{"kind": "RoleBinding", "name": "x", "diff": "", "live": "1"}],
    )  # fmt: skip
    limited(bank, requests_cpu="3", namespaces="5")
    limited(bank, cluster, requests_memory="1Gi")
    namespace_of(bank, cluster, "theirs", quota={"requests.cpu": "2"})
    bank.pod_security = "restricted"
    bank.save()
    gold = ResourcePool.objects.create(cluster=cluster, name="gold")
    bank.clusters.get().pools.add(gold)
    address = f"/namespaces/{row.pk}/move/"
    page = admin_client.post(address, {"tenant": bank.pk}).content.decode()
    for said in ("1 CPU short", "requests.memory must be stated", "only some pools", "laxer"):
        assert said in page, said
    row.refresh_from_db()
    assert (row.tenant, row.revision) == (shop, 1)
    other = tenant_of(ClusterFactory(), "far")
    assert "Select a valid choice" in admin_client.post(
        address, {"tenant": other.pk}
    ).content.decode()  # fmt: skip
    row.quota, row.pool, row.pod_security = (
        {"requests.cpu": "1", "requests.memory": "1Gi"}, gold, "restricted",
    )  # fmt: skip
    row.save()
    assert admin_client.post(address, {"tenant": bank.pk}).status_code == 302
    row.refresh_from_db()
    assert (row.tenant, row.revision, row.state) == (bank, 2, NamespaceState.PENDING)
    assert row.drift == [], "the old tenant's bindings go, whatever somebody made of them"
    event = AuditEvent.objects.filter(action="namespace.moved").latest("pk")
    assert (event.before["tenant"], event.after["tenant"]) == ("shop", "bank")


def test_a_grant_that_went_meanwhile_is_seen_under_the_lock(shop, cluster, admin) -> None:
    form = NamespaceForm({"name": "web", **FORM}, tenant=shop, cluster=cluster)
    assert form.is_valid()
    TenantCluster.objects.all().delete()
    assert actions.create(form, by=admin) is None
    assert "has not been given east" in str(form.errors)
    TenantCluster.objects.create(tenant=shop, cluster=cluster)
    shop.pod_security = "restricted"
    type(shop).objects.filter(pk=shop.pk).update(pod_security="restricted")
    assert actions.create(form, by=admin) is None
    assert "pod_security" in form.errors
    assert not Namespace.objects.exists()


def test_releasing_frees_the_pool_and_leaves_the_rest_to_the_watcher(
    shop, cluster, admin_client
) -> None:
    gold = ResourcePool.objects.create(cluster=cluster, name="gold", namespaces=["web"])
    row = namespace_of(shop, cluster, pool=gold)
    address = f"/namespaces/{row.pk}/release/"
    assert "what Shop may do in it" in admin_client.get(address).content.decode()
    assert admin_client.post(address, {"confirm_name": "web"}).status_code == 302
    row.refresh_from_db()
    gold.refresh_from_db()
    assert (row.state, gold.namespaces) == (NamespaceState.RELEASING, [])
    assert AuditEvent.objects.get(action="namespace.released").before["pool"] == "gold"
    page = admin_client.get(f"/namespaces/{row.pk}/").content.decode()
    assert "is being taken away; the namespace stays" in page


def drifted(kind: str, name: str, live: str = "1", **more):
    return {"kind": kind, "name": name, "diff": "-a <b>\n+c", "live": live, "accepted": False,
            **more}  # fmt: skip


def test_drift_is_shown_and_mended(shop, cluster, admin_client) -> None:
    row = namespace_of(
        shop, cluster, state="drifted", applied_revision=1, drift=[drifted("LimitRange", "x")]
    )
    page = admin_client.get(f"/namespaces/{row.pk}/").content.decode()
    assert "Nothing was overwritten" in page and "-a &lt;b&gt;" in page
    admin_client.post(f"/namespaces/{row.pk}/mend/")
    row.refresh_from_db()
    assert (row.drift, row.revision, row.state) == ([], 2, "pending")
    event = AuditEvent.objects.get(action="namespace.mended")
    assert event.before["drift"][0]["name"] == "x"
    said = admin_client.post(f"/namespaces/{row.pk}/mend/", follow=True).content.decode()
    assert "Nothing in “web” is different" in said


def test_an_accepted_quota_becomes_the_namespaces_own_if_the_tenants_has_room(
    shop, cluster, admin_client
) -> None:
    limited(shop, pods="10")
    row = namespace_of(
        shop, cluster, quota={"pods": "5"}, state="drifted", applied_revision=1,
        drift=[drifted("ResourceQuota", "flotilla", hard={"pods": "11"})],
    )  # fmt: skip
    address = f"/namespaces/{row.pk}/accept/"
    assert "1 short" in admin_client.post(address, follow=True).content.decode()
    row.refresh_from_db()
    assert (row.quota, row.state) == ({"pods": "5"}, "drifted")
    assert not AuditEvent.objects.filter(action="namespace.drift_accepted").exists()
    row.drift[0]["hard"] = {"pods": "7", "strange.example.com/thing": "1"}
    row.save()
    assert "cannot be taken over" in admin_client.post(address, follow=True).content.decode()
    row.drift[0]["hard"] = {"pods": "7"}
    row.save()
    admin_client.post(address)
    row.refresh_from_db()
    assert (row.quota, row.state, row.revision) == ({"pods": "7"}, "pending", 2)
    assert AuditEvent.objects.get(action="namespace.drift_accepted").after["quota"] == {"pods": "7"}


def test_accepting_what_stays_and_what_is_gone(shop, cluster, admin_client) -> None:
    gold = ResourcePool.objects.create(cluster=cluster, name="gold", namespaces=["web"])
    row = namespace_of(
        shop, cluster, state="drifted", applied_revision=1, pool=gold,
        drift=[drifted("LimitRange", "x")],
    )  # fmt: skip
    admin_client.post(f"/namespaces/{row.pk}/accept/")
    row.refresh_from_db()
    assert (row.state, row.drift[0]["accepted"]) == ("applied", True)
    page = admin_client.get(f"/namespaces/{row.pk}/").content.decode()
    assert "accepted" in page and "/accept/" not in page and "/mend/" in page
    assert "accepted already" in admin_client.post(
        f"/namespaces/{row.pk}/accept/", follow=True
    ).content.decode()  # fmt: skip
    row.drift = [drifted("Namespace", "web", live="")]
    row.save()
    admin_client.post(f"/namespaces/{row.pk}/accept/")
    row.refresh_from_db()
    gold.refresh_from_db()
    assert (row.state, gold.namespaces) == (NamespaceState.RELEASING, [])


@pytest.mark.parametrize(
    "item",
    [
        {"kind": "ingress-controller", "direction": "in", "ports": []},
        {"kind": "monitoring", "namespace": "out", "direction": "in", "ports": []},
        {"kind": "monitoring", "namespace": "8080", "direction": "both",
         "ports": [{"port": 9100, "protocol": "TCP"}]},
        {"kind": "namespace", "namespace": "in", "direction": "out",
         "ports": [{"port": 53, "protocol": "UDP"}]},
        {"kind": "cidr", "cidr": "fd00::/8", "direction": "in",
         "ports": [{"port": 1, "protocol": "SCTP"}]},
    ],
)  # fmt: skip
def test_exceptions_as_lines_and_back(item) -> None:
    assert exceptions_of(exceptions_text([item])) == [item]


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_gets_the_last_of_the_quota(admin) -> None:
    cluster = ClusterFactory(name="east")
    shop = tenant_of(cluster)
    limited(shop, requests_cpu="1")
    start, made, errors = threading.Barrier(8), [], []

    def make(number: int) -> None:
        try:
            data = {"name": f"n{number}", **FORM, "quota.requests.cpu": "1"}
            form = NamespaceForm(data, tenant=type(shop).objects.get(), cluster=cluster)
            start.wait(30)
            if form.is_valid() and actions.create(form, by=admin):
                made.append(number)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors
    assert len(made) == 1 and Namespace.objects.count() == 1


@pytest.mark.parametrize("end", [actions.remove, actions.release])
def test_what_is_gone_already_is_not_taken_away_twice(shop, cluster, admin, end) -> None:
    row = namespace_of(shop, cluster)
    seen_before = Namespace.objects.select_related("tenant").get(pk=row.pk)
    row.delete()
    end(seen_before, by=admin)
    assert not AuditEvent.objects.filter(action__startswith="namespace.re").exists()


@pytest.mark.parametrize("page", ["delete", "release"])
def test_a_click_after_the_watcher_was_quicker_is_no_failure(
    shop, cluster, admin_api, admin, page
) -> None:
    row = namespace_of(shop, cluster)
    actions.remove(row, by=admin)
    path = f"/api/v1/namespaces/{row.pk}/"
    again = admin_api.delete(path) if page == "delete" else admin_api.post(f"{path}release/")
    assert again.status_code == 202 and again.json()["state"] == "deleting"
    Namespace.objects.filter(pk=row.pk).delete()
    gone = admin_api.delete(path) if page == "delete" else admin_api.post(f"{path}release/")
    assert gone.status_code == 404
