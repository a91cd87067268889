"""Syslog (RFC 5424) over TLS (RFC 5425) or TCP, octets counted (RFC 6587).

Syslog has no acknowledgement. So there is one connection for each batch: the console ends its
side and waits until the server has read everything and ends its own. A server that dropped
the connection before has unread bytes, and its system says so.
"""

from __future__ import annotations

import fcntl
import re
import socket
import ssl
import struct
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from console.audit.canonical import instant
from console.audit.models import AuditEvent, Stream
from console.audit.streams.batches import Batch, Item
from console.audit.streams.outlet import Refused
from console.outbound import OutboundRefused, check_address, check_host, plain_host

PORTS = {"tls": 6514, "tcp": 601}
FACILITY = 13  # log audit
INFORMATIONAL, WARNING = 6, 4
# Servers should take 8192 (RFC 5425, 4.3.1); rsyslog cuts at 8096. Longer events go in parts.
MOST_BYTES = 8000
# 32473 is kept for examples (RFC 5612): the project has no number of its own.
ELEMENT = "audit@32473"
VALUE_CHARACTERS = 64
LOOK_SECONDS = 0.005


@dataclass(frozen=True)
class Server:
    """An address taken apart; secure: by TLS."""

    host: str
    port: int
    secure: bool


def server(address: str) -> Server:
    """A syslog server's address. Raises Refused with what is wrong and the mend."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    whole = f"{parts.scheme}://{parts.netloc}" == address.rstrip("/") and "@" not in parts.netloc
    if parts.scheme not in PORTS or not parts.hostname or not whole:
        raise Refused(_("Write tls://host:port, or tcp://host:port."))
    try:
        host = plain_host(parts.hostname)
        if _is_literal(host):
            check_address(
                host, private=settings.PRIVATE_CLUSTERS, allowed=settings.OUTBOUND_ALLOWED
            )
    except OutboundRefused as error:
        raise Refused(str(error)) from None
    return Server(host, port or PORTS[parts.scheme], parts.scheme == "tls")


def send(stream: Stream, batch: Batch, seconds: float) -> None:
    """Send every item; the server has read all of them when this returns. Raises Refused."""
    where = server(stream.address)
    ends = time.monotonic() + seconds
    try:
        addresses = check_host(
            where.host,
            where.port,
            private=settings.PRIVATE_CLUSTERS,
            allowed=settings.OUTBOUND_ALLOWED,
            seconds=seconds / 2,
        )
    except OutboundRefused as error:
        raise Refused(str(error)) from None
    data = b"".join(counted(text) for item in batch.items for text in messages(item))
    try:
        deliver(where, addresses, data, ends, stream.ca)
    except (OSError, ValueError) as error:
        raise Refused(_why(where, error)) from None


def deliver(
    where: Server, addresses: Sequence[str], data: bytes, ends: float, ca: str = ""
) -> None:
    """Send bytes and see them read. ends: on the monotonic clock. Raises OSError, ValueError."""
    context = ssl.create_default_context(cadata=ca or None) if where.secure else None
    with _reached(where, addresses, ends) as plain:
        plain.settimeout(_left(ends))
        if context is None:
            _converse(plain, data, ends)
        else:
            with context.wrap_socket(plain, server_hostname=where.host) as secure:
                _converse(secure, data, ends)


def messages(item: Item, most: int = MOST_BYTES) -> Iterator[str]:
    """An item as one message, or in parts where it is longer than so many bytes."""
    head = _head(item)
    fields = _fields(item)
    # Everything but the text, with room for the numbers of the parts.
    room = most - len(f"{head} {_element(fields)} ".encode()) - len(' part="00000" parts="00000"')
    parts = [item.line[start : start + room] for start in range(0, len(item.line), room)]
    for number, part in enumerate(parts, start=1):
        more = {"part": str(number), "parts": str(len(parts))} if len(parts) > 1 else {}
        yield f"{head} {_element(fields | more)} {part}"


def counted(message: str) -> bytes:
    """A message with its length in bytes before it."""
    data = message.encode()
    return f"{len(data)} ".encode() + data


def _head(item: Item) -> str:
    event = item.event
    well = event is None or event.outcome == "success"
    priority = FACILITY * 8 + (INFORMATIONAL if well else WARNING)
    moment = event.time if event else item.checkpoint.time if item.checkpoint else None
    kind = event.action if event else "audit-checkpoint" if item.checkpoint else "audit-missing"
    words = (instant(moment) if moment else "-", _word(socket.gethostname(), 64), "flotilla", "-")
    return f"<{priority}>1 {' '.join(words)} {_word(kind, 32)}"


def _fields(item: Item) -> dict[str, str]:
    if item.checkpoint is not None:
        return {"size": str(item.position)}
    event = item.event
    if event is None:
        return {"position": str(item.position)}
    return {"position": str(item.position)} | {
        name: value for name, value in _told(event).items() if value
    }


def _told(event: AuditEvent) -> dict[str, str]:
    return {
        "uid": str(event.uid or ""),
        "actor": event.actor_name,
        "object": event.object_name,
        "cluster": event.cluster_name,
        "tenant": event.tenant_name,
        "outcome": event.outcome,
        "request": event.request_id,
        "address": event.address or "",
    }


def _element(fields: dict[str, str]) -> str:
    inner = "".join(f' {name}="{_value(text)}"' for name, text in fields.items())
    return f"[{ELEMENT}{inner}]"


def _value(text: str) -> str:
    """As structured data holds it (RFC 5424, 6.3.3): the whole text is in the message."""
    shown = text[:VALUE_CHARACTERS].encode("utf-8", "replace").decode()
    shown = "".join(c if c.isprintable() else "\ufffd" for c in shown)
    return re.sub(r'(["\\\]])', r"\\\1", shown)


def _word(text: str, most: int) -> str:
    return re.sub(r"[^\x21-\x7e]", "_", text)[:most] or "-"


def _reached(where: Server, addresses: Sequence[str], ends: float) -> socket.socket:
    failed: OSError = TimeoutError()
    for address in addresses:
        try:
            return socket.create_connection((address, where.port), timeout=_left(ends))
        except OSError as error:
            failed = error
    raise failed


def _converse(connection: socket.socket, data: bytes, ends: float) -> None:
    connection.settimeout(_left(ends))
    connection.sendall(data)
    _until_acknowledged(connection, ends)
    if isinstance(connection, ssl.SSLSocket):
        connection.setblocking(False)
        with suppress(ssl.SSLWantReadError, ssl.SSLEOFError):
            connection.unwrap()  # says that no more comes, and does not wait for the answer
    # The plain methods: the end of TLS was said already, and not all servers answer it.
    socket.socket.shutdown(connection, socket.SHUT_WR)
    connection.settimeout(_left(ends))
    while socket.socket.recv(connection, 65536):
        connection.settimeout(_left(ends))
    _until_acknowledged(connection, ends)


def _until_acknowledged(connection: socket.socket, ends: float) -> None:
    """Wait until the other system has got every byte. Raises OSError when it refused some."""
    while True:
        waiting = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        failed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, _("the server ended the connection before it had read all"))
        if not struct.unpack("i", waiting)[0]:
            return
        time.sleep(min(LOOK_SECONDS, _left(ends)))


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _why(where: Server, error: Exception) -> str:
    place = f"{where.host}:{where.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        text = _("The certificate of %(place)s is not trusted: %(error)s.")
        return text % {"place": place, "error": error.verify_message}
    if isinstance(error, TimeoutError):
        return _("%(place)s did not take everything in time.") % {"place": place}
    text = _("%(place)s did not take everything: %(error)s.")
    told = getattr(error, "strerror", "") or str(error) or type(error).__name__
    return text % {"place": place, "error": told}


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
