"""Rows of a standard cluster and of free hosts: `python -m tests.browser.standard_scene WHAT …`.

hosts (free ones and a release); cluster (three control planes, a worker, its health; prints its
id); clean-up (a host that left while it was away; prints its id); task OPERATION (prints its id);
drill (one that was measured).
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402

from clusters.models import (  # noqa: E402
    Cluster,
    ClusterStatus,
    ControlPlaneHealth,
    Node,
    Origin,
    Profile,
)
from console.accounts.models import User  # noqa: E402
from provisioning import operations  # noqa: E402
from provisioning.facts import Address, Disk, Facts  # noqa: E402
from provisioning.membership import note_places  # noqa: E402
from provisioning.models import (  # noqa: E402
    Cleanup,
    Drill,
    DrillTarget,
    Host,
    HostState,
    Release,
    ReleaseState,
    SSHCredential,
    StepStatus,
    Task,
    TaskStatus,
)
from provisioning.releases import folder_of  # noqa: E402
from provisioning.releases_layout import BINARIES, CNI, ETCD  # noqa: E402
from provisioning.releases_store import packed_path  # noqa: E402

GIB = 2**30
FOLDERS = ("/", "/var", "/opt", "/etc", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd")
GOOD = Facts(
    os_id="debian",
    os_version="12",
    os_pretty="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0-18-amd64",
    arch="amd64",
    cpus=4,
    memory=8 * GIB,
    memory_free=7 * GIB,
    disks=tuple(Disk(path, "/", 80 * GIB, 61 * GIB) for path in FOLDERS),
    cgroup=2,
    default_interface="eth0",
    init="systemd",
    root=True,
    modules=("overlay", "br_netfilter"),
)


def host(name: str, last: int, network: str = "10.60.0", **fields: object) -> Host:
    """A host that was checked and is fine."""
    address = f"{network}.{last}"
    facts = replace(
        GOOD,
        hostname=name,
        machine_id=f"{last:032x}",
        addresses=(Address("lo", "127.0.0.1", 8), Address("eth0", address, 24)),
    )
    now = timezone.now()
    values = {
        "state": HostState.READY,
        "state_since": now - timedelta(hours=3),
        "facts": json.loads(facts.to_json()),
        "facts_at": now - timedelta(minutes=12),
        "clock_skew": 0.0,
        "credential": SSHCredential.objects.first(),
        "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBp0hostkey",
        **fields,
    }
    return Host.objects.create(name=name, address=address, **values)


def hosts() -> None:
    """A release and six free hosts, one of them in another network, one that is away."""
    made = Release.objects.create(
        version="v1.33.1",
        source="official",
        state=ReleaseState.READY,
        pause_image="registry.k8s.io/pause:3.10",
        verify_image="registry.k8s.io/e2e-test-images/agnhost:2.47",
    )
    kinds = [("binary", BINARIES), ("etcd", ETCD), ("cni", CNI), ("image", ("images/pause.tar",))]
    for kind, names in kinds:
        for name in names:
            path = packed_path(folder_of(made), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            made.files.create(name=name, kind=kind, sha256="0" * 64, size=1, packed_size=1)
    for number in range(1, 6):
        host(f"free{number}", 20 + number)
    host("elsewhere", 9, "10.61.0")
    host("dark", 30, state=HostState.UNREACHABLE, state_reason="No route to host.")


def cluster() -> int:
    """A standard cluster whose third control plane is away; its id."""
    row = Cluster.objects.create(
        name="prod",
        origin=Origin.PROVISIONED,
        profile=Profile.STANDARD,
        status=ClusterStatus.DEGRADED,
        status_reason="cp3: its API server does not answer.",
        version="v1.33.1",
        endpoint="https://10.60.0.100:8443",
        vip="10.60.0.100",
        router_id=255,
        pod_cidr="10.244.0.0/16",
        service_cidr="10.96.0.0/16",
        seen=timezone.now(),
        options={"arch": "amd64", "network": "routed", "schedule_on_control_plane": False},
    )
    for index, name in enumerate(("cp1", "cp2", "cp3", "node1")):
        away = {"state": HostState.UNREACHABLE, "state_reason": "No answer within 10 s."}
        missed = "It was away during “Add nodes to prod”: No answer within 10 s."
        host(
            name,
            10 + index,
            cluster=row,
            cluster_index=index,
            cluster_role="worker" if name == "node1" else "control_plane",
            missed=missed if name == "cp3" else "",
            **(away if name == "cp3" else {}),
        )
        Node.objects.create(
            cluster=row,
            name=name,
            ready=name != "cp3",
            address=f"10.60.0.{10 + index}",
            version="v1.33.1",
            roles=[] if name == "node1" else ["control-plane"],
            capacity={"cpu": "4", "memory": "8Gi"},
            created=timezone.now() - timedelta(days=9),
        )
    note_places(row)
    ControlPlaneHealth.objects.create(cluster=row, data=health(), problems=[])
    return row.pk


def health() -> dict[str, object]:
    """What the watcher keeps of it (clusters.inventory.control_plane_data)."""
    since = (datetime.now(UTC) - timedelta(hours=2)).isoformat()

    def layer(state: str, **more: object) -> dict[str, object]:
        fault = "" if state == "up" else "timeout"
        return {"state": state, "fault": fault, "status": 0, "since": since, **more}

    def member(number: int) -> dict[str, object]:
        state = "down" if number == 3 else "up"
        ends = {
            f"cp{n}": {"state": "down" if n == 3 else "up", "check": "L4TOUT", "since": since}
            for n in (1, 2, 3)
        }
        etcd: dict[str, object] = {}
        if state == "up":
            etcd = {
                "member": str(number), "leader": "1", "leads": number == 1, "learner": False,
                "alarms": [], "version": "3.5.21", "db_size": 21_000_000,
            }  # fmt: skip
        return {
            "name": f"cp{number}",
            "address": f"10.60.0.{9 + number}",
            "met": since,
            "api": layer(state, failing=[]),
            "proxy": layer(state, back_ends=ends if state == "up" else None),
            "etcd": layer(state, **etcd),
        }

    return {
        "vip": {"api": layer("up", failing=[]),
                "holder": {"name": "cp1", "fault": "", "since": since}},
        "members": [member(n) for n in (1, 2, 3)],
        "etcd": {"voters": 3, "healthy": 2, "needed": 2, "leader": "1", "cluster": "1",
                 "extra": []},
        "leases": [],
    }  # fmt: skip


def clean_up() -> int:
    """A host that was away when its cluster was deleted, and answers again; its id."""
    row = host("back", 40)
    Cleanup.objects.create(
        host=row, cluster_number=4711, cluster_name="old", records=[], reason="No route to host."
    )
    return row.pk


def task(operation: str) -> int:
    """A running task of the cluster prod; its id."""
    prod = Cluster.objects.get(name="prod")
    leaving = Host.objects.get(name="node1")
    place = {
        "id": leaving.pk, "name": leaving.name, "address": leaving.address, "index": 3,
        "arch": "amd64", "control_plane": False,
    }  # fmt: skip
    row = operations.launch(
        operation,
        title="Remove node1 from prod",
        user=User.objects.get(username="ada"),
        parameters={"cluster": prod.pk, "joining": [], "leaving": [place]},
        cluster=prod,
    )
    now = timezone.now()
    Task.objects.filter(pk=row.pk).update(
        status=TaskStatus.RUNNING, started=now - timedelta(seconds=64), worker="here:1", attempt=1
    )
    drain = row.steps.get(step="drain")
    for step in row.steps.filter(position__lt=drain.position):
        step.status, step.started, step.ended = StepStatus.UNCHANGED, now, now
        if step.host_name == "cp3":
            step.status = StepStatus.SKIPPED
            step.failure = {"code": "away", "host": "cp3", "found": "No answer within 10 s."}
        step.save()
    drain.status, drain.started = StepStatus.RUNNING, now - timedelta(seconds=41)
    drain.note = "shop/web-0 waits: the PodDisruptionBudget shop/web allows no disruption now"
    drain.save()
    return row.pk


def drill() -> None:
    """HAProxy stopped on the holder: 46 ms."""
    now = timezone.now()
    outage = {"begin_ms": 2040.0, "length_ms": 46.0, "margin_ms": 10.0, "open": False}
    Drill.objects.create(
        cluster=Cluster.objects.get(name="prod"),
        target=DrillTarget.HAPROXY,
        host_name="cp1",
        holder_after="cp2",
        stopped=now - timedelta(minutes=3),
        put_back=now - timedelta(minutes=2),
        longest_ms=46.0,
        result={"ok": 1688, "failed": 4, "outages": [outage], "longest_ms": 46.0},
    )


def main(words: list[str]) -> None:
    """Do what the command line says."""
    what, *rest = words
    if what == "hosts":
        hosts()
    elif what == "cluster":
        sys.stdout.write(str(cluster()))
    elif what == "clean-up":
        sys.stdout.write(str(clean_up()))
    elif what == "task":
        sys.stdout.write(str(task(rest[0])))
    elif what == "drill":
        drill()
    else:
        raise SystemExit(f"{what!r} is no scene")


if __name__ == "__main__":
    main(sys.argv[1:])
