"""The scripted API server with pods that come up and try what a proof has them try."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from clusters.models import Cluster
from tenancy.models import Namespace, Tenant
from tenancy.proof_pods import MARK, PREFIX, TRIES
from tests.unit.tenancy.cluster_server import ClusterServer, WritingHandler

TRY = re.compile(r"^try (\S+) (?:ask ([\d.]+) (\d+)|nslookup \S+ ([\d.]+)) &$", re.MULTILINE)
# from which namespace, to which address: whether it is answered
Reach = Callable[[str, str], bool]


class ProofServer(ClusterServer):
    """work(): what kubelets do. logs: by "namespace/pod"; stays: names of pods that never start."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[str, str] = {}
        self.stays: dict[str, str] = {}
        self.addresses: dict[str, str] = {}

    def _listen(self, port: int) -> None:
        super()._listen(port)
        self._http.RequestHandlerClass = type("Bound", (LogHandler,), {"state": self})

    @property
    def probes(self) -> dict[str, dict]:
        """The probe pods that are there, by "namespace/name"."""
        pods = self.objects["pods"]
        return {key: pod for key, pod in pods.items() if PREFIX in key.rpartition("/")[2]}

    def work(self, reach: Reach) -> None:
        """Every pod that may start has started, and the probers have ended."""
        for key, pod in self.probes.items():
            space, _, name = key.partition("/")
            if why := self.stays.get(space):
                waits = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": why}}}
                pod["status"] = {"phase": "Pending", "containerStatuses": [waits]}
            elif "listen" in name:
                self.addresses.setdefault(space, f"10.244.0.{10 + len(self.addresses)}")
                pod["spec"]["nodeName"] = "node1"
                pod["status"] = {
                    "phase": "Running", "podIP": self.addresses[space], "hostIP": "10.77.0.11",
                    "conditions": [{"type": "Ready", "status": "True"}],
                }  # fmt: skip
            else:
                script = pod["spec"]["containers"][0]["command"][2]
                self.logs[key] = "".join(
                    line(one, reach(space, address or dns))
                    for one, address, _port, dns in TRY.findall(script)
                )
                pod["status"] = {"phase": "Succeeded", "podIP": "10.244.0.99"}


def line(attempt: str, answered: bool) -> str:
    said = "0|7.00|7.01|flotilla-probe" if answered else "1|7.00|9.00|nc: timed out"
    return "".join(f"{MARK}|{attempt}|{n}|{said}\n" for n in range(1, TRIES + 1))


class LogHandler(WritingHandler):
    state: ProofServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not path.endswith("/log"):
            super().do_GET()
            return
        if "*/*" not in self.headers.get("Accept", ""):
            self._status(406, "only the following media types are accepted: application/json")
            return
        parts = path.split("/")
        text = self.state.logs.get(f"{parts[4]}/{parts[6]}", "")
        self._send(200, {"Content-Type": "text/plain"}, text.encode())

    def _write(self, method: str) -> None:
        place = self.state.place(urlsplit(self.path).path)
        key = f"{place[1]}/{place[2]}".lstrip("/") if place else ""
        if method == "DELETE" and place and key not in self.state.objects[place[0]]:
            self._status(404, "not found")
            return
        super()._write(method)


def applied(tenant: Tenant, cluster: Cluster, name: str = "web", **fields: object) -> Namespace:
    given = {"state": "applied", "applied_revision": 1, "isolation": "namespace"}
    return Namespace.objects.create(tenant=tenant, cluster=cluster, name=name, **(given | fields))
