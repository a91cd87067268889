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
        # No proxy of the environment, no redirect, no second attempt.
        self._pool = urllib3.PoolManager(
            num_pools=64, maxsize=2, ssl_context=context, retries=False
        )

    def close(self) -> None:
        """Close every kept connection."""
        self._pool.clear()

    def ask(
        self, url: str, *, seconds: float, body: bytes | None = None, fresh: bool = False
    ) -> Reply:
        """GET the URL, or POST the body, within `seconds` in all.

        fresh: on a connection of its own. A kept one only tells that this very
        connection still works, not that a client could come in now.
        """
        deadline = time.monotonic() + seconds
        reply = self._once(url, body, seconds, fresh)
        left = deadline - time.monotonic()
        if reply.fault == CUT and not fresh and left > 0.1:
            # A kept connection whose server was restarted since: once more, on a new one.
            reply = self._once(url, body, left, True)
        return reply

    def _once(self, url: str, body: bytes | None, seconds: float, fresh: bool) -> Reply:
        deadline = time.monotonic() + seconds
        headers = {"User-Agent": "flotilla", "Accept-Encoding": "identity"}
        if fresh:
            headers["Connection"] = "close"
        try:
            response = self._pool.request(
                "POST" if body is not None else "GET",
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
                redirect=False,
                preload_content=False,
            )
        except faults.ERRORS as error:
            return Reply(_fault(error))
        return _read(response, deadline, fresh)


def _read(response: urllib3.BaseHTTPResponse, deadline: float, fresh: bool) -> Reply:
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
        response.release_conn() if complete and not fresh else response.close()
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
