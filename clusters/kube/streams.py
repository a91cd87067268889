"""A connection of its own for one stream: a log that is followed, a terminal.

Streams stay open for hours and must end at once when somebody says so, also while
their server is silent. So each has its own socket, which its owner can shut down,
instead of one out of a shared pool.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from clusters.kube import faults, outbound
from clusters.kube.connection import CONNECT_SECONDS, READ_SECONDS
from clusters.kube.credentials import Credentials, tls_context
from clusters.kube.errors import KubeError, UnexpectedAnswer
from clusters.kube.impersonation import Impersonation, in_the_name_of
from console.audit.cause import AUDIT_ID, audit_id, cause

# A peer that vanished is noticed after 10 + 3 x 5 seconds, however quiet the stream is.
KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)
# etcd refuses objects above 1.5 MiB.
OBJECT_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True)
class Doer:
    """A cluster, and in whose name it is asked. Holds no database row: threads may use it."""

    credentials: Credentials
    impersonation: Impersonation
    # The request that it is for; it is used in threads, which know none.
    cause: str = field(default_factory=cause)

    @property
    def endpoint(self) -> str:
        """The API server's address as the cluster has it, without a slash at its end."""
        return self.credentials.endpoint.rstrip("/")

    @property
    def who(self) -> str:
        """Whom a refusal names."""
        return f"the user {self.impersonation.user}"

    def headers(self) -> list[tuple[str, str]]:
        """User-Agent, Authorization where there is a token, Impersonate headers, an Audit-ID."""
        found = []
        if given := audit_id(self.cause):
            found.append((AUDIT_ID, given))
        if self.credentials.token:
            found.append(("Authorization", f"Bearer {self.credentials.token}"))
        return found + in_the_name_of(self.impersonation)[1]


def place(endpoint: str) -> tuple[str, int, str]:
    """Host, port and path prefix of an endpoint such as https://10.0.0.1:6443."""
    parts = urlsplit(endpoint)
    return parts.hostname or "", parts.port or 443, parts.path.rstrip("/")


def dial(credentials: Credentials, seconds: float = CONNECT_SECONDS) -> socket.socket:
    """A TCP connection to the API server: the one place where streams open a socket.

    Of a cluster whose address a person gave, to an address that was checked. Raises
    KubeError when there is none within `seconds`, AddressRefused when it may not be used.
    """
    host, port, _prefix = place(credentials.endpoint)
    with faults.named(credentials.endpoint):
        if credentials.outbound is not None:
            return outbound.open_socket(host, port, credentials.outbound, seconds, KEEPALIVE)
        opened = socket.create_connection((host, port), seconds)
        for option in KEEPALIVE:
            opened.setsockopt(*option)
        return opened


def secured(raw: socket.socket, doer: Doer, seconds: float = CONNECT_SECONDS) -> ssl.SSLSocket:
    """The socket with TLS, the server proven by the cluster's CA. Raises KubeError."""
    host, _port, _prefix = place(doer.endpoint)
    raw.settimeout(seconds)
    try:
        return tls_context(doer.credentials).wrap_socket(raw, server_hostname=host)
    except OSError as error:
        raw.close()
        raise faults.of_exception(doer.endpoint, error) from None


class ByteStream:
    """A GET on a connection of its own; parts() in one thread, stop() in any other.

    seconds limits the whole. endless: an answer without an end, for which the
    time limit is no fault.
    """

    def __init__(
        self, doer: Doer, path: str, query: str, seconds: float, *, endless: bool = False
    ) -> None:
        self._doer, self._path, self._query = doer, path, query
        self._seconds, self._endless = seconds, endless
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def stopped(self) -> bool:
        """Whether somebody called stop()."""
        return self._stopped

    def stop(self) -> None:
        """End parts(), also while it connects or waits for the server."""
        with self._lock:
            self._stopped = True
            if self._socket is None:
                return
            try:
                # Past SSLSocket.shutdown, which pulls TLS from under a read that is under way.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def parts(self) -> Iterator[bytes]:
        """The answer's bytes as they come. Raises KubeError for any status but 200."""
        deadline = time.monotonic() + self._seconds
        connecting = min(CONNECT_SECONDS, self._seconds)
        try:
            raw = dial(self._doer.credentials, connecting)
            if not self._hold(raw):
                return
            wrapped = secured(raw, self._doer, connecting)
            if not self._hold(wrapped):
                return
            yield from self._read(wrapped, deadline)
        except faults.ERRORS as error:
            if not self._stopped:
                raise faults.of_exception(self._doer.endpoint, error) from None
        except KubeError:
            if not self._stopped:
                raise
        finally:
            self._close()

    def _hold(self, opened: socket.socket) -> bool:
        with self._lock:
            self._socket = opened
            return not self._stopped

    def _close(self) -> None:
        with self._lock:
            opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()

    def _read(self, wrapped: socket.socket, deadline: float) -> Iterator[bytes]:
        # Some servers send not even the answer's head before the first line is written.
        wrapped.settimeout(_left(deadline))
        response = self._answer(wrapped)
        if response.status != 200:
            raise self._refusal(wrapped, response)
        while time.monotonic() < deadline:
            wrapped.settimeout(_left(deadline))
            try:
                part = response.read1(65536)
            except TimeoutError:
                break
            if not part:
                return
            yield part
        if not self._endless and not self._stopped:
            raise faults.too_slow(self._doer.endpoint, self._seconds)

    def _answer(self, wrapped: socket.socket) -> HTTPResponse:
        host, port, prefix = place(self._doer.endpoint)
        connection = HTTPConnection(host, port)
        connection.sock = wrapped
        target = f"{prefix}{self._path}" + (f"?{self._query}" if self._query else "")
        connection.putrequest("GET", target)
        for name, value in [("Accept", "*/*"), *self._doer.headers()]:
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse()

    def _refusal(self, wrapped: socket.socket, response: HTTPResponse) -> KubeError:
        wrapped.settimeout(1)
        try:
            body = response.read(64 * 1024)
        except faults.ERRORS:
            body = b""
        return faults.of_status(
            self._doer.endpoint, self._path, response.status, body, self._doer.who
        )


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())


def json_of(doer: Doer, path: str, seconds: float = READ_SECONDS) -> dict[str, Any]:
    """GET one object in a person's name. Raises KubeError."""
    body = bytearray()
    with ByteStream(doer, path, "", seconds) as stream:
        for part in stream.parts():
            body += part
            if len(body) > OBJECT_LIMIT:
                raise UnexpectedAnswer(f"{doer.endpoint}{path} answered too much.")
    try:
        found = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise UnexpectedAnswer(f"{doer.endpoint}{path} answered something that is no JSON object.")
    return found
