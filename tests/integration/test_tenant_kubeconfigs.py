"""Kubeconfigs of tenants against a real kube-apiserver: what they open, and for how long."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.utils import timezone

from clusters.kube import Connection, KubeError
from clusters.kube.credentials import Credentials
from clusters.models import Cluster
from console.accounts.models import User
from console.accounts.sessions import CONFIRMED
from console.audit.models import AuditEvent
from lab import kubernetes
from tenancy import kubeconfigs, members, reconcile, roles
from tenancy.models import GivenKubeconfig, Namespace, Tenant
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory, ClusterSecretFactory, UserFactory
from tests.integration.api_server import RealApiServer, missing

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    if why := missing():
        pytest.skip(why)
    with RealApiServer() as running:
        admin = running.connection()
        for body in roles.manifests():
            admin.apply(f"{roles.ROLES}/{body['metadata']['name']}", body)
        for name in ("shop", "other"):
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            admin.apply(f"/api/v1/namespaces/{name}", space)
        yield running


@pytest.fixture
def cluster(server: RealApiServer) -> Cluster:
    row = ClusterFactory(name="east", endpoint=server.endpoint)
    signed = server.credentials()
    for name, value in (
        ("ca/kubernetes.crt", signed.ca),
        ("console/client.crt", signed.certificate),
        ("console/client.key", signed.key),
    ):
        ClusterSecretFactory(cluster=row, name=name, value=value)
    return row


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.create(name="Shop", slug="shop")


@pytest.fixture
def namespace(tenant: Tenant, cluster: Cluster) -> Namespace:
    return Namespace.objects.create(
        tenant=tenant, cluster=cluster, name="shop", applied_revision=1, state="applied"
    )


@pytest.fixture
def dora(tenant: Tenant, admin: User) -> User:
    user = UserFactory(username="dora")
    members.set_role(tenant, user, "developer", by=admin)
    return user


def opened(text: str) -> Connection:
    """A connection with what is in the file, and nothing else."""
    data = yaml.safe_load(text)
    [entry], [user] = data["clusters"], data["users"]
    ca = base64.b64decode(entry["cluster"]["certificate-authority-data"]).decode()
    return Connection(Credentials(entry["cluster"]["server"], ca, token=user["user"]["token"]))


def refused(connection: Connection, path: str) -> bool:
    try:
        connection.get_json(path)
    except KubeError as error:
        return getattr(error, "status", None) in (401, 403)
    return False


PODS = "/api/v1/namespaces/{}/pods"


def test_it_opens_its_namespace_and_nothing_else(namespace: Namespace, dora: User) -> None:
    issued = kubeconfigs.issue(namespace, dora, role="developer", hours=2)
    with_it = opened(issued.text)
    config = yaml.safe_load(issued.text)
    assert config["contexts"][0]["context"]["namespace"] == "shop"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
    with_it.apply("/api/v1/namespaces/shop/configmaps/mine", body)
    assert with_it.get_json(PODS.format("shop"))["items"] == []
    for path in (
        PODS.format("other"),
        PODS.format("flotilla"),
        "/api/v1/namespaces",
        "/api/v1/nodes",
        "/api/v1/namespaces/flotilla/serviceaccounts",
        "/api/v1/namespaces/kube-system/secrets",
    ):
        assert refused(with_it, path), path
    with pytest.raises(KubeError):
        with_it.post(
            f"{kubeconfigs.ACCOUNTS}/{issued.row.account}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )
    assert issued.row.expires - timezone.now() <= timedelta(hours=2)


def test_it_stops_at_once_when_it_is_revoked(namespace: Namespace, dora: User) -> None:
    issued = kubeconfigs.issue(namespace, dora, role="developer")
    with_it = opened(issued.text)
    with_it.get_json(PODS.format("shop"))
    assert kubeconfigs.revoke(issued.row, by=dora)
    begin = time.monotonic()
    while not refused(with_it, PODS.format("shop")):
        assert time.monotonic() - begin < 2
        time.sleep(0.02)
    issued.row.refresh_from_db()
    assert issued.row.gone and issued.row.revoked
    actions = list(AuditEvent.objects.values_list("action", flat=True))
    assert "namespace.kubeconfig_issued" in actions and "namespace.kubeconfig_revoked" in actions
    dump = " ".join(str(e.__dict__) for e in AuditEvent.objects.all())
    assert yaml.safe_load(issued.text)["users"][0]["user"]["token"] not in dump


@pytest.mark.parametrize("how", ["removed", "lowered", "frozen", "inactive", "moved", "ended"])
def test_whoever_loses_the_right_loses_the_kubeconfig(
    server: RealApiServer, namespace: Namespace, dora: User, admin: User, how: str
) -> None:
    issued = kubeconfigs.issue(namespace, dora, role="developer")
    with_it, tenant = opened(issued.text), namespace.tenant
    kubeconfigs.keep(namespace.cluster, server.connection(), lambda: None)
    with_it.get_json(PODS.format("shop"))  # nothing is taken without a reason
    if how == "removed":
        members.remove(tenant.memberships.get(user=dora), by=admin)
    elif how == "lowered":
        members.set_role(tenant, dora, "viewer", by=admin)
    elif how == "frozen":
        Tenant.objects.filter(pk=tenant.pk).update(frozen=True)
    elif how == "inactive":
        User.objects.filter(pk=dora.pk).update(is_active=False)
    elif how == "moved":
        other = Tenant.objects.create(name="Other", slug="other")
        Namespace.objects.filter(pk=namespace.pk).update(tenant=other)
    else:
        GivenKubeconfig.objects.update(expires=timezone.now())
    kubeconfigs.keep(namespace.cluster, server.connection(), lambda: None)
    begin = time.monotonic()
    while not refused(with_it, PODS.format("shop")):
        assert time.monotonic() - begin < 2
        time.sleep(0.02)
    assert GivenKubeconfig.objects.get().gone


def test_no_higher_role_than_the_own_and_none_for_strangers(
    namespace: Namespace, dora: User, admin: User
) -> None:
    viewer, former = UserFactory(username="vera"), UserFactory(username="fred")
    members.set_role(namespace.tenant, viewer, "viewer", by=admin)
    members.set_role(namespace.tenant, UserFactory(), "owner", by=admin)
    members.remove(members.set_role(namespace.tenant, former, "owner", by=admin), by=admin)
    for user, role in (
        (dora, "admin"), (dora, "owner"), (viewer, "viewer"), (former, "viewer"),
        (UserFactory(), "viewer"), (admin, "viewer"),
    ):  # fmt: skip
        with pytest.raises(kubeconfigs.KubeconfigRefusedError):
            kubeconfigs.issue(namespace, user, role=role)
    assert not GivenKubeconfig.objects.exists()


def test_a_cluster_that_is_away_leaves_nothing_that_works(
    server: RealApiServer, namespace: Namespace, dora: User
) -> None:
    issued = kubeconfigs.issue(namespace, dora, role="developer")
    server.down()
    try:
        with pytest.raises(KubeError):
            kubeconfigs.issue(namespace, dora, role="developer")
        assert not kubeconfigs.revoke(issued.row, by=dora)
    finally:
        server.up()
    assert GivenKubeconfig.objects.filter(gone=False).count() == 2
    kubeconfigs.keep(namespace.cluster, server.connection(), lambda: None)
    assert not GivenKubeconfig.objects.filter(gone=False).exists()
    assert refused(opened(issued.text), PODS.format("shop"))
    listed = server.connection().get_json(kubeconfigs.ACCOUNTS)["items"]
    assert not [a for a in listed if a["metadata"]["name"] == issued.row.account]


def test_the_page_gives_the_file_once_and_lists_it(namespace: Namespace, dora: User) -> None:
    client = signed_in(dora)
    page = f"/kubeconfigs/new/{namespace.pk}/"
    sent = {"role": "developer", "hours": "3", "note": "laptop"}
    session = client.session
    confirmed = session.pop(CONFIRMED)
    session.save()
    assert client.post(page, sent).status_code == 302
    assert not GivenKubeconfig.objects.exists(), "the password comes first"
    session = client.session
    session[CONFIRMED] = confirmed
    session.save()
    answer = client.post(page, sent)
    assert answer["Content-Type"] == "application/yaml", answer.content
    assert "no-store" in answer["Cache-Control"]
    opened(answer.content.decode()).get_json(PODS.format("shop"))
    listed = client.get("/kubeconfigs/").content.decode()
    assert "laptop" in listed
    row = GivenKubeconfig.objects.get()
    assert client.post(f"/kubeconfigs/{row.pk}/revoke/").status_code == 302
    assert GivenKubeconfig.objects.get().gone
    stranger = signed_in(UserFactory())
    assert stranger.get(page).status_code == 404
    assert "laptop" not in stranger.get("/kubeconfigs/").content.decode()
    assert stranger.post(f"/kubeconfigs/{row.pk}/revoke/").status_code == 404


def test_the_same_over_rest(namespace: Namespace, dora: User) -> None:
    client = with_token(dora)
    body = {"namespace": namespace.pk, "role": "viewer", "hours": 1}
    made = client.post("/api/v1/kubeconfigs/", body, format="json")
    assert made.status_code == 201, made.json()
    opened(made.json()["kubeconfig"]).get_json(PODS.format("shop"))
    number = made.json()["id"]
    listed = client.get("/api/v1/kubeconfigs/").json()["results"]
    assert [row["id"] for row in listed] == [number] and "kubeconfig" not in listed[0]
    assert client.delete(f"/api/v1/kubeconfigs/{number}/").status_code == 204
    assert GivenKubeconfig.objects.get().gone
    wrong = client.post("/api/v1/kubeconfigs/", {**body, "role": "admin"}, format="json")
    assert wrong.status_code == 400 and "role" in wrong.json()["errors"]
    stranger = with_token(UserFactory())
    assert stranger.post("/api/v1/kubeconfigs/", body, format="json").status_code == 404
    assert stranger.delete(f"/api/v1/kubeconfigs/{number}/").status_code == 404


def test_what_the_watcher_keeps_of_a_namespace_leaves_its_kubeconfigs_alone(
    server: RealApiServer, tenant: Tenant, cluster: Cluster, dora: User
) -> None:
    row = Namespace.objects.create(tenant=tenant, cluster=cluster, name="kept")
    reconcile.keep(cluster, server.connection(), lambda: None)
    row.refresh_from_db()
    assert row.state == "applied", row.state_reason
    issued = kubeconfigs.issue(row, dora, role="developer")
    for change in ({"checked": None}, {"revision": row.revision + 1, "state": "pending"}):
        Namespace.objects.filter(pk=row.pk).update(**change)
        reconcile.keep(cluster, server.connection(), lambda: None)
        row.refresh_from_db()
        assert row.state == "applied" and row.drift == []
    assert opened(issued.text).get_json(PODS.format("kept"))["items"] == []


# -- kubectl itself -----------------------------------------------------------------------


@pytest.fixture
def kubectl(tmp_path: Path):
    """The real kubectl with a kubeconfig: (exit code, what it said)."""
    programs = [Path(bundle.folder, "kubectl") for bundle in kubernetes.cached()]
    program = next((path for path in programs if path.exists()), None)
    if program is None:
        pytest.skip("no kubectl on this machine: `manage.py lab up` builds it")

    def run(text: str, *arguments: str, given: str = "") -> tuple[int, str]:
        config = tmp_path / "kubeconfig.yaml"
        config.write_text(text)
        config.chmod(0o600)
        done = subprocess.run(
            [program, "--request-timeout=10s", *arguments],
            input=given,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(config)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    return run


CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: by-kubectl
data:
  colour: blue
"""


