"""Hosts with facts and a release that is ready: what a cluster can be made of."""

from __future__ import annotations

import json
from dataclasses import replace

from django.utils import timezone

from provisioning.facts import Address, Disk, Facts
from provisioning.models import Host, Release
from provisioning.releases import folder_of
from provisioning.releases_layout import BINARIES, CNI, ETCD
from provisioning.releases_store import packed_path
from tests.factories import HostFactory, ReleaseFactory

GIB = 2**30
GOOD = Facts(
    os_id="debian",
    os_version="12",
    os_pretty="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0-18-amd64",
    arch="amd64",
    cpus=2,
    memory=4 * GIB,
    memory_free=3 * GIB,
    disks=tuple(
        Disk(path, "/", 40 * GIB, 30 * GIB)
        for path in ("/", "/var", "/opt", "/etc", "/var/lib/containerd", "/var/lib/kubelet")
    ),
    cgroup=2,
    machine_id="0123456789abcdef0123456789abcdef",
    hostname="host",
    default_interface="eth0",
    init="systemd",
    root=True,
    modules=("overlay", "br_netfilter"),
)


def host(number: int, **fields: object) -> Host:
    """A host that was checked and is fine: 10.40.0.<number>/24."""
    address = f"10.40.0.{number}"
    given = fields.pop("facts", GOOD)
    name = str(fields.pop("name", f"h{number}"))
    if isinstance(given, Facts):
        given = replace(
            given,
            hostname=name,
            machine_id=f"{number:032x}",
            addresses=(Address("lo", "127.0.0.1", 8), Address("eth0", address, 24)),
        )
        given = json.loads(given.to_json())
    return HostFactory(
        name=name,
        address=address,
        facts=given,
        facts_at=timezone.now(),
        clock_skew=0.0,
        **fields,
    )


def release(version: str = "v1.20.2", files: bool = True, **fields: object) -> Release:
    """A release with every file that a cluster needs, each of one byte."""
    made = ReleaseFactory(
        version=version, pause_image="pause:3.2", verify_image="verify:1", **fields
    )
    kinds = [("binary", BINARIES), ("etcd", ETCD), ("cni", CNI), ("image", ("images/pause.tar",))]
    for kind, names in kinds if files else []:
        for name in names:
            path = packed_path(folder_of(made), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            made.files.create(name=name, kind=kind, sha256="0" * 64, size=1, packed_size=1)
    return made
