"""The tasks inside clusters: draining a node, applying many manifests."""

from __future__ import annotations

import pytest

from clusters.models import ManifestText
from console.accounts.models import Role
from console.audit.models import AuditEvent
from provisioning.drain_preview import preview_of
from provisioning.engine import run_task
from provisioning.lease import Lease, claim
from provisioning.logs import read
from provisioning.models import Task, TaskStatus
from tests.factories import ObjectFactory
from tests.unit.operations.conftest import page_of
from tests.unit.operations.test_pages import CONFIG, CORE

pytestmark = pytest.mark.django_db(transaction=True)
PODS = "/api/v1/pods"
EVICTIONS = {"name": "pods/eviction", "kind": "Eviction", "version": "v1", "namespaced": True}


def run_next() -> Task:
    """Do what the worker does with the next task."""
    task = claim("default", "tests:1:1")
    assert task is not None
    run_task(task, Lease(task))
    task.refresh_from_db()
    return task


def log_of(task: Task) -> str:
    return "\n".join(line["text"] for line in read(task.pk, after=0, limit=1000))


def pod(name: str, **more) -> dict:
    owner = {"kind": "ReplicaSet", "name": "o", "controller": True}
    metadata = {"namespace": "shop", "name": name, "uid": f"u-{name}", "ownerReferences": [owner]}
    return {"metadata": {**metadata, **more.pop("metadata", {})}, "spec": more, "status": {}}


@pytest.fixture
def drained(n1, calls):
    calls.objects["/api/v1"] = {"resources": [EVICTIONS]}
    calls.objects[PODS] = {"items": [], "metadata": {}}
    calls.objects["/apis/policy/v1/namespaces/shop/poddisruptionbudgets"] = {
        "items": [], "metadata": {},
    }  # fmt: skip
    return n1


def test_a_drain_is_a_task_in_the_persons_name(operator_client, operator, drained, calls):
    response = operator_client.post(page_of(drained, "drain"), {"timeout": "30"})
    task = Task.objects.get()
    assert response.url == f"/tasks/{task.pk}/"
    task = run_next()
    assert task.status == TaskStatus.SUCCEEDED, task.failure
    assert calls.objects["/api/v1/nodes/n1"]["spec"]["unschedulable"] is True
    assert {call["user"] for call in calls.made} == {f"flotilla:user:{operator.pk}"}
    assert "n1 is cordoned" in log_of(task)
    assert "Drain the node" in operator_client.get(response.url).content.decode()
    told = AuditEvent.objects.get(action="node.drained")
    assert (told.outcome, told.actor, told.object_name) == ("success", operator, "harbour: Node n1")


def test_what_may_not_go_stops_the_drain_before_anything_changes(operator_client, drained, calls):
    local = pod("cache", volumes=[{"name": "scratch", "emptyDir": {}}])
    calls.objects[PODS]["items"] = [local]
    operator_client.post(page_of(drained, "drain"), {"timeout": "30"})
    task = run_next()
    assert task.status == TaskStatus.FAILED and "shop/cache" in task.failure["found"]
    assert "emptyDir" in task.failure["found"] and not calls.changes
    assert AuditEvent.objects.get(action="node.drained").outcome == "failure"


