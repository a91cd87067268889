"""Measure how long an API server's address serves no new connection, at steps of 10 ms.

Every 10 ms an attempt starts: a new TCP connection, a full TLS handshake with
the console's certificate, GET /readyz, a 200 in the answer. Each has a time
limit of its own and none waits for another, so one that hangs hides nothing.

What counts, by the time at which attempts START:
- An outage begins with the start of a failed attempt that follows a success
  (or is the first of all).
- It ends with the start of the first later attempt that succeeds and after
  which no attempt that starts within the next second fails. A success between
  failures therefore ends nothing: one restart with a stutter is one outage.
- Its length is the difference. The service failed between the start before
  the first failure and that failure, and came back between the start before
  the end and the end: `margin_ms` is the wider of these two gaps, and the true
  length lies within it to either side. A console whose processors are busy
  starts late; then the margin says so.
- An outage is open when no such success was seen until the measurement ended;
  its length then reaches to the last attempt's start.
An attempt that starts in time and is answered late is a success: `slowest_ms`
shows it. The time limit stays below the second after which TCP sends a lost
SYN again (RFC 6298), or the answers to attempts that began in an outage would
shorten it.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from clusters.kube import faults
from clusters.kube.credentials import Credentials, tls_context

STEP = 0.010
LIMIT = 0.95
SETTLED = 1.0
# One attempt each 10 ms that hangs until its limit, and some more for late threads.
THREADS = 120

_OPEN, _OK, _FAILED = 0, 1, 2


@dataclass(frozen=True)
class Outage:
    """A time without service. begin: UTC, ISO 8601; ms since the measurement began in begin_ms.

    margin_ms: how far the length may be off; error: why its first attempt
    failed, one line; failed and passed: attempts inside; open: it had not ended
    when the measurement did.
    """

    begin: str
    begin_ms: float
    length_ms: float
    margin_ms: float
    error: str
    failed: int
    passed: int
    open: bool


@dataclass(frozen=True)
class Result:
    """What was measured through `address`; lengths in milliseconds, seconds for the whole.

    widest_gap_ms: the longest time between the starts of two attempts: every
    longer outage was seen; skipped: attempts that were left out because all
    threads were still waiting; slowest_ms: the slowest success, None without one.
    """

    address: str
    began: str
    seconds: float
    ok: int
    failed: int
    skipped: int
    slowest_ms: float | None
    widest_gap_ms: float
    outages: tuple[Outage, ...]

    @property
    def longest_ms(self) -> float:
        """The longest outage, 0 without one."""
        return max((outage.length_ms for outage in self.outages), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """The result in plain JSON types, with longest_ms."""
        return {**asdict(self), "longest_ms": self.longest_ms}


class OutageMeter:
    """start(), do what is to be measured, stop(), result(). Used once."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        step: float = STEP,
        limit: float = LIMIT,
        threads: int = THREADS,
    ) -> None:
        """credentials name the address: the VIP's, or one member's with its endpoint replaced.

        step: seconds between two attempts; limit: seconds for each; threads:
        how many may wait at once. Raises CertificateRefused for unusable PEM.
        """
        url = urlsplit(credentials.endpoint)
        self.address = credentials.endpoint
        self._name, self._port = url.hostname or "", url.port or 443
        self._step, self._limit, self._threads = step, limit, threads
        # One context for all attempts; no session is kept, so each handshake is a full one.
        self._context = tls_context(credentials)
        self._request = (
            f"GET /readyz HTTP/1.1\r\nHost: {url.netloc}\r\nUser-Agent: flotilla\r\n"
            "Connection: close\r\n\r\n"
        ).encode()
        self._work: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._workers: list[threading.Thread] = []
        self._starts: array[float] = array("d")
        self._seconds: array[float] = array("f")
        self._states = bytearray()
        self._errors: dict[int, str] = {}
        self._skipped = 0
        self._stop = threading.Event()
        self._starter = threading.Thread(target=self._start_attempts, name="outage", daemon=True)

    def start(self) -> None:
        """Begin. Raises ClusterUnreachable when the address is a name that nobody knows."""
        with faults.named(self.address):
            # Once: what is measured is the address, not the console's DNS.
            found = socket.getaddrinfo(self._name, self._port, type=socket.SOCK_STREAM)
        self._family, _type, _protocol, _canonical, self._where = found[0]
        self._began = datetime.now(UTC)
        self._zero = time.monotonic()
        self._starter.start()

    def stop(self) -> None:
        """Start no more attempts and wait for those under way, at most their time limit."""
        self._stop.set()
        self._starter.join()
        for _worker in self._workers:
            self._work.put(None)
        for worker in self._workers:
            worker.join(self._limit + 1.0)

    def result(self) -> Result:
        """What was measured until now; before stop() without the attempts after the first
        that has not ended yet, since they may still change the picture.
        """
        with self._lock:
            first_open = self._states.find(_OPEN)
            n = len(self._states) if first_open < 0 else first_open
            starts, states = self._starts[:n], bytes(self._states[:n])
            seconds = self._seconds[:n]
        good = [taken for taken, state in zip(seconds, states, strict=True) if state == _OK]
        gaps = (b - a for a, b in pairwise(starts))
        return Result(
            address=self.address,
            began=self._began.isoformat(timespec="milliseconds"),
            seconds=round(starts[-1] + seconds[-1], 3) if n else 0.0,
            ok=len(good),
            failed=n - len(good),
            skipped=self._skipped,
            slowest_ms=round(max(good) * 1000, 1) if good else None,
            widest_gap_ms=round(max(gaps, default=0.0) * 1000, 1),
            outages=tuple(
                Outage(
                    begin=self._time(starts[span.first]),
                    begin_ms=round(starts[span.first] * 1000, 1),
                    length_ms=round((starts[span.end] - starts[span.first]) * 1000, 1),
                    margin_ms=round(_margin(starts, span) * 1000, 1),
                    error=self._errors.get(span.first, ""),
                    failed=span.failed,
                    passed=span.passed,
                    open=span.open,
                )
                for span in spans(starts, [state == _OK for state in states])
            ),
        )

    def _time(self, offset: float) -> str:
        return (self._began + timedelta(seconds=offset)).isoformat(timespec="milliseconds")

    def _start_attempts(self) -> None:
        tick = 0
        while True:
            due = self._zero + tick * self._step
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            self._begin()
            # After a delay the next one is due on the old grid: no burst makes up for the gap.
            tick = max(tick + 1, int((time.monotonic() - self._zero) / self._step) + 1)

    def _begin(self) -> None:
        with self._lock:
            if self._idle == 0 and not self._add_worker():
                self._skipped += 1
                return
            self._idle -= 1
            number = len(self._states)
            self._starts.append(time.monotonic() - self._zero)
            self._seconds.append(0.0)
            self._states.append(_OPEN)
        self._work.put(number)

    def _add_worker(self) -> bool:
        if len(self._workers) >= self._threads:
            return False
        worker = threading.Thread(target=self._attempts, name="attempt", daemon=True)
        try:
            worker.start()
        except RuntimeError:
            return False  # the system gives no more threads: the result says what was skipped
        self._workers.append(worker)
        self._idle += 1
        return True

    def _attempts(self) -> None:
        while (number := self._work.get()) is not None:
            error = self._attempt(self._zero + self._starts[number] + self._limit)
            with self._lock:
                self._seconds[number] = time.monotonic() - self._zero - self._starts[number]
                self._states[number] = _FAILED if error else _OK
                if error:
                    self._errors[number] = error
                self._idle += 1

    def _attempt(self, deadline: float) -> str:
        """One attempt until a monotonic time; empty on success, else one line of what failed."""
        plain = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            plain.settimeout(_left(deadline))
            plain.connect(self._where)
            plain.settimeout(_left(deadline))
            with self._context.wrap_socket(plain, server_hostname=self._name) as secure:
                secure.settimeout(_left(deadline))
                secure.sendall(self._request)
                head = b""
                while b"\r\n" not in head and len(head) < 1024:
                    secure.settimeout(_left(deadline))
                    part = secure.recv(1024)
                    if not part:
                        return "closed without an answer"
                    head += part
        except (OSError, ssl.SSLError, ValueError) as error:
            return _words(error)
        finally:
            plain.close()
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1] == b"200":
            return ""
        return f"answered {words[1][:20].decode('ascii', 'replace') if len(words) > 1 else '?'}"


