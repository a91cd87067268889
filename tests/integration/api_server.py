"""A real kube-apiserver with its etcd on 127.0.0.1, without controllers and kubelets.

`with RealApiServer() as server:` takes a few seconds. Pods stay as they are
written: what a controller or a kubelet would do, a test does itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import yaml

from clusters.inventory.kinds import object_path
from clusters.kube import Connection, KubeError, NotFound
from clusters.kube.credentials import Credentials
from clusters.models import Cluster
from lab import kubernetes
from provisioning import pki, versions
from provisioning.pki import Leaf, Pair
from provisioning.steps import audit_policy, pod_policies
from provisioning.steps.control_plane import admission_flag
from tests.factories import ClusterFactory, ClusterSecretFactory

START_SECONDS = 300.0
_PLURALS = {
    "PodSecurityPolicy": "podsecuritypolicies",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}


def missing() -> str:
    """Which program this machine lacks, empty when a server can be started."""
    try:
        _programs()
    except LookupError as error:
        return str(error)
    return ""


def cached_versions() -> list[str]:
    """The releases that the machine has, newest first."""
    return [bundle.version for bundle in kubernetes.cached()]


def _programs(version: str = "") -> tuple[Path, Path]:
    """kube-apiserver and etcd of one of the machine's releases, or of the distribution.

    version: of the release; "" for the newest.
    """
    for bundle in kubernetes.cached():
        if version not in ("", bundle.version):
            continue
        apiserver = Path(bundle.folder, "kube-apiserver")
        etcd = next(
            (
                p
                for p in (Path(bundle.folder, "extras", "etcd"), Path("/usr/bin/etcd"))
                if p.exists()
            ),
            None,
        )
        if apiserver.exists() and etcd:
            return apiserver, etcd
    installed = shutil.which("kube-apiserver"), shutil.which("etcd")
    if all(installed):
        return Path(installed[0]), Path(installed[1])
    raise LookupError(
        "no kube-apiserver with an etcd on this machine: `manage.py lab up` builds them"
    )


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class RealApiServer:
    """connection(): as a cluster's admin; down() and up() stop and start it on the same port.

    provisioned: with the admission plug-ins, and what they need, that the console gives to the
    clusters that it makes of this version.
    audited: with the audit log of such clusters, at `audit_log`.
    version: one of cached_versions(); "" for the newest.
    """

    def __init__(
        self, *, provisioned: bool = False, audited: bool = False, version: str = ""
    ) -> None:
        self._provisioned, self._audited = provisioned, audited
        self.apiserver, self._etcd = _programs(version)
        self.port, etcd, peer = free_port(), free_port(), free_port()
        self._etcd_url, self._peer_url = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self._running: list[subprocess.Popen[bytes]] = []
        self._opened: list[Connection] = []

    def __enter__(self) -> RealApiServer:
        self._folder = tempfile.TemporaryDirectory(prefix="apiserver-")
        self.folder = Path(self._folder.name)
        try:
            self._certificates()
            self._run(
                "etcd",
                self._etcd,
                f"--data-dir={self.folder}/etcd",
                f"--listen-client-urls={self._etcd_url}",
                f"--advertise-client-urls={self._etcd_url}",
                f"--listen-peer-urls={self._peer_url}",
                f"--initial-advertise-peer-urls={self._peer_url}",
                f"--initial-cluster=default={self._peer_url}",
                "--unsafe-no-fsync",  # nothing here outlives the test
            )
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        for connection in self._opened:
            connection.close()
        while self._running:
            self._end(self._running[-1])
        self._folder.cleanup()

    def up(self) -> None:
        """Start the API server and return when it is ready."""
        at = self.folder
        self.process = self._run(
            "apiserver",
            self.apiserver,
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--tls-cert-file={at}/server.crt",
            f"--tls-private-key-file={at}/server.key",
            f"--client-ca-file={at}/ca.crt",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={at}/sa.pub",
            f"--service-account-signing-key-file={at}/sa.key",
            f"--cert-dir={at}",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",  # as every cluster has it, for its own network
            # Its token comes from a controller that does not run here.
            "--disable-admission-plugins=ServiceAccount",
            "--storage-media-type=application/json",
            *([admission_flag(self._version())] if self._provisioned else []),
            *(self._audit() if self._audited else []),
        )
        ends = time.monotonic() + START_SECONDS
        connection = self.connection()
        while True:
            try:
                connection.readyz(1.0)
                connection.get_json("/api/v1/namespaces/default")
                if self._provisioned:
                    self._policies(connection)
                return
            except KubeError as error:
                if self.process.poll() is not None or time.monotonic() > ends:
                    tail = (self.folder / "apiserver.log").read_text()[-3000:]
                    raise AssertionError(
                        f"kube-apiserver does not start: {error}\n{tail}"
                    ) from None
                time.sleep(0.1)

    @property
    def audit_log(self) -> Path:
        """The file that entries are written to, one JSON object a line."""
        return self.folder / "audit" / "audit.log"

    def _audit(self) -> list[str]:
        """The flags of a cluster that the console made, with its files in this folder."""
        policy = self.folder / "audit-policy.yaml"
        policy.write_text(audit_policy.audit_policy(self._version()))
        self.audit_log.parent.mkdir(mode=0o700, exist_ok=True)
        return [
            flag.replace(audit_policy.FILE, str(policy)).replace(
                audit_policy.LOG, str(self.audit_log)
            )
            for flag in audit_policy.flags()
        ]

    def _version(self) -> str:
        """ "v1.21.0", as the program says."""
        said = subprocess.run([self.apiserver, "--version"], capture_output=True, check=True)
        return said.stdout.decode().split()[-1]

    def _policies(self, connection: Connection) -> None:
        """What the recipe gives to kubectl, in its order."""
        if not versions.POD_SECURITY_POLICY.at(versions.minor(self._version())):
            return
        for body in yaml.safe_load_all(f"{pod_policies.opening()}---\n{pod_policies.policies()}"):
            plural = _PLURALS[body["kind"]]
            path = object_path(body["apiVersion"], plural, "", body["metadata"]["name"])
            connection.apply(path, body, force=True)

    def down(self) -> None:
        """Kill the API server; etcd keeps running."""
        self._end(self.process)

    def connection(self, user: str = "flotilla:console", *groups: str) -> Connection:
        """A connection as this user; without groups as a member of system:masters."""
        opened = Connection(self.credentials(user, *groups))
        self._opened.append(opened)
        return opened

    def credentials(self, user: str = "flotilla:console", *groups: str) -> Credentials:
        pair = pki.client_certificate(self.ca, user, groups or ("system:masters",), hours=24)
        return Credentials(self.endpoint, self.ca.certificate, pair.certificate, pair.key)

    def _certificates(self) -> None:
        self.ca = pki.new_authority("kubernetes")
        leaf = Leaf("kube-apiserver", addresses=("127.0.0.1", "10.96.0.1"), server=True)
        self._write("ca", Pair(self.ca.certificate, ""))
        self._write("server", pki.new_leaf(self.ca, leaf))
        signer = pki.new_key_pair()
        (self.folder / "sa.pub").write_text(signer.certificate)
        (self.folder / "sa.key").write_text(signer.key)

    def _write(self, name: str, pair: Pair) -> None:
        (self.folder / f"{name}.crt").write_text(pair.certificate)
        (self.folder / f"{name}.key").write_text(pair.key)

    def _run(self, name: str, program: Path, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(program), *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
            )
        self._running.append(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        with contextlib.suppress(ValueError):
            self._running.remove(process)


class Kubelet:
    """Ends the pods of a node as a kubelet does: `with Kubelet(conn, "n1", takes=0.5):`."""

    def __init__(self, conn: Connection, node: str, takes: float = 0.3) -> None:
        self._conn, self._node, self._takes = conn, node, takes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Kubelet:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        seen: dict[str, float] = {}
        while not self._stop.wait(0.1):
            with contextlib.suppress(KubeError):
                self._round(seen)

    def _round(self, seen: dict[str, float]) -> None:
        query = {"fieldSelector": f"spec.nodeName={self._node}"}
        for pod in self._conn.listing("/api/v1/pods", query).items:
            metadata = pod["metadata"]
            if not metadata.get("deletionTimestamp"):
                continue
            since = seen.setdefault(metadata["uid"], time.monotonic())
            if time.monotonic() - since >= self._takes:
                path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
                with contextlib.suppress(NotFound):
                    self._conn.delete(path, {"gracePeriodSeconds": 0})


def cluster_at(server: RealApiServer) -> Cluster:
    """A row of the server as a cluster, with the console's credentials for it."""
    row: Cluster = ClusterFactory(name="east", endpoint=server.endpoint)
    signed = server.credentials()
    for name, value in (
        ("ca/kubernetes.crt", signed.ca),
        ("console/client.crt", signed.certificate),
        ("console/client.key", signed.key),
    ):
        ClusterSecretFactory(cluster=row, name=name, value=value)
    return row
