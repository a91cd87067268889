"""Signed checkpoints leave the machine: what is elsewhere cannot be rebuilt together with the log.

A place that is away delays: checkpoints go out in order from the last one that it got.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from console.audit.canonical import instant
from console.audit.models import Checkpoint, Witness
from console.audit.streams import syslog
from console.audit.verifier import Checkpoint as Note
from console.audit.verifier import witnessed

logger = logging.getLogger(__name__)

SECONDS = 5.0
BATCH = 1000
PRIORITY = 13 * 8 + 6  # facility log audit, severity informational


def places() -> dict[str, Callable[[list[Checkpoint]], None]]:
    """Where checkpoints go, by name."""
    found: dict[str, Callable[[list[Checkpoint]], None]] = {}
    if settings.AUDIT_CHECKPOINT_FILE:
        found[f"file {settings.AUDIT_CHECKPOINT_FILE}"] = _to_file
    if settings.AUDIT_CHECKPOINT_SYSLOG:
        found[f"syslog {settings.AUDIT_CHECKPOINT_SYSLOG}"] = _to_syslog
    return found


def send_new() -> None:
    """Send every place what it has not got; what fails is kept with its reason and tried again."""
    for name, send in places().items():
        state, _made = Witness.objects.get_or_create(name=name)
        rows = list(Checkpoint.objects.filter(size__gt=state.size).order_by("size")[:BATCH])
        if not rows:
            continue
        try:
            send(rows)
        except (OSError, ValueError) as error:
            if state.error != str(error)[:500]:
                logger.warning("audit: checkpoints do not reach %s: %s", name, error)
            Witness.objects.filter(pk=name).update(error=str(error)[:500])
            continue
        Witness.objects.filter(pk=name, size__lt=rows[-1].size).update(
            size=rows[-1].size, time=timezone.now(), error=""
        )


def kept() -> list[Note]:
    """What the file holds, to compare the log with; nothing where none is set or there.

    Raises OSError when it cannot be read.
    """
    file = Path(settings.AUDIT_CHECKPOINT_FILE or "/nonexistent")
    return witnessed(file.read_text(encoding="utf-8", errors="replace")) if file.exists() else []


def _to_file(rows: list[Checkpoint]) -> None:
    with Path(settings.AUDIT_CHECKPOINT_FILE).open("a+b") as out:
        # A writer that was killed may have left half a checkpoint: it gets an end of its own.
        whole = out.tell() == 0 or _ending(out.fileno(), out.tell()) == b"\n\n"
        text = "".join(f"{row.note}\n" for row in rows)
        out.write((text if whole else f"\n\n{text}").encode())
        out.flush()
        os.fsync(out.fileno())


def _ending(descriptor: int, size: int) -> bytes:
    return os.pread(descriptor, 2, max(0, size - 2))


def _to_syslog(rows: list[Checkpoint]) -> None:
    address = urlsplit(settings.AUDIT_CHECKPOINT_SYSLOG)
    if address.scheme not in ("tcp", "tls") or not address.hostname or not address.port:
        raise ValueError(
            "FLOTILLA_AUDIT_CHECKPOINT_SYSLOG: write tcp://host:port or tls://host:port."
        )
    where = syslog.Server(address.hostname, address.port, address.scheme == "tls")
    data = b"".join(syslog.counted(_message(row)) for row in rows)
    syslog.deliver(where, [where.host], data, time.monotonic() + SECONDS)


def _message(row: Checkpoint) -> str:
    """One message (RFC 5424); the note as a JSON string."""
    host = socket.gethostname() or "-"
    head = f"<{PRIORITY}>1 {instant(row.time)} {host} flotilla {os.getpid()} audit-checkpoint -"
    return f"{head} {json.dumps(row.note)}"
