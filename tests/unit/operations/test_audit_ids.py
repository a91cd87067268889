"""What one click does has one id: in the console's record, and in the cluster's own audit log."""

from __future__ import annotations

import pytest

from clusters.kube import connect
from clusters.rights import acting
from console.audit.models import AuditEvent
from provisioning.models import Task
from tests.unit.operations.conftest import page_of
from tests.unit.operations.test_api import address
from tests.unit.operations.test_tasks import PODS, drained, run_next  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_call_of_a_click_carries_the_id_of_its_event(operator_api, web, calls):
    answer = operator_api.post(address(web, "scale/"), {"replicas": 4}, format="json")
    event = AuditEvent.objects.get(action="object.scaled")
    assert event.request_id == answer["X-Request-ID"]
    ids = [call["audit_id"] for call in calls.made]
    assert len(ids) >= 2 and len(set(ids)) == len(ids), "one for each call"
    assert all(i.startswith(f"{event.request_id}.") for i in ids)
    assert all(len(i) <= 64 for i in ids), "Kubernetes cuts a longer one"
    assert "cluster_audit_ids" not in event.after


def test_calls_in_threads_carry_it_too(operator_api, cluster, web, n1, calls):
    names = ["deployments.apps/shop/web", "nodes/-/n1"]
    body = {"action": "restart", "objects": names}
    answer = operator_api.post(f"/api/v1/clusters/{cluster.pk}/bulk/", body, format="json")
    assert answer.status_code == 200, answer.content
    assert calls.changes
    for call in calls.made:
        assert call["audit_id"].startswith(f"{answer['X-Request-ID']}.")


def test_a_clusters_log_names_the_person(operator_api, operator, web, calls):
    operator_api.post(address(web, "restart/"))
    assert [call["agent"] for call in calls.made] == [[f"flotilla ({operator.username})"]] * len(
        calls.made
    )
    operator.username = "Änne) (x\r\nX: y"
    assert acting(operator).agent == "flotilla (%C3%84nne%29 %28x%0D%0AX%3A y)"


def test_what_somebody_sends_is_not_passed_on(operator_api, web, calls):
    forged = {"HTTP_AUDIT_ID": "forged", "HTTP_X_REQUEST_ID": "forged"}
    operator_api.post(address(web, "restart/"), **forged)
    assert calls.made and not any("forged" in call["audit_id"] for call in calls.made)


def test_an_id_that_the_cluster_gives_itself_is_kept(operator_api, web, calls):
    calls.own_id = "0b5ad1b5-6a5f-4f6c-8f6b-3f1f4e1f8b1d"
    assert operator_api.post(address(web, "restart/")).status_code == 200
    event = AuditEvent.objects.get(action="object.restarted")
    assert set(event.after["cluster_audit_ids"]) == {calls.own_id}


def test_what_nobody_asked_for_has_no_id_of_a_click(cluster, calls):
    calls.objects["/api/v1/nodes"] = {"items": [], "metadata": {}}
    connect(cluster).nodes()
    assert [call["audit_id"] for call in calls.made] == [""]


def test_a_worker_acts_for_the_request_that_launched_the_task(
    operator_client, operator, drained, calls  # noqa: F811
):  # fmt: skip
    response = operator_client.post(page_of(drained, "drain"), {"timeout": "30"})
    run_next()
    events = AuditEvent.objects.filter(request_id=response["X-Request-ID"])
    assert {"task.launched", "task.ended", "node.drained"} <= {e.action for e in events}
    assert {e.actor_name for e in events} == {operator.username}
    assert calls.made
    for call in calls.made:
        assert call["audit_id"].startswith(f"{response['X-Request-ID']}.")


def test_a_retry_is_a_click_of_its_own(operator_client, drained, calls):  # noqa: F811
    calls.replies["GET", PODS] = (500, {"kind": "Status", "code": 500, "message": "broken"})
    first = operator_client.post(page_of(drained, "drain"), {"timeout": "30"})
    assert run_next().status == "failed"
    del calls.replies["GET", PODS]
    calls.made.clear()
    second = operator_client.post(f"/tasks/{Task.objects.get().pk}/retry/")
    assert run_next().status == "succeeded"
    assert first["X-Request-ID"] != second["X-Request-ID"]
    ended = AuditEvent.objects.filter(action="task.ended").order_by("id")
    assert [e.request_id for e in ended] == [first["X-Request-ID"], second["X-Request-ID"]]
    assert all(c["audit_id"].startswith(second["X-Request-ID"]) for c in calls.made)
