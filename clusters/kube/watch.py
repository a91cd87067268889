"""One watch: the events of a collection, line by line, until the server ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from clusters.kube import faults
from clusters.kube.errors import UnexpectedAnswer

if TYPE_CHECKING:
    import urllib3

# A node or pod is some ten kilobytes; etcd refuses objects above 1.5 MiB.
LINE_LIMIT = 8 * 1024 * 1024

Event = dict[str, Any]


class Watch:
    """Iterate for events ({"type", "object"}); stop() from any thread ends the iteration."""

    def __init__(self, response: urllib3.HTTPResponse, address: str) -> None:
        self._response = response
        self._address = address
        self._stopped = threading.Event()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._response.close()

    def stop(self) -> None:
        """End the iteration, also while it waits for the server."""
        self._stopped.set()
        try:
            self._response.shutdown()
        except (OSError, RuntimeError, ValueError):
            return  # it has ended by itself

    def __iter__(self) -> Iterator[Event]:
        """Events as they come. Raises Gone on 410 and KubeError when the connection is cut."""
        try:
            for line in self._lines():
                yield self._event(line)
        except faults.ERRORS as error:
            if not self._stopped.is_set():
                raise faults.of_exception(self._address, error) from None

    def _event(self, line: bytes) -> Event:
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
            raise UnexpectedAnswer(f"{self._address} sent something that is no watch event.")
        if event.get("type") == "ERROR":
            raise faults.of_status_object(self._address, event["object"])
        return event

    def _lines(self) -> Iterator[bytes]:
        rest = bytearray()
        for part in self._response.stream(65536, decode_content=False):
            rest += part
            if b"\n" in part:
                *lines, tail = bytes(rest).split(b"\n")
                rest = bytearray(tail)
                yield from (line for line in lines if line.strip())
            if len(rest) > LINE_LIMIT:
                raise UnexpectedAnswer(f"{self._address} sent a line without an end.")
            if self._stopped.is_set():
                return
