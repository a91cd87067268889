"""YAML, labels and taints, and several objects over REST: the pages' checks, names and events."""

from __future__ import annotations

import pytest

from clusters.kube import disconnect
from console.audit.models import AuditEvent
from tests.factories import ClusterFactory, ObjectFactory
from tests.unit.operations.conftest import DEPLOYMENT
from tests.unit.operations.test_api import address

pytestmark = pytest.mark.django_db


def loaded(api, row) -> dict:
    return api.get(address(row, "yaml/")).json()


# The YAML of one object.


def test_an_edit_is_tried_then_made_in_the_persons_name(operator_api, operator, web, calls):
    read = loaded(operator_api, web)
    assert read["resource_version"] == "41"
    assert "managedFields" not in read["yaml"] and "status" not in read["yaml"]
    sent = {**read, "yaml": read["yaml"].replace("replicas: 2", "replicas: 4")}
    url = address(web, "edit/")
    tried = operator_api.post(f"{url}?dry_run=true", sent, format="json").json()
    assert tried["dry_run"] is True
    assert "-  replicas: 2" in tried["diff"] and "+  replicas: 4" in tried["diff"]
    assert calls.changes[-1]["query"].endswith("dryRun=All")
    assert not AuditEvent.objects.filter(action="object.edited")
    made = operator_api.post(url, sent, format="json")
    assert made.status_code == 200
    assert made.json()["after"] == {"spec.replicas": 4}
    assert "dryRun" not in calls.changes[-1]["query"]
    assert {call["user"] for call in calls.made} == {f"flotilla:user:{operator.pk}"}
    told = AuditEvent.objects.get(action="object.edited")
    assert (told.before, told.token_name) == ({"spec.replicas": 2}, "tests")


def test_a_text_without_a_version_takes_that_of_the_request(operator_api, web, calls):
    text = loaded(operator_api, web)["yaml"].replace("resourceVersion: '41'", "generation: 3")
    sent = {"yaml": text, "resource_version": "41"}
    assert operator_api.post(address(web, "edit/"), sent, format="json").status_code == 200
    assert calls.changes[-1]["body"]["metadata"]["resourceVersion"] == "41"


@pytest.mark.parametrize("dry", ["", "?dry_run=true"])
def test_a_conflict_says_what_others_changed(operator_api, web, calls, dry):
    read = loaded(operator_api, web)
    live = calls.objects[DEPLOYMENT]
    live["metadata"]["resourceVersion"] = "42"
    live["spec"]["replicas"] = 9
    if dry:
        said = {"kind": "Status", "code": 409, "message": "the object has been modified"}
        calls.replies["PUT", DEPLOYMENT] = (409, said)
    typed = read["yaml"].replace("app: web", "app: shop")
    sent = {**read, "yaml": typed, "base": read["yaml"]}
    answer = operator_api.post(address(web, f"edit/{dry}"), sent, format="json")
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["resource_version"] == "42" and "replicas: 9" in problem["yaml"]
    assert "-  replicas: 2" in problem["changed"] and "+  replicas: 9" in problem["changed"]
    assert "shop" not in problem["changed"].replace("namespace: shop", "")
    assert calls.objects[DEPLOYMENT]["spec"]["replicas"] == 9
    del sent["base"]
    changed = operator_api.post(address(web, f"edit/{dry}"), sent, format="json").json()["changed"]
    assert "+  replicas: 9" in changed and "app: shop" in changed


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"yaml": "a: ["}, "yaml", "This is no YAML"),
        ({"yaml": "a: \0"}, "yaml", "Null characters"),
        ({"resource_version": "7"}, "resource_version", "another version: 41"),
        ({"resource_version": "\0"}, "resource_version", "Null characters"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(operator_api, web, calls, change, field, said):
    sent = {**loaded(operator_api, web), **change}
    answer = operator_api.post(address(web, "edit/"), sent, format="json")
    assert answer.status_code == 400 and said in answer.json()["errors"][field][0]
    assert not calls.changes


def test_another_object_or_a_text_without_any_version_is_refused(operator_api, web, calls):
    read = loaded(operator_api, web)
    for old, new, said in (
        ("name: web", "name: other", "metadata.name must stay"),
        ("kind: Deployment", "kind: Secret", "kind must stay"),
        ("resourceVersion: '41'", "generation: 3", "resourceVersion"),
    ):
        sent = {"yaml": read["yaml"].replace(old, new)}
        answer = operator_api.post(address(web, "edit/"), sent, format="json")
        assert answer.status_code == 400 and said in answer.json()["errors"]["yaml"][0]
    answer = operator_api.post(address(web, "edit/?dry_run=perhaps"), read, format="json")
    assert answer.status_code == 400 and "dry_run" in answer.json()["errors"]
    assert not calls.changes


def test_values_of_secrets_are_masked_and_not_edited(admin_api, cluster, calls):
    row = ObjectFactory(
        cluster=cluster, resource="secrets", api_version="v1", kind="Secret", name="s"
    )
    calls.objects[f"/api/v1/namespaces/{row.namespace}/secrets/s"] = {
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "s", "namespace": row.namespace, "resourceVersion": "5"},
        "data": {"password": "aHVudGVyMg=="},
    }  # fmt: skip
    read = loaded(admin_api, row)
    assert "aHVudGVyMg" not in read["yaml"] and "password: " in read["yaml"]
    answer = admin_api.post(address(row, "edit/"), read, format="json")
    assert answer.status_code == 409 and "cannot be edited here" in answer.json()["detail"]
    assert not calls.changes


