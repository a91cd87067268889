"""One short HTTPS question to one address: an answer or the kind of fault, never an exception."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import urllib3
import urllib3.exceptions as http

from clusters.kube import faults

# Connecting to a host on the same site takes milliseconds; one that is off never answers.
CONNECT_SECONDS = 1.0
# What any of the questions here answers is some kilobytes.
ANSWER_LIMIT = 256 * 1024

OK = "ok"
REFUSED = "refused"  # the host answers that nobody listens on the port
TIMEOUT = "timeout"  # no answer in time
UNREACHABLE = "unreachable"  # the network or the host's neighbours say that it is not there
STRANGER = "stranger"  # the certificate is not one of the cluster's authority
CLIENT_REFUSED = "client_refused"  # they do not accept the console's certificate
CUT = "cut"  # the connection was closed half-way, or it is no TLS
TOO_LARGE = "too_large"  # more than ANSWER_LIMIT


@dataclass(frozen=True)
class Reply:
    """What came of a question: fault is OK or one of the words above.

    status: the HTTP status (0 when there was none); body: at most ANSWER_LIMIT
    bytes; date: the answering machine's own clock as its answer gave it.
    """

    fault: str
    status: int = 0
    body: bytes = b""
    date: datetime | None = None

    @property
    def good(self) -> bool:
        """An answer with status 200."""
        return self.fault == OK and self.status == 200

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 becomes a replacement character."""
        return self.body.decode("utf-8", "replace")


class Caller:
    """Asks with one TLS context (its CA and its client certificate). Threads may share it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._kept = self._pool(64)

    def close(self) -> None:
        """Close every kept connection."""
        self._kept.clear()

    def _pool(self, hosts: int, name: str | None = None) -> urllib3.PoolManager:
        # No proxy of the environment, no redirect, no second attempt.
        return urllib3.PoolManager(
            hosts, maxsize=2, ssl_context=self._context, retries=False, server_hostname=name
        )

    def ask(self, url: str, *, seconds: float, body: bytes | None = None) -> Reply:
        """GET the URL, or POST the body, within `seconds` in all; the connection is kept."""
        deadline = time.monotonic() + seconds
        reply = _call(self._kept, url, body, seconds)
        left = deadline - time.monotonic()
        if reply.fault == CUT and left > 0.1:
            # A kept connection whose server was restarted since: once more, on a new one.
            reply = _call(self._kept, url, body, left)
        return reply

    def ask_anew(self, url: str, *, seconds: float, name: str | None = None) -> Reply:
        """GET the URL on a connection of its own, within `seconds` in all.

        A kept connection only tells that it still works itself, not that a
        client could come in now. name: whom the certificate must name instead
        of the URL's host.
        """
        # A pool of its own: the kept one would take the connection back and use it again.
        pool = self._pool(1, name)
        try:
            return _call(pool, url, None, seconds)
        finally:
            pool.clear()


def _call(pool: urllib3.PoolManager, url: str, body: bytes | None, seconds: float) -> Reply:
    deadline = time.monotonic() + seconds
    try:
        response = pool.request(
            "POST" if body is not None else "GET",
            url,
            body=body,
            headers={"User-Agent": "flotilla", "Accept-Encoding": "identity"},
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
            redirect=False,
            preload_content=False,
        )
    except faults.ERRORS as error:
        return Reply(_fault(error))
    return _read(response, deadline)


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> Reply:
    """The answer's body up to the limit and the deadline, however slowly it drips."""
    parts: list[bytes] = []
    size = 0
    complete = False
    try:
        while part := response.read1(65536, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > ANSWER_LIMIT:
                return Reply(TOO_LARGE, response.status)
            if time.monotonic() > deadline:
                return Reply(TIMEOUT, response.status)
        complete = True
    except faults.ERRORS as error:
        return Reply(_fault(error), response.status)
    finally:
        response.release_conn() if complete else response.close()
    return Reply(OK, response.status, b"".join(parts), _date(response.headers.get("Date", "")))


def _fault(error: BaseException) -> str:
    cause = faults.innermost(error)
    if isinstance(cause, (ssl.SSLError, http.SSLError)):
        text = str(cause).lower()
        if "alert" in text:
            return CLIENT_REFUSED
        return STRANGER if "certificate verify failed" in text else CUT
    kinds = (
        ((http.TimeoutError, TimeoutError), TIMEOUT),
        ((ConnectionRefusedError,), REFUSED),
        ((ConnectionResetError, BrokenPipeError, ConnectionAbortedError), CUT),
        ((http.NameResolutionError, socket.gaierror, OSError), UNREACHABLE),
    )
    return next((word for classes, word in kinds if isinstance(cause, classes)), CUT)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None
