"""How often tests kill: every fifth time in a run, so that CI stays short; each on demand.

FLOTILLA_TEST_KILLS=1 kills at every boundary of steps, and thirty times at random. Where a shorter
run begins is drawn from FLOTILLA_TEST_SEED, so that many runs go through all boundaries.
"""

from __future__ import annotations

import os
import random
import time

from tests.e2e.console import ENDED, Console

EVERY = int(os.environ.get("FLOTILLA_TEST_KILLS", "5"))
SEED = int(os.environ.get("FLOTILLA_TEST_SEED", str(random.SystemRandom().randrange(10**6))))
AT_RANDOM = 30 // EVERY


def killed_between_steps(
    console: Console, number: int, seconds: float = 900, *, may_fail: str = ""
) -> int:
    """Kill the worker when a step has ended on a host, until the task has succeeded.

    may_fail: the code of a failure that is right, too. Returns how often the worker was
    killed. A look that finds several steps ended counts as one boundary.
    """
    kills, seen = 0, set()
    boundary = random.Random(SEED + number).randrange(EVERY)
    deadline = time.monotonic() + seconds
    while (task := console.task(number))["status"] not in ENDED:
        assert time.monotonic() < deadline, console.tail(number)
        done = {
            (s["phase"], s["step"], s["host"])
            for s in task["steps"]
            if s["status"] in ("changed", "unchanged") and s["phase"] != "preflight"
        }
        if done - seen:
            seen = done
            boundary += 1
            if boundary % EVERY == 0:
                console.kill("worker")
                console.start_worker()
                kills += 1
        time.sleep(0.02)
    right = task["status"] == "succeeded" or (may_fail and task["failure"]["code"] == may_fail)
    assert right, (task["failure"], console.tail(number))
    no_line_lost(console, number)
    return kills


def no_line_lost(console: Console, number: int) -> None:
    seqs = [line["seq"] for line in console.lines(number)]
    assert seqs == list(range(1, len(seqs) + 1))