def test_kubectl_works_in_its_namespace_and_nowhere_else(
    namespace: Namespace, dora: User, kubectl
) -> None:
    issued = kubeconfigs.issue(namespace, dora, role="developer")
    code, said = kubectl(issued.text, "create", "-f", "-", given=CONFIG_MAP)
    assert (code, said) == (0, "configmap/by-kubectl created\n")
    code, said = kubectl(issued.text, "get", "configmap", "by-kubectl", "-o", "jsonpath={.data}")
    assert code == 0 and "blue" in said
    code, said = kubectl(issued.text, "get", "pods")
    assert code == 0 and "No resources found in shop namespace." in said
    account = f"system:serviceaccount:flotilla:{issued.row.account}"
    for arguments in (
        ("get", "pods", "-n", "other"),
        ("get", "secrets", "-n", "kube-system"),
        ("get", "pods", "--all-namespaces"),
        ("get", "namespaces"),
        ("get", "nodes"),
        ("create", "configmap", "x", "-n", "other"),
        ("create", "rolebinding", "x", "--clusterrole=cluster-admin", "--user=dora"),
        ("delete", "resourcequota", "flotilla"),
    ):
        code, said = kubectl(issued.text, *arguments)
        assert code == 1, (arguments, said)
        assert "Error from server (Forbidden)" in said or "forbidden" in said, (arguments, said)
        assert account in said, (arguments, said)
    assert kubectl(issued.text, "auth", "can-i", "create", "deployments")[0] == 0
    assert kubectl(issued.text, "auth", "can-i", "create", "pods", "-n", "other")[0] == 1
    code, said = kubectl(issued.text, "delete", "configmap", "by-kubectl")
    assert code == 0 and "deleted" in said


def test_kubectl_is_refused_at_once_after_revocation(
    namespace: Namespace, dora: User, kubectl
) -> None:
    issued = kubeconfigs.issue(namespace, dora, role="developer")
    assert kubectl(issued.text, "get", "configmaps")[0] == 0
    assert kubeconfigs.revoke(issued.row, by=dora)
    code, said = kubectl(issued.text, "get", "configmaps")
    assert code == 1, said
    assert "Forbidden" in said or "Unauthorized" in said or "must be logged in" in said, said
    code, said = kubectl(issued.text, "create", "-f", "-", given=CONFIG_MAP)
    assert code == 1, said
