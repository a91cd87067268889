"""The pages of clusters, as a browser without JavaScript meets them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from clusters.models import Cluster, ClusterStatus
from console.audit.models import AuditEvent
from provisioning import pki
from provisioning.models import Host, Task, TaskStatus, TaskStep
from tests.factories import ClusterFactory, ClusterSecretFactory, NodeFactory, TaskFactory
from tests.unit.clusters.cast import GIB, GOOD, host, release

CREATE = "/clusters/create/"


@pytest.fixture
def choice(db):
    """What a person who did everything right sends."""
    first, second, bundle = host(1), host(2), release()
    return {
        "profile": "lightweight",
        "name": "edge",
        "release": str(bundle.pk),
        f"role-{first.pk}": "control_plane",
        f"role-{second.pk}": "worker",
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.96.0.0/16",
        "network": "routed",
        "schedule_on_control_plane": "on",
    }


def reviewed(client, choice) -> dict[str, str]:
    html = client.post(f"{CREATE}?step=review", choice).content.decode()
    digest = re.search(r'name="reviewed" value="([0-9a-f]+)"', html)
    assert digest, html
    return {**choice, "reviewed": digest[1]}


def test_the_first_page_says_what_to_do_when_there_is_nothing(admin_client, auditor_client):
    html = admin_client.get("/clusters/").content.decode()
    assert "No clusters yet" in html
    assert CREATE in html
    assert CREATE not in auditor_client.get("/clusters/").content.decode()


def test_the_create_page_says_when_hosts_or_releases_are_missing(admin_client):
    html = admin_client.get(CREATE).content.decode()
    assert "No hosts yet" in html
    assert "No Kubernetes release is ready" in html


def test_both_types_stand_side_by_side(admin_client, choice):
    html = admin_client.get(CREATE).content.decode()
    assert html.count('<svg class="fl-picture"') == 2
    assert re.search(r'value="lightweight" checked', html)
    assert re.search(r'value="standard">', html)


def test_hosts_that_cannot_be_chosen_say_why(admin_client, choice):
    host(3, cluster=ClusterFactory(name="older"))
    host(4, state="new", facts={})
    html = admin_client.get(CREATE).content.decode()
    assert "h3 is already in the cluster older." in html
    assert "h4 is not ready: Not checked yet." in html
    host(5, facts=replace(GOOD, memory=GIB // 8))
    assert "h5: it has 128 MiB of memory" in admin_client.get(CREATE).content.decode()


def test_the_review_is_the_plan_and_changes_nothing(admin_client, choice):
    answer = admin_client.post(f"{CREATE}?step=review", choice)
    html = answer.content.decode()
    assert 'id="review"' in html
    assert "kube-apiserver" in html
    assert "••••" in html or "PRIVATE" not in html
    assert not Cluster.objects.exists()
    assert not Task.objects.exists()


def test_launching_leads_to_the_task(admin_client, choice):
    answer = admin_client.post(f"{CREATE}?step=launch", reviewed(admin_client, choice))
    task = Task.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == reverse("provisioning:task", args=[task.pk])
    assert Cluster.objects.get().name == "edge"
    event = AuditEvent.objects.get(action="cluster.created")
    assert event.actor_name == "ada"


def test_nothing_is_launched_that_was_not_reviewed(admin_client, choice):
    answer = admin_client.post(f"{CREATE}?step=launch", choice)
    assert 'id="review"' in answer.content.decode()
    changed = {**reviewed(admin_client, choice), "name": "other"}
    html = admin_client.post(f"{CREATE}?step=launch", changed).content.decode()
    assert "Something was changed since the last review" in html
    assert not Cluster.objects.exists()


def test_no_input_is_lost_by_an_error(admin_client, choice):
    sent = {
        **choice,
        "name": "Not A Label",
        "pod_cidr": "10.40.0.0/16",
        "service_cidr": "10.99.0.0/16",
        "network": "manifest",
        "network_manifest": "kind: </textarea><script>alert(1)</script>",
    }
    del sent["schedule_on_control_plane"]
    html = admin_client.post(f"{CREATE}?step=review", sent).content.decode()
    assert 'value="Not A Label"' in html
    assert 'value="10.40.0.0/16"' in html
    assert 'value="10.99.0.0/16"' in html
    assert "kind: &lt;/textarea&gt;&lt;script&gt;" in html
    assert "<script>alert" not in html
    for role in ("control_plane", "worker"):
        assert f'<option value="{role}" selected>' in html
    assert not re.search(r'name="schedule_on_control_plane"[^>]*checked', html)
    assert "“Not A Label” cannot be a cluster’s name" in html or "cannot be a cluster" in html
    assert "overlaps 10.40.0.0/24" in html
    assert 'id="review"' not in html


def test_a_host_taken_meanwhile_is_named_and_the_rest_is_kept(admin_client, choice):
    sent = reviewed(admin_client, choice)
    taken = Host.objects.get(name="h2")
    Host.objects.filter(pk=taken.pk).update(cluster=ClusterFactory(name="faster"))
    html = admin_client.post(f"{CREATE}?step=launch", sent).content.decode()
    assert "h2 is already in the cluster faster." in html
    assert 'value="edge"' in html
    assert not Cluster.objects.filter(name="edge").exists()


@pytest.mark.parametrize(
    "change",
    [{"release": "999"}, {"release": "x"}, {"profile": ""}, {"network": "x"}, {"name": "\x00"}],
)
def test_input_that_no_browser_sends(admin_client, choice, change):
    answer = admin_client.post(f"{CREATE}?step=review", {**choice, **change})
    assert answer.status_code == 200
    assert 'id="review"' not in answer.content.decode()


def test_who_may_create(choice, operator_client, auditor_client, nobody_client, anonymous_client):
    assert operator_client.get(CREATE).status_code == 200
    assert auditor_client.get(CREATE).status_code == 403
    assert nobody_client.get(CREATE).status_code == 404
    assert anonymous_client.get(CREATE).status_code == 302


def test_the_list_shows_filters_and_sorts(admin_client):
    edge = ClusterFactory(name="edge", version="v1.33.1")
    away = ClusterFactory(
        name="away", status=ClusterStatus.UNREACHABLE, status_reason="No route to host."
    )
    NodeFactory(cluster=edge)
    NodeFactory(cluster=edge, ready=False)
    html = admin_client.get("/clusters/").content.decode()
    assert html.index("away") < html.index("edge")
    assert "1 / 2" in html
    assert "No route to host." in html
    assert "Unreachable" in html

    def names(query: str) -> list[str]:
        rows = admin_client.get(f"/clusters/{query}").content.decode()
        return re.findall(r'fw-medium" href="/clusters/\d+/">(\w+)<', rows)

    assert names("?sort=-name") == ["edge", "away"]
    assert names("?status=unreachable") == ["away"]
    assert names("?q=1.33") == ["edge"]
    assert names("?q=nothing") == []
    assert away.pk


def test_the_list_costs_the_same_for_many(admin_client, django_assert_max_num_queries):
    for _ in range(20):
        NodeFactory(cluster=ClusterFactory())
    admin_client.get("/clusters/")
    with django_assert_max_num_queries(6):
        admin_client.get("/clusters/")


def test_a_poll_answers_nothing_until_something_changed(admin_client):
    cluster = ClusterFactory(name="edge")
    detail = reverse("clusters:detail", args=[cluster.pk])
    html = admin_client.get(detail).content.decode()
    poll = re.search(r'hx-get="([^"]+)"', html)[1].replace("&amp;", "&")
    assert admin_client.get(poll).status_code == 204
    cluster.set_status(ClusterStatus.UNREACHABLE, "It is gone.")
    answer = admin_client.get(poll)
    assert answer.status_code == 200
    assert "It is gone." in answer.content.decode()
    assert "<html" not in answer.content.decode()
    again = re.search(r'hx-get="([^"]+)"', answer.content.decode())[1].replace("&amp;", "&")
    assert admin_client.get(again).status_code == 204


def test_the_page_of_a_cluster(admin_client):
    cluster = ClusterFactory(
        name="edge",
        options={"places": {"control_plane": [{"name": "cp1", "address": "10.0.0.1"}]}},
    )
    NodeFactory(
        cluster=cluster,
        name="w1",
        ready=False,
        reason="Ready: <b>kubelet</b> is gone",
        capacity={"cpu": "1500m", "memory": "2048Mi"},
    )
    html = admin_client.get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    assert "cp1" in html
    assert "Not a node yet" in html
    nodes = reverse("clusters:tab", args=[cluster.pk, "nodes"])
    html = admin_client.get(nodes).content.decode()
    assert "&lt;b&gt;kubelet&lt;/b&gt;" in html
    assert "1.5 CPU" in html
    assert "2 GiB" in html


def test_stale_figures_say_how_old_they_are(admin_client):
    seen = timezone.now() - timedelta(hours=3)
    cluster = ClusterFactory(status=ClusterStatus.UNREACHABLE, status_reason="Away.", seen=seen)
    NodeFactory(cluster=cluster)
    html = admin_client.get(reverse("clusters:tab", args=[cluster.pk, "nodes"])).content.decode()
    assert "was last seen" in html
    assert "3 hours ago" in html


def test_the_certificates_tab_shows_no_key(admin_client):
    cluster = ClusterFactory()
    machine = host(5, cluster=cluster)
    authority = pki.new_authority("kubernetes-ca")
    old = pki.new_leaf(authority, pki.Leaf("old"), timedelta(days=3))
    rows = {
        "ca/kubernetes.crt": authority.certificate,
        "ca/kubernetes.key": authority.key,
        f"hosts/{machine.pk}/apiserver.crt": old.certificate,
        "hosts/9999/broken.crt": "not a certificate",
        "bootstrap.token": "abcdef.0123456789abcdef",
    }
    for name, value in rows.items():
        ClusterSecretFactory(cluster=cluster, name=name, value=value)
    tab = reverse("clusters:tab", args=[cluster.pk, "certificates"])
    html = admin_client.get(tab).content.decode()
    assert "Authority kubernetes" in html
    assert "h5" in html
    assert "Ends within 7 days" in html
    assert "PRIVATE" not in html
    assert authority.key.split("\n")[1] not in html
    assert "abcdef.0123" not in html


def test_a_failed_creation_says_what_to_do(admin_client):
    cluster = ClusterFactory(status=ClusterStatus.FAILED, status_reason="etcd · h1: no space left.")
    task = TaskFactory(cluster=cluster, status=TaskStatus.FAILED, ended=timezone.now())
    html = admin_client.get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    assert "no space left" in html
    for address in (
        reverse("provisioning:task", args=[task.pk]),
        reverse("provisioning:cluster-repair", args=[cluster.pk]),
        reverse("provisioning:cluster-delete", args=[cluster.pk]),
    ):
        assert address in html


def test_tabs_need_their_permission_and_must_exist(admin_client, nobody_client):
    cluster = ClusterFactory()
    assert admin_client.get(f"/clusters/{cluster.pk}/tasks/").status_code == 200
    assert admin_client.get(f"/clusters/{cluster.pk}/nonsense/").status_code == 404
    assert admin_client.get("/clusters/999999/").status_code == 404
    assert nobody_client.get(f"/clusters/{cluster.pk}/").status_code == 404


def test_deleting_needs_the_name(admin_client):
    cluster = ClusterFactory(name="edge")
    page = reverse("provisioning:cluster-delete", args=[cluster.pk])
    html = admin_client.get(page).content.decode()
    assert "all data" in html
    admin_client.post(page, {"confirm_name": "egde"})
    cluster.refresh_from_db()
    assert cluster.status == ClusterStatus.ACTIVE
    answer = admin_client.post(page, {"confirm_name": "edge"})
    assert answer.status_code == 302
    cluster.refresh_from_db()
    assert cluster.status == ClusterStatus.DELETING
    assert Task.objects.get().operation == "delete"


def test_a_repair_shows_its_plan_first(admin_client, choice):
    admin_client.post(f"{CREATE}?step=launch", reviewed(admin_client, choice))
    cluster = Cluster.objects.get()
    Task.objects.update(status=TaskStatus.FAILED, ended=timezone.now())
    TaskStep.objects.filter(phase="etcd").update(status="changed", ended=timezone.now())
    cluster.set_status(ClusterStatus.FAILED, "It failed.")
    page = reverse("provisioning:cluster-repair", args=[cluster.pk])
    html = admin_client.get(page).content.decode()
    assert "Launch the repair" in html
    assert "last looked at before the last task" in html
    assert Task.objects.count() == 1
    Host.objects.update(facts_at=timezone.now())
    assert "last looked at before" not in admin_client.get(page).content.decode()
    checked = admin_client.post(f"{page}?step=check")
    assert Task.objects.get(operation="check_hosts").parameters["hosts"]
    assert checked.status_code == 302
    answer = admin_client.post(page)
    assert answer.status_code == 302
    assert Task.objects.filter(operation="repair").count() == 1
    assert AuditEvent.objects.filter(action="cluster.repaired").count() == 1
    html = admin_client.post(page).content.decode()
    assert "is running" in html


def test_pages_of_operations_are_not_there_for_imported_clusters(admin_client):
    cluster = ClusterFactory(origin="imported")
    for name in ("repair", "delete", "kubeconfig"):
        page = reverse(f"provisioning:cluster-{name}", args=[cluster.pk])
        assert admin_client.get(page).status_code == 404
