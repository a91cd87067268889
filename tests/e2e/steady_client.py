"""A client that reads and writes through a cluster's entry twenty times a second, as urllib3 does.

No request is tried again: what fails is counted, with when and why.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import urllib3

from tests.e2e.standard import entry_of

EVERY = 0.05
CONFIG_MAP = "/api/v1/namespaces/default/configmaps"


class SteadyClient(threading.Thread):
    """Until stop(): by turns a GET and a PATCH of one ConfigMap.

    kept: over one kept connection, as programs have it; else a new connection
    for each request. failed: (seconds since the begin, verb, why); slowest:
    seconds of the slowest answer.
    """

    def __init__(self, kubeconfig: Path, name: str, *, kept: bool) -> None:
        super().__init__(daemon=True)
        self._server, context = entry_of(kubeconfig)
        self._name, self._kept = name, kept
        self._pool = urllib3.PoolManager(maxsize=1, ssl_context=context, retries=False)
        self._ended = threading.Event()
        self.sent = 0
        self.slowest = 0.0
        self.failed: list[tuple[float, str, str]] = []

    def __enter__(self) -> SteadyClient:
        body = {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self._name},
            "data": {"n": "0"},
        }  # fmt: skip
        answer = self._send("POST", CONFIG_MAP, body, "application/json")
        assert answer in (201, 409), answer
        self._began = time.monotonic()
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._ended.set()
        self.join(15)

    def run(self) -> None:
        while not self._ended.is_set():
            begin = time.monotonic()
            verb = "PATCH" if self.sent % 2 else "GET"
            self.sent += 1
            try:
                status = self._send(
                    verb, f"{CONFIG_MAP}/{self._name}", {"data": {"n": str(self.sent)}}
                )
                why = "" if status == 200 else str(status)
            except urllib3.exceptions.HTTPError as error:
                why = repr(error)
            took = time.monotonic() - begin
            self.slowest = max(self.slowest, took)
            if why:
                self.failed.append((round(begin - self._began, 2), verb, why))
            self._ended.wait(max(0.0, EVERY - took))

    def _send(
        self, verb: str, path: str, body: Any, kind: str = "application/merge-patch+json"
    ) -> int:
        answer = self._pool.request(
            verb,
            self._server + path,
            body=None if verb == "GET" else json.dumps(body).encode(),
            headers={"Content-Type": kind, "Accept": "application/json"},
            timeout=urllib3.Timeout(connect=3, read=10),
        )
        if not self._kept:
            self._pool.clear()
        return int(answer.status)
