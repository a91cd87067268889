"""A cluster and a tenant with a quota, an owner (olga) and a developer (dora); prints JSON.

What runs in the tenant's namespace "web" is there too, and another tenant's "vault" beside it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from clusters.models import Cluster, ClusterStatus, Origin, Profile  # noqa: E402
from console.accounts.models import User  # noqa: E402
from tenancy import members, proof_actions, proof_plan  # noqa: E402
from tenancy.desired import NamespaceSpec  # noqa: E402
from tenancy.models import (  # noqa: E402
    ApprovalPolicy,
    GivenKubeconfig,
    IsolationProof,
    Namespace,
    Quota,
    Request,
    Tenant,
    TenantCluster,
)
from tests.browser import member_objects  # noqa: E402
from tests.browser.scene import PASSWORD  # noqa: E402


def attempts() -> list[dict[str, Any]]:
    """What a plug-in that does nothing lets through."""
    spec = NamespaceSpec("web", "shop", isolation="tenant")
    own = proof_plan.Site(proof_plan.OWN, "web", spec, "10.244.1.7")
    nobody = proof_plan.Site(proof_plan.STRANGER, "flotilla-probe-scene", None, "10.244.1.8")
    tries = [{"code": 0, "seconds": 0.01, "output": "flotilla-probe-listen-scene"}] * 3
    return [
        {
            **asdict(one), "outcome": "passed", "tries": tries, "cause": "",
            "command": f"nc -w 2 {one.address} {one.port}",
            "where": {"node": "node1", "address": "10.244.1.9"},
        }
        for one in proof_plan.plan(own, nobody, outside=("10.1.2.1", 6443))
    ]  # fmt: skip


def main() -> None:
    now = timezone.now()
    ada = User.objects.get(username="ada")
    cluster = Cluster.objects.create(
        name="tenants-east", origin=Origin.PROVISIONED, profile=Profile.STANDARD,
        status=ClusterStatus.ACTIVE, endpoint="https://10.1.2.1:6443", version="v1.21.0", seen=now,
        watcher="scene", watcher_until=now + timedelta(days=1),
    )  # fmt: skip
    shop = Tenant.objects.create(name="Shop & Co", slug="shop", description="Sells things")
    TenantCluster.objects.create(tenant=shop, cluster=cluster)
    hard = {"requests.cpu": "4", "requests.memory": "8Gi", "pods": "40", "namespaces": "5"}
    Quota.objects.create(tenant=shop, hard=hard)
    people = {}
    for name, role in (("olga", "owner"), ("dora", "developer")):
        people[name] = User(username=name)
        people[name].set_password(PASSWORD)
        people[name].save()
        members.set_role(shop, people[name], role, by=ada)
    given = {"requests.cpu": "1500m", "requests.memory": "2Gi", "pods": "10"}
    drift = {
        "kind": "ResourceQuota", "name": "flotilla", "live": "x", "accepted": False,
        "diff": "-    pods: '10'\n+    pods: '99'", "hard": {**given, "pods": "99"},
    }  # fmt: skip
    said = "The API server says: PodSecurityPolicy: unable to admit pod"
    proof = {
        "pod_security": {
            "state": "yes", "what": ["privileged", "host_path", "host_network", "host_pid"],
            "said": said,
        },
        "addresses": {"state": "no", "what": ["addresses"], "said": ""},
    }  # fmt: skip
    web = Namespace.objects.create(
        tenant=shop, cluster=cluster, name="web", description="The shop itself", quota=given,
        state="drifted", drift=[drift], applied_revision=1, isolation="tenant",
        limits={"cpu": {"request": "100m", "limit": "1"}}, created_by=people["olga"],
        proved=now, proof=proof,
    )  # fmt: skip
    IsolationProof.objects.create(
        namespace=web, cluster=cluster, namespace_name="web", isolation="tenant", token="scene",
        wanted=proof_actions.wanted(web), state="ended", verdict="not_enforced", reason="leak",
        attempts=attempts(), by=people["olga"], by_name="olga", ended=now, gone=True,
    )  # fmt: skip
    wish = Request.objects.create(
        tenant=shop, kind="quota", wish={"requests.cpu": "2"}, reason="The spring sale",
        until=now + timedelta(days=2), by=people["dora"],
    )  # fmt: skip
    ApprovalPolicy.objects.create(name="Small and short", most={"pods": "5"}, days=7)
    GivenKubeconfig.objects.create(
        tenant=shop, namespace=web, cluster=cluster, namespace_name="web", user=people["dora"],
        user_name="dora", role="developer", note="laptop", expires=now + timedelta(hours=8),
    )  # fmt: skip
    bank = Tenant.objects.create(name="Bank", slug="bank")
    TenantCluster.objects.create(tenant=bank, cluster=cluster)
    vault = Namespace.objects.create(
        tenant=bank, cluster=cluster, name="vault", state="applied", applied_revision=1,
    )  # fmt: skip
    member_objects.fill(cluster, web.name, "shop")
    member_objects.fill(cluster, vault.name, "ledger")
    found = {"cluster": cluster.pk, "namespace": web.pk, "request": wish.pk}
    sys.stdout.write(json.dumps(found))


main()
