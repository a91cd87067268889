"""The numbered log of a task: written in batches, read by number.

Lines are numbered from 1 without holes. A chunk row keeps its lines as they go
over the wire, so that serving them costs a join of texts and nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from provisioning.lease import Lease, LeaseLost
from provisioning.models import LogChunk, Task
from provisioning.steps.masking import MASK

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.1
CHUNK_LINES = 500
CHUNK_BYTES = 128 * 1024
# The web server drops a message of more than 1 MiB without a word to the consumer; a character
# has up to four bytes.
FRAME_CHARACTERS = 240 * 1024
WAITING_LINES = 20_000  # a writer that is this far ahead of the database waits
SHORTEST_SECRET = 6  # shorter ones would blot out ordinary words


class Mask:
    """Replaces every known secret in a text, also where it was cut or encoded by lines.

    A task has hundreds of them (each line of each key), and thousands of lines: they are found
    by how they begin, which costs the same for one and for all.
    """

    def __init__(self) -> None:
        self._by_beginning: dict[str, tuple[str, ...]] = {}

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these texts from now on; of a text with several lines each long line."""
        parts = {
            line.strip()
            for secret in secrets
            for line in secret.splitlines()
            if len(line.strip()) >= SHORTEST_SECRET and not line.startswith("-----")
        }
        for part in parts:
            known = self._by_beginning.get(part[:SHORTEST_SECRET], ())
            if part not in known:
                longest_first = sorted((*known, part), key=len, reverse=True)
                self._by_beginning[part[:SHORTEST_SECRET]] = tuple(longest_first)

    def __call__(self, text: str) -> str:
        """The text with dots for each secret in it."""
        found, begin, at = [], 0, 0
        while at + SHORTEST_SECRET <= len(text):
            known = self._by_beginning.get(text[at : at + SHORTEST_SECRET], ())
            secret = next((s for s in known if text.startswith(s, at)), "")
            if secret:
                found += [text[begin:at], MASK]
                at = begin = at + len(secret)
            else:
                at += 1
        return "".join([*found, text[begin:]])


@dataclass(frozen=True)
class Line:
    """One line as it goes over the wire, and its number."""

    seq: int
    wire: str


def wire_line(seq: int, time: datetime, host: str, step: str, stream: str, text: str) -> str:
    """A line as JSON text: {"seq","time","host","step","stream","text"}."""
    # A lone surrogate has no UTF-8 form; it can only come from our own text.
    clean = text.encode("utf-8", "replace").decode()
    return orjson.dumps(
        {
            "seq": seq,
            "time": time.isoformat(timespec="milliseconds"),
            "host": host,
            "step": step,
            "stream": stream,
            "text": clean,
        }
    ).decode()


class LogWriter:
    """Numbers lines from any thread and writes them in batches under the task's lease.

    After LeaseLost nothing is written any more and write() raises it.
    """

    def __init__(self, lease: Lease, last_seq: int, mask: Mask | None = None) -> None:
        self.mask = mask or Mask()
        self._lease = lease
        self._seq = last_seq
        self._waiting: list[Line] = []
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, text: str, host: str = "", step: str = "", stream: str = "stdout") -> None:
        """Add one line. Waits while the database is far behind. Raises LeaseLost."""
        text = self.mask(text)
        with self._changed:
            while len(self._waiting) >= WAITING_LINES and not self._lease.lost.is_set():
                self._changed.wait(1)
            if self._lease.lost.is_set():
                raise LeaseLost
            self._seq += 1
            wire = wire_line(self._seq, timezone.now(), host, step, stream, text)
            self._waiting.append(Line(self._seq, wire))
            if len(self._waiting) == CHUNK_LINES:
                self._changed.notify_all()

    def flush(self) -> None:
        """Return once everything written so far is in the database. Raises LeaseLost."""
        with self._changed:
            self._changed.notify_all()
            while self._waiting and self._thread.is_alive():
                if self._lease.lost.is_set():
                    raise LeaseLost
                self._changed.wait(0.05)

    def close(self) -> None:
        """Write what is left and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    if not self._closing:
                        self._changed.wait(FLUSH_SECONDS)
                    batch = self._waiting[: 8 * CHUNK_LINES]
                    if self._closing and not batch:
                        return
                if batch and not self._save(batch):
                    return
        finally:
            connection.close()

    def _save(self, batch: list[Line]) -> bool:
        try:
            with self._lease.write():
                LogChunk.objects.bulk_create(
                    LogChunk(
                        task_id=self._lease.task_id,
                        first=lines[0].seq,
                        last=lines[-1].seq,
                        body=",".join(line.wire for line in lines),
                    )
                    for lines in chunked(batch)
                )
                self._lease.rows().update(last_seq=batch[-1].seq)
        except LeaseLost:
            return False
        except Exception as error:
            # The database is locked or away: the lines wait, the next round tries again.
            logger.warning("task %s: log not written yet: %s", self._lease.task_id, error)
            connection.close()
            return not self._closing or not self._lease.lost.wait(1)
        with self._changed:
            del self._waiting[: len(batch)]
            self._changed.notify_all()
        return True


def chunked(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines in groups that fit into one chunk row."""
    group: list[Line] = []
    size = 0
    for line in lines:
        if group and (len(group) >= CHUNK_LINES or size + len(line.wire) > CHUNK_BYTES):
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line.wire)
    if group:
        yield group


