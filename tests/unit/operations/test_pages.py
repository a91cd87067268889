"""The pages of operations: in whose name, what is shown, what is recorded, what is refused."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from clusters.kube import disconnect
from clusters.models import Cluster, Object
from clusters.object_tabs import object_registry
from console.audit.models import AuditEvent
from tests.factories import ClusterFactory, ObjectFactory
from tests.unit.operations.conftest import DEPLOYMENT, page_of

pytestmark = pytest.mark.django_db


def event(action: str) -> AuditEvent:
    return AuditEvent.objects.get(action=action)


def text_of(response) -> str:
    return response.content.decode()


# Simple actions, scale, delete.


def test_a_restart_is_done_in_the_persons_name_and_recorded(operator_client, operator, web, calls):
    page = text_of(operator_client.get(page_of(web, "restart")))
    assert "Every pod is made anew" in page and not calls.changes
    response = operator_client.post(page_of(web, "restart"))
    assert response.url == page_of(web, "restart").removesuffix("restart/")
    (call,) = calls.changes
    assert (call["method"], call["path"]) == ("PATCH", DEPLOYMENT)
    assert call["user"] == f"flotilla:user:{operator.pk}"
    assert call["groups"] == ["flotilla:platform:operator"]
    assert all(made["user"] for made in calls.made)
    told = event("object.restarted")
    assert (told.actor, told.outcome) == (operator, "success")
    assert told.object_name == "harbour: Deployment shop/web"


@pytest.mark.parametrize(
    ("action", "audit", "after"),
    [("pause", "object.paused", {"paused": True}), ("cordon", "node.cordoned", None)],
)
def test_other_actions_say_what_was_before(operator_client, web, n1, calls, action, audit, after):
    row = web if action == "pause" else n1
    operator_client.post(page_of(row, action))
    told = event(audit)
    assert told.after == (after or {"unschedulable": True})
    assert set(told.before.values()) == {False}


def test_what_does_not_suit_is_not_done(operator_client, web, n1, calls):
    page = text_of(operator_client.post(page_of(web, "cordon")))
    assert "is not possible for the Deployment" in page
    assert "is not possible for the Node" in text_of(operator_client.post(page_of(n1, "restart")))
    assert not calls.changes


def test_scale_says_what_was_before_and_hints_at_an_autoscaler(operator_client, web, calls):
    scaler = {
        "metadata": {"name": "<b>web-hpa"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    }
    hpas = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers"
    calls.objects[hpas] = {"items": [scaler], "metadata": {}}
    page = text_of(operator_client.get(page_of(web, "scale")))
    assert "&lt;b&gt;web-hpa" in page and "<b>web-hpa" not in page
    operator_client.post(page_of(web, "scale"), {"replicas": "5"})
    told = event("object.scaled")
    assert (told.before, told.after) == ({"replicas": 2}, {"replicas": 5})
    assert calls.changes[-1]["path"] == f"{DEPLOYMENT}/scale"


@pytest.mark.parametrize("typed", ["-1", "many", "", "99999999"])
def test_a_wrong_number_stands_beside_its_field(operator_client, web, calls, typed):
    page = text_of(operator_client.post(page_of(web, "scale"), {"replicas": typed}))
    assert "id_replicas_error" in page and f'value="{typed}"' in page + 'value=""'
    assert not calls.changes


def test_a_deletion_names_what_goes_with_it_and_wants_the_name(operator_client, web, calls):
    cluster = web.cluster
    set_ = ObjectFactory(
        cluster=cluster, resource="replicasets.apps", kind="ReplicaSet", name="web-1", uid="u-2",
        owner_uid="u-1",
    )  # fmt: skip
    ObjectFactory(
        cluster=cluster, resource="pods", api_version="v1", kind="Pod", name="web-1-x",
        owner_uid=set_.uid,
    )  # fmt: skip
    page = text_of(operator_client.get(page_of(web, "delete")))
    assert "ReplicaSet web-1" in page and "Pod web-1-x" in page
    wrong = {"confirm_name": "wep", "propagation": "Foreground"}
    assert "This is not the name" in text_of(operator_client.post(page_of(web, "delete"), wrong))
    assert not calls.changes
    operator_client.post(page_of(web, "delete"), {**wrong, "confirm_name": "web"})
    (call,) = calls.changes
    assert call["body"]["preconditions"] == {"uid": "u-1"}
    assert call["body"]["propagationPolicy"] == "Foreground"
    assert event("object.deleted").after == {"propagation": "Foreground"}


def test_what_the_role_does_not_hold_is_said_without_asking(operator_client, cluster, calls):
    row = ObjectFactory(
        cluster=cluster, resource="namespaces", api_version="v1", kind="Namespace", namespace="",
        name="shop",
    )  # fmt: skip
    page = text_of(operator_client.get(page_of(row, "delete")))
    assert "may not delete namespaces" in page and "Ask a platform admin" in page
    operator_client.post(page_of(row, "delete"), {"confirm_name": "shop"})
    assert not calls.made


def test_a_refusal_of_the_cluster_is_shown_and_recorded(operator_client, web, calls):
    said = {"kind": "Status", "code": 403, "message": 'deployments.apps "<i>web" is forbidden'}
    calls.replies["PATCH", DEPLOYMENT] = (403, said)
    page = text_of(operator_client.post(page_of(web, "restart")))
    assert "&lt;i&gt;web&quot; is forbidden" in page and "<i>web" not in page
    told = event("object.restarted")
    assert told.outcome == "failure" and "forbidden" in told.reason


def test_a_cluster_that_is_away_is_named_and_nothing_breaks(operator_client, web, server):
    server.down()
    for action in ("restart", "scale", "rollout", "edit"):
        response = operator_client.get(page_of(web, action))
        assert response.status_code == 200
    page = text_of(operator_client.post(page_of(web, "restart")))
    assert "refuses connections" in page
    assert event("object.restarted").outcome == "failure"
    server.up()


# Access.


def test_where_people_cannot_act_the_page_says_why_and_offers_nothing(
    operator_client, operator, web, calls
):
    why = "https://c refuses the console (403)."
    Cluster.objects.update(access={"state": "refused", "reason": why})
    web = Object.objects.get(pk=web.pk)
    for action in ("restart", "scale", "delete", "edit"):
        page = text_of(operator_client.get(page_of(web, action)))
        assert why in page and f"/clusters/{web.cluster_id}/access/" in page
        assert "btn-primary" not in page.partition("<main")[2] and "btn-danger" not in page
    operator_client.post(page_of(web, "restart"))
    assert not calls.changes and event("object.restarted").outcome == "failure"
    shown = {action.id for action in object_registry.actions_for(operator, web)}
    assert "access" in shown and not shown & {"restart", "scale", "delete", "edit"}
    page = text_of(operator_client.get(f"/clusters/{web.cluster_id}/access/"))
    assert "flotilla:platform:auditor" in page and "kubectl apply" in page
    assert why in text_of(operator_client.get(f"/clusters/{web.cluster_id}/"))


def test_buttons_follow_kind_state_and_role(operator, auditor, web, n1):
    def shown(user, row) -> set[str]:
        return {action.id for action in object_registry.actions_for(user, row)}

    assert {"rollout", "scale", "restart", "pause", "edit", "delete"} <= shown(operator, web)
    assert "resume" not in shown(operator, web)
    web.summary["paused"] = True
    assert {"resume"} <= shown(operator, web) and "restart" not in shown(operator, web)
    assert shown(auditor, web) == {"rollout"}
    assert {"cordon", "drain", "marks"} <= shown(operator, n1)
    assert not {"delete", "uncordon"} & shown(operator, n1)


# Nodes.


def test_labels_and_taints_are_changed_by_lines(operator_client, n1, calls):
    page = operator_client.get(page_of(n1, "marks"))
    seen = page.context["form"].initial["seen"]
    wrong = {"labels": "zone=-", "taints": "gpu:Never", "seen": seen}
    text = text_of(operator_client.post(page_of(n1, "marks"), wrong))
    assert "id_labels_error" in text and "id_taints_error" in text and "zone=-" in text
    right = {"labels": "zone=b\nnew=", "taints": "gpu=yes:NoSchedule", "seen": seen}
    operator_client.post(page_of(n1, "marks"), right)
    body = calls.changes[-1]["body"]
    assert body["metadata"]["labels"] == {"zone": "b", "new": ""}
    assert body["metadata"]["resourceVersion"] == "7"
    assert body["spec"]["taints"] == [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
    told = event("node.marked")
    assert told.before["labels"] == {"zone": "a"} and told.after["labels"]["zone"] == "b"


def test_labels_that_others_changed_are_kept_and_the_text_stays(operator_client, n1, calls):
    seen = operator_client.get(page_of(n1, "marks")).context["form"].initial["seen"]
    calls.objects["/api/v1/nodes/n1"]["metadata"]["labels"]["zone"] = "c"
    sent = {"labels": "zone=b", "taints": "", "seen": seen}
    text = text_of(operator_client.post(page_of(n1, "marks"), sent))
    assert "meanwhile: zone" in text and "zone=b" in text
    assert not calls.changes and event("node.marked").outcome == "failure"


@pytest.mark.parametrize("seen", ["", "x", "[]", "[1, 2]", '[{}, [{"key": "a"}]]', "null"])
def test_a_forged_page_changes_nothing(operator_client, n1, calls, seen):
    sent = {"labels": "a=b", "taints": "", "seen": seen}
    assert operator_client.post(page_of(n1, "marks"), sent).status_code == 200
    assert not calls.changes


# The YAML of one object.


def test_an_edit_is_shown_as_a_difference_then_saved(operator_client, web, calls):
    form = operator_client.get(page_of(web, "edit")).context["form"]
    text = form.initial["text"]
    assert "managedFields" not in text and "status" not in text and "resourceVersion" in text
    typed = text.replace("replicas: 2", "replicas: 4").replace("\n", "\r\n")
    sent = {"text": typed, "base": text}
    page = text_of(operator_client.post(page_of(web, "edit") + "?step=review", sent))
    assert "-  replicas: 2" in page and "+  replicas: 4" in page
    assert calls.changes[-1]["query"].endswith("dryRun=All")
    response = operator_client.post(page_of(web, "edit") + "?step=save", sent)
    assert response.status_code == 302
    assert "dryRun" not in calls.changes[-1]["query"]
    told = event("object.edited")
    assert (told.before, told.after) == ({"spec.replicas": 2}, {"spec.replicas": 4})


def test_what_somebody_else_changed_is_shown_and_not_overwritten(operator_client, web, calls):
    text = operator_client.get(page_of(web, "edit")).context["form"].initial["text"]
    live = calls.objects[DEPLOYMENT]
    live["metadata"]["resourceVersion"] = "42"
    live["spec"]["replicas"] = 9
    sent = {"text": text.replace("app: web", "app: shop"), "base": text}
    page = operator_client.post(page_of(web, "edit") + "?step=save", sent)
    said = text_of(page)
    assert "Somebody changed it meanwhile" in said
    assert "-  replicas: 2" in said and "+  replicas: 9" in said
    assert "app: shop" in page.context["form"]["text"].value()
    assert not calls.changes and event("object.edited").outcome == "failure"
    page = operator_client.post(page_of(web, "edit") + "?step=rebase", sent)
    assert "resourceVersion: &#x27;42&#x27;" in text_of(page)
    assert "app: shop" in text_of(page) and "-  replicas: 9" in text_of(page)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: web", "name: other", "metadata.name must stay"),
        ("namespace: shop", "namespace: bank", "metadata.namespace must stay"),
        ("kind: Deployment", "kind: Secret", "kind must stay"),
        ("resourceVersion: '41'", "x: y", "resourceVersion was removed"),
        ("replicas: 2", "replicas: [", "This is no YAML"),
        ("replicas: 2", "replicas: &a 2", "Aliases"),
    ],
)
def test_a_wrong_text_stays_with_its_error(operator_client, web, calls, old, new, said):
    text = operator_client.get(page_of(web, "edit")).context["form"].initial["text"]
    assert old in text
    sent = {"text": text.replace(old, new), "base": text}
    page = operator_client.post(page_of(web, "edit") + "?step=save", sent)
    assert said in text_of(page) and new in page.context["form"]["text"].value()
    assert not calls.changes


def test_secrets_are_neither_loaded_nor_edited(admin_client, cluster, calls):
    row = ObjectFactory(
        cluster=cluster, resource="secrets", api_version="v1", kind="Secret", name="s"
    )
    for response in (
        admin_client.get(page_of(row, "edit")),
        admin_client.post(page_of(row, "edit") + "?step=save", {"text": "x", "base": ""}),
    ):
        assert "cannot be edited here" in text_of(response)
    assert not calls.made


# Rollouts.


def revision(number: int, image: str) -> dict:
    template = {
        "metadata": {"labels": {"app": "web", "pod-template-hash": "h"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }
    return {
        "metadata": {
            "name": f"web-{number}", "creationTimestamp": "2026-01-02T03:04:05Z",
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "ownerReferences": [{"uid": "u-1", "controller": True}],
        },
        "spec": {"template": template},
        "status": {"replicas": 1},
    }  # fmt: skip


SETS = "/apis/apps/v1/namespaces/shop/replicasets"


def test_history_shows_revisions_and_rolls_back_with_the_difference(operator_client, web, calls):
    items = [revision(1, "web:<1>"), revision(2, "web:2")]
    calls.objects[SETS] = {"items": items, "metadata": {}}
    live = calls.objects[DEPLOYMENT]
    live["spec"]["template"]["spec"] = {"containers": [{"name": "c", "image": "web:2"}]}
    page = text_of(operator_client.get(page_of(web, "rollout")))
    assert "web:&lt;1&gt;" in page and "<1>" not in page
    address = page_of(web, "rollout") + "1/"
    page = text_of(operator_client.get(address))
    assert "image: web:2</span>" in page and "image: web:&lt;1&gt;</span>" in page
    operator_client.post(address, {"generation": "2"})
    assert not calls.changes and event("object.rolled_back").outcome == "failure"
    AuditEvent.objects.all().delete()
    operator_client.post(address, {"generation": "3"})
    body = calls.changes[-1]["body"]
    assert body["spec"]["template"]["spec"]["containers"][0]["image"] == "web:<1>"
    assert event("object.rolled_back").after == {"revision": 1, "images": ["web:<1>"]}


def test_the_rollout_is_polled_from_sql_until_it_is_complete(auditor_client, web, calls):
    web.summary = {"desired": 3, "updated": 1, "ready": 2, "available": 0, "current": 4}
    web.save()
    for name, number in (("web-new", "12"), ("web-old", "9")):
        ObjectFactory(
            cluster=web.cluster, resource="replicasets.apps", kind="ReplicaSet", name=name,
            owner_uid="u-1", summary={"desired": 1, "ready": 0, "revision": number},
        )  # fmt: skip
    page = text_of(auditor_client.get(page_of(web, "rollout") + "state/"))
    assert "hx-get" in page
    # By revision, not by age: rolled back to, an old ReplicaSet is the new one again.
    assert page.index("web-new") < page.index("web-old")
    assert "1 of 3 pods have the new template" in page
    assert "3 pods of the old template are still to end" in page
    web.summary = {"desired": 3, "updated": 3, "ready": 3, "available": 3, "current": 3}
    web.save()
    page = text_of(auditor_client.get(page_of(web, "rollout") + "state/"))
    assert "hx-get" not in page and "Complete" in page
    assert not calls.made


# Manifests and several objects at once.


CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\ndata: {a: '<b>'}\n"
CORE = {"resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True}]}


def test_manifests_are_tried_then_applied(operator_client, operator, cluster, calls):
    calls.objects["/api/v1"] = CORE
    address = f"/clusters/{cluster.pk}/manifests/"
    sent = {"text": CONFIG % 1, "namespace": "shop"}
    page = text_of(operator_client.post(address, sent))
    assert "Would be created" in page and "+  a: &lt;b&gt;" in page and "<b>" not in page
    assert "dryRun=All" in calls.changes[-1]["query"]
    assert calls.changes[-1]["path"] == "/api/v1/namespaces/shop/configmaps/c1"
    assert not AuditEvent.objects.filter(action="object.applied").exists()
    page = text_of(operator_client.post(address + "?step=apply", sent))
    assert "Created" in page and "dryRun" not in calls.changes[-1]["query"]
    told = event("object.applied")
    assert told.object_name == "harbour: ConfigMap shop/c1" and told.actor == operator
    assert "<b>" not in str(told.after)


def test_a_conflict_names_manager_and_field(operator_client, cluster, calls):
    calls.objects["/api/v1"] = CORE
    cause = {
        "reason": "FieldManagerConflict", "field": ".data.a",
        "message": 'conflict with "helm<x>" using v1',
    }  # fmt: skip
    said = {
        "kind": "Status",
        "code": 409,
        "message": "Apply failed",
        "details": {"causes": [cause]},
    }
    calls.replies["PATCH", "/api/v1/namespaces/default/configmaps/c1"] = (409, said)
    sent = {"text": CONFIG % 1, "namespace": "default"}
    page = text_of(operator_client.post(f"/clusters/{cluster.pk}/manifests/?step=apply", sent))
    assert "<code>.data.a</code> belongs to <strong>helm&lt;x&gt;</strong>" in page
    assert event("object.applied").outcome == "failure"


def test_a_wrong_text_or_file_stands_beside_its_field(operator_client, cluster, calls):
    address = f"/clusters/{cluster.pk}/manifests/"
    page = operator_client.post(address, {"text": "a: &b 1", "namespace": "Not A Name"})
    text = text_of(page)
    assert "Document 1, line 1: Aliases" in text and "id_namespace_error" in text
    assert "a: &amp;b 1" in text
    upload = SimpleUploadedFile("x.yaml", b"\xff\xfe")
    page = operator_client.post(address, {"file": upload, "namespace": "default", "text": ""})
    assert "no text in UTF-8" in text_of(page)
    upload = SimpleUploadedFile("x.yaml", (CONFIG % 7).encode())
    calls.objects["/api/v1"] = CORE
    page = operator_client.post(address, {"file": upload, "namespace": "default", "text": ""})
    assert "name: c7" in page.context["form"]["text"].value()


def test_an_api_server_that_hangs_ends_the_try_in_time(operator_client, cluster, server, calls):
    server.down()
    text = "---\n".join(CONFIG % n for n in range(5))
    sent = {"text": text, "namespace": "default"}
    page = operator_client.post(f"/clusters/{cluster.pk}/manifests/", sent)
    assert text_of(page).count("Not tried") == 5
    server.up()


def test_several_objects_each_have_their_result(operator_client, web, calls):
    gone = "deployments.apps/shop/gone"
    sent = {"objects": ["deployments.apps/shop/web", gone, "pods/shop", "pods/shop/a\x00"]}
    address = f"/clusters/{web.cluster_id}/bulk/restart/"
    page = text_of(operator_client.post(address, sent))
    assert "Deployment shop/web" in page and "not there any more" in page and not calls.changes
    page = text_of(operator_client.post(address, {**sent, "confirmed": "yes"}))
    assert f'href="/clusters/{web.cluster_id}/workloads/"' in page, "the way back to the list"
    assert page.count("Refused") == 3 and len(calls.changes) == 1
    assert event("object.restarted").outcome == "success"


def test_several_are_deleted_only_with_the_clusters_name(operator_client, web, calls):
    address = f"/clusters/{web.cluster_id}/bulk/delete/"
    sent = {"object": "deployments.apps/shop/web", "confirmed": "yes", "confirm_name": "web"}
    operator_client.post(address, sent)
    assert not calls.changes
    operator_client.post(address, {**sent, "confirm_name": "harbour"})
    assert calls.changes[-1]["method"] == "DELETE"


def test_objects_of_another_cluster_are_not_touched(operator_client, web, calls):
    other = ClusterFactory(name="other", endpoint="https://127.0.0.1:1")
    sent = {"object": "deployments.apps/shop/web", "confirmed": "yes", "replicas": "0"}
    page = text_of(operator_client.post(f"/clusters/{other.pk}/bulk/scale/", sent))
    assert not calls.made and "The console has no" in page
    disconnect(other.pk)
