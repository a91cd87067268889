"""Webhooks: where one may go, how it is signed, and the one request that carries it.

The address is checked after DNS was asked and the connection goes to exactly the address
that was checked, so an answer that changes in between gains nothing. Redirects are not
followed, proxies of the environment are not used, and the whole exchange has one deadline.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from console.outbound import OutboundRefused, check_address, check_host, plain_host

SECONDS = 5.0
READ_LIMIT = 2000  # bytes of an answer that are read
SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._?"
DEFAULT_PORTS = {"http": 80, "https": 443}


class Undelivered(Exception):
    """It did not arrive; the message says why, in one sentence."""


@dataclass(frozen=True)
class Target:
    """A web address taken apart; path includes the query."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Answer:
    """What a receiver answered; text: the beginning of the body."""

    status: int
    text: str


def target(address: str) -> Target:
    """A web address as webhooks may have it. Raises Undelivered with what is wrong and the mend.

    Only http and https, no user in it, and no literal address that the console must
    not connect to. Names are looked up when something is sent.
    """
    if not address.isprintable() or any(c.isspace() for c in address):
        raise Undelivered(_("A web address has no blanks or control characters."))
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise Undelivered(_("This is no web address, such as https://example.com/hook.")) from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise Undelivered(_("Begin the address with https:// or http://."))
    if "@" in parts.netloc:
        raise Undelivered(_("Leave the user and password out: webhooks are signed instead."))
    try:
        host = plain_host(parts.hostname)
        _check_literal(host)
    except OutboundRefused as error:
        raise Undelivered(str(error)) from None
    path = quote(parts.path or "/", safe=SAFE_IN_PATH)
    if parts.query:
        path += f"?{quote(parts.query, safe=SAFE_IN_PATH)}"
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path)


def signature(secret: str, body: bytes, moment: int) -> str:
    """The value of Flotilla-Signature: HMAC-SHA256 over "<unix time>.<body>", in hexadecimal."""
    signed = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={signed.hexdigest()}"


def refusal(got: Answer) -> str:
    """What a status that is none of success means, in one sentence."""
    if 300 <= got.status < 400:
        return f"The receiver answered {got.status}: redirects are not followed."
    return f"The receiver answered {got.status}. {got.text}"


def shown(address: str) -> str:
    """The address for lists and audit events: the path of a webhook often is a password."""
    parts = urlsplit(address)
    more = "/…" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{more}"


def post(
    address: str,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float = SECONDS,
    *,
    ca: str = "",
) -> Answer:
    """Send one request; its answer, whatever the status. Raises Undelivered.

    ca: certificates (PEM) to check the receiver's with, instead of the system's.
    """
    where = target(address)
    ends = time.monotonic() + seconds
    try:
        addresses = check_host(
            where.host,
            where.port,
            private=settings.PRIVATE_CLUSTERS,
            allowed=settings.OUTBOUND_ALLOWED,
            seconds=seconds,
        )
    except OutboundRefused as error:
        raise Undelivered(str(error)) from None
    connection = _Pinned(where, addresses, ends, ca)
    try:
        with connection.cut_off(ends):
            connection.request("POST", where.path, body=body, headers=dict(headers))
            response = connection.getresponse()
            text = response.read(READ_LIMIT).decode("utf-8", "replace")
        if time.monotonic() >= ends:
            raise TimeoutError  # cut off: what came is not whole
        return Answer(response.status, text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= ends:
            late = _("No answer from %(host)s within %(n)d seconds.")
            raise Undelivered(late % {"host": where.host, "n": round(seconds)}) from None
        raise Undelivered(_why(where, error)) from None
    finally:
        connection.close()


def _why(where: Target, error: Exception) -> str:
    place = f"{where.host}:{where.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        text = _("The certificate of %(place)s is not trusted: %(error)s.")
        return text % {"place": place, "error": error.verify_message}
    text = _("No connection to %(place)s: %(error)s.")
    return text % {"place": place, "error": str(error) or type(error).__name__}


def _check_literal(host: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        return
    check_address(host, private=settings.PRIVATE_CLUSTERS, allowed=settings.OUTBOUND_ALLOWED)


class _Pinned(http.client.HTTPConnection):
    """A connection to one of the addresses that were checked; TLS is for the name."""

    def __init__(self, where: Target, addresses: list[str], ends: float, ca: str) -> None:
        super().__init__(where.host, where.port)
        self.default_port = DEFAULT_PORTS[where.scheme]
        self._where, self._addresses, self._ends, self._ca = where, addresses, ends, ca
        self._raw: socket.socket | None = None

    def connect(self) -> None:
        """Open it, to the first address that answers. Raises OSError."""
        raw = self._reach()
        self._raw = raw
        self.sock = raw
        if self._where.scheme == "https":
            context = ssl.create_default_context(cadata=self._ca or None)
            self.sock = context.wrap_socket(raw, server_hostname=self._where.host)
            self._raw = self.sock

    @contextmanager
    def cut_off(self, ends: float) -> Iterator[None]:
        """End the connection at the deadline: a receiver that drips must not hold a sender."""
        timer = threading.Timer(max(ends - time.monotonic(), 0), self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _reach(self) -> socket.socket:
        failed: OSError = TimeoutError()
        for address in self._addresses:
            left = self._ends - time.monotonic()
            if left <= 0:
                break
            try:
                return socket.create_connection((address, self._where.port), timeout=left)
            except OSError as error:
                failed = error
        raise failed

    def _cut(self) -> None:
        if self._raw is None:
            return
        try:
            # The plain method: that of TLS would take the state away from under the reader.
            socket.socket.shutdown(self._raw, socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself
