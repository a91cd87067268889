"""Clusters with custom kinds for browser tests; prints the ids: one in use, one before the choice.

`kinds_scene move PK`: one more object in that cluster, as the watcher would write it;
`kinds_scene remove PK`: one less.
"""

from __future__ import annotations

import sys

import django

django.setup()

from django.db.models import F  # noqa: E402
from django.utils import timezone  # noqa: E402

from clusters.models import Cluster, Health, Object, OfferedKinds, WatchedKind  # noqa: E402
from tests.factories import ClusterFactory  # noqa: E402

CERTIFICATES = {
    "group": "cert-manager.io", "version": "v1", "plural": "certificates", "kind": "Certificate",
    "namespaced": True,
}  # fmt: skip
OTHERS = (
    ("argoproj.io", "applications", "Application"),
    ("monitoring.coreos.com", "alertmanagerconfigs", "AlertmanagerConfig"),
    ("monitoring.coreos.com", "servicemonitors", "ServiceMonitor"),
)


def certificate(cluster: Cluster, name: str, ready: bool = True) -> None:
    Object.objects.create(
        cluster=cluster, resource="certificates.cert-manager.io", kind="Certificate",
        api_version="cert-manager.io/v1", namespace="shop", name=name,
        status="Ready" if ready else "NotReady", health=Health.GOOD if ready else Health.WARN,
    )  # fmt: skip


def scene() -> tuple[int, int]:
    now = timezone.now()
    used = ClusterFactory(name="with-kinds", seen=now)
    kinds = [CERTIFICATES] + [
        CERTIFICATES | {"group": g, "plural": p, "kind": k} for g, p, k in OTHERS
    ]
    OfferedKinds.objects.create(cluster=used, kinds=kinds, asked=now, read=now)
    for kind in kinds[:2]:
        WatchedKind.objects.create(cluster=used, **kind)
    certificate(used, "web-tls")
    certificate(used, "a-certificate-with-quite-a-long-name-for-the-api-gateway-tls", ready=False)
    reason = (
        "The console may not list applications.argoproj.io: https://x refuses the console (403)."
    )
    Cluster.objects.filter(pk=used.pk).update(not_watched={"applications.argoproj.io": reason})
    return used.pk, ClusterFactory(name="without-kinds", seen=now).pk


def move(pk: int) -> None:
    certificate(Cluster.objects.get(pk=pk), "made-just-now")
    Cluster.objects.filter(pk=pk).update(changes=F("changes") + 1)


def remove(pk: int) -> None:
    Object.objects.filter(cluster_id=pk, name="web-tls").delete()
    Cluster.objects.filter(pk=pk).update(changes=F("changes") + 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["move"]:
        move(int(sys.argv[2]))
    elif sys.argv[1:2] == ["remove"]:
        remove(int(sys.argv[2]))
    else:
        sys.stdout.write(" ".join(map(str, scene())))
