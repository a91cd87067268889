"""A whole watcher in this process, with everything short."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

from clusters.inventory.timing import Timing
from clusters.inventory.watcher import Watcher

FAST = Timing(
    pulse=0.1, answer=0.5, lease=2, watch=3, first_pause=0.05, longest_pause=0.3, version_every=5
)


@contextmanager
def watching(timing: Timing = FAST):
    watcher = Watcher(timing, round_seconds=0.1)
    thread = threading.Thread(target=watcher.run, daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        watcher.stop()
        thread.join(10)
        assert not thread.is_alive()


def until(what, seconds: float = 8.0):
    """Wait for a condition; its last value is what the test sees when it never comes."""
    ends = time.monotonic() + seconds
    while not (value := what()) and time.monotonic() < ends:
        time.sleep(0.03)
    assert value
    return value
