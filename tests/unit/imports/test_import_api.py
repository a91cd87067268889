"""Imports over REST, with the watcher's part running beside."""

from __future__ import annotations

import json

import pytest

from clusters import api_imports
from clusters.inventory.imports import Imports
from clusters.kube.credentials import TOKEN
from clusters.models import Cluster, ClusterImport
from tests.factories import ClusterFactory
from tests.unit.clusters.import_server import ACCOUNT_TOKEN, ImportServer
from tests.unit.clusters.import_steps import kubeconfig

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "/api/v1/clusters/import/"


@pytest.fixture
def watcher():
    thread = Imports(pause=0.05)
    thread.start()
    yield thread
    thread.stop()
    thread.join()


def post(client, address: str, **body: object):
    return client.post(address, body, format="json")


def test_one_call_checks_and_imports(admin_api, server, watcher):
    answer = post(admin_api, ADDRESS, kubeconfig=kubeconfig(server), name="shop")
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert body["results"][0]["name"] == "shop"
    assert body["results"][0]["uid"] == "uid-1"
    assert {right["state"] for right in body["checks"][0]["rights"]} == {"allowed"}
    assert "a-token" not in json.dumps(body)
    assert Cluster.objects.get().secrets.get(name=TOKEN).value == "a-token"


def test_a_dry_run_answers_the_check_and_keeps_nothing(admin_api, server, watcher):
    server.denied = {("impersonate", "users")}
    given = {"server": server.endpoint, "ca": server.authority.crt, "token": "a-token"}
    answer = post(admin_api, f"{ADDRESS}?dry_run=true", **given)
    assert answer.status_code == 200, answer.content
    (check,) = answer.json()["checks"]
    assert check["ok"] is True
    refused = {right["id"]: right["missing"] for right in check["rights"] if right["missing"]}
    assert refused == {"impersonate": ["impersonate users"]}
    assert not Cluster.objects.exists()
    assert not ClusterImport.objects.exists()


def test_contexts_and_names_are_chosen(admin_api, authority, server, watcher):
    with ImportServer(authority, uid="uid-2") as second:
        text = kubeconfig(server, second)
        answer = post(
            admin_api, ADDRESS, kubeconfig=text, contexts=["c0", "c1"], names={"c1": "two"}
        )
        assert answer.status_code == 201, answer.content
    assert sorted(Cluster.objects.values_list("name", flat=True)) == ["c0", "two"]


def test_the_current_context_is_the_default(admin_api, authority, server, watcher):
    with ImportServer(authority, uid="uid-2") as second:
        answer = post(admin_api, ADDRESS, kubeconfig=kubeconfig(server, second))
        assert answer.status_code == 201
    assert Cluster.objects.get().uid == "uid-1"


def test_an_exchange_keeps_the_account(admin_api, server, watcher):
    answer = post(admin_api, ADDRESS, kubeconfig=kubeconfig(server), exchange=True)
    assert answer.status_code == 201, answer.content
    assert Cluster.objects.get().secrets.get(name=TOKEN).value == ACCOUNT_TOKEN


@pytest.mark.parametrize(
    ("body", "field", "word"),
    [
        ({}, "kubeconfig", "Give"),
        ({"kubeconfig": "x"}, "kubeconfig", "not a mapping"),
        ({"server": "http://x", "token": "a b"}, "server", "https"),
        ({"server": "https://192.0.2.1", "token": "a b"}, "token", "token"),
    ],
)
def test_bad_input_is_answered_by_field(admin_api, body, field, word):
    answer = post(admin_api, ADDRESS, **body)
    assert answer.status_code == 400
    assert word in json.dumps(answer.json()["errors"][field])
    assert not ClusterImport.objects.exists()


def test_names_and_contexts_that_cannot_be_are_refused(admin_api, server):
    ClusterFactory(name="taken")
    text = kubeconfig(server)
    assert "taken" in str(post(admin_api, ADDRESS, kubeconfig=text, name="taken").json())
    assert "nothing" in str(post(admin_api, ADDRESS, kubeconfig=text, contexts=["nothing"]).json())
    assert not ClusterImport.objects.exists()


def test_a_check_that_is_not_good_is_a_conflict_that_says_why(admin_api, server, watcher):
    ClusterFactory(name="known", uid="uid-1")
    answer = post(admin_api, ADDRESS, kubeconfig=kubeconfig(server))
    assert answer.status_code == 409
    assert "known" in answer.json()["detail"]
    assert Cluster.objects.count() == 1


def test_without_a_watcher_the_answer_comes_in_time_and_says_where_to_ask(
    admin_api, operator_api, server, monkeypatch
):
    monkeypatch.setattr(api_imports, "WAIT_SECONDS", 0.3)
    answer = post(admin_api, ADDRESS, kubeconfig=kubeconfig(server))
    assert answer.status_code == 202
    own = f"{ADDRESS}{answer.json()['id']}/"
    assert admin_api.get(own).json()["state"] == "waiting"
    assert operator_api.get(own).status_code == 403
    assert post(admin_api, f"{own}save/").status_code == 409
    from clusters.inventory.imports import work

    work()
    assert admin_api.get(own).json()["checks"][0]["ok"] is True
    assert post(admin_api, f"{own}save/").status_code == 201
    assert Cluster.objects.count() == 1


def test_credentials_are_replaced_and_the_cluster_forgotten(admin_api, server, watcher):
    post(admin_api, ADDRESS, kubeconfig=kubeconfig(server))
    cluster = Cluster.objects.get()
    server.accepted = {"new-token"}
    own = f"/api/v1/clusters/{cluster.pk}"
    text = kubeconfig(server, token="new-token")
    answer = post(admin_api, f"{own}/credentials/", kubeconfig=text)
    assert answer.status_code == 200, answer.content
    assert cluster.secrets.get(name=TOKEN).value == "new-token"
    answer = post(admin_api, f"{own}/forget/", clean_up=False)
    nothing = {"left": [], "away": "", "commands": [], "tenant_namespaces": []}
    assert answer.json() == nothing
    assert not Cluster.objects.exists()


@pytest.mark.parametrize("action", ["credentials", "forget"])
def test_provisioned_clusters_have_no_such_address(admin_api, action):
    cluster = ClusterFactory()
    assert post(admin_api, f"/api/v1/clusters/{cluster.pk}/{action}/").status_code == 404
    assert Cluster.objects.exists()
