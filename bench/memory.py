"""Resident memory of the whole console when nobody uses it."""

from __future__ import annotations

import http.client
import os
import subprocess
import time
from pathlib import Path

from bench.console import CHECKOUT, Console
from bench.report import Result

NAME = "memory"
TITLE = "Memory of all processes of the idle console"
MOST = 400 * 2**20
AIM = f"at most {MOST // 2**20} MiB resident"
IDLE_SECONDS = 8
PAGES = ("/", "/clusters/", "/hosts/", "/tasks/", "/audit/", "/api/v1/tasks/", "/sign-in/")


def measure(console: Console, rounds: int) -> Result:
    """Start it as `make run` does, visit some pages, let it rest, and add up."""
    cookie = console.cookie()
    environment = {**console.environment, "PORT": str(console.port), "HOST": "127.0.0.1"}
    environment["DJANGO_SETTINGS_MODULE"] = "console.settings"
    with (console.data / "run.log").open("ab") as log:
        process = subprocess.Popen(
            [str(CHECKOUT / ".venv/bin/python"), "-m", "console.setup.run"],
            cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not console.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it does not start:\n{console.said('run')[-2000:]}")
            time.sleep(0.2)
        time.sleep(IDLE_SECONDS)
        fresh = processes(process.pid)
        visited = [_visit(console.port, page, cookie) for page in PAGES]
        time.sleep(IDLE_SECONDS)
        used = processes(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)
    return _result(fresh, used, visited)


def _visit(port: int, page: str, cookie: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", page, headers={"Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return f"{page} {answer.status}"


def processes(pid: int) -> dict[str, tuple[int, int]]:
    """Bytes (RSS, PSS) of a process and everything below it, by what it runs."""
    found: dict[str, tuple[int, int]] = {}
    for below in _tree(pid):
        command = Path(f"/proc/{below}/cmdline").read_bytes().decode().split("\0")
        words = [Path(word).name for word in command]
        name = next((n for n in ("worker", "watcher", "daphne") if n in words), "")
        name = {"": "supervisor", "daphne": "web"}.get(name, name)
        if name in found:
            name = f"{name} {below}"
        found[name] = _memory(below)
    return found


def _tree(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children += [int(p) for p in (task / "children").read_text().split()]
    return [pid, *(below for child in children for below in _tree(child))]


def _memory(pid: int) -> tuple[int, int]:
    values: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0]) * 1024
    return values["Rss"], values["Pss"]


def _result(
    fresh: dict[str, tuple[int, int]], used: dict[str, tuple[int, int]], visited: list[str]
) -> Result:
    result = Result(NAME, TITLE, AIM)
    for name, (rss, pss) in used.items():
        before = fresh.get(name, (0, 0))
        just_started = f"when just started RSS {mib(before[0])}, PSS {mib(before[1])}"
        result.add(name, f"RSS {mib(rss)}, PSS {mib(pss)}; {just_started}")
    rss = sum(value[0] for value in used.values())
    pss = sum(value[1] for value in used.values())
    result.add("together, just started", f"RSS {mib(sum(v[0] for v in fresh.values()))}, "
               f"PSS {mib(sum(v[1] for v in fresh.values()))}")  # fmt: skip
    result.add("together, after some pages", f"RSS {mib(rss)}, PSS {mib(pss)}")
    result.figure = f"RSS {mib(rss)}, PSS {mib(pss)}"
    # RSS counts what processes share once for each: the stricter of the two.
    result.met = rss <= MOST
    result.notes = ["visited before: " + ", ".join(visited)]
    result.data = {"rss": rss, "pss": pss, "processes": used, "user": os.getuid()}
    return result


def mib(size: float) -> str:
    """As people read it."""
    return f"{size / 2**20:.0f} MiB"
