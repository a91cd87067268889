"""etcd with TLS for clients and peers."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.spec import ClusterSpec
from provisioning.steps.base import Context, Step
from provisioning.steps.certificates import pair_files
from provisioning.steps.layout import BIN, PKI, UNITS, facts_here, release_files, unit_file
from provisioning.steps.resources import Directory, File, Package, Resource, Unit

DATA = "/var/lib/etcd"
CLIENT_PORT, PEER_PORT, HEALTH_PORT = 2379, 2380, 2381


def etcd_program(spec: ClusterSpec) -> str:
    """The etcd that is run: the release's, or the distribution's when it has none."""
    own = any(file.name == "etcd" for file in release_files(spec, "etcd"))
    return f"{BIN}/etcd" if own else "/usr/bin/etcd"


class Etcd(Step):
    """One member on every control plane."""

    id = "etcd"
    title = "etcd"
    timeout = 180

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Data folder for root only (CIS 1.1.11), certificates, unit."""
        spec, here = ctx.spec, ctx.here
        at = f"hosts/{here.id}"
        files = [
            File(f"{PKI}/etcd/ca.crt", ctx.material.get("ca/etcd.crt")),
            *pair_files(ctx, f"{at}/etcd-server", f"{PKI}/etcd/server"),
            *pair_files(ctx, f"{at}/etcd-peer", f"{PKI}/etcd/peer"),
            File(f"{UNITS}/etcd.service", self._unit(ctx)),
        ]
        found: list[Resource] = []
        if etcd_program(spec) == "/usr/bin/etcd":
            found.append(Package("etcd-server", "/usr/bin/etcd"))
        found.append(Directory(DATA, 0o700, owns=True))
        found += files
        found.append(
            Unit(
                "etcd.service",
                restart_on=tuple(file.key for file in files),
                version=spec.release.version,
            )
        )
        return found

    @staticmethod
    def _unit(ctx: Context) -> str:
        spec, here = ctx.spec, ctx.here
        members = (f"{h.name}=https://{h.address}:{PEER_PORT}" for h in spec.control_plane)
        clients = f"https://{here.address}:{CLIENT_PORT}"
        peers = f"https://{here.address}:{PEER_PORT}"
        service = ["Type=notify", "TimeoutStartSec=120"]
        if here.arch == "arm64":
            service.append("Environment=ETCD_UNSUPPORTED_ARCH=arm64")  # etcd before 3.5 asks for it
        if facts_here(ctx).cap_sys_resource:
            service.append("OOMScoreAdjust=-998")
        return unit_file(
            "etcd, the store of the cluster",
            (
                etcd_program(spec),
                f"--name={here.name}",
                f"--data-dir={DATA}",
                f"--listen-client-urls={clients},https://127.0.0.1:{CLIENT_PORT}",
                f"--advertise-client-urls={clients}",
                f"--listen-peer-urls={peers}",
                f"--initial-advertise-peer-urls={peers}",
                f"--initial-cluster={','.join(members)}",
                f"--initial-cluster-token=flotilla-{spec.id}",
                "--initial-cluster-state=new",
                f"--listen-metrics-urls=http://127.0.0.1:{HEALTH_PORT}",
                f"--cert-file={PKI}/etcd/server.crt",
                f"--key-file={PKI}/etcd/server.key",
                f"--trusted-ca-file={PKI}/etcd/ca.crt",
                "--client-cert-auth=true",
                f"--peer-cert-file={PKI}/etcd/peer.crt",
                f"--peer-key-file={PKI}/etcd/peer.key",
                f"--peer-trusted-ca-file={PKI}/etcd/ca.crt",
                "--peer-client-cert-auth=true",
                "--auto-compaction-mode=periodic",
                "--auto-compaction-retention=8h",
                "--quota-backend-bytes=8589934592",
            ),
            service=service,
        )
