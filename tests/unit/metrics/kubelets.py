"""Kubelets behind the scripted API server: texts as those of 1.20 and later, and faults."""

from __future__ import annotations

import threading

from tests.unit.clusters.apiserver import ApiServer, node

TEXT = {"Content-Type": "text/plain"}


def resource_text(
    seconds: float,
    at: float,
    memory: int = 100_000_000,
    pods: dict[tuple[str, str], dict[str, tuple[float, int]]] | None = None,
) -> str:
    """/metrics/resource of a kubelet 1.20; pods: {(namespace, pod): {container: (s, bytes)}}."""
    stamp = int(at * 1000)
    lines = [
        "# HELP container_cpu_usage_seconds_total [ALPHA] Cumulative cpu time consumed",
        "# TYPE container_cpu_usage_seconds_total counter",
    ]
    for (namespace, pod), containers in (pods or {}).items():
        for container, (used, held) in containers.items():
            labels = f'{{container="{container}",namespace="{namespace}",pod="{pod}"}}'
            lines.append(f"container_cpu_usage_seconds_total{labels} {used!r} {stamp}")
            lines.append(f"container_memory_working_set_bytes{labels} {held:e} {stamp}")
    lines += [
        f"node_cpu_usage_seconds_total {seconds!r} {stamp}",
        f"node_memory_working_set_bytes {memory:e} {stamp}",
        "scrape_error 0",
    ]
    return "\n".join(lines) + "\n"


class Kubelet:
    """One node's answer: set `text`, `status` or `hangs`."""

    def __init__(self, server: ApiServer, name: str, path: str = "metrics/resource") -> None:
        self.text, self.status, self.asked = "", 200, 0
        self.hangs = threading.Event()
        self.goes_on = threading.Event()
        server.put(node(name))
        server.paths[f"/api/v1/nodes/{name}/proxy/{path}"] = self.answer

    def answer(self):
        self.asked += 1
        if self.hangs.is_set():
            self.goes_on.wait(20)
        return self.status, TEXT, self.text.encode()
