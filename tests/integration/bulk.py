"""Objects in bulk in a real kube-apiserver."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from clusters.kube import Connection

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"


def pod(name: str, **labels: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": "registry.example/shop/web:1.2.3",
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
                    "env": [{"name": f"SETTING_{n}", "value": "x" * 40} for n in range(10)],
                }
            ]
        },
    }


def config_map(name: str, value: str = "x") -> dict:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"value": value},
    }


def make(server: Connection, path: str, objects: Iterable[dict], at_once: int = 8) -> None:
    """POST all of them, some at a time."""
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda item: server.post(path, item, timeout=30), objects))