def test_an_auditor_reads_yaml_and_changes_nothing(auditor_api, nobody_api, web, n1, calls):
    read = loaded(auditor_api, web)
    assert auditor_api.post(address(web, "edit/"), read, format="json").status_code == 403
    marks = f"/api/v1/clusters/{n1.cluster_id}/nodes/n1/marks/"
    sent = {"labels": {"a": "b"}}
    assert auditor_api.patch(marks, sent, format="json").status_code == 403
    bulk = f"/api/v1/clusters/{web.cluster_id}/bulk/"
    sent = {"action": "delete", "objects": ["deployments.apps/shop/web"]}
    assert auditor_api.post(bulk, sent, format="json").status_code == 403
    assert nobody_api.get(address(web, "yaml/")).status_code == 404
    assert nobody_api.post(bulk, sent, format="json").status_code == 404
    assert not calls.changes


def test_what_the_role_does_not_give_is_said_before_the_cluster_is_asked(
    operator_api, cluster, calls
):
    row = ObjectFactory(
        cluster=cluster, resource="namespaces", api_version="v1", kind="Namespace", namespace="",
        name="shop",
    )  # fmt: skip
    answer = operator_api.post(address(row, "edit/"), {"yaml": "x"}, format="json")
    assert answer.status_code == 409 and "may not update namespaces" in answer.json()["detail"]
    assert not calls.made


# Labels and taints.

TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


def marks_of(row) -> str:
    return f"/api/v1/clusters/{row.cluster_id}/nodes/{row.name}/marks/"


def test_labels_and_taints_are_set_and_removed_and_the_rest_stays(
    operator_api, operator, n1, calls
):
    node = calls.objects["/api/v1/nodes/n1"]
    node["metadata"]["labels"] = {"zone": "a", "old": "x", "kept": "y"}
    node["spec"]["taints"] = [
        {"key": "theirs", "effect": "NoExecute", "timeAdded": "2026-01-02T03:04:05Z"},
        {"key": "old", "effect": "NoSchedule"},
    ]
    assert operator_api.get(marks_of(n1)).json()["labels"]["zone"] == "a"
    sent = {
        "labels": {"zone": "b", "old": None},
        "taints": [TAINT],
        "remove_taints": [{"key": "old", "effect": "NoSchedule"}],
    }
    answer = operator_api.patch(marks_of(n1), sent, format="json")
    assert answer.status_code == 200
    assert answer.json()["before"]["labels"] == {"zone": "a", "old": "x"}
    body = calls.changes[-1]["body"]
    assert body["metadata"] == {"labels": {"zone": "b", "old": None}, "resourceVersion": "7"}
    theirs = {"key": "theirs", "effect": "NoExecute", "timeAdded": "2026-01-02T03:04:05Z"}
    assert body["spec"]["taints"] == [theirs, TAINT]
    assert {call["user"] for call in calls.made} == {f"flotilla:user:{operator.pk}"}
    assert AuditEvent.objects.get(action="node.marked").after["labels"] == {"zone": "b"}


