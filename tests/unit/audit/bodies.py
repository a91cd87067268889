"""What is sent to addresses that change something, so that they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.audit import sealing
from console.audit.models import Stream
from provisioning.host_actions import fingerprint_of
from provisioning.models import Host, HostState, Task, TaskStatus
from provisioning.models_snapshots import Snapshot, SnapshotState
from tenancy.models import Tenant, TenantCluster
from tests.factories import PASSWORD, SSHCredentialFactory
from tests.samples import Samples

OFFERED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPIfVhY/S+ojmT5EGEEzHHbrXVlmLLtDpPZrZTtUCcne"
NEW_PASSWORD = "green-Kayak-51-river"
# Of the one whose name is to be typed once more.
NAMED = {"confirm_name": "sample"}
HOOK = {"name": "pager", "address": "https://example.com/hook", "language": "en"}
LEVELS = {"isolation": "tenant", "pod_security": "baseline"}
QUOTA = {"requests.cpu": "1", "reason": "more"}
APP = {"name": "front", "image": "nginx:1", "replicas": "1"}
STREAM = {"name": "siem", "address": "https://example.com/audit", "start": "first"}
MANY = {"object": ["apps.v1/default/web"]}

# Numbers of sample rows stand for themselves: "<cluster>" becomes the sample cluster's number.
BODIES: Mapping[str, Mapping[str, Any]] = {
    "POST /sign-in/": {"username": "<admin>", "password": PASSWORD},
    "POST /settings/password/": {
        "old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD,
    },
    "POST /settings/confirm-password/": {"password": PASSWORD},
    "POST /settings/tokens/create/": {"name": "ci", "days": "30"},
    "POST /settings/users/create/": {"username": "nina", "role": "auditor"},
    "POST /settings/groups/create/": {"name": "readers"},
    "POST /settings/groups/<int:pk>/rename/": {"name": "writers"},
    "POST /settings/groups/<int:pk>/people/": {"person": "founder"},
    "POST /settings/groups/<int:pk>/remove/": NAMED,
    "POST /settings/notice-channels/add/<slug:kind>/": HOOK,
    "POST /settings/notice-channels/<int:pk>/edit/": HOOK,
    "POST /settings/notice-channels/<int:pk>/remove/": NAMED,
    "POST /settings/notice-channels/<int:pk>/secret/": NAMED,
    "POST /clusters/<int:pk>/forget/": {"confirm_name": "sample-imported"},
    "POST /clusters/<int:pk>/delete/": NAMED,
    "POST /settings/credentials/add/": {"name": "deploy", "username": "root", "kind": "ed25519"},
    "POST /settings/credentials/<int:pk>/edit/": {"name": "deploy", "username": "root"},
    "POST /settings/credentials/<int:pk>/remove/": NAMED,
    "POST /hosts/add/": {"address": "10.9.9.9", "port": "22", "credential": "<credential>"},
    "POST /hosts/add/many/": {"hosts": "10.9.9.9\n10.9.9.10", "credential": "<credential>"},
    "POST /hosts/<int:pk>/edit/": {
        "name": "other", "address": "10.9.9.9", "port": "22", "credential": "<credential>",
    },
    "POST /hosts/<int:pk>/remove/": NAMED,
    "POST /hosts/<int:pk>/clean-up/forget/": NAMED,
    "POST /settings/releases/add/": {"way": "fetch", "version": "v1.30.2", "arch": "amd64"},
    "POST /clusters/<int:pk>/snapshots/schedule/": {
        "enabled": "on", "every_hours": "6", "keep_count": "3", "keep_days": "9",
    },
    "POST /pools/add/": {"cluster": "<cluster>", "name": "fast"},
    "POST /pools/<int:pk>/edit/": {"description": "fast ones"},
    "POST /pools/<int:pk>/delete/": NAMED,
    "POST /tenants/add/": {"name": "Shop", "slug": "shop", **LEVELS},
    "POST /tenants/<slug:slug>/edit/": {"name": "Shop", **LEVELS},
    "POST /tenants/<slug:slug>/freeze/": {"reason": "unpaid"},
    "POST /tenants/<slug:slug>/delete/": {"confirm_name": "<tenant>"},
    "POST /tenants/<slug:slug>/members/add/": {"kind": "user", "who": "founder", "role": "viewer"},
    "POST /tenants/<slug:slug>/clusters/add/": {"cluster": "<imported>"},
    "POST /kubeconfigs/new/<int:pk>/": {"role": "viewer", "hours": "8", "note": "laptop"},
    "POST /requests/<int:pk>/": {"decision": "approve", "answer": "yes"},
    "POST /requests/ask/<slug:slug>/quota/": QUOTA,
    "POST /requests/ask/<slug:slug>/place/": {"place": "cluster-<imported>", "reason": "more"},
    "POST /requests/ask/<slug:slug>/namespace/": {
        "cluster": "<cluster>", "name": "front", "reason": "more",
    },
    "POST /requests/ask/<slug:slug>/member/": {
        "user": "founder", "role": "viewer", "reason": "more",
    },
    "POST /requests/policies/add/": {"name": "small", "pods": "2", "enabled": "on"},
    "POST /requests/policies/<int:pk>/": {"name": "small", "pods": "2", "enabled": "on"},
    "POST /namespaces/add/": {"place": "<place>", "name": "front", **LEVELS},
    "POST /namespaces/<int:pk>/edit/": {"description": "the front", **LEVELS},
    "POST /namespaces/<int:pk>/move/": {"tenant": "<other>"},
    "POST /namespaces/<int:pk>/release/": {"confirm_name": "<tenant>"},
    "POST /namespaces/<int:pk>/delete/": {"confirm_name": "<tenant>"},
    "POST /clusters/import/<int:number>/save/": {"name": "taken-in"},
    "POST /settings/releases/<int:pk>/remove/": {"confirm_name": "<version>"},
    "POST /snapshots/<int:pk>/delete/": {"confirm_name": "<snapshot>"},
    "POST /tenants/<slug:slug>/members/<int:pk>/": {"role": "developer"},
    "POST /hosts/<int:pk>/trust/": {"fingerprint": "<fingerprint>"},
    "POST /audit/views/<int:pk>/": {"name": "other"},
    "POST /audit/views/<int:pk>/remove/": NAMED,
    "POST /audit/streams/add/<str:kind>/": STREAM,
    "POST /audit/streams/<int:pk>/edit/": STREAM,
    "POST /audit/streams/<int:pk>/remove/": NAMED,
    "POST /audit/streams/<int:pk>/secret/": NAMED,
    "POST /api/v1/audit-streams/": {"kind": "webhook", **STREAM},
    "PATCH /api/v1/audit-streams/<pk>/": {"address": STREAM["address"]},
    "POST /api/v1/hosts/<pk>/trust/": {"fingerprint": "<fingerprint>"},
    "POST /api/v1/pools/": {"cluster": "<cluster>", "name": "fast"},
    "POST /api/v1/notice-channels/": {"type": "webhook", **HOOK},
    "PATCH /api/v1/notice-channels/<pk>/": HOOK,
    "POST /api/v1/notice-rules/": {"channel": "<channel>"},
    "POST /api/v1/credentials/": {"name": "deploy", "username": "root"},
    "PATCH /api/v1/credentials/<pk>/": {"name": "other"},
    "POST /api/v1/hosts/": {"address": "10.9.9.9", "credential": "<credential>"},
    "POST /api/v1/hosts/bulk/": {"hosts": "10.9.9.9", "credential": "<credential>"},
    "PATCH /api/v1/hosts/<pk>/": {"name": "other"},
    "POST /api/v1/releases/fetch/": {"version": "v1.30.2"},
    "POST /api/v1/tenants/": {"name": "Shop", "slug": "shop"},
    "PATCH /api/v1/tenants/<pk>/": {"description": "the shop"},
    "POST /api/v1/tenants/<pk>/freeze/": {"reason": "unpaid"},
    "POST /api/v1/tenants/<tenant>/clusters/": {"cluster": "<imported>"},
    "PUT /api/v1/tenants/<tenant>/quotas/<scope>/": {"hard": {"pods": "3"}},
    "POST /api/v1/tenants/<tenant>/members/": {"user": "founder", "role": "viewer"},
    "PATCH /api/v1/tenants/<tenant>/members/<member>/": {"role": "developer"},
    "POST /api/v1/kubeconfigs/": {"namespace": "<namespace>", "role": "viewer", "hours": 8},
    "POST /api/v1/requests/": {
        "tenant": "<tenant>", "kind": "membership", "reason": "more", "user": "founder",
        "role": "viewer",
    },
    "POST /api/v1/requests/<pk>/refuse/": {"answer": "no room"},
    "POST /api/v1/namespaces/": {"tenant": "<tenant>", "cluster": "<cluster>", "name": "front"},
    "PATCH /api/v1/namespaces/<pk>/": {"description": "the front"},
    "POST /api/v1/namespaces/<pk>/move/": {"tenant": "<other slug>"},
}  # fmt: skip


def prepare(route: str, samples: Samples, admin: Any) -> None:
    """Bring the sample rows into the state from which the route can change them."""
    tenant = samples.tenant_of(admin)
    if route.endswith("/unfreeze/"):
        Tenant.objects.update(frozen=True, frozen_reason="unpaid")
    elif route.startswith("POST ") and "tasks/" in route and route.endswith("/cancel/"):
        Task.objects.update(status=TaskStatus.QUEUED)
    elif "credentials/<" in route and ("remove" in route or route.startswith("DELETE")):
        Host.objects.update(credential=SSHCredentialFactory())
    elif "snapshots/<" in route and ("delete" in route or route.startswith("DELETE")):
        Snapshot.objects.update(state=SnapshotState.READY)
    elif route.endswith("/release/") or "/move/" in route:
        samples.namespace_of(admin)
    elif route == "GET /audit/<int:pk>/proof/":
        sealing.seal()
        sealing.checkpoint(force=True)
    elif "streams/" in route and "/resume/" in route:
        Stream.objects.update(paused=True)
    elif "/trust/" in route:
        Host.objects.update(host_key="", offered_key=OFFERED, state=HostState.UNTRUSTED)
    elif "/tenants/<slug:slug>/delete/" in route:
        tenant.clusters.all().delete()


def body_of(route: str, samples: Samples, admin: Any) -> dict[str, Any]:
    """The body for the route ("POST /pools/add/"), empty where none is known."""
    found = BODIES.get(route, {})
    names: dict[str, Any] = {}
    if any("<" in str(value) for value in found.values()):
        tenant = samples.tenant_of(admin)
        other = Tenant.objects.get_or_create(name="other", slug="other")[0]
        TenantCluster.objects.get_or_create(tenant=other, cluster=samples.cluster)
        names = {
            "<admin>": admin.username, "<cluster>": samples.cluster.pk,
            "<imported>": samples.imported.pk, "<credential>": samples.credential.pk,
            "<version>": samples.release.version, "<snapshot>": str(samples.snapshot.revision),
            "<fingerprint>": fingerprint_of(OFFERED), "<tenant>": tenant.slug,
            "<channel>": samples.channel.pk, "<place>": tenant.clusters.first().pk,
            "<namespace>": samples.namespace_of(admin).pk,
            "<other>": other.pk, "<other slug>": other.slug,
        }  # fmt: skip
    return {
        key: names.get(value, value) if isinstance(value, str) else value
        for key, value in found.items()
    }
