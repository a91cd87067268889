"""A snapshot as a file for a browser or a script: decrypted while it is sent, never as a whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from console.ui.downloads import attachment
from provisioning.models_snapshots import Snapshot
from provisioning.snapshots import mark_damaged
from provisioning.snapshots_container import Damaged
from provisioning.snapshots_store import opened

logger = logging.getLogger(__name__)


def chunks(snapshot: Snapshot) -> Iterator[bytes]:
    """The plain file. It breaks off where the file is damaged, which is noted on the row."""
    try:
        with opened(snapshot) as reader:
            yield from reader
    except Damaged as error:
        mark_damaged(snapshot, str(error))
        logger.warning("snapshot %s is damaged: %s", snapshot.pk, error)
        # The length was promised: breaking off is how the receiver learns that it is not whole.
        raise


async def _without_blocking(source: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, source, None)) is not None:
        yield chunk


def response(request: HttpRequest, snapshot: Snapshot) -> StreamingHttpResponse:
    """The answer to a download; the right to it was checked, and the audit event written."""
    source = chunks(snapshot)
    # Under ASGI Django would read an ordinary iterator to its end before it sends a byte.
    body = _without_blocking(source) if isinstance(request, ASGIRequest) else source
    return StreamingHttpResponse(
        body,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": attachment(snapshot.file_name),
            "Content-Length": str(snapshot.size),
            "Cache-Control": "no-store",
        },
    )