@dataclass(frozen=True)
class Span:
    """An outage by attempts: first failed one, and the one that ends it (the last one if open)."""

    first: int
    end: int
    failed: int
    passed: int
    open: bool


def spans(starts: Sequence[float], passed: Sequence[bool], settled: float = SETTLED) -> list[Span]:
    """The outages in attempts that are in the order of their starts (seconds), by the rules above.

    settled: how long after the start of a success no attempt may fail, so that
    it ends an outage.
    """
    bad = [number for number, ok in enumerate(passed) if not ok]
    found: list[Span] = []
    at = 0
    while at < len(bad):
        first = bad[at]
        last = at
        # A failure belongs to the outage while it starts within `settled` of the success that
        # would have ended it: that is, of the attempt after the failure before it.
        while last + 1 < len(bad) and (
            bad[last + 1] == bad[last] + 1
            or starts[bad[last + 1]] - starts[bad[last] + 1] <= settled
        ):
            last += 1
        is_open = bad[last] == len(passed) - 1
        end = bad[last] if is_open else bad[last] + 1
        failed = last - at + 1
        found.append(Span(first, end, failed, bad[last] + 1 - first - failed, is_open))
        at = last + 1
    return found


def _margin(starts: Sequence[float], span: Span) -> float:
    """The wider gap at the two edges of an outage, in seconds."""
    edges = (edge for edge in (span.first, span.end) if edge > 0)
    return max((starts[edge] - starts[edge - 1] for edge in edges), default=0.0)


def _left(deadline: float) -> float:
    """Seconds until the deadline. Never none: what has arrived counts, also when this thread had
    to wait for a processor until after the deadline; that is not the server's outage."""
    return max(0.001, deadline - time.monotonic())


def _words(error: BaseException) -> str:
    """The words of a network error, without numbers and addresses of this machine."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'cut during the handshake'}"
    return getattr(error, "strerror", None) or type(error).__name__
