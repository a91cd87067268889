"""A whole control plane on loopback addresses: API servers, relays as HAProxy, etcd, a virtual IP.

Real TLS servers with real certificates; each part of each member can be stopped alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import ssl
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from clusters.kube.members import Layout, Member, Ports
from clusters.models import Cluster, Profile
from tests.factories import ClusterSecretFactory
from tests.unit.clusters.apiserver import ApiServer, QuietServer
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.rows import cluster_of

COLUMNS = "# pxname,svname,status,check_status,check_code"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


# Below the ports that the kernel gives to whoever asks for any, so that nobody has them.
PORTS = range(12_000, 32_000)


class Part:
    """An HTTPS server that asks for a client certificate. answer(path, body) -> (status, bytes)."""

    def __init__(self, address: str, port: int, authority: Authority, pair, answer) -> None:
        self.address, self.port, self.answer = address, port, answer
        self.subjects: list[str] = []
        self.paths: list[str] = []
        self.open: list = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            chain, ca = Path(folder, "pair.pem"), Path(folder, "ca.pem")
            chain.write_text("".join(pair))
            ca.write_text(authority.crt)
            self.context.load_cert_chain(chain)
            self.context.load_verify_locations(ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self._http = None
        self._silent = None

    def up(self) -> Part:
        if self._silent:
            self._silent.close()
            self._silent = None
        handler = type("Bound", (PartHandler,), {"part": self})
        self._http = QuietServer((self.address, self.port), handler)
        self._http.context = self.context
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def down(self) -> None:
        if self._http:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
            for connection in self.open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.open.clear()
        if self._silent:
            self._silent.close()
            self._silent = None

    def silent(self) -> None:
        """As a host that is off: whoever connects hears nothing."""
        self.down()
        self._silent = socket.create_server((self.address, self.port), backlog=64)


class PartHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    part: Part

    def setup(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.part.open.append(self.request)
        subject = dict(pair[0] for pair in self.request.getpeercert()["subject"])
        self.part.subjects.append(subject["commonName"])
        super().setup()

    def log_message(self, *_args: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.part.paths.append(self.path)
        status, answer = self.part.answer(self.path, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET


class Relay:
    """HAProxy in TCP mode: to the first API server that listens."""

    def __init__(self, address: str, port: int, targets) -> None:
        self.address, self.port, self.targets = address, port, targets
        self.accepted = 0
        self._listener = None
        self._open: list[socket.socket] = []

    def up(self) -> Relay:
        self._listener = socket.create_server((self.address, self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def down(self) -> None:
        if self._listener:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def silent(self) -> None:
        self.down()
        self._listener = socket.create_server((self.address, self.port), backlog=64)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = listener.accept()
                self.accepted += 1
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        for address, port in self.targets():
            try:
                server = socket.create_connection((address, port), 1)
                server.settimeout(None)
            except OSError:
                continue
            self._open += [client, server]
            pumps = [
                threading.Thread(target=pump, args=pair, daemon=True)
                for pair in ((client, server), (server, client))
            ]
            for thread in pumps:
                thread.start()
            for thread in pumps:
                thread.join()
            server.close()
            break
        client.close()


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Host:
    """One control plane: api, relay (HAProxy's entry), stats, etcd."""

    def __init__(self, plane: ControlPlane, number: int) -> None:
        self.name, self.address, self.number = f"cp{number}", plane.address(number), number
        ports, kube, pair = plane.ports, plane.kube, plane.pairs[number - 1]
        self.api = ApiServer(kube, pair, self.address, ports.api)
        self.relay = Relay(self.address, plane.entry, plane.listening)
        self.stats = Part(self.address, ports.stats, kube, pair, self._stats)
        self.etcd = Part(self.address, ports.etcd, plane.etcd_ca, plane.etcd_pair, self._etcd)
        self.plane = plane
        self.sees_down: set[str] = set()
        self.status: dict = {}
        self.started, self.learner = True, False
        self.raw: bytes | None = None  # what etcd and the statistics answer instead

    def _stats(self, path: str, _body: bytes) -> tuple[int, bytes]:
        if self.raw is not None:
            return 200, self.raw
        if path == "/holder":
            return 200, f"{self.name}\n".encode()
        lines = [COLUMNS, "kubernetes-api,FRONTEND,OPEN,,"]
        for host in self.plane.hosts:
            down = host.name in self.sees_down or not host.api_up
            lines.append(
                f"kubernetes-api,{host.name}," + ("DOWN,L4CON," if down else "UP,L7OK,200")
            )
        return 200, "\n".join([*lines, "kubernetes-api,BACKEND,UP,,", ""]).encode()

    def _etcd(self, path: str, _body: bytes) -> tuple[int, bytes]:
        if self.raw is not None:
            return 200, self.raw
        if path == "/v3/cluster/member/list":
            return 200, json.dumps({"members": [h.member() for h in self.plane.hosts]}).encode()
        header = {"cluster_id": "14841639068965178418", "member_id": str(self.id),
                  "revision": "1234", "raft_term": "3"}  # fmt: skip
        answer = {"header": header, "version": "3.4.23", "dbSize": "20480", "raftIndex": "99",
                  "leader": str(self.plane.leader), "raftTerm": "3"}  # fmt: skip
        if self.learner:
            answer["isLearner"] = True
        return 200, json.dumps({**answer, **self.status}).encode()

    @property
    def id(self) -> int:
        return 10276657743932975000 + self.number  # above 2**63, as real ones are

    def member(self) -> dict:
        found = {"ID": str(self.id), "peerURLs": [f"https://{self.address}:2380"]}
        if self.started:
            found |= {"name": self.name, "clientURLs": [f"https://{self.address}:2379"]}
        return found | ({"isLearner": True} if self.learner else {})

    api_up = False

    def up(self) -> None:
        self.api._listen(self.api.port)
        self.api_up = True
        for part in (self.relay, self.stats, self.etcd):
            part.up()

    def api_down(self) -> None:
        if self.api_up:
            self.api.down()
        self.api_up = False

    def down(self) -> None:
        self.api_down()
        for part in (self.relay, self.stats, self.etcd):
            part.down()

    def power_off(self) -> None:
        """Nothing answers and nothing refuses."""
        self.api_down()
        self.dark = socket.create_server((self.address, self.plane.ports.api), backlog=64)
        for part in (self.relay, self.stats, self.etcd):
            part.silent()


class ControlPlane:
    """`with ControlPlane(3) as plane:` hosts cp1.. are up and cp1 holds the virtual IP."""

    def __init__(self, members: int = 3) -> None:
        self._base = f"127.{random.randint(20, 250)}.{os.getpid() % 250 + 1}"
        api, stats, etcd, self.entry = random.sample(PORTS, 4)
        self.ports = Ports(api, stats, etcd)
        self.vip = f"{self._base}.100"
        self.kube, self.etcd_ca = Authority(), Authority("etcd")
        addresses = [self.address(n) for n in range(1, members + 1)]
        # As the real ones: each its own address and the entry's, none those of the others.
        self.pairs = [self.kube.server(address, self.vip) for address in addresses]
        self.etcd_pair = self.etcd_ca.server(*addresses)
        self.hosts: list[Host] = []
        self.hosts = [Host(self, n) for n in range(1, members + 1)]
        self.leader = self.hosts[0].id
        self.vip_relay = Relay(self.vip, self.entry, self.listening)
        self.vip_stats = Part(self.vip, self.ports.stats, self.kube, self.pairs[0], self._holder)
        self.holder = "cp1"
        for name in ("kube-scheduler", "kube-controller-manager"):
            self.lease(name, "cp1")

    def address(self, number: int) -> str:
        return f"{self._base}.{10 + number}"

    def listening(self) -> list[tuple[str, int]]:
        return [(h.address, self.ports.api) for h in self.hosts if h.api_up]

    def _holder(self, _path: str, _body: bytes) -> tuple[int, bytes]:
        return 200, f"{self.holder}\n".encode()

    def lease(self, name: str, holder: str, age: float = 1.0) -> None:
        renewed = datetime.now(UTC) - timedelta(seconds=age)
        spec = {
            "holderIdentity": f"{holder}_11f6cc39-0a3e-4b3c",
            "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "acquireTime": "2026-01-02T03:04:05.000000Z",
            "leaseDurationSeconds": 15,
        }
        for host in self.hosts:
            host.api.paths[f"{LEASES}/{name}"] = {"kind": "Lease", "spec": spec}

    def layout(self) -> Layout:
        members = tuple(Member(h.name, h.address) for h in self.hosts)
        return Layout(members, f"https://{self.vip}:{self.entry}", self.vip, self.ports)

    def cluster(self, **fields: object) -> Cluster:
        """Its row, with the console's certificates."""
        places = [{"name": h.name, "address": h.address} for h in self.hosts]
        made = cluster_of(
            self.hosts[0].api,
            profile=Profile.STANDARD,
            vip=self.vip,
            options={"places": {"control_plane": places, "workers": []}},
            **fields,
        )
        made.endpoint = f"https://{self.vip}:{self.entry}"
        made.save()
        certificate, key = self.etcd_ca.client("flotilla:console")
        for name, value in (
            ("ca/etcd.crt", self.etcd_ca.crt),
            ("console/etcd-client.crt", certificate),
            ("console/etcd-client.key", key),
        ):
            ClusterSecretFactory(cluster=made, name=name, value=value)
        return made

    def vip_up(self) -> None:
        self.vip_relay.up()
        self.vip_stats.up()

    def vip_down(self) -> None:
        self.vip_relay.down()
        self.vip_stats.down()

    def __enter__(self) -> ControlPlane:
        for host in self.hosts:
            host.api.endpoint = f"https://{host.address}:{self.ports.api}"
            host.up()
        self.vip_up()
        return self

    def __exit__(self, *_error: object) -> None:
        self.vip_down()
        for host in self.hosts:
            host.down()
            if dark := getattr(host, "dark", None):
                dark.close()
