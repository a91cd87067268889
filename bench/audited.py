"""The web process with a hook that writes every outgoing connection and look-up to a file.

`bench.audited:application` in the place of `console.asgi:application`; the file's name is in
FLOTILLA_BENCH_SOCKETS. Python's own audit events are used (PEP 578), which no code of the
process can go round with the socket module.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

EVENTS = {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}
_log = Path(os.environ["FLOTILLA_BENCH_SOCKETS"]).open("a", buffering=1)  # noqa: SIM115


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS:
        where = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        _log.write(f"{event} {where!r} {threading.current_thread().name}\n")


sys.addaudithook(_hear)

from console.asgi import application  # noqa: E402, F401 (what is imported may connect)
