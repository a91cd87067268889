"""One signed POST for each batch; any answer from 200 to 299 confirms all of it."""

from __future__ import annotations

import json
import time

from console.audit.models import Stream, Tree
from console.audit.streams.batches import Batch
from console.audit.streams.outlet import Refused, Wanted
from console.notices import webhook

VERSION = 1
RESUME = 409


def send(stream: Stream, batch: Batch, seconds: float) -> None:
    """Send it. Raises Refused; Wanted when the receiver names another position."""
    content = body(stream, batch)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Flotilla",
        "Flotilla-Signature": webhook.signature(stream.secret, content, int(time.time())),
    }
    try:
        got = webhook.post(stream.address, content, headers, seconds, ca=stream.ca)
    except webhook.Undelivered as error:
        raise Refused(str(error)) from None
    if 200 <= got.status < 300:
        return
    wanted = _wanted(got.text) if got.status == RESUME else None
    # It may go back, and pass over what it was offered now; never over what it has not seen.
    if wanted is not None and 0 <= wanted <= batch.position and wanted != batch.first:
        raise Wanted(wanted)
    raise Refused(webhook.refusal(got))


def body(stream: Stream, batch: Batch) -> bytes:
    """The content of the POST, as docs/audit.md describes it."""
    tree = Tree.objects.first()
    head = {
        "version": VERSION,
        "log": tree.name if tree else "",
        "stream": stream.name,
        "first": batch.first,
        "next": batch.position,
    }
    lines = ",".join(item.line for item in batch.items)
    return f'{json.dumps(head)[:-1]}, "items": [{lines}]}}'.encode()


def _wanted(text: str) -> int | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    wanted = found.get("next") if isinstance(found, dict) else None
    return wanted if isinstance(wanted, int) and not isinstance(wanted, bool) else None
