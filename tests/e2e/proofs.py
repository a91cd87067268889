"""Proofs of isolation on a real cluster, and a stand-in for a network plug-in that enforces."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

from lab import Lab
from tests.e2e.console import Console, wait_for

CHAIN = "FLOTILLA-TEST"
# Over the bridge, as between pods of one node, frames come by here only with this.
BRIDGED = "sysctl -qw net.bridge.bridge-nf-call-iptables=1"


def said_of(proof: Any) -> str:
    """A proof that went otherwise than expected, to be read."""
    lines = [
        f"{one['id']}: {one['expected']}, {one['outcome']} {one['cause']} {one['tries']}"
        for one in proof["attempts"]
    ]
    return "\n".join([f"{proof['verdict']}: {proof['reason']}", *lines, *map(str, proof["log"])])


class Proofs:
    """A tenant with one namespace on a cluster, whose isolation is proved over REST."""

    def __init__(self, console: Console, cluster: int, slug: str, isolation: str) -> None:
        self.console = console
        self.slug = slug
        console.post("tenants/", {"name": slug, "slug": slug})
        console.post(f"tenants/{slug}/clusters/", {"cluster": cluster})
        made = {
            "tenant": slug, "cluster": cluster, "name": f"{slug}-web", "isolation": isolation,
            "quota": {"pods": "4", "limits.memory": "128Mi", "requests.cpu": "100m"},
        }  # fmt: skip
        self.namespace = console.post("namespaces/", made)["id"]
        wait_for(self._applied, 60, "the namespace is on its cluster")

    def prove(self, seconds: float = 90) -> Any:
        """Start one, and wait until it has ended and its pods are gone from the list."""
        self.console.post(f"namespaces/{self.namespace}/proofs/")
        wait_for(lambda: self.latest()["verdict"], seconds, "the proof ends", self._said)
        return self.latest()

    def latest(self) -> Any:
        return self.console.get(f"namespaces/{self.namespace}/proofs/")[0]

    def remove(self) -> None:
        self.console.delete(f"namespaces/{self.namespace}/")
        wait_for(self._gone, 60, "the namespace is gone")
        self.console.delete(f"tenants/{self.slug}/")

    def _applied(self) -> bool:
        return bool(self.console.get(f"namespaces/{self.namespace}/")["state"] == "applied")

    def _gone(self) -> bool:
        return not self.console.get(f"namespaces/?q={self.slug}-web")["results"]

    def _said(self) -> str:
        return json.dumps(self.latest(), indent=1)


class Plugin(threading.Thread):
    """Drops on the nodes what isolation `namespace` denies: as a plug-in would, by pod addresses.

    A listener of the namespace is closed to everybody as soon as it has an address, and open to
    pods of its own namespace; nodes reach it, since what they send themselves is not forwarded.
    """

    def __init__(self, lab: Lab, nodes: list[str], kubectl: list[str], namespace: str) -> None:
        super().__init__(daemon=True)
        self._hosts = [lab.host(name) for name in nodes]
        self._kubectl = kubectl
        self._namespace = namespace
        self._over = threading.Event()
        self._known: set[str] = set()

    def run(self) -> None:
        while not self._over.wait(0.2):
            pods = self._pods()
            mine = {ip for space, ip in pods if space == self._namespace}
            for address in sorted(mine - self._known):
                self._known.add(address)
                for host in self._hosts:
                    host.run(f"iptables -w -I {CHAIN} -s {address} -j ACCEPT")
                    host.run(
                        f"iptables -w -A {CHAIN} -d {address} -p tcp --syn -j DROP"
                    )  # what is answered is let back

    def _pods(self) -> list[tuple[str, str]]:
        done = subprocess.run(
            [*self._kubectl, "get", "pods", "-A", "-l", "flotilla.dev/proof", "-o", "json"],
            capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        items = json.loads(done.stdout)["items"] if done.returncode == 0 else []
        return [
            (item["metadata"]["namespace"], item["status"]["podIP"])
            for item in items
            if item.get("status", {}).get("podIP")
        ]

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        for host in self._hosts:
            host.run(f"{BRIDGED} && iptables -w -N {CHAIN} && iptables -w -I FORWARD -j {CHAIN}")
        self.start()
        try:
            yield
        finally:
            self._over.set()
            self.join(30)
            for host in self._hosts:
                host.run(f"iptables -w -D FORWARD -j {CHAIN}; iptables -w -F {CHAIN}")
                host.run(f"iptables -w -X {CHAIN}")
