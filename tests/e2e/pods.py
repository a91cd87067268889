"""Logs and terminals of real pods, as a browser has them: over the console's websockets."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import websocket

from tests.e2e.console import Console, wait_for

IMAGE = "flotilla.dev/lab/busybox:1"
# Each life says something, lives long enough to be followed, and fails.
CRASHING = "echo alive as $HOSTNAME; sleep 2; echo 'boom: 鯨'; exit 3"
# What clusters/access.py gives to the console's roles; here for clusters that lack it.
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "flotilla-e2e-operators"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
    },
    "subjects": [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": f"flotilla:platform:{r}"}
        for r in ("admin", "operator")
    ],
}  # fmt: skip
SIGN_IN = """
from django.test import Client
from console.accounts.models import User
user, _ = User.objects.get_or_create(username={name!r}, defaults={{"role": "operator"}})
client = Client()
client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
print(client.cookies["sessionid"].value)
"""
# As the watcher writes it; for the moment before it has.
ROW = """
import json
from clusters.models import Object
Object.objects.get_or_create(
    cluster_id={cluster}, resource="pods", namespace="default", name={name!r},
    defaults=dict(api_version="v1", kind="Pod", uid={uid!r}, status="Running",
                  summary={{"phase": "Running", "containers": [
                      {{"name": "main", "state": "running", "restarts": 0}}]}}))
"""
EVENTS = """
import json
from console.audit.models import AuditEvent
rows = AuditEvent.objects.filter(action__startswith="pod.terminal").order_by("pk")
print(json.dumps([[row.action, row.actor_name, row.object_name, row.after] for row in rows]))
"""


def pod(name: str, *command: str, node: str = "node2") -> dict[str, Any]:
    container = {"name": "main", "image": IMAGE, "command": list(command)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container],
        },
    }  # fmt: skip


class Pods:
    """Pods of one cluster, and a person who looks at them."""

    def __init__(self, console: Console, cluster: int, base: list[str], person: str) -> None:
        self.console, self.cluster, self.base, self.person = console, cluster, base, person
        self.session = console.manage("shell", "-c", SIGN_IN.format(name=person)).splitlines()[-1]

    def apply(self, folder: Path, *objects: dict[str, Any]) -> None:
        file = folder / "objects.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        self._kubectl("apply", "-f", str(file))

    def _kubectl(self, *words: str) -> str:
        done = subprocess.run(
            [*self.base, *words], capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def started(self, name: str) -> None:
        """Wait until the pod has run, and the inventory has it."""

        def ran() -> bool:
            found = json.loads(self._kubectl("get", "pod", name, "-o", "json"))
            states = [
                {**row.get("state", {}), **row.get("lastState", {})}
                for row in found["status"].get("containerStatuses", [])
            ]
            if not any("running" in s or "terminated" in s for s in states):
                return False
            uid = found["metadata"]["uid"]
            self.console.manage("shell", "-c", ROW.format(cluster=self.cluster, name=name, uid=uid))
            return True

        wait_for(ran, 90, f"the pod {name} runs")

    def delete(self, *names: str) -> None:
        self._kubectl("delete", "pod", *names, "--now", "--wait=false")

    def open(self, name: str, last: str) -> websocket.WebSocket:
        address = f"{self.console.url}/ws/clusters/{self.cluster}/pods/default/{name}/{last}"
        return websocket.create_connection(
            address.replace("http", "ws", 1), timeout=60, origin=self.console.url,
            cookie=f"sessionid={self.session}",
        )  # fmt: skip

    def events(self) -> list[Any]:
        return list(json.loads(self.console.manage("shell", "-c", EVENTS).splitlines()[-1]))


def lines_until(
    socket: websocket.WebSocket, done: Callable[[list[dict[str, Any]]], bool], seconds: float = 60
) -> list[dict[str, Any]]:
    """The lines and notes of a log up to the moment that is waited for."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + seconds
    while not done(found):
        assert time.monotonic() < deadline, found
        message = json.loads(socket.recv())
        assert "error" not in message, message
        found += message.get("lines", [])
        if "frame" in message:
            socket.send(json.dumps({"ack": message["frame"]}))
    return found


class Screen:
    """A terminal: what was printed, and what the console told."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket = socket
        self.text = b""
        self.told: list[dict[str, Any]] = []
        self.code = 0
        self._frames = 0

    def type(self, text: str) -> None:
        self.socket.send_binary(text.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.socket.send(json.dumps({"resize": [columns, rows]}))

    def await_size(self, columns: int, rows: int) -> None:
        """Until the terminal has that size: Kubernetes sends it beside the input, not before."""
        wanted = f"{rows} {columns}"
        self.type(
            f"until test \"$(stty size)\" = '{wanted}'; do sleep 0.2; done; echo $((6*7))ok\r"
        )
        self.until(lambda s: b"42ok" in s.text)
        self.text = b""

    def until(self, done: Callable[[Screen], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not done(self) and not self.code:
            assert time.monotonic() < deadline, (self.text, self.told)
            # Pings, too: a terminal that says nothing any more must not hold the test.
            opcode, data = self.socket.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                self.code = int.from_bytes(data[:2], "big") or 1005
            elif opcode == websocket.ABNF.OPCODE_BINARY:
                self.text += data
                self._frames += 1
                self.socket.send(json.dumps({"ack": self._frames}))
            elif opcode == websocket.ABNF.OPCODE_TEXT:
                self.told.append(json.loads(data))
