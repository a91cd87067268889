"""Run inside the console (`manage.py shell`): give a cluster certificates that have ended already.

Prints {host: script that writes them where the cluster has its own} as JSON. What would take a
year is here a minute ago: the leaves are signed by the cluster's own authorities, and only files
are written, for with these nothing would start any more.
"""

from __future__ import annotations

import datetime
import json

from clusters.models import Cluster, ClusterSecret
from provisioning import pki
from provisioning.cluster_spec import facts_of, spec_of
from provisioning.material import ClusterMaterial
from provisioning.models import Host
from provisioning.steps.base import Context
from provisioning.steps.certificates import leaves
from provisioning.steps.compile import compile_script
from provisioning.steps.control_plane import ControlPlane
from provisioning.steps.etcd import Etcd
from provisioning.steps.haproxy import HAProxy
from provisioning.steps.nodes import Node
from provisioning.steps.resources import File

CLUSTER = 0  # its number stands here when the test runs this
ENDED = datetime.timedelta(minutes=-1)
KUBELET = "/var/lib/kubelet/pki"


def expire(number: int) -> dict[str, str]:
    cluster = Cluster.objects.get(pk=number)
    spec, material = spec_of(cluster), dict(ClusterMaterial(cluster))

    def signed(authority: str, leaf: pki.Leaf) -> pki.Pair:
        ca = pki.Pair(material[f"ca/{authority}.crt"], material[f"ca/{authority}.key"])
        return pki.new_leaf(ca, leaf, ENDED)

    for name, authority, leaf in leaves(spec):
        pair = signed(authority, leaf)
        for end, value in (("key", pair.key), ("crt", pair.certificate)):
            material[f"{name}.{end}"] = value
            ClusterSecret.objects.update_or_create(
                cluster=cluster, name=f"{name}.{end}", defaults={"value": value}
            )
    facts = {h.pk: f for h in Host.objects.filter(cluster=cluster) if (f := facts_of(h))}
    scripts = {}
    for host in spec.hosts:
        ctx = Context(spec, host, facts, material)
        steps = (Etcd(), HAProxy(), ControlPlane(), Node())
        found = {
            resource.path: resource
            for step in (steps if host in spec.control_plane else steps[3:])
            for resource in step.resources(ctx)
            if isinstance(resource, File)
        }
        own = signed("kubernetes", pki.Leaf(f"system:node:{host.name}", ("system:nodes",)))
        current = File(
            f"{KUBELET}/kubelet-client-ended.pem", own.certificate + own.key, 0o600, secret=True
        )
        text = compile_script([*found.values(), current], "nonce-of-the-test", spec.id).text
        scripts[host.name] = (
            f"{text}\nln -sfn {KUBELET}/kubelet-client-ended.pem"
            f" {KUBELET}/kubelet-client-current.pem"
        )
    return scripts


print(json.dumps(expire(CLUSTER)))
