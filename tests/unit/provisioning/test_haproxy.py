"""HAProxy's settings: the real program reads them, checks back ends, tells only the console."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from provisioning import pki
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Verdict
from provisioning.steps.certificates import leaves
from provisioning.steps.compile import compile_script
from provisioning.steps.haproxy import (
    ALIVE_PORT,
    DOWN,
    ENTRY_PORT,
    STATUS_PORT,
    HAProxy,
    haproxy_config,
    haproxy_drop_in,
    haproxy_pem,
)
from provisioning.steps.resources import File
from tests.unit.provisioning.conftest import CLUSTER, NONCE, facts_of, make_spec
from tests.unit.provisioning.standard import VIP, context, standard_material, standard_spec

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
needs_haproxy = pytest.mark.skipif(PROGRAM is None, reason="the program haproxy is not installed")
CA = "/etc/kubernetes/pki/ca.crt"


@pytest.fixture(scope="module")
def spec() -> ClusterSpec:
    return standard_spec()


@pytest.fixture(scope="module")
def material(spec: ClusterSpec) -> dict[str, str]:
    return standard_material(spec)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class ApiServer:
    """What HAProxy sees of an API server: TLS, a client certificate, /readyz."""

    def __init__(self, folder: Path, material: dict[str, str], host: int) -> None:
        self.ready = True
        self.asked_by: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert isinstance(self.connection, ssl.SSLSocket)
                certificate = x509.load_der_x509_certificate(
                    self.connection.getpeercert(binary_form=True) or b""
                )
                outer.asked_by.add(certificate.subject.rfc4514_string())
                self.send_response(200 if outer.ready else 500)
                self.end_headers()
                self.wfile.write(str(host).encode())

            def log_message(self, *_args: object) -> None:
                return

        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = folder / f"server{host}.pem"
        name = f"hosts/{host}/apiserver"
        pem.write_text(material[f"{name}.crt"] + material[f"{name}.key"])
        tls.load_cert_chain(pem)
        tls.load_verify_locations(cadata=material["ca/kubernetes.crt"])
        tls.verify_mode = ssl.CERT_REQUIRED
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Running:
    """The real HAProxy with our settings, on free ports of this machine."""

    def __init__(self, folder: Path, spec: ClusterSpec, material: dict[str, str]) -> None:
        self.folder, self.material = folder, material
        self.servers = [ApiServer(folder, material, h.id) for h in spec.control_plane]
        ctx = context(spec, 0, material)
        (folder / "haproxy.pem").write_text(haproxy_pem(ctx) or "")
        (folder / "ca.crt").write_text(material["ca/kubernetes.crt"])
        text = haproxy_config(ctx)
        self.entry, self.status, self.alive = free_port(), free_port(), free_port()
        for port, ours in (
            (ENTRY_PORT, self.entry), (STATUS_PORT, self.status), (ALIVE_PORT, self.alive)
        ):  # fmt: skip
            text = text.replace(f":{port}", f":{ours}")
        for host, server in zip(spec.control_plane, self.servers, strict=True):
            text = text.replace(f"{host.address}:6443", f"127.0.0.1:{server.port}")
        text = text.replace("/etc/kubernetes/pki", str(folder))
        text = text.replace("/run/flotilla-vip", str(folder))
        dropped = ("    chroot", "    user", "    group")
        text = "\n".join(x for x in text.split("\n") if not x.startswith(dropped))
        self.config = folder / "haproxy.cfg"
        self.config.write_text(text)
        assert PROGRAM
        self.process = subprocess.Popen(
            [PROGRAM, "-f", str(self.config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for server in self.servers:
            server.stop()

    def client(self, name: str, address: str = "10.80.0.11") -> ssl.SSLContext:
        pem = self.folder / "client.pem"
        pem.write_text(self.material[f"{name}.crt"] + self.material[f"{name}.key"])
        tls = ssl.create_default_context(cadata=self.material["ca/kubernetes.crt"])
        tls.check_hostname = False
        tls.load_cert_chain(pem)
        return tls

    def get(self, port: int, path: str, name: str = "console/client") -> tuple[int, str]:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=3, context=self.client(name)
        )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def up(self) -> set[str]:
        status, text = self.get(self.status, "/stats;csv")
        assert status == 200
        rows = [line.split(",") for line in text.splitlines() if line.startswith("api-servers,")]
        return {row[1] for row in rows if row[1] != "BACKEND" and row[17].startswith("UP")}


def until(condition: Callable[[], bool], seconds: float = 8) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("not so in time")


@pytest.fixture
def running(tmp_path: Path, spec: ClusterSpec, material: dict[str, str]) -> Iterator[Running]:
    found = Running(tmp_path, spec, material)
    try:
        until(lambda: found.up() == {"node1", "node2", "node3"})
        yield found
    finally:
        found.stop()


@needs_haproxy
def test_new_connections_avoid_an_api_server_that_is_not_ready(running: Running) -> None:
    """The check presents the certificate of HAProxy, which is in no group that has rights."""
    until(lambda: all(server.asked_by for server in running.servers))
    assert {name for s in running.servers for name in s.asked_by} == {"CN=haproxy"}
    running.servers[1].ready = False
    until(lambda: running.up() == {"node1", "node3"})
    for server in running.servers:
        server.asked_by.clear()
    ids = {running.get(running.entry, "/", "console/client")[1] for _ in range(12)}
    assert ids == {"10", "12"}
    running.servers[1].ready = True
    until(lambda: running.up() == {"node1", "node2", "node3"})


@needs_haproxy
def test_only_the_console_may_ask_and_only_for_status(running: Running) -> None:
    assert running.get(running.status, "/holder") == (200, "node1")
    assert running.get(running.status, "/stats;csv")[0] == 200
    assert running.get(running.status, "/")[0] == 404
    # Any other certificate of the cluster, also an administrator's.
    for name in ("hosts/10/admin", "hosts/13/kube-proxy", "hosts/10/haproxy"):
        assert running.get(running.status, "/holder", name)[0] == 403
    # One of another authority with the console's name.
    authority = pki.new_authority("kubernetes-ca")
    forged = pki.client_certificate(authority, "flotilla:console", (), hours=1)
    running.material |= {"forged.crt": forged.certificate, "forged.key": forged.key}
    with pytest.raises((ssl.SSLError, OSError)):
        running.get(running.status, "/holder", "forged")


@needs_haproxy
def test_keepalived_is_told_whether_there_is_an_api_server_to_pass_on_to(running: Running) -> None:
    def status() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", running.alive, timeout=2)
        connection.request("GET", "/")
        answer = connection.getresponse().status
        connection.close()
        return answer

    until(lambda: status() == 200)
    for server in running.servers:
        server.ready = False
    until(lambda: running.up() == set())
    assert status() == 503
    running.servers[1].ready = True
    until(lambda: status() == 200)


@needs_haproxy
@pytest.mark.parametrize("count", [3, 5])
def test_haproxy_itself_finds_no_fault_in_the_settings(
    tmp_path: Path, material: dict[str, str], count: int
) -> None:
    spec = make_spec(workers=5)
    spec = standard_spec(control_plane=spec.hosts[:count], workers=spec.hosts[count:])
    ctx = context(spec, count - 1, standard_material(spec))
    (tmp_path / "haproxy.pem").write_text(haproxy_pem(ctx) or "")
    (tmp_path / "ca.crt").write_text(ctx.material["ca/kubernetes.crt"])
    config = tmp_path / "haproxy.cfg"
    config.write_text(haproxy_config(ctx).replace("/etc/kubernetes/pki", str(tmp_path)))
    done = subprocess.run(
        [str(PROGRAM), "-c", "-f", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert config.read_text().count("verifyhost") == count


def test_long_sessions_are_not_cut(spec: ClusterSpec) -> None:
    text = haproxy_config(context(spec))
    assert "timeout client 4h" in text
    assert "timeout server 4h" in text
    assert "option clitcpka" in text
    assert "on-marked-down shutdown-sessions" in text


def test_its_certificate_is_for_the_vip_and_in_no_group(spec: ClusterSpec) -> None:
    found = {name: (authority, leaf) for name, authority, leaf in leaves(spec)}
    authority, leaf = found["hosts/11/haproxy"]
    assert authority == "kubernetes"
    assert leaf == pki.Leaf("haproxy", (), ("node2",), ("10.80.0.12", VIP), True, True)
    assert "hosts/13/haproxy" not in found, "a worker has none"
    assert not any("haproxy" in name for name, _a, _l in leaves(make_spec()))


def test_its_key_is_for_root_alone_and_masked(spec: ClusterSpec, material: dict[str, str]) -> None:
    found = HAProxy().resources(context(spec, 0, material))
    pem = next(r for r in found if isinstance(r, File) and r.path.endswith("haproxy.pem"))
    assert (pem.mode, pem.secret) == (0o600, True)
    line = material["hosts/10/haproxy.key"].splitlines()[1]
    assert any(line in secret for secret in pem.secrets())


def test_a_change_of_back_ends_is_taken_without_a_restart(
    spec: ClusterSpec, material: dict[str, str]
) -> None:
    text = compile_script(HAProxy().resources(context(spec, 0, material)), NONCE, CLUSTER).text
    assert "reload-or-restart" in text
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


def test_keepalived_hears_of_every_end_and_systemd_brings_it_back_at_once() -> None:
    lines = haproxy_drop_in(CLUSTER).splitlines()
    assert f"ExecStopPost=/bin/sh -c 'echo 1 >{DOWN}'" in lines
    assert f"ExecStartPost=/bin/sh -c 'echo 0 >{DOWN}'" in lines
    assert {"Restart=always", "RestartSec=100ms", "StartLimitIntervalSec=0"} <= set(lines)


def test_before_the_certificates_are_made_the_plan_says_so(spec: ClusterSpec) -> None:
    pem = next(
        r
        for r in HAProxy().resources(context(spec))
        if isinstance(r, File) and r.path.endswith("haproxy.pem")
    )
    assert pem.evaluate(facts_of(spec)[10]).verdict is Verdict.CHANGE
    assert haproxy_pem(context(spec)) is None


@pytest.mark.parametrize("name", ["node1 check", "a\nb", "Node1", "-x", ""])
def test_no_name_writes_into_the_settings(spec: ClusterSpec, name: str) -> None:
    bad = replace(spec.control_plane[0], name=name)
    with pytest.raises(ValueError, match="DNS label"):
        haproxy_config(context(replace(spec, control_plane=(bad, *spec.control_plane[1:]))))
