"""Logs as a stream of text: the download of pages and the answer of the REST API."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Sequence

from clusters.kube import KubeError
from clusters.kube.logs import LogQuery, LogStream
from clusters.kube.streams import Doer
from clusters.log_sources import Source
from clusters.slots import Place
from console.live.handover import Handover

# One container's part of a download ends here.
MOST_BYTES = 256 * 1024 * 1024
SECONDS = 120.0
WAITING_BYTES = 256 * 1024


async def text_of(
    doer: Doer, namespace: str, asked: Sequence[tuple[Source, LogQuery]], place: Place
) -> AsyncIterator[bytes]:
    """The lines of one source after the other; several sources name themselves on each line.

    Read on a thread of its own, and never further ahead than the browser takes. place: given
    back at the end.
    """
    handover: Handover[bytes] = Handover(WAITING_BYTES)
    stop = threading.Event()
    open_now: list[LogStream] = []

    def read() -> None:
        for source, query in asked:
            if stop.is_set():
                break
            stream = LogStream(doer, namespace, source.pod, query, SECONDS)
            open_now[:] = [stream]
            try:
                for part in _parts(stream, source, many=len(asked) > 1):
                    if not handover.put(part, len(part)):
                        return
            except KubeError as error:
                handover.put(f"# {source.name}: {error}\n".encode())
        handover.put(b"")

    threading.Thread(target=read, name="log download", daemon=True).start()
    try:
        while True:
            for part in await handover.take():
                if not part:
                    return
                yield part
    finally:
        stop.set()
        handover.close()
        for stream in open_now:
            stream.stop()
        place.give()


def _parts(stream: LogStream, source: Source, *, many: bool) -> Iterator[bytes]:
    size = 0
    for line in stream:
        stamp = f"{line.time} " if line.time else ""
        head = f"{source.name} " if many else ""
        part = f"{head}{stamp}{line.text}\n".encode()
        size += len(part)
        if size > MOST_BYTES:
            yield f"# {source.name}: cut after {MOST_BYTES} bytes\n".encode()
            return
        yield part
