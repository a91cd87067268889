"""What needs attention: one line for each workload, the worst first, few queries, from SQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import override_settings
from django.utils import timezone

from clusters.diagnosis import cause_of
from clusters.diagnosis.attention import attention, stranded
from clusters.diagnosis.neighbours import diagnose, room
from clusters.models import Cluster, ClusterEvent, Health, Object
from tests.factories import ClusterFactory
from tests.unit.diagnosis.rows import conditions, container, row, running, waiting

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Cluster:
    return ClusterFactory(version="v1.20.2")


def save(cluster: Cluster, resource: str, summary: dict[str, Any], **fields: Any) -> Object:
    fields = {"uid": f"uid-{resource}-{fields.get('name')}", **fields}
    made = row(resource, summary, cluster=cluster, **fields)
    made.cause = cause_of(made)
    made.save()
    return made


def crashing(cluster: Cluster, name: str, owner: str = "", **fields: Any) -> Object:
    last = {"reason": "Error", "exit_code": 3}
    parts = [waiting("CrashLoopBackOff", restarts=5, last=last)]
    summary = {
        "phase": "Running",
        "containers": parts,
        "conditions": conditions(PodScheduled="True", Ready="False"),
    }
    values = {
        "name": name, "status": "CrashLoopBackOff", "health": Health.BAD, "owner_uid": owner,
        "owner_kind": "ReplicaSet" if owner else "", **fields,
    }  # fmt: skip
    return save(cluster, "pods", summary, **values)


def deployment(cluster: Cluster, name: str, pods: int) -> Object:
    summary = {"desired": pods, "ready": 0, "updated": pods, "conditions": []}
    made = save(
        cluster, "deployments.apps", summary, name=name, health=Health.BAD, status="Stalled"
    )
    owned = {"owner_uid": made.uid, "owner_kind": "Deployment", "owner_name": name}
    rs = save(
        cluster, "replicasets.apps", {"desired": pods, "revision": "2"},
        name=f"{name}-2", health=Health.BAD, **owned,
    )  # fmt: skip
    for number in range(pods):
        crashing(cluster, f"{name}-2-{number}", rs.uid)
    return made


def fleet() -> Any:
    return Cluster.objects.all()


def test_fifty_pods_of_a_deployment_are_one_line(cluster: Cluster) -> None:
    made = deployment(cluster, "cart", 50)
    lines = attention(fleet())
    assert [(line.row.pk, line.count, line.cause["code"]) for line in lines] == [
        (made.pk, 50, "crash")
    ]
    assert lines[0].words.what.startswith("0 of 50 pods are ready. Container app ends again")
    assert lines[0].evidence.resource == "pods" and lines[0].level == "bad"


def test_pods_without_a_controller_are_lines_of_their_own(cluster: Cluster) -> None:
    crashing(cluster, "one")
    crashing(cluster, "two")
    assert {line.row.name for line in attention(fleet())} == {"one", "two"}


def test_the_worst_comes_first_and_the_limit_holds(cluster: Cluster) -> None:
    node = {"conditions": conditions(Ready="Unknown")}
    save(cluster, "nodes", node, name="node9", health=Health.BAD, status="NotReady")
    deployment(cluster, "big", 3)
    crashing(cluster, "single")
    save(
        cluster, "persistentvolumeclaims", {"phase": "Pending", "requested": "1Gi"},
        name="data", health=Health.WARN, status="Pending",
    )  # fmt: skip
    lines = attention(fleet())
    assert [line.row.name for line in lines] == ["node9", "big", "single", "data"]
    assert [line.row.name for line in attention(fleet(), limit=2)] == ["node9", "big"]


def test_only_the_given_clusters_count(cluster: Cluster) -> None:
    crashing(cluster, "one")
    other = ClusterFactory()
    crashing(other, "two")
    assert [x.row.name for x in attention(Cluster.objects.filter(pk=other.pk))] == ["two"]
    assert attention(Cluster.objects.none()) == []


def test_what_is_well_or_meant_is_no_line(cluster: Cluster) -> None:
    ready = {"phase": "Running", "containers": [running()], "conditions": conditions(Ready="True")}
    save(cluster, "pods", ready, name="fine", health=Health.GOOD, status="Running")
    cordoned = {"conditions": conditions(Ready="True"), "unschedulable": True}
    save(cluster, "nodes", cordoned, name="n", health=Health.WARN, status="Ready")
    starting = {"phase": "Pending", "containers": [waiting("ContainerCreating")]}
    now = timezone.now()
    save(
        cluster, "pods", starting, name="young", health=Health.MOVING,
        status="ContainerCreating", created=now,
    )  # fmt: skip
    assert attention(fleet()) == []


def test_a_pod_that_starts_for_long_is_told_by_its_events(cluster: Cluster) -> None:
    starting = {"phase": "Pending", "containers": [waiting("ContainerCreating")]}
    now = timezone.now()
    slow = save(
        cluster, "pods", starting, name="slow", health=Health.MOVING, status="ContainerCreating",
        created=now - timedelta(minutes=20), node="node1",
    )  # fmt: skip
    said = 'MountVolume.SetUp failed for volume "cfg" : configmap "settings" not found'
    ClusterEvent.objects.create(
        cluster=cluster, uid="e1", about_uid=slow.uid, about_kind="Pod", reason="FailedMount",
        message=said, warning=True,
    )  # fmt: skip
    (line,) = attention(fleet())
    assert line.cause["code"] == "config_missing" and "settings" in line.words.what


def test_a_pod_that_does_not_end_is_told(cluster: Cluster) -> None:
    since = (timezone.now() - timedelta(minutes=20)).isoformat()
    summary = {"phase": "Running", "containers": [running()], "deleted": since}
    save(cluster, "pods", summary, name="late", health=Health.MOVING, status="Terminating")
    (line,) = attention(fleet())
    assert line.cause["code"] == "pod_terminating" and line.since is not None


def test_something_bad_without_a_known_cause_still_shows(cluster: Cluster) -> None:
    save(cluster, "widgets.example.com", {}, name="odd", health=Health.BAD, status="Broken")
    (line,) = attention(fleet())
    assert (line.words.what, line.level) == ("Broken.", "bad")


def test_a_refused_creation_is_told_by_the_workload_that_has_no_pods(cluster: Cluster) -> None:
    said = (
        'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    )
    failure = {"type": "ReplicaFailure", "status": "True", "message": said}
    summary = {"desired": 3, "ready": 2, "conditions": [failure]}
    web = save(
        cluster, "deployments.apps", summary, name="web", health=Health.BAD, status="Stalled"
    )
    save(
        cluster, "replicasets.apps", summary, name="web-1", health=Health.BAD, status="Stalled",
        owner_uid=web.uid,
    )  # fmt: skip
    (line,) = attention(fleet())
    assert (line.row.name, line.cause["values"]["quota"]) == ("web", "q")


def test_the_number_of_queries_does_not_grow(
    cluster: Cluster, django_assert_max_num_queries: Any
) -> None:
    for number in range(3):
        deployment(cluster, f"d{number}", 2)
    with django_assert_max_num_queries(6):
        attention(fleet())
    for number in range(3, 25):
        deployment(ClusterFactory(), f"d{number}", 4)
        crashing(cluster, f"p{number}")
    with django_assert_max_num_queries(6):
        lines = attention(fleet(), limit=40)
        for line in lines:
            assert line.row.cluster.name  # what a page shows asks nothing more
    assert len(lines) == 40


# --- one object with what is around it


def test_a_deployment_page_tells_the_cause_of_its_newest_pods(cluster: Cluster) -> None:
    made = deployment(cluster, "cart", 2)
    old = save(
        cluster, "replicasets.apps", {"desired": 1, "revision": "1"}, name="cart-1",
        owner_uid=made.uid,
    )  # fmt: skip
    crashing(cluster, "cart-1-0", old.uid)
    found = diagnose(made)
    assert found is not None and found.cause["code"] == "crash"
    assert found.evidence.name.startswith("cart-2-")


def test_no_node_fits_tells_what_is_left(cluster: Cluster) -> None:
    for number, cpu in enumerate((4.0, 2.0)):
        summary = {"cpu": cpu, "memory": 8 << 30, "conditions": conditions(Ready="True")}
        save(cluster, "nodes", summary, name=f"node{number}")
    for number, cpu in enumerate((3.5, 0.2)):
        summary = {"phase": "Running", "cpu_request": cpu, "memory_request": 1 << 30}
        save(cluster, "pods", summary, name=f"p{number}", node=f"node{number}")
    done = {"phase": "Succeeded", "cpu_request": 4.0, "memory_request": 0}
    save(cluster, "pods", done, name="done", node="node0")
    left = room(cluster.pk)
    assert left is not None and round(left.cpu, 3) == 1.8 and left.memory == 7 << 30
    told = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/2 nodes are available: 2 Insufficient cpu.",
    }  # fmt: skip
    pending = {"phase": "Pending", "conditions": [told], "cpu_request": 3.0}
    found = diagnose(save(cluster, "pods", pending, name="wide", health=Health.BAD))
    assert found is not None
    assert "it asks for 3 CPU, at most 1.8 CPU is left on a node" in found.what


def test_services_and_ingresses_that_lead_nowhere(
    cluster: Cluster, django_assert_num_queries: Any
) -> None:
    labels = {"app.kubernetes.io/name": "cart"}
    ready = {"phase": "Running", "conditions": conditions(Ready="True")}
    save(cluster, "pods", ready, name="p1", labels=labels)
    selector = {"type": "ClusterIP", "selector": labels}
    good = save(cluster, "services", selector, name="good")
    other = {"type": "ClusterIP", "selector": {"app": "gone", "2": "3"}}
    bad = save(cluster, "services", other, name="bad")
    elsewhere = save(cluster, "services", selector, name="elsewhere", namespace="other")
    rules = {"rules": [{"service": "good"}, {"service": "nothing"}]}
    ingress = save(cluster, "ingresses.networking.k8s.io", rules, name="in")
    assert diagnose(good) is None
    for one, code in (
        (bad, "service_no_pod"), (elsewhere, "service_no_pod"), (ingress, "ingress_no_service"),
    ):  # fmt: skip
        found = diagnose(one)
        assert found is not None and found.cause["code"] == code
    with django_assert_num_queries(3):
        lines = stranded(cluster)
    assert {line.row.name for line in lines} == {"bad", "elsewhere", "in"}


def test_events_of_a_node_are_found_by_its_name(cluster: Cluster) -> None:
    node = save(cluster, "nodes", {"conditions": conditions(Ready="True")}, name="node1")
    ClusterEvent.objects.create(
        cluster=cluster, uid="e", about_kind="Node", about_name="node1", about_uid="node1",
        reason="SystemOOM", message="System OOM encountered, victim process: java",
    )  # fmt: skip
    found = diagnose(node)
    assert found is not None and found.cause["code"] == "node_oom"


def test_an_old_kubelet_is_told_by_the_clusters_version(cluster: Cluster) -> None:
    summary = {"conditions": conditions(Ready="True"), "version": "v1.17.0"}
    found = diagnose(save(cluster, "nodes", summary, name="node1"))
    assert found is not None and found.cause["code"] == "node_too_old"


def test_the_card_escapes_what_the_cluster_said(cluster: Cluster) -> None:
    bad = container(reason="ErrImagePull", message="<script>alert(1)</script>", image="<b>")
    summary = {"phase": "Pending", "containers": [bad], "conditions": []}
    made = save(cluster, "pods", summary, name="x", health=Health.BAD, node="n")
    told = {"diagnosis": diagnose(made), "cluster": cluster}
    with override_settings(ROOT_URLCONF="tests.unit.diagnosis.addresses"):
        shown = render_to_string("clusters/objects/diagnosis.html", {**told, "proof_opens": True})
        closed = render_to_string("clusters/objects/diagnosis.html", told)
    assert "/objects/" not in closed and "Container app" in closed
    assert "<script>" not in shown and "&lt;script&gt;" in shown
    assert f'href="/clusters/{cluster.pk}/objects/pods/shop/x/#containers-heading"' in shown
    assert "Container app" in shown
    assert render_to_string("clusters/objects/diagnosis.html", {"diagnosis": None}).strip() == ""