def append(task: Task, texts: Iterable[str], step: str = "") -> None:
    """Lines written outside a run (queued, canceled before it began)."""
    with transaction.atomic():
        texts = list(texts)
        Task.objects.filter(pk=task.pk).update(last_seq=F("last_seq") + len(texts))
        last = Task.objects.values_list("last_seq", flat=True).get(pk=task.pk)
        now = timezone.now()
        lines = [
            Line(seq, wire_line(seq, now, "", step, "console", text))
            for seq, text in enumerate(texts, last - len(texts) + 1)
        ]
        LogChunk.objects.bulk_create(
            LogChunk(
                task=task,
                first=group[0].seq,
                last=group[-1].seq,
                body=",".join(line.wire for line in group),
            )
            for group in chunked(lines)
        )


def bodies_after(
    task_id: int, after: int, most_characters: int = FRAME_CHARACTERS
) -> tuple[list[str], int]:
    """Wire texts of the lines after a number, and the number of the last one.

    Whole chunks are passed on as they are; only a chunk that begins at or before
    `after` is taken apart. Together they are at most most_characters long, but
    always at least one chunk.
    """
    bodies: list[str] = []
    size, last = 0, after
    # By "last", which chunks have in the same order: the index gives it, so nothing is sorted.
    rows = LogChunk.objects.filter(task_id=task_id, last__gt=after).order_by("last")
    for first, end, body in rows.values_list("first", "last", "body").iterator(chunk_size=4):
        text = body if first > after else _from_line(body, after - first + 1)
        size += len(text) + 1
        if bodies and size > most_characters:
            break
        bodies.append(text)
        last = end
    return bodies, last


def _from_line(body: str, index: int) -> str:
    return ",".join(orjson.dumps(line).decode() for line in parse(body)[index:])


def parse(body: str) -> list[dict[str, Any]]:
    """A chunk's lines as objects."""
    lines: list[dict[str, Any]] = orjson.loads(f"[{body}]")
    return lines


def read(
    task_id: int,
    *,
    after: int = 0,
    before: int = 0,
    limit: int = 1000,
    host: str = "",
    step: str = "",
    text: str = "",
    max_bytes: int = 0,
) -> list[dict[str, Any]]:
    """Up to `limit` lines in order: after a number, or the last ones before a number.

    host, step and text (case-insensitive) filter; the numbers stay what they are.
    max_bytes: about how much text there may be, at least one line (0: no bound).
    """
    rows = LogChunk.objects.filter(task_id=task_id)
    backwards = before > 0
    if backwards:
        rows = rows.filter(first__lt=before).order_by("-first")
    else:
        rows = rows.filter(last__gt=after).order_by("last")
    needle = text.casefold()
    found: list[dict[str, Any]] = []
    for body in rows.values_list("body", flat=True).iterator(chunk_size=8):
        lines = [
            line
            for line in parse(body)
            if (line["seq"] < before if backwards else line["seq"] > after)
            and (not host or line["host"] == host)
            and (not step or line["step"] == step)
            and (not needle or needle in line["text"].casefold())
        ]
        found = lines + found if backwards else found + lines
        if len(found) >= limit:
            break
    found = found[-limit:] if backwards else found[:limit]
    return _within(found, max_bytes, backwards) if max_bytes else found


def _within(lines: list[dict[str, Any]], most: int, backwards: bool) -> list[dict[str, Any]]:
    size = count = 0
    for line in reversed(lines) if backwards else lines:
        size += len(line["text"].encode()) + 100  # what is around the text, on the wire
        if count and size > most:
            break
        count += 1
    return lines[-count:] if backwards else lines[:count]
