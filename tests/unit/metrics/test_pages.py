"""The tabs, the JSON and the REST route of metrics, from SQL alone."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from clusters.metrics.history import WORKLOAD, Subject, history, series_of
from clusters.metrics.kubelets import Problem
from clusters.metrics.words import reasons
from clusters.metrics_page import subject_of, text_of
from clusters.models import MetricSeries, MetricState, Object
from clusters.models_metrics import Of
from clusters.object_tabs import object_registry
from tests.factories import NodeFactory
from tests.unit.metrics.conftest import START

WHOLE, NODE = (Of.CLUSTER, "", ""), (Of.NODE, "", "n1")


def pod(cluster, name: str, owner: tuple[str, str, str] = ("", "", ""), **fields):
    kind, owner_name, uid = owner
    fields = {"cpu_request": 0.5, "cpu_limit": 1.0, "memory_request": 100.0, **fields}
    return Object.objects.create(
        cluster=cluster, resource="pods", api_version="v1", kind="Pod", namespace="shop",
        name=name, node="n1", owner_kind=kind, owner_name=owner_name, owner_uid=uid,
        summary={"phase": "Running", **fields},
    )  # fmt: skip


@pytest.fixture
def deployment(cluster):
    """A Deployment with two pods of its ReplicaSet, and a pod of somebody else."""
    row = Object.objects.create(
        cluster=cluster, resource="deployments.apps", api_version="apps/v1", kind="Deployment",
        namespace="shop", name="web", uid="d",
    )  # fmt: skip
    Object.objects.create(
        cluster=cluster, resource="replicasets.apps", api_version="apps/v1", kind="ReplicaSet",
        namespace="shop", name="web-5", uid="r", owner_kind="Deployment", owner_name="web",
        owner_uid="d",
    )  # fmt: skip
    for name in ("web-5-a", "web-5-b"):
        pod(cluster, name, ("ReplicaSet", "web-5", "r"))
    pod(cluster, "other")
    return row


def test_a_workload_is_the_sum_of_its_pods_also_of_those_that_are_gone(
    cluster, deployment, write
) -> None:
    def use(**pods):
        return {(Of.POD, "shop", f"web-5-{n}"): (cpu, 1.0) for n, cpu in pods.items()} | {
            (Of.POD, "shop", "other"): (9.0, 9.0)
        }

    write(use(a=1.0, b=2.0), START)
    Object.objects.filter(name="web-5-b").delete()
    write(use(a=1.5), START + 30)
    subject = subject_of(deployment)
    found = history(cluster, subject, "1h")
    assert (found.cpu, found.memory) == ([3.0, 1.5], [2.0, 1.0])
    assert series_of(cluster, subject).count() == 2


def test_a_pod_that_the_inventory_learns_of_later_joins_its_workload(
    cluster, write, deployment
) -> None:
    Object.objects.filter(resource="pods").update(owner_kind="")
    write({(Of.POD, "shop", "web-5-a"): (1.0, 1.0)}, START)
    assert MetricSeries.objects.get(name="web-5-a").workload_kind == ""
    Object.objects.filter(resource="pods").update(owner_kind="ReplicaSet")
    write({(Of.POD, "shop", "web-5-a"): (1.0, 1.0)}, START + 330)
    row = MetricSeries.objects.get(name="web-5-a")
    assert (row.workload_kind, row.workload_name) == ("Deployment", "web")


def test_use_is_compared_with_requests_limits_and_room(
    cluster, deployment, write, operator_api, clock
) -> None:
    NodeFactory(cluster=cluster, name="n1", allocatable={"cpu": "1900m", "memory": "1Gi"})
    pod(cluster, "done", phase="Succeeded", cpu_request=50)
    write({WHOLE: (0.5, 1.0), NODE: (0.5, 1.0), (Of.POD, "shop", "other"): (0.25, 64.0)})

    def ask(query: str) -> dict:
        return operator_api.get(f"/api/v1/clusters/{cluster.pk}/metrics/{query}").json()

    body = ask("?of=node&name=n1")
    assert body["cpu_lines"] == {"request": 1.5, "limit": 3.0, "allocatable": pytest.approx(1.9)}
    assert body["memory_lines"] == {"request": 300.0, "limit": None, "allocatable": 2.0**30}
    assert (body["cpu"], body["source"], body["problems"]) == ([0.5], "kubelet", [])
    assert ask("")["cpu_lines"]["allocatable"] == pytest.approx(1.9)
    body = ask("?of=pod&namespace=shop&name=other")
    assert (body["cpu"], body["memory"], body["cpu_lines"]["limit"]) == ([0.25], [64.0], 1.0)
    body = ask("?of=workload&namespace=shop&kind=Deployment&name=web")
    assert body["cpu_lines"] == {"request": 1.0, "limit": 2.0, "allocatable": None}
    # A pod without a limit: no line for all of them together.
    pod(cluster, "free")
    Object.objects.filter(name="free").update(summary={"phase": "Running"})
    assert ask("?of=namespace&name=shop")["cpu_lines"]["limit"] is None


def test_bad_questions_are_answered_field_by_field(cluster, operator_api) -> None:
    for query, field in (
        ("?of=pod", "name"),
        ("?of=moon", "of"),
        ("?range=2y", "range"),
        ("?of=pod&namespace=a&name=b&range=14d", "range"),
        ("?of=node&name=" + "x" * 300, "name"),
    ):
        response = operator_api.get(f"/api/v1/clusters/{cluster.pk}/metrics/{query}")
        assert response.status_code == 400, query
        assert field in response.json()["errors"], query


def test_the_tab_says_where_figures_come_from_and_shows_them(
    cluster, write, operator_client
) -> None:
    write({WHOLE: (1.25, 2.0**31)})
    page = operator_client.get(f"/clusters/{cluster.pk}/metrics/").content.decode()
    assert "From the kubelets, through the API server" in page
    assert "1.25 CPU" in page and "2 GiB" in page
    assert "charts" in page


def test_the_data_of_the_tab_hold_the_table_and_no_markup_of_a_cluster(
    cluster, store, operator_client, clock
) -> None:
    from clusters.metrics.collector import Round

    problem = Problem("kubelet-away", "<img src=x>", "dial <script>alert(1)</script>")
    store.write(Round("", {}, (problem,)), int(clock.at))
    body = operator_client.get(f"/clusters/{cluster.pk}/metrics/data/?of=cluster").json()
    assert body["rows"] == [] and body["cpu"] == []
    assert "<script>" not in body["html"]["reasons"] and "&lt;img" in body["html"]["reasons"]
    for query in ("?of=moon", "?of=%01"):
        response = operator_client.get(f"/clusters/{cluster.pk}/metrics/data/{query}")
        assert response.status_code == 404


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("forbidden", "“get” on “nodes/proxy”"),
        ("kubelet-forbids", "system:kubelet-api-admin"),
        ("not-served", "older than Kubernetes 1.14"),
        ("kubelet-away", "port 10250"),
        ("slow", "did not answer in time"),
        ("cluster-away", "API server does not answer"),
        ("server-away", "metrics.k8s.io"),
        ("something new", "gave no figures"),
    ],
)
def test_each_reason_names_what_is_missing(cluster, code, words) -> None:
    state = MetricState(
        cluster=cluster,
        problems=[Problem(code, f"n{n}", "its words").as_json() for n in range(8)],
    )
    told = reasons(state)
    assert len(told) == 1, "one for all nodes"
    assert words in f"{told[0].what} {told[0].mend}"
    assert told[0].detail == "its words"
    if code not in ("cluster-away", "server-away"):
        assert "n4 and 3 more" in told[0].what
        assert reasons(state, "another node") == []


def test_before_the_first_round_the_tab_says_so(cluster, operator_client) -> None:
    page = operator_client.get(f"/clusters/{cluster.pk}/metrics/").content.decode()
    assert "No figures have been collected yet" in page


def test_only_what_uses_something_has_metrics(cluster, deployment) -> None:
    assert subject_of(deployment) == Subject(WORKLOAD, "shop", "web", "Deployment")
    deployment.resource = "secrets"
    assert subject_of(deployment) is None


def test_small_figures_are_readable() -> None:
    assert [text_of("cpu", v) for v in (0, 0.0004, 0.0353, 0.5, 1.256, 12)] == [
        "0 CPU", "0 CPU", "0.035 CPU", "0.5 CPU", "1.26 CPU", "12 CPU",
    ]  # fmt: skip
    assert text_of("memory", 20 * 2**20) == "20 MiB"
    assert text_of("cpu", None) == "–"


def test_objects_have_the_tab_and_it_asks_for_their_own_figures(
    cluster, deployment, write, operator, operator_client, rf
) -> None:
    write({(Of.POD, "shop", "other"): (0.25, 64.0)})
    row = Object.objects.get(name="other")
    tab = next(t for t in object_registry.tabs_for(operator, row) if t.id == "metrics")
    context = tab.context(rf.get("/?range=14d"), row)
    page = render_to_string(tab.template, context)
    assert "0.25 CPU" in page and "14 days" not in page, "a pod's figures are kept for hours"
    asked = operator_client.get(context["metrics"].data_url + "&range=6h").json()
    assert (asked["range"], asked["lines"]["cpu"]["limit"]) == ("6h", 1.0)
    secret = Object(cluster=cluster, resource="secrets", kind="Secret", name="s")
    assert "metrics" not in {t.id for t in object_registry.tabs_for(operator, secret)}