def test_what_others_changed_since_it_was_seen_is_a_conflict(operator_api, n1, calls):
    seen = operator_api.get(marks_of(n1)).json()
    calls.objects["/api/v1/nodes/n1"]["metadata"]["labels"]["zone"] = "c"
    sent = {"labels": {"zone": "b"}, "seen": seen}
    answer = operator_api.patch(marks_of(n1), sent, format="json")
    assert answer.status_code == 409 and "meanwhile: zone" in answer.json()["detail"]
    assert not calls.changes
    assert AuditEvent.objects.get(action="node.marked").outcome == "failure"
    # Another label is nobody's conflict.
    sent["labels"] = {"tier": "batch"}
    assert operator_api.patch(marks_of(n1), sent, format="json").status_code == 200


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "labels"),
        ({"labels": {"zone": "-"}}, "labels"),
        ({"labels": {"-": "a"}}, "labels"),
        ({"labels": {"a\0": "b"}}, "labels"),
        ({"labels": {"a": "b\0"}}, "labels"),
        ({"labels": {"a": ["b"]}}, "labels"),
        ({"labels": {f"a{n}": "" for n in range(101)}}, "labels"),
        ({"taints": [{"key": "gpu", "effect": "Never"}]}, "taints"),
        ({"taints": [{"key": "-", "effect": "NoExecute"}]}, "taints"),
        ({"taints": [TAINT, TAINT]}, "taints"),
        ({"taints": [TAINT], "remove_taints": [TAINT]}, "taints"),
        ({"remove_taints": ["gpu"]}, "remove_taints"),
        ({"labels": {"a": "b"}, "seen": {"taints": "x"}}, "seen"),
    ],
)
def test_a_wrong_label_or_taint_stands_beside_its_field(operator_api, n1, calls, sent, field):
    answer = operator_api.patch(marks_of(n1), sent, format="json")
    assert answer.status_code == 400 and list(answer.json()["errors"]) == [field]
    assert not calls.made


def test_only_nodes_of_the_cluster_have_marks(operator_api, n1, web, calls):
    for name in ("web", "nothing", "n" * 300):
        url = f"/api/v1/clusters/{n1.cluster_id}/nodes/{name}/marks/"
        assert operator_api.patch(url, {"labels": {"a": "b"}}, format="json").status_code == 404
    assert not calls.made


# Several objects.

WEB = "deployments.apps/shop/web"


def bulk(api, cluster, **sent):
    return api.post(f"/api/v1/clusters/{cluster.pk}/bulk/", sent, format="json")


def test_each_object_has_its_result(operator_api, operator, n1, web, cluster, calls):
    gone, node = "deployments.apps/shop/gone", "nodes/-/n1"
    answer = bulk(operator_api, cluster, action="restart", objects=[WEB, gone, node, WEB, "x"])
    assert answer.status_code == 200
    assert answer.json()["failed"] == 3
    results = answer.json()["results"]
    assert [(r["object"], r["status"]) for r in results] == [
        (WEB, 200), (gone, 404), (node, 409), ("x", 404),
    ]  # fmt: skip
    assert "not in the inventory" in results[1]["error"]
    (call,) = calls.changes
    assert (call["path"], call["user"]) == (DEPLOYMENT, f"flotilla:user:{operator.pk}")
    outcomes = AuditEvent.objects.filter(action="object.restarted").values_list("outcome", flat=1)
    assert sorted(outcomes) == ["failure", "success"]


def test_what_the_cluster_refuses_is_that_objects_result(operator_api, web, cluster, calls):
    said = {"kind": "Status", "code": 403, "message": "not you"}
    calls.replies["DELETE", DEPLOYMENT] = (403, said)
    answer = bulk(operator_api, cluster, action="delete", objects=[WEB])
    (result,) = answer.json()["results"]
    assert answer.status_code == 200 and result["status"] == 403 and "not you" in result["error"]


def test_several_are_scaled(operator_api, web, cluster, calls):
    answer = bulk(operator_api, cluster, action="scale", objects=[WEB], replicas=0)
    assert answer.json()["failed"] == 0
    assert calls.changes[-1]["body"] == {"spec": {"replicas": 0}}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"action": "reboot"}, "action"),
        ({"action": "scale"}, "replicas"),
        ({"action": "scale", "replicas": -1}, "replicas"),
        ({"objects": []}, "objects"),
        ({"objects": ["a\0"]}, "objects"),
        ({"objects": [f"pods/shop/p{n}" for n in range(101)]}, "objects"),
    ],
)
def test_wrong_wishes_stand_beside_their_fields(operator_api, web, cluster, calls, sent, field):
    wish = {"action": "restart", "objects": [WEB], **sent}
    answer = bulk(operator_api, cluster, **wish)
    assert answer.status_code == 400 and list(answer.json()["errors"]) == [field]
    assert not calls.made


def test_objects_of_another_cluster_are_not_touched(operator_api, web, calls):
    other = ClusterFactory(name="other", endpoint="https://127.0.0.1:1")
    answer = bulk(operator_api, other, action="restart", objects=[WEB])
    assert answer.status_code == 409 and not calls.made
    disconnect(other.pk)
