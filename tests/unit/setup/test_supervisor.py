"""Processes come back when they die, and go when the supervisor goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from console.setup.supervisor import (
    KEEP_LOG_BYTES,
    ProcfileError,
    Program,
    Supervisor,
    open_log,
    read_procfile,
)

CHECKOUT = Path(__file__).resolve().parents[3]


def eventually(true: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def watch(supervisor: Supervisor, script: Callable[[], None]) -> None:
    """Run the supervisor here (signals need the main thread) and the script beside it."""
    errors: list[BaseException] = []

    def act() -> None:
        try:
            script()
        except BaseException as error:
            errors.append(error)
        finally:
            supervisor.stop()

    thread = threading.Thread(target=act)
    thread.start()
    supervisor.run()
    thread.join()
    if errors:
        raise errors[0]


def test_a_killed_process_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    said: list[str] = []
    programs = [Program("worker", "sleep 100"), Program("web", "sleep 100")]
    supervisor = Supervisor(programs, tmp_path, os.environ, said.append)

    def script() -> None:
        eventually(lambda: len(supervisor.pids()) == 2)
        before = supervisor.pids()
        os.kill(before["worker"], signal.SIGKILL)
        eventually(lambda: supervisor.pids().get("worker", before["worker"]) != before["worker"])
        assert supervisor.pids()["web"] == before["web"]

    watch(supervisor, script)
    assert any("worker ended (signal 9) and starts again" in line for line in said)


def test_a_process_that_keeps_dying_is_started_less_and_less_often(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    supervisor = Supervisor(
        [Program("bad", f"sh -c 'echo >> {runs}; exit 3'")], tmp_path, os.environ, lambda _: None
    )
    watch(supervisor, lambda: time.sleep(4))
    # At 0, 0.5, 1.5 and 3.5 seconds, not thousands of times.
    assert 2 <= len(runs.read_text().splitlines()) <= 4


def test_what_a_killed_process_started_does_not_live_on_beside_its_successor(
    tmp_path: Path,
) -> None:
    pid_file = tmp_path / "grandchild"
    command = f"sh -c 'sleep 100 & echo $! > {pid_file}; wait'"
    supervisor = Supervisor([Program("worker", command)], tmp_path, os.environ, lambda _: None)

    def script() -> None:
        eventually(lambda: pid_file.exists() and pid_file.read_text().strip())
        grandchild = int(pid_file.read_text())
        os.kill(supervisor.pids()["worker"], signal.SIGKILL)
        eventually(lambda: not alive(grandchild))

    watch(supervisor, script)


def test_the_end_takes_every_process_along_even_one_that_ignores_term(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.setup.supervisor.STOP_PATIENCE", 1.0)
    stubborn = "sh -c 'trap \"\" TERM; touch up; while :; do sleep 0.1; done'"
    supervisor = Supervisor([Program("stubborn", stubborn)], tmp_path, os.environ, lambda _: None)
    pids: list[int] = []

    def script() -> None:
        eventually(lambda: (tmp_path / "up").exists())
        pids.extend(supervisor.pids().values())

    watch(supervisor, script)
    assert pids and not any(alive(pid) for pid in pids)


def test_processes_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from console.setup.supervisor import *\n"
        f"s = Supervisor([Program('web', 'sleep 100')], Path({str(tmp_path)!r}), os.environ)\n"
        "s.run(lambda: print(*s.pids().values(), flush=True) or True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        assert alive(child)
        supervisor.kill()
    eventually(lambda: not alive(child))


def test_a_log_is_appended_to_and_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("earlier\n")
    os.write(open_log(log), b"later\n")
    assert log.read_text() == "earlier\nlater\n"
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "worker.log").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        open_log(tmp_path / "worker.log")
    assert victim.read_text() == "precious"


def test_a_log_that_grew_too_long_is_put_aside_once(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_bytes(b"x" * (KEEP_LOG_BYTES + 1))
    os.close(open_log(log))
    assert log.stat().st_size == 0
    assert (tmp_path / "web.log.1").stat().st_size == KEEP_LOG_BYTES + 1


def test_the_procfile_names_the_three_processes() -> None:
    assert list(read_procfile(CHECKOUT / "Procfile")) == ["web", "worker", "watcher"]


@pytest.mark.parametrize("line", ["no colon", ": nothing", "web:", "two words: x"])
def test_a_damaged_procfile_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "Procfile").write_text(f"# fine\n{line}\n")
    with pytest.raises(ProcfileError, match="Procfile:2"):
        read_procfile(tmp_path / "Procfile")
