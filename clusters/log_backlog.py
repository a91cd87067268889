"""What several containers have printed so far, merged by time, within a time limit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clusters.kube import KubeError
from clusters.kube.logs import LogLine, LogQuery, LogStream, moment
from clusters.kube.streams import Doer
from clusters.log_sources import Source

SECONDS = 5.0
# Held at a time for one reader, over all of its containers.
MOST_BYTES = 4 * 1024 * 1024


@dataclass
class Place:
    """How far a container's log has been read: the newest timestamp, and how many lines of it."""

    time: str = ""
    count: int = 0

    def move(self, line: LogLine) -> None:
        """This line has been read."""
        if not line.time:
            return
        if line.time == self.time:
            self.count += 1
        elif moment(line.time) >= moment(self.time):
            self.time, self.count = line.time, 1


class Resume:
    """Passes over what was read before, in a log that is asked for again from a second on."""

    def __init__(self, place: Place) -> None:
        self._known, self._left = moment(place.time), place.count

    def fresh(self, line: LogLine) -> bool:
        """Whether the line comes after the place."""
        if not self._known or not line.time:
            return True
        now = moment(line.time)
        if now > self._known:
            self._known = 0  # everything from here on is new, whatever its clock says
            return True
        if now == self._known:
            self._left -= 1
            return self._left < 0
        return False


@dataclass
class Backlog:
    """Lines by source, each as it came; what went wrong, by source; cut: the oldest were left out.

    late: sources that had not answered in time.
    """

    lines: dict[Source, list[LogLine]] = field(default_factory=dict)
    errors: dict[Source, KubeError] = field(default_factory=dict)
    late: list[Source] = field(default_factory=list)
    cut: bool = False

    def merged(self) -> list[tuple[Source, LogLine]]:
        """All lines by time; those of one container keep their order."""
        keyed: list[tuple[int, int, Source, LogLine]] = []
        for number, (source, lines) in enumerate(self.lines.items()):
            last = 0
            for line in lines:
                last = max(last, moment(line.time))
                keyed.append((last, number, source, line))
        keyed.sort(key=lambda entry: entry[:2])
        return [(source, line) for _time, _number, source, line in keyed]


def gather(
    doer: Doer, namespace: str, asked: Sequence[tuple[Source, LogQuery]], seconds: float = SECONDS
) -> Backlog:
    """Ask for every source at the same time; what has not ended within `seconds` is left out."""
    backlog, lock = Backlog(), threading.Lock()
    budget = MOST_BYTES // max(1, len(asked))
    streams = {s: LogStream(doer, namespace, s.pod, query, seconds) for s, query in asked}

    def read(source: Source, stream: LogStream) -> None:
        try:
            lines, cut = newest(stream, budget)
        except KubeError as error:
            with lock:
                backlog.errors[source] = error
            return
        with lock:
            if not stream.stopped:
                backlog.lines[source] = lines
                backlog.cut |= cut

    threads = [
        threading.Thread(target=read, args=(source, stream), daemon=True)
        for source, stream in streams.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for stream in streams.values():
        stream.stop()
    with lock:
        # In the order in which they were asked, whoever came first.
        lines = {s: backlog.lines[s] for s in streams if s in backlog.lines}
        errors = {s: backlog.errors[s] for s in streams if s in backlog.errors}
        late = [source for source in streams if source not in lines and source not in errors]
        return Backlog(lines, errors, late, backlog.cut)


def newest(lines: Iterable[LogLine], budget: int) -> tuple[list[LogLine], bool]:
    """The last lines that fit into so many bytes, and whether older ones were left out."""
    kept: deque[LogLine] = deque()
    size, cut = 0, False
    for line in lines:
        kept.append(line)
        size += len(line.text) + 100
        while size > budget and len(kept) > 1:
            size -= len(kept.popleft().text) + 100
            cut = True
    return list(kept), cut
