"""Who has a VIP, by the kernel's own events in each host: nothing falls between two samples."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab import Lab

EVENT = re.compile(r"^\[(?P<time>[0-9T:.-]+)\] (?P<gone>Deleted )?.* inet (?P<address>[0-9.]+)/")


@dataclass(frozen=True)
class Event:
    """A host got the VIP or lost it; time in seconds (the machine's clock, in microseconds)."""

    time: float
    name: str
    has: bool


class HolderWatch:
    """Listens in the network namespaces of hosts (`ip monitor`) from enter to exit.

    The hosts share the machine's kernel and clock, so that their events are in one order. A host
    that loses its power meanwhile is not followed any further.
    """

    def __init__(self, lab: Lab, vip: str, names: Sequence[str]) -> None:
        self._lab, self._vip, self._names = lab, vip, names
        self._monitors: list[subprocess.Popen[bytes]] = []
        self._folder = tempfile.TemporaryDirectory()
        self.begin: frozenset[str] = frozenset()
        self.events: list[Event] = []

    def __enter__(self) -> HolderWatch:
        for name in self._names:
            with self._log(name).open("wb") as log:
                command = ("ip", "-netns", self._lab.host(name).netns.name, "-ts", "-oneline")
                self._monitors.append(
                    subprocess.Popen([*command, "monitor", "address"], stdout=log)
                )
        time.sleep(0.5)
        self.begin = frozenset(
            n for n in self._names if f" {self._vip}/" in self._lab.host(n).run("ip -o -4 addr")
        )
        return self

    def __exit__(self, *_error: object) -> None:
        time.sleep(0.3)
        for monitor in self._monitors:
            assert monitor.poll() is None, "ip monitor has ended by itself"
            monitor.terminate()
            monitor.wait(10)
        for name in self._names:
            for line in self._log(name).read_text().splitlines():
                found = EVENT.match(line)
                if found and found["address"] == self._vip:
                    at = datetime.fromisoformat(found["time"]).timestamp()
                    self.events.append(Event(at, name, not found["gone"]))
        self.events.sort(key=lambda event: event.time)
        self._folder.cleanup()

    def _log(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def stretches(self, count: int) -> list[float]:
        """How long, each time, exactly so many hosts had the VIP at once; whole ones only."""
        have, since = set(self.begin), 0.0
        found: list[float] = []
        for event in self.events:
            before = len(have)
            (have.add if event.has else have.discard)(event.name)
            if len(have) == before:
                continue
            if before == count and since:
                found.append(event.time - since)
            since = event.time
        return found
