"""Clusters over REST: the same checks as the pages, with field names."""

from __future__ import annotations

import pytest

from clusters.models import Cluster, ClusterStatus
from provisioning.models import Host, Task, TaskStatus
from tests.factories import ClusterFactory, NodeFactory
from tests.unit.clusters.cast import host, release

URL = "/api/v1/clusters/"


@pytest.fixture
def body(db):
    host(1)
    second = host(2)
    release()
    return {
        "name": "edge",
        "profile": "lightweight",
        "release": "v1.20.2",
        "control_plane": ["h1"],
        "workers": [second.pk],
    }


def send(client, body, query: str = ""):
    return client.post(f"{URL}{query}", body, format="json")


def test_creating_answers_the_cluster_and_its_task(admin_api, body):
    answer = send(admin_api, body)
    assert answer.status_code == 202
    data = answer.json()
    assert data["cluster"]["name"] == "edge"
    assert data["cluster"]["status"] == "provisioning"
    assert data["task"]["operation"] == "create_lightweight"
    assert data["task"]["cluster"] == data["cluster"]["id"]
    assert [h.cluster_role for h in Host.objects.order_by("name")] == ["control_plane", "worker"]


def test_a_dry_run_answers_the_plan_and_changes_nothing(admin_api, body):
    answer = send(admin_api, body, "?dry_run=true")
    assert answer.status_code == 200
    plan = answer.json()["plan"]
    assert plan["changes"] > 0
    step = plan["phases"][0]["steps"][0]
    assert {"host", "name", "verdict", "items"} <= set(step["hosts"][0])
    assert not Cluster.objects.exists()
    assert not Task.objects.exists()
    assert not Host.objects.exclude(cluster=None).exists()


def test_a_dry_run_names_the_same_problems(admin_api, body):
    body["name"] = "No Label"
    for query in ("", "?dry_run=true"):
        answer = send(admin_api, body, query)
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert list(answer.json()["errors"]) == ["name"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "A"}, "name"),
        ({"name": None}, "name"),
        ({"profile": "standard"}, "vip"),
        ({"profile": "tiny"}, "profile"),
        ({"release": "v9.9.9"}, "release"),
        ({"release": "9999999999999999999999"}, "release"),
        ({"control_plane": []}, "control_plane"),
        ({"control_plane": ["h1", "h2"], "workers": []}, "control_plane"),
        ({"control_plane": "h1"}, "control_plane"),
        ({"control_plane": ["nobody"]}, "control_plane"),
        ({"control_plane": [["h1"]]}, "control_plane"),
        ({"workers": ["h1"]}, "control_plane"),
        ({"workers": [-1]}, "workers"),
        ({"pod_cidr": "10.96.0.0/12"}, "service_cidr"),
        ({"pod_cidr": "10.40.0.0/16"}, "pod_cidr"),
        ({"service_cidr": "x"}, "service_cidr"),
        ({"network": "magic"}, "network"),
        ({"network": "manifest"}, "network_manifest"),
        ({"workers": [], "schedule_on_control_plane": False}, "schedule_on_control_plane"),
    ],
)
def test_bad_input_names_its_field_and_changes_nothing(admin_api, body, change, field):
    answer = send(admin_api, {**body, **change})
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]
    assert not Cluster.objects.exists()
    assert not Host.objects.exclude(cluster=None).exists()


@pytest.mark.parametrize("field", ["name", "release", "control_plane"])
def test_what_must_be_given(admin_api, body, field):
    del body[field]
    assert list(send(admin_api, body).json()["errors"]) == [field]


def test_a_host_that_is_taken_names_the_list_that_it_is_in(admin_api, body):
    Host.objects.filter(name="h2").update(cluster=ClusterFactory(name="older"))
    answer = send(admin_api, body)
    assert answer.status_code == 400
    assert "older" in answer.json()["errors"]["workers"][0]


def test_a_duplicate_name(admin_api, body):
    ClusterFactory(name="edge")
    assert "name" in send(admin_api, body).json()["errors"]


def test_an_odd_dry_run_is_not_taken_for_a_launch(admin_api, body):
    answer = send(admin_api, body, "?dry_run=maybe")
    assert answer.status_code == 400
    assert not Cluster.objects.exists()


def test_lists_and_single_clusters(auditor_api, django_assert_max_num_queries):
    cluster = ClusterFactory(name="edge")
    for _ in range(3):
        NodeFactory(cluster=cluster)
    ClusterFactory(status=ClusterStatus.UNREACHABLE)
    with django_assert_max_num_queries(6):
        data = auditor_api.get(URL).json()
    assert len(data["results"]) == 2
    assert auditor_api.get(f"{URL}?status=unreachable").json()["results"][0]["name"] != "edge"
    single = auditor_api.get(f"{URL}{cluster.pk}/").json()
    assert (single["nodes_ready"], single["nodes_total"]) == (3, 3)
    assert not {"secrets", "options", "watcher"} & set(single)
    nodes = auditor_api.get(f"{URL}{cluster.pk}/nodes/?limit=2").json()
    assert len(nodes["results"]) == 2
    assert nodes["next"]


def test_deleting_and_repairing(admin_api, body):
    cluster = send(admin_api, body).json()["cluster"]
    address = f"{URL}{cluster['id']}/"
    assert admin_api.delete(address).status_code == 409, "a task is running"
    Task.objects.update(status=TaskStatus.FAILED)
    plan = admin_api.post(f"{address}repair/?dry_run=true")
    assert plan.status_code == 200
    assert plan.json()["plan"]["recipe"] == "repair"
    assert Task.objects.count() == 1
    assert admin_api.post(f"{address}repair/").status_code == 202
    Task.objects.update(status=TaskStatus.FAILED)
    answer = admin_api.delete(address)
    assert answer.status_code == 202
    assert answer.json()["cluster"]["status"] == "deleting"
    assert answer.json()["task"]["operation"] == "delete"


def test_who_may_do_what(body, operator_api, auditor_api, nobody_api):
    cluster = ClusterFactory()
    assert send(auditor_api, body).status_code == 403
    assert send(nobody_api, body).status_code == 404
    assert auditor_api.delete(f"{URL}{cluster.pk}/").status_code == 403
    assert auditor_api.post(f"{URL}{cluster.pk}/repair/").status_code == 403
    assert nobody_api.get(f"{URL}{cluster.pk}/").status_code == 404
    assert send(operator_api, body, "?dry_run=true").status_code == 200


def test_a_name_in_the_query_means_exactly_that_name(admin_api):
    ClusterFactory(name="edge")
    ClusterFactory(name="edge-two")
    found = admin_api.get(f"{URL}?name=edge").json()["results"]
    assert [cluster["name"] for cluster in found] == ["edge"]


def test_a_browser_session_deletes_only_with_a_fresh_password(admin_client, settings):
    cluster = ClusterFactory()
    settings.CONFIRM_PASSWORD_SECONDS = -1
    assert admin_client.delete(f"{URL}{cluster.pk}/").status_code == 403
    assert not Task.objects.exists()
    settings.CONFIRM_PASSWORD_SECONDS = 600
    assert admin_client.delete(f"{URL}{cluster.pk}/").status_code == 202
