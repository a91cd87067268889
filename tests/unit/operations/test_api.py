"""Operations over REST: the pages' calls, with the cluster's answer as the right status."""

from __future__ import annotations

import pytest

from console.audit.models import AuditEvent
from provisioning.models import Task
from tests.factories import ObjectFactory
from tests.unit.operations.conftest import DEPLOYMENT
from tests.unit.operations.test_pages import CONFIG, CORE, SETS, revision

pytestmark = pytest.mark.django_db


def address(row, action: str = "") -> str:
    return (
        f"/api/v1/clusters/{row.cluster_id}/objects/{row.resource}/{row.namespace or '-'}/"
        f"{row.name}/{action}"
    )


def test_scale_restart_and_delete(operator_api, operator, web, calls):
    answer = operator_api.post(address(web, "scale/"), {"replicas": 4}, format="json")
    assert answer.status_code == 200
    assert answer.json() == {"before": {"replicas": 2}, "after": {"replicas": 4}, "created": ""}
    assert operator_api.post(address(web, "restart/")).status_code == 200
    assert operator_api.delete(f"{address(web)}?propagation=Orphan").status_code == 200
    assert calls.changes[-1]["body"]["propagationPolicy"] == "Orphan"
    assert {call["user"] for call in calls.made} == {f"flotilla:user:{operator.pk}"}
    assert set(AuditEvent.objects.values_list("token_name", flat=True)) >= {"tests"}


def test_a_rollback_names_the_generation_that_was_seen(operator_api, web, calls):
    calls.objects[SETS] = {"items": [revision(1, "web:1")], "metadata": {}}
    stale = {"revision": 1, "generation": 2}
    assert operator_api.post(address(web, "rollback/"), stale, format="json").status_code == 409
    right = {"revision": 1, "generation": 3}
    assert operator_api.post(address(web, "rollback/"), right, format="json").status_code == 200
    missing = {"revision": 8, "generation": 3}
    assert operator_api.post(address(web, "rollback/"), missing, format="json").status_code == 404


@pytest.mark.parametrize(
    ("status", "wanted"), [(403, 403), (404, 404), (409, 409), (422, 422), (429, 429), (500, 502)]
)
def test_the_clusters_answer_becomes_a_problem(operator_api, web, calls, status, wanted):
    said = {"kind": "Status", "code": status, "message": "because of this"}
    calls.replies["PATCH", DEPLOYMENT] = (status, said)
    answer = operator_api.post(address(web, "restart/"))
    assert answer.status_code == wanted
    assert "because of this" in answer.json()["detail"]
    assert AuditEvent.objects.get(action="object.restarted").outcome == "failure"


def test_a_cluster_that_is_away_answers_503(operator_api, web, server):
    server.down()
    assert operator_api.post(address(web, "restart/")).status_code == 503
    server.up()


def test_nodes(operator_api, n1, calls):
    nodes = f"/api/v1/clusters/{n1.cluster_id}/nodes"
    assert operator_api.post(f"{nodes}/n1/cordon/").json()["after"] == {"unschedulable": True}
    assert operator_api.post(f"{nodes}/n1/uncordon/").json()["before"] == {"unschedulable": True}
    assert operator_api.post(f"{nodes}/nothing/cordon/").status_code == 404
    wrong = operator_api.post(f"{nodes}/n1/drain/", {"timeout": 1}, format="json")
    assert wrong.status_code == 400 and "timeout" in wrong.json()["errors"]
    first = operator_api.post(f"{nodes}/n1/drain/", {"force": True}, format="json")
    assert first.status_code == 202
    task = Task.objects.get(pk=first.json()["task"]["id"])
    assert task.parameters["force"] is True and task.parameters["local_data"] is False
    # The same node is not drained twice at once.
    again = operator_api.post(f"{nodes}/n1/drain/", {}, format="json")
    assert again.json()["task"]["id"] == task.pk


def test_manifests(operator_api, cluster, calls):
    calls.objects["/api/v1"] = CORE
    url = f"/api/v1/clusters/{cluster.pk}/manifests/"
    answer = operator_api.post(f"{url}?dry_run=true", {"yaml": CONFIG % 1}, format="json").json()
    assert answer["dry_run"] is True and answer["results"][0]["state"] == "created"
    wrong = operator_api.post(url, {"yaml": "a: *b"}, format="json")
    assert wrong.status_code == 400 and "Document 1, line 1" in wrong.json()["errors"]["yaml"][0]
    many = "---\n".join(CONFIG % n for n in range(21))
    answer = operator_api.post(url, {"yaml": many}, format="json")
    assert answer.status_code == 202 and not AuditEvent.objects.filter(action="object.applied")
    task = Task.objects.get(pk=answer.json()["task"]["id"])
    assert "ConfigMap" not in str(task.parameters)


def test_an_auditor_changes_nothing(auditor_api, web, n1, calls):
    for path in (address(web, "restart/"), f"/api/v1/clusters/{n1.cluster_id}/nodes/n1/drain/"):
        assert auditor_api.post(path).status_code == 403
    assert auditor_api.delete(address(web)).status_code == 403
    assert not calls.made


def test_a_role_that_the_cluster_does_not_give_is_a_conflict(operator_api, cluster, calls):
    row = ObjectFactory(
        cluster=cluster, resource="namespaces", api_version="v1", kind="Namespace", namespace="",
        name="shop",
    )  # fmt: skip
    answer = operator_api.delete(address(row))
    assert answer.status_code == 409 and "may not delete namespaces" in answer.json()["detail"]
    assert not calls.made
