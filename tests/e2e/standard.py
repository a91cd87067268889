"""A standard cluster for tests: made once for a module, asked through its VIP."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.console import Console, wait_for


def body(name: str, vip: str, control_plane: list[int], workers: list[int], **more: Any) -> Any:
    return {
        "name": name,
        "profile": "standard",
        "release": "v1.20.2",
        "control_plane": control_plane,
        "workers": workers,
        "vip": vip,
        **more,
    }


def create(
    console: Console, name: str, vip: str, control_plane: list[int], workers: list[int]
) -> Any:
    made = console.post("clusters/", body(name, vip, control_plane, workers))
    console.wait(made["task"]["id"], 400)
    return made


class Kubectl:
    """kubectl with a kubeconfig of the console's, so through the VIP."""

    def __init__(self, console: Console, cluster: int, binaries: Path, folder: Path) -> None:
        text = console.post(f"clusters/{cluster}/kubeconfig/")
        self.kubeconfig = folder / f"{cluster}.kubeconfig"
        self.kubeconfig.write_text(text if isinstance(text, str) else json.dumps(text))
        self.base = [str(binaries / "kubectl"), "--kubeconfig", str(self.kubeconfig)]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [*self.base, "--request-timeout=10s", *arguments],
            input=stdin, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.run("get", *arguments, "-o", "json"))

    def ready(self) -> dict[str, bool]:
        nodes = self.get("nodes")["items"]
        return {
            node["metadata"]["name"]: any(
                c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"]
            )
            for node in nodes
        }


def members(host: Any) -> list[str]:
    """What etcd on a host says of its members, a line each."""
    pki = "/etc/kubernetes/pki/etcd"
    text: str = host.run(
        f"ETCDCTL_API=3 etcdctl --cacert={pki}/ca.crt --cert={pki}/server.crt "
        f"--key={pki}/server.key --endpoints=https://127.0.0.1:2379 member list"
    )
    return text.splitlines()


def holders(lab: Any, vip: str, names: list[str]) -> list[str]:
    """Which hosts have the VIP on an interface now."""
    return [n for n in names if f" {vip}/" in lab.host(n).run("ip -o -4 addr show")]


def layers(console: Console, cluster: int) -> Any:
    """The control plane's health as the console knows it."""
    return console.get(f"clusters/{cluster}/control-plane/")


def wait_healthy(console: Console, cluster: int, seconds: float = 120) -> None:
    def healthy() -> bool:
        row = layers(console, cluster)
        return bool(row["fresh"]) and not row["problems"]

    wait_for(healthy, seconds, "all is well", lambda: str(layers(console, cluster)["problems"]))


def wait_ready(kubectl: Kubectl, names: set[str], seconds: float = 90) -> None:
    def ready() -> bool:
        try:
            return {n for n, ok in kubectl.ready().items() if ok} >= names
        except AssertionError:
            return False

    wait_for(ready, seconds, f"{sorted(names)} are Ready")


def entry_of(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    """The server that a kubeconfig names, and a TLS context with its CA and client certificate."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
        for name in ("client-certificate-data", "client-key-data"):
            pem.write(base64.b64decode(user[name]))
        pem.flush()
        context.load_cert_chain(pem.name)
    return str(cluster["server"]), context
