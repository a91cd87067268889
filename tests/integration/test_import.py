"""An import against a real kube-apiserver: rights, the account of the console's own, forgetting."""

from __future__ import annotations

import base64
import contextlib
import threading
from ipaddress import ip_network

import pytest
import yaml

from clusters import console_account, forgetting, importing
from clusters.import_check import check
from clusters.inventory.imports import work
from clusters.kube import Forbidden, Impersonation, KubeError, connect
from clusters.kube.credentials import TOKEN
from clusters.kube.kubeconfig_parser import Reach, parse
from clusters.models import Cluster, ImportState
from console.audit.models import AuditEvent
from tests.integration import api_server
from tests.integration.api_server import RealApiServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]
LOCAL = Reach(allowed=(ip_network("127.0.0.0/8"),))
SECRET = "/api/v1/namespaces/flotilla/secrets/console-token"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def server():
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer() as running:
        running.connection().apply(
            "/api/v1/namespaces/kube-system",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}},
        )
        yield running


@pytest.fixture(autouse=True)
def local_servers(settings):
    settings.OUTBOUND_ALLOWED = (ip_network("127.0.0.0/8"),)


def kubeconfig(server: RealApiServer, user: str, *groups: str) -> str:
    given = server.credentials(user, *groups)

    def b64(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    return yaml.safe_dump(
        {
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": given.endpoint,
                        "certificate-authority-data": b64(given.ca),
                    },
                }
            ],
            "users": [
                {
                    "name": "u",
                    "user": {
                        "client-certificate-data": b64(given.certificate),
                        "client-key-data": b64(given.key),
                    },
                }
            ],
            "contexts": [{"name": "real", "context": {"cluster": "c", "user": "u"}}],
        }
    )


class TokenController:
    """Fills in the token of the account's Secret, as kube-controller-manager does."""

    def __init__(self, server: RealApiServer) -> None:
        self._connection = server.connection()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        account = "/api/v1/namespaces/flotilla/serviceaccounts/console/token"
        while not self._ended.wait(0.1):
            with contextlib.suppress(KubeError):
                if self._connection.get_json(SECRET).get("data"):
                    continue
                asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
                token = self._connection.post(account, {**asked, "spec": {}})["status"]["token"]
                data = {"token": base64.b64encode(token.encode()).decode()}
                self._connection.merge_patch(SECRET, {"data": data})


def begun(server: RealApiServer, admin, name: str):
    row = importing.begin(parse(kubeconfig(server, "ada", "system:masters"), LOCAL), admin)
    importing.choose(row, {0: name})
    work()
    row.refresh_from_db()
    assert row.state == ImportState.CHECKED, row.results
    return row


def test_an_administrators_kubeconfig_may_do_everything(server):
    (context,) = parse(kubeconfig(server, "ada", "system:masters"), LOCAL)
    result = check(context.entry)
    assert result["ok"], result
    assert result["version"].startswith("v1.")
    assert result["uid"]
    assert result["unasked"] == []
    assert {need: refused for need, refused in result["rights"].items() if refused} == {}


def test_a_readers_kubeconfig_is_told_what_it_lacks(server):
    conn = server.connection()
    rules = [
        {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["get", "list", "watch"]}
    ]
    role = {"metadata": {"name": "reader"}, "rules": rules}
    conn.post(f"{RBAC}/clusterroles", role)
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": "readers"}],
    }
    conn.post(f"{RBAC}/clusterrolebindings", binding)
    (context,) = parse(kubeconfig(server, "ray", "readers"), LOCAL)
    result = check(context.entry)
    assert result["ok"], result
    refused = result["rights"]
    assert "list pods" not in refused["inventory"]
    assert "list secrets" in refused["inventory"]
    assert refused["impersonate"] == ["impersonate users", "impersonate groups"]
    assert refused["exchange"]


def test_a_stranger_is_told_which_right_is_needed_to_know_the_cluster(server):
    (context,) = parse(kubeconfig(server, "eve", "nobodies"), LOCAL)
    result = check(context.entry)
    assert result["ok"] is False
    assert "kube-system" in result["problem"]
    assert "UID" in result["mend"]


def test_the_account_reads_acts_for_others_and_is_cleaned_up(server, admin):
    row = begun(server, admin, "real")
    importing.want_exchange(row)
    with TokenController(server):
        work()
    row.refresh_from_db()
    assert row.state == ImportState.SAVED, row.problem
    cluster = Cluster.objects.get()
    # Nothing of what was given is left.
    assert set(cluster.secrets.values_list("name", flat=True)) == {"ca/kubernetes.crt", TOKEN}
    conn = connect(cluster)
    assert conn.listing("/api/v1/pods").items == []
    assert conn.listing("/api/v1/secrets").items
    # It changes nothing in its own name, and others through it have their own rights.
    maps = "/api/v1/namespaces/default/configmaps"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    with pytest.raises(Forbidden):
        conn.post(maps, body)
    with pytest.raises(Forbidden, match="flotilla:user:7"):
        conn.post(maps, body, impersonation=Impersonation("flotilla:user:7", ("some",)))
    conn.post(maps, body, impersonation=Impersonation("x", ("system:masters",)))
    # It gives the console's groups roles with rights that it has not itself.
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "flotilla:test", "labels": dict(console_account.LABELS)},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}],
    }
    conn.apply(f"{RBAC}/clusterroles/flotilla:test", role)
    there = forgetting.there(cluster)
    assert {item.name for item in there.made} == {"flotilla", "flotilla:console", "flotilla:test"}
    left = forgetting.forget(cluster, clean_up=True, request=None)
    assert left.away == ""
    assert {item.kind for item in left.made} <= {"ClusterRole"}
    truth = server.connection()
    names = [
        item["metadata"]["name"] for item in truth.listing(f"{RBAC}/clusterrolebindings").items
    ]
    assert "flotilla:console" not in names
    roles = [item["metadata"]["name"] for item in truth.listing(f"{RBAC}/clusterroles").items]
    assert "flotilla:test" not in roles
    assert truth.get_json("/api/v1/namespaces/flotilla")["metadata"].get("deletionTimestamp")
    assert AuditEvent.objects.get(action="cluster.forgotten").object_name == "real"


def test_the_same_cluster_by_another_name_is_known_by_its_uid(server, admin):
    row = begun(server, admin, "first")
    importing.save(row, None)
    again = importing.begin(parse(kubeconfig(server, "ada", "system:masters"), LOCAL), admin)
    importing.choose(again, {0: "second"})
    work()
    again.refresh_from_db()
    assert again.results[0]["twin"] == "first"
