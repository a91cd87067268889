"""The live log: 20 viewers of one task, and what a delivered line costs the web process."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.console import Console, cpu_seconds, wait_for
from bench.others import environment
from bench.report import Result

NAME = "live-log"
LINES, VIEWERS, RECONNECTING = 200_000, 20, 4
BASELINE_LINES = 10_000  # one message each takes long, and the cost is for each line anyway
TIMES = 20
TITLE = f"Live log: {LINES:,} lines, {VIEWERS} viewers, {RECONNECTING} of them reconnecting"
AIM = f"no line lost, doubled or out of order; processor time at most 1/{TIMES} of line by line"


@dataclass
class Watched:
    """What the viewers of one task got, and what that cost."""

    lines: int
    viewers: list[dict[str, int]]
    cpu: float
    wall: float
    worker_cpu: float
    peak: int

    @property
    def delivered(self) -> int:
        """Lines that arrived, over all viewers."""
        return sum(viewer["lines"] for viewer in self.viewers)

    @property
    def wrong(self) -> int:
        """Lines that were lost or came again or out of order, over all viewers."""
        missing = sum(abs(self.lines - viewer["last"]) for viewer in self.viewers)
        return missing + sum(viewer["lost"] + viewer["doubled"] for viewer in self.viewers)

    @property
    def microseconds(self) -> float:
        """Processor time of the web process for each delivered line."""
        return self.cpu / self.delivered * 1e6


def measure(console: Console, rounds: int) -> Result:
    """Ours and the baseline alternately, each with a worker that is writing meanwhile."""
    python = environment() / "python"
    ours: list[Watched] = []
    theirs: list[Watched] = []
    for _round in range(min(rounds, 3)):
        ours.append(_watch(console, python, "console.asgi:application", "tasks/{}/log", LINES))
        theirs.append(
            _watch(console, python, "bench.line_by_line:application", "bench/{}", BASELINE_LINES)
        )
    return _result(ours, theirs)


def _watch(console: Console, python: Path, application: str, path: str, lines: int) -> Watched:
    from provisioning import operations

    web, worker = console.web(application), console.worker()
    cookie = console.cookie()
    before, worker_before = cpu_seconds(web.pid), cpu_seconds(worker.pid)
    begin = time.perf_counter()
    task = operations.launch("bench_lines", title="Lines", user=None, parameters={"lines": lines})
    url = f"ws://127.0.0.1:{console.port}/ws/{path.format(task.pk)}/"
    script = str(Path(__file__).with_name("viewers.py"))
    arguments = [url, cookie, str(VIEWERS), str(RECONNECTING), str(lines)]
    done = subprocess.run(
        [str(python), script, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"the viewers failed:\n{done.stderr[-2000:]}\n{console.said('web')[-2000:]}"
        )
    wall = time.perf_counter() - begin
    wait_for(task)
    watched = Watched(
        task.last_seq,
        json.loads(done.stdout),
        cpu_seconds(web.pid) - before,
        wall,
        cpu_seconds(worker.pid) - worker_before,
        _peak_memory(web.pid),
    )
    console.stop(web)
    console.stop(worker)
    task.delete()
    return watched


def _peak_memory(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _result(ours: list[Watched], theirs: list[Watched]) -> Result:
    result = Result(NAME, TITLE, AIM)
    cost = sorted(w.microseconds for w in ours)[len(ours) // 2]
    other = sorted(w.microseconds for w in theirs)[len(theirs) // 2]
    wrong = sum(w.wrong for w in ours)
    reconnects = sum(viewer["reconnects"] for w in ours for viewer in w.viewers)
    result.add("web process, each delivered line", f"{cost:.2f} µs")
    result.add("line by line, each delivered line", f"{other:.2f} µs")
    result.add("lines delivered", f"{sum(w.delivered for w in ours):,} in {len(ours)} rounds")
    result.add("lost, doubled or out of order", str(wrong))
    result.add("reconnects", str(reconnects))
    one = ours[-1]
    frames = sum(viewer["frames"] for viewer in one.viewers)
    result.add("last round", f"{one.wall:.1f} s for all, {frames:,} frames, web {one.cpu:.2f} s of "
               f"processor, worker {one.worker_cpu:.2f} s")  # fmt: skip
    result.add("peak memory of the web process", f"{one.peak / 2**20:.0f} MiB")
    result.figure = f"{wrong} wrong, 1/{other / cost:.0f} of line by line"
    result.met = wrong == 0 and other / cost >= TIMES
    result.notes = [
        f"line by line: the same daphne, viewers and reconnects with {BASELINE_LINES:,} lines; its "
        "consumer reads batches from the same table and sends one JSON message for each line",
    ]
    data: dict[str, Any] = {"ratio": other / cost, "wrong": wrong, "microseconds": [cost, other]}
    result.data = data
    return result
