"""The frame around scripts, run by a real shell on this machine."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from provisioning.remote import FENCED, KILL_SECONDS, Mark, framed, stop_script


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def script(body: str, mark: Mark, folder: Path) -> str:
    # KILL far away: a frame that waits for processes that are gone would never come to an end.
    text = framed(body, mark).replace(f'"$fl_mark" {KILL_SECONDS} ;;', '"$fl_mark" 600 ;;')
    return text.replace("fl_dir=/run/flotilla", f"fl_dir={folder}")


def start(body: str, mark: Mark, folder: Path) -> subprocess.Popen[str]:
    # As provisioning.ssh does it: the mark in the environment, the text on stdin.
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'IFS= read -r n; s=$(head -c "$n"; printf x); eval "${s%x}"'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "FLOTILLA_RUN": str(mark)},
    )
    text = script(body, mark, folder)
    assert process.stdin is not None
    process.stdin.write(f"{len(text.encode())}\n{text}")
    process.stdin.flush()
    return process


def run(body: str, mark: Mark, folder: Path) -> tuple[int, str]:
    process = start(body, mark, folder)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_the_body_runs_and_its_status_is_the_scripts(folder: Path) -> None:
    assert run("echo hello; exit 3", Mark(910001, 1, 1), folder) == (3, "hello\n")


def test_a_payload_after_the_script_reaches_the_body(folder: Path) -> None:
    process = start("head -c 5; head -c 3 | tr a-z A-Z", Mark(910002, 1, 1), folder)
    out, _ = process.communicate("abcdexyz", timeout=20)
    assert out == "abcdeXYZ"


def test_a_later_claim_shuts_the_earlier_one_out(folder: Path) -> None:
    assert run("echo two", Mark(910003, 2, 1), folder)[0] == 0
    assert run("echo one", Mark(910003, 1, 7), folder) == (FENCED, "")
    assert run("echo other task", Mark(910004, 1, 1), folder)[0] == 0


def test_a_takeover_ends_what_the_earlier_claim_left_running(folder: Path, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    body = f"(trap '' HUP; while :; do touch {alive}; sleep 0.1; done) & sleep 60"
    stale = start(body, Mark(910005, 1, 1), folder)
    while not alive.exists():
        time.sleep(0.02)
    assert run("echo mine", Mark(910005, 2, 1), folder) == (0, "mine\n")
    alive.unlink(missing_ok=True)
    time.sleep(0.4)
    assert not alive.exists()
    assert stale.wait(10) != 0


def test_cancel_reaches_the_process_and_its_children(folder: Path, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    body = f"while :; do touch {alive}; sleep 0.1; done"
    victim = start(body, Mark(910006, 4, 1), folder)
    while not alive.exists():
        time.sleep(0.02)
    done = subprocess.run(["/bin/sh", "-c", stop_script(910006, 4, 1)], check=False, timeout=30)
    assert done.returncode == 0
    assert victim.wait(10) != 0


def test_what_ignores_term_is_killed(folder: Path, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    body = f"trap '' TERM; touch {alive}; while :; do sleep 0.1; done"
    victim = start(body, Mark(910007, 4, 1), folder)
    while not alive.exists():
        time.sleep(0.02)
    done = subprocess.run(["/bin/sh", "-c", stop_script(910007, 4, 2)], check=False, timeout=30)
    assert done.returncode == 0
    assert victim.wait(10) != 0


def test_stopping_one_task_leaves_others_alone(folder: Path, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    other = start(f"touch {alive}; sleep 2; echo done", Mark(910008, 4, 1), folder)
    while not alive.exists():
        time.sleep(0.02)
    subprocess.run(["/bin/sh", "-c", stop_script(91000, 4, 1)], check=True, timeout=30)
    out, _ = other.communicate(timeout=20)
    assert out == "done\n"