def test_a_budget_that_blocks_is_named_while_it_blocks(operator_client, drained, calls):
    calls.objects[PODS]["items"] = [pod("web", metadata={"labels": {"app": "web"}})]
    calls.objects["/apis/policy/v1/namespaces/shop/poddisruptionbudgets"]["items"] = [
        {
            "metadata": {"namespace": "shop", "name": "keep-two"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": 0},
        }
    ]
    causes = [{"reason": "DisruptionBudget", "message": "needs 2 healthy pods"}]
    refusal = {"kind": "Status", "code": 429, "message": "no", "details": {"causes": causes}}
    calls.replies["POST", "/api/v1/namespaces/shop/pods/web/eviction"] = (429, refusal)
    sent = {"timeout": "10", "grace": "3"}
    operator_client.post(page_of(drained, "drain"), sent)
    Task.objects.update(parameters={**Task.objects.get().parameters, "timeout": 1})
    task = run_next()
    assert task.status == TaskStatus.FAILED
    assert "shop/web: the PodDisruptionBudget keep-two" in log_of(task)
    assert "keep-two" in str(task.failure["output"])
    evictions = [call for call in calls.changes if call["path"].endswith("/eviction")]
    assert evictions[0]["body"]["deleteOptions"]["gracePeriodSeconds"] == 3


def test_who_lost_the_right_meanwhile_does_nothing(operator_client, operator, drained, calls):
    operator_client.post(page_of(drained, "drain"), {"timeout": "30"})
    operator.role = Role.AUDITOR
    operator.save()
    task = run_next()
    assert task.status == TaskStatus.FAILED and "no longer act" in task.failure["found"]
    assert not calls.made


def test_nobody_retries_a_task_in_the_name_of_another(
    admin_client, operator_client, admin, drained, calls
):
    """An operator who could would act with the admin's rights in the cluster."""
    admin_client.post(page_of(drained, "drain"), {"timeout": "30"})
    task = Task.objects.get()
    Task.objects.update(status=TaskStatus.FAILED)
    assert b"retry-task" not in operator_client.get(f"/tasks/{task.pk}/").content
    page = operator_client.post(f"/tasks/{task.pk}/retry/", follow=True).content.decode()
    assert "nobody else can retry it" in page
    assert operator_client.post(f"/api/v1/tasks/{task.pk}/retry/").status_code == 409
    task.refresh_from_db()
    assert task.status == TaskStatus.FAILED and claim("default", "tests:1:1") is None
    assert b"retry-task" in admin_client.get(f"/tasks/{task.pk}/").content
    admin_client.post(f"/tasks/{task.pk}/retry/")
    assert run_next().status == TaskStatus.SUCCEEDED
    assert {call["user"] for call in calls.made} == {f"flotilla:user:{admin.pk}"}


def test_the_page_sorts_the_pods_as_the_drain_will(operator_client, n1):
    def row(name: str, owner: str = "ReplicaSet", **summary) -> None:
        ObjectFactory(
            cluster=n1.cluster, resource="pods", api_version="v1", kind="Pod", name=name,
            node="n1", owner_kind=owner, summary=summary,
        )  # fmt: skip

    row("web")
    row("agent", "DaemonSet")
    row("static", "Node")
    row("alone", "", phase="Running")
    row("done", "", phase="Succeeded", volumes=[{"kind": "emptyDir"}])
    row("cache", volumes=[{"name": "x", "kind": "emptyDir"}])
    found = preview_of(n1)
    assert [p.name for p in found.leaving] == ["cache", "done", "web"]
    assert [p.name for p in found.staying] == ["agent", "static"]
    assert [p.name for p in found.unmanaged] == ["alone"]
    assert [p.name for p in found.local] == ["cache"]
    page = operator_client.get(page_of(n1, "drain")).content.decode()
    assert "No controller makes them anew (1)" in page and "shop/alone" in page


def many(count: int = 21) -> str:
    return "---\n".join(CONFIG % n for n in range(count))


@pytest.fixture
def manifests(cluster, calls) -> str:
    calls.objects["/api/v1"] = CORE
    return f"/clusters/{cluster.pk}/manifests/"


def test_many_manifests_are_a_task_whose_text_is_kept_encrypted_until_it_is_done(
    operator_client, manifests, calls
):
    sent = {"text": many(), "namespace": "shop"}
    page = operator_client.post(manifests, sent).content.decode()
    assert "21 objects: a task applies them" in page and not calls.made
    operator_client.post(f"{manifests}task/?dry_run=true", sent)
    assert run_next().status == TaskStatus.SUCCEEDED
    assert all("dryRun=All" in call["query"] for call in calls.changes)
    assert not AuditEvent.objects.filter(action="object.applied").exists()
    calls.made.clear()
    operator_client.post(f"{manifests}task/", sent)
    assert ManifestText.objects.count() == 1
    task = run_next()
    assert task.status == TaskStatus.SUCCEEDED and not ManifestText.objects.exists()
    assert not any("dryRun" in call["query"] for call in calls.changes)
    assert log_of(task).count("created") == 21
    assert AuditEvent.objects.filter(action="object.applied").count() == 21


def test_one_that_is_refused_keeps_no_other_from_being_applied(operator_client, manifests, calls):
    path = "/api/v1/namespaces/shop/configmaps/c3"
    said = {"kind": "Status", "code": 403, "message": "configmaps is forbidden"}
    calls.replies["PATCH", path] = (403, said)
    operator_client.post(f"{manifests}task/", {"text": many(), "namespace": "shop"})
    task = run_next()
    assert task.status == TaskStatus.FAILED and "1 of 21" in task.failure["found"]
    assert len(calls.changes) == 21
    assert "forbidden" in str(task.failure["output"])
    outcomes = AuditEvent.objects.filter(action="object.applied").values_list("outcome", flat=True)
    assert sorted(outcomes) == ["failure"] + ["success"] * 20
    # The text stays for a retry.
    assert ManifestText.objects.count() == 1


def test_a_log_of_manifests_names_fields_and_no_values(operator_client, manifests, calls):
    for n in range(21):
        calls.objects[f"/api/v1/namespaces/shop/configmaps/c{n}"] = {
            "kind": "ConfigMap", "metadata": {"name": f"c{n}"}, "data": {"a": "hunter2"},
        }  # fmt: skip
    operator_client.post(f"{manifests}task/", {"text": many(), "namespace": "shop"})
    log = log_of(run_next())
    assert "data.a" in log and "hunter2" not in log and "<b>" not in log
