"""Sockets to API servers whose address a person gave: checked at the very moment of connecting.

Resolving and connecting are one step here: the socket goes to an address that was just
checked, so that DNS which answers otherwise a moment later gains nothing. The name that the
server's certificate has to carry stays the host's.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from django.conf import settings
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from console.outbound import Network, Resolve, check_host

DEFAULT_SECONDS = 5.0
LEAST_SECONDS = 0.01  # what one of very many addresses gets


@dataclass(frozen=True)
class Outbound:
    """The rules of console.outbound for one connection; resolve: instead of the system's DNS."""

    private: bool
    allowed: Sequence[Network] = ()
    resolve: Resolve | None = None

    @classmethod
    def of_settings(cls) -> Outbound:
        """As FLOTILLA_PRIVATE_CLUSTERS and FLOTILLA_OUTBOUND_ALLOWED say."""
        return cls(settings.PRIVATE_CLUSTERS, tuple(settings.OUTBOUND_ALLOWED))


def open_socket(
    host: str,
    port: int,
    rules: Outbound,
    timeout: float | None = DEFAULT_SECONDS,
    options: Sequence[tuple[int, int, int | bytes]] = (),
) -> socket.socket:
    """A connected socket to the first of the host's checked addresses that answers.

    timeout: seconds for DNS and all addresses together, shared among those that are left:
    a name may have a hundred that do not answer. Raises OutboundRefused before
    anything is sent, OSError when none answers.
    """
    last: OSError = OSError("no address")
    ends = None if timeout is None else time.monotonic() + timeout
    found = check_host(
        host, port, private=rules.private, allowed=rules.allowed, resolve=rules.resolve,
        seconds=DEFAULT_SECONDS if timeout is None else timeout,
    )  # fmt: skip
    for number, address in enumerate(found):
        left = None if ends is None else (ends - time.monotonic()) / (len(found) - number)
        try:
            # A number, not a name: nothing is resolved again.
            sock = socket.create_connection((address, port), left and max(left, LEAST_SECONDS))
        except OSError as error:
            last = error
            continue
        sock.settimeout(timeout)
        for option in options:
            sock.setsockopt(*option)
        return sock
    raise last


def pool_classes(rules: Outbound) -> dict[str, Any]:
    """What a urllib3.PoolManager opens connections with; https alone."""

    class CheckedConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            seconds = self.timeout if isinstance(self.timeout, int | float) else DEFAULT_SECONDS
            try:
                return open_socket(
                    self.host, self.port or 443, rules, seconds, self.socket_options or ()
                )
            except TimeoutError as error:
                raise ConnectTimeoutError(self, "no answer in time") from error
            except OSError as error:
                raise NewConnectionError(self, str(error)) from error

    class CheckedPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = CheckedConnection

    return {"https": CheckedPool}
