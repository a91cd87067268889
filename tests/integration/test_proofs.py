"""Proofs of isolation on a real kube-apiserver: what it takes of the pods, and what is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusters.kube import Connection
from console.accounts.models import Role
from tenancy import proof_actions, proof_pods, proof_run, reconcile
from tenancy.models import Namespace, Tenant
from tests.factories import ClusterFactory, UserFactory
from tests.integration.api_server import RealApiServer, missing

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
# What a kubelet would say of a pod that runs.
UP = {
    "status": {
        "phase": "Running", "podIP": "10.244.0.9", "hostIP": "10.77.0.11",
        "podIPs": [{"ip": "10.244.0.9"}], "conditions": [{"type": "Ready", "status": "True"}],
    }
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    with RealApiServer() as server:
        yield server


def probes(conn: Connection) -> list[dict]:
    found = conn.listing("/api/v1/pods", {"labelSelector": proof_pods.PROOF})
    return found.items


def test_the_pods_are_taken_found_by_label_and_removed(server: RealApiServer) -> None:
    conn = server.connection()
    cluster = ClusterFactory(version=conn.version())
    tenant = Tenant.objects.create(name="Shop", slug="shop")
    row = Namespace.objects.create(
        tenant=tenant, cluster=cluster, name="proved", isolation="strict", quota={"pods": "4"},
        pod_security="restricted",
    )  # fmt: skip
    reconcile.keep(cluster, conn, lambda: None)
    row.refresh_from_db()
    admin = UserFactory(username="root", role=Role.ADMIN)
    proof = proof_actions.start(row, by=admin)
    proof_run.keep(cluster, conn, lambda: None)
    spaces = {pod["metadata"]["namespace"] for pod in probes(conn)}
    assert spaces == {"proved", proof_pods.stranger_name(proof.token)}, proof.log
    for pod in probes(conn):
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        conn.merge_patch(f"{path}/status", UP)
    proof_run.keep(cluster, conn, lambda: None)
    proof.refresh_from_db()
    assert proof.state == "trying", (proof.log, proof.sites)
    assert len(probes(conn)) == 4
    assert {one["id"] for one in proof.attempts} >= {"stranger-own-8080", "own-stranger-8080"}
    # What another console made stays.
    name, home = "flotilla-probe-listen-other", "/api/v1/namespaces/proved/pods"
    other = proof_pods.listener(
        proof_pods.Placing("other", "another-console", "busybox", {}), "proved", [8080]
    )
    assert other["metadata"]["name"] == name
    conn.post(home, other)
    proof_actions.cancel(proof, by=admin)
    proof_run.keep(cluster, conn, lambda: None)
    assert [pod["metadata"]["name"] for pod in probes(conn)] == [name]
    left = conn.get_json(f"/api/v1/namespaces/{proof_pods.stranger_name(proof.token)}")
    assert left["metadata"]["deletionTimestamp"], "what ends it is the controller manager's"
