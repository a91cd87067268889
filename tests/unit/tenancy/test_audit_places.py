"""Whose an audit event is: what happens in a tenant's namespace is its tenant's to read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from clusters import manifest_apply, pod_audit, terminal_audit
from clusters.kube.manifests import Outcome, State
from clusters.manifest_text import read
from clusters.models import Object, OpenTerminal
from console.audit.models import AuditEvent
from tenancy import namespace_actions
from tenancy.models import TenantCluster
from tests.conftest import with_token
from tests.unit.operations.conftest import (  # noqa: F401 -- fixtures
    authority,
    calls,
    cluster,
    server,
    web,
)
from tests.unit.tenancy.fleet_rows import Scene

pytestmark = pytest.mark.django_db

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %s}
"""


@pytest.fixture
def scene(cluster, web, admin) -> Scene:  # noqa: F811
    return Scene(cluster, admin)


def tenant_of(action: str) -> list[str]:
    rows = AuditEvent.objects.filter(action=action).order_by("pk")
    return list(rows.values_list("tenant_name", flat=True))


def pod(scene: Scene, namespace: str) -> Object:
    return Object.objects.get(
        cluster=scene.cluster, resource="pods", namespace=namespace, name=f"{namespace}-web"
    )


def test_operations_one_by_one_and_several_at_once(scene, calls) -> None:  # noqa: F811
    api = with_token(scene.admin)
    path = f"/api/v1/clusters/{scene.cluster.pk}"
    web_of = f"{path}/objects/deployments.apps/shop/web/scale/"
    assert api.post(web_of, {"replicas": 3}, format="json").status_code == 200
    words = [f"deployments.apps/{name}/{name}-web" for name in ("shop", "vault")]
    body = {"action": "scale", "objects": words, "replicas": 5}
    api.post(f"{path}/bulk/", body, format="json")
    assert tenant_of("object.scaled") == ["Shop", "Shop", "Bank"]


@pytest.mark.parametrize(("namespace", "tenant"), [("vault", "Bank"), ("default", "")])
def test_manifests(scene, namespace: str, tenant: str) -> None:
    (manifest,) = read(DEPLOYMENT % namespace)
    outcome = Outcome(manifest, State.REFUSED, namespace=namespace, error="no")
    manifest_apply.record_outcome(scene.cluster, outcome, user=scene.admin)
    assert tenant_of("object.applied") == [tenant]


def test_logs_and_terminals(scene) -> None:
    row, scope = pod(scene, "shop"), {"client": ("192.0.2.7", 1)}
    pod_audit.recorded("pod.logs_read", scene.admin, scene.cluster, pod_audit.place(row))
    number = terminal_audit.opened(scene.admin, row, scope, {"container": "web"})
    terminal_audit.closed(number, seconds=1, why="left", exit_code=0)
    number = terminal_audit.opened(scene.admin, pod(scene, "vault"), scope, {})
    long_ago = timezone.now() - timedelta(hours=1)
    OpenTerminal.objects.filter(pk=number).update(seen=long_ago)
    terminal_audit.close_lost()
    assert tenant_of("pod.logs_read") == ["Shop"]
    assert tenant_of("pod.terminal_opened") == ["Shop", "Bank"]
    assert tenant_of("pod.terminal_closed") == ["Shop", "Bank"]


@pytest.mark.parametrize(
    "change",
    [
        {"applied_revision": 0},  # refused: the name is somebody else's on the cluster
        {"state": "releasing"},
        {"name": "kube-system"},
    ],
)
def test_a_namespace_that_is_not_the_tenants_gives_it_no_events(
    scene, change: dict[str, Any]
) -> None:
    for name, value in change.items():
        setattr(scene.mine, name, value)
    scene.mine.save()
    place = f"{scene.mine.name}/shop-web"
    pod_audit.recorded("pod.logs_read", scene.admin, scene.cluster, place)
    assert tenant_of("pod.logs_read") == [""]


def test_both_tenants_have_the_event_of_a_move(scene) -> None:
    TenantCluster.objects.get_or_create(tenant=scene.bank, cluster=scene.cluster)
    namespace_actions.move(scene.mine, scene.bank, by=scene.admin)
    assert tenant_of("namespace.moved") == ["Shop", "Bank"]
