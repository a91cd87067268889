"""How often tests kill: every third time in a run, so that CI stays short; each on demand.

FLOTILLA_TEST_KILLS=1 kills at every boundary of steps, and thirty times at random. Where a shorter
run begins is drawn from FLOTILLA_TEST_SEED, so that many runs go through all boundaries.
"""

from __future__ import annotations

import os
import random

EVERY = int(os.environ.get("FLOTILLA_TEST_KILLS", "3"))
SEED = int(os.environ.get("FLOTILLA_TEST_SEED", str(random.SystemRandom().randrange(10**6))))
AT_RANDOM = 30 // EVERY


class Boundaries:
    """Counts the boundaries of one task; due() says whether to kill at this one."""

    def __init__(self, task: int) -> None:
        self._count = random.Random(SEED + task).randrange(EVERY)

    def due(self) -> bool:
        self._count += 1
        return self._count % EVERY == 0
