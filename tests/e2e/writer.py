"""A client that writes through a cluster's entry ten times a second, and remembers each answer."""

from __future__ import annotations

import http.client
import json
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.e2e.standard import entry_of

EVERY = 0.1
# What API servers answer while etcd elects: not acknowledged, part of the outage that is measured.
ELECTING = ("etcdserver: leader changed", "etcdserver: no leader", "etcdserver: request timed out")


class Writer(threading.Thread):
    """Creates ConfigMaps n-000000, n-000001, ... in a namespace until stop().

    acked: numbers that the API server answered 201 for; gaps: seconds between
    two answers that followed each other, with when the gap began.
    """

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        super().__init__(daemon=True)
        server, self._context = entry_of(kubeconfig)
        url = urlsplit(server)
        self._address = (url.hostname or "", url.port or 443)
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._ended = threading.Event()
        self._link: http.client.HTTPSConnection | None = None
        self.acked: list[int] = []
        self.gaps: list[tuple[float, float]] = []
        self.refused: list[str] = []

    def __enter__(self) -> Writer:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._ended.set()
        self.join(10)

    def longest(self, since: float) -> float:
        """The longest gap that began after a moment (time.monotonic), in seconds."""
        return max((gap for at, gap in self.gaps if at >= since), default=0.0)

    def run(self) -> None:
        number, last = 0, time.monotonic()
        while not self._ended.is_set():
            begin = time.monotonic()
            if self._write(number):
                now = time.monotonic()
                self.acked.append(number)
                self.gaps.append((last, now - last))
                last = now
            number += 1
            self._ended.wait(max(0.0, EVERY - (time.monotonic() - begin)))
        self._close()

    def _write(self, number: int) -> bool:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"n-{number:06d}"},
            "data": {"n": str(number)},
        }
        try:
            if self._link is None:
                self._link = http.client.HTTPSConnection(
                    *self._address, timeout=2, context=self._context
                )
            self._link.request(
                "POST", self._path, json.dumps(body), {"Content-Type": "application/json"}
            )
            answer = self._link.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            self._close()
            return False
        if answer.status >= 500 and any(words in text for words in ELECTING):
            return False
        if answer.status != 201:
            self.refused.append(f"{answer.status} {text[:200]}")
            return False
        return True

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def stored(kubectl: Any, namespace: str) -> set[int]:
    """The numbers that the cluster has."""
    items = kubectl.get("configmaps", "-n", namespace)["items"]
    names = [item["metadata"]["name"] for item in items]
    return {int(name[2:]) for name in names if name.startswith("n-")}
