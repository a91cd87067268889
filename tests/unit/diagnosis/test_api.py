"""What is wrong, over REST: the cause of each object, and what needs somebody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from clusters.models import Cluster, Health
from console.accounts.models import ApiToken, User
from tests.factories import ClusterFactory
from tests.unit.diagnosis.test_attention import crashing, deployment, save
from tests.unit.fleet.rows import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Cluster:
    return ClusterFactory(name="shop", version="v1.20.2")


def test_an_object_has_its_cause_as_code_and_in_words(
    cluster: Cluster, auditor_api: APIClient
) -> None:
    crashing(cluster, "broken")
    save(cluster, "pods", {"phase": "Running"}, name="fine", health=Health.GOOD, status="Running")
    save(cluster, "pods", {"phase": "Pending", "conditions": [
        {"type": "Odd", "status": "False", "message": "as <b>nobody</b> knows it"}]},
        name="odd", health=Health.WARN, status="Pending")  # fmt: skip
    address = f"/api/v1/clusters/{cluster.pk}/objects/?resource=pods"
    found = {one["name"]: one["cause"] for one in auditor_api.get(address).json()["results"]}
    broken = found["broken"]
    assert (broken["code"], broken["level"]) == ("crash", "bad")
    assert broken["values"]["exit_code"] == 3
    assert broken["evidence"]["kind"] == "container"
    assert "exit code 3" in broken["what"] and broken["mend"]
    assert found["fine"] is None
    assert found["odd"] == {
        "code": "", "level": "warn", "what": "as <b>nobody</b> knows it", "mend": "",
        "values": {}, "evidence": {},
    }  # fmt: skip


def test_words_follow_the_language_and_codes_do_not(
    cluster: Cluster, auditor_api: APIClient
) -> None:
    crashing(cluster, "broken")
    address = f"/api/v1/clusters/{cluster.pk}/objects/?resource=pods"
    english = auditor_api.get(address).json()["results"][0]["cause"]
    chinese = auditor_api.get(address, HTTP_ACCEPT_LANGUAGE="zh-hans").json()["results"][0]["cause"]
    assert chinese["code"] == english["code"] and chinese["values"] == english["values"]
    assert chinese["what"] != english["what"]


def test_attention_is_a_line_for_each_workload_with_what_to_do(
    cluster: Cluster, auditor_api: APIClient
) -> None:
    deployment(cluster, "cart", 3)
    crashing(ClusterFactory(name="elsewhere"), "alone")
    body = auditor_api.get("/api/v1/attention/").json()
    assert body["more"] is False
    assert [(one["kind"], one["name"], one["cluster"]) for one in body["results"]] == [
        ("Deployment", "cart", "shop"), ("Pod", "alone", "elsewhere"),
    ]  # fmt: skip
    line = body["results"][0]
    assert (line["count"], line["code"], line["level"]) == (3, "crash", "bad")
    assert line["cluster_id"] == cluster.pk and line["namespace"] == "shop"
    assert line["what"].startswith("0 of 3 pods are ready.") and line["mend"]
    assert "since" in line
    only = auditor_api.get(f"/api/v1/clusters/{cluster.pk}/attention/").json()["results"]
    assert [one["name"] for one in only] == ["cart"]


def test_a_cluster_tells_of_services_that_lead_nowhere_too(
    cluster: Cluster, auditor_api: APIClient
) -> None:
    save(cluster, "services", {"type": "ClusterIP", "selector": {"app": "gone"}}, name="lost")
    body = auditor_api.get(f"/api/v1/clusters/{cluster.pk}/attention/").json()
    assert [(one["kind"], one["name"]) for one in body["results"]] == [("Service", "lost")]


def test_attention_says_that_there_is_more(cluster: Cluster, auditor_api: APIClient) -> None:
    for number in range(4):
        crashing(cluster, f"pod-{number}")
    for address in ("/api/v1/attention/", f"/api/v1/clusters/{cluster.pk}/attention/"):
        body = auditor_api.get(f"{address}?limit=3").json()
        assert (len(body["results"]), body["more"]) == (3, True)
        assert auditor_api.get(f"{address}?limit=4").json()["more"] is False
        for wrong in ("0", "101", "many"):
            response = auditor_api.get(f"{address}?limit={wrong}")
            assert response.status_code == 400 and "limit" in response.json()["errors"]


def test_attention_takes_the_same_queries_for_many(
    cluster: Cluster, auditor_api: APIClient
) -> None:
    auditor_api.get("/api/v1/attention/")  # the token's first use is noted
    counts = []
    for number in (2, 60):
        deployment(cluster, f"web-{number}", number)
        with CaptureQueriesContext(connection) as captured:
            auditor_api.get("/api/v1/attention/")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_who_may_not_see_clusters_learns_nothing(cluster: Cluster, nobody_api: APIClient) -> None:
    crashing(cluster, "broken")
    for address in ("/api/v1/attention/", f"/api/v1/clusters/{cluster.pk}/attention/"):
        answer = nobody_api.get(address)
        assert answer.status_code in (403, 404)
        assert b"broken" not in answer.content


def test_what_ends_soon_is_for_those_who_may_see_it(
    admin_api: APIClient, operator_api: APIClient, operator: User
) -> None:
    ApiToken.issue(operator, "pipeline", days=3)
    ClusterFactory(name="prod", origin="imported", credentials_expire=NOW + timedelta(days=200))
    found = operator_api.get("/api/v1/expiry/").json()
    assert found["days"] == 90
    ours = [one for one in found["results"] if one["name"].startswith("pipeline")]
    assert [(one["type"], one["level"]) for one in ours] == [("token", "warning")]
    assert ours[0]["what"] and ours[0]["mend"] and ours[0]["expires"]
    names = [one["cluster"] for one in admin_api.get("/api/v1/expiry/?days=365").json()["results"]]
    assert "prod" in names
    assert admin_api.get("/api/v1/expiry/?days=-1").status_code == 400


def test_the_description_names_what_is_answered(nobody_api: APIClient) -> None:
    schema = nobody_api.get("/api/v1/schema/?format=json").json()
    parts = schema["components"]["schemas"]
    assert set(parts["Cause"]["properties"]) >= {"code", "level", "what", "mend", "values"}
    assert "$ref" in str(parts["Object"]["properties"]["cause"])
    for path in ("/api/v1/attention/", "/api/v1/clusters/{id}/attention/", "/api/v1/expiry/"):
        assert path in schema["paths"]
    answer = schema["paths"]["/api/v1/attention/"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/Attention")
