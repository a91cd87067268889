"""`make demo`: the console, the lab's hosts as tasks of it, and a first cluster.

The console is started first, in seconds; what takes minutes runs in it as tasks with live logs.
Only the worker of the queue `lab` is root, and only where this is.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from console.setup import identity
from console.setup.run import (
    CHECKOUT,
    PYTHON,
    Start,
    StartError,
    console_programs,
    make_ready,
    only_one,
    prepare,
    serve,
)
from console.setup.supervisor import Program
from lab import requirements
from lab.images import BUSYBOX_REF

LOGS = "log"
# What `make` built as root in a checkout that belongs to the person who called sudo.
BUILT = (".venv", "node_modules", "static/vendor", "staticfiles", "locale")


def lab_words(lacks: list[requirements.Missing], launched: list[str]) -> list[str]:
    """What to say about local hosts: what comes, or what they would need."""
    if not lacks and not launched:
        return ["", "  The local hosts are up."]
    if not lacks:
        return [
            "",
            "  On their way, to be watched under Tasks:",
            *(f"    - {title}" for title in launched),
            "  The very first time that takes some ten minutes, later seconds. Meanwhile you can",
            "  look around, add hosts of your own, and change your password.",
        ]
    lines = ["", "  The console runs without local hosts. For them this machine would need:"]
    lines += [f"    - {lack.what}, because {lack.why}: {lack.how}" for lack in lacks]
    return [*lines, "  Your own hosts can be added under Hosts."]


def lacking() -> list[requirements.Missing]:
    """What this machine lacks for a lab and the demo's first task cannot install."""
    lacks = requirements.missing()
    if any(lack.what == "root" for lack in lacks):
        return lacks
    return [lack for lack in lacks if not lack.package]


def give_back(start: Start) -> None:
    """Hand what was built under sudo to the checkout's owner."""
    owner = CHECKOUT.stat().st_uid
    if start.identity is None or start.identity.uid != owner:
        return
    for name in BUILT:
        folder = CHECKOUT / name
        if folder.exists() and folder.stat().st_uid != owner:
            identity.give(folder, start.identity)


def launch_tasks(start: Start) -> tuple[list[str], str]:
    """Launch the first tasks, as root: their titles, and what went wrong or nothing."""
    done = subprocess.run(
        [PYTHON, "manage.py", "demo_tasks"],
        cwd=CHECKOUT,
        env=start.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    identity.give(start.data, start.identity)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return [], last
    return [line.partition(" ")[2] for line in done.stdout.splitlines()], ""


def main() -> int:
    """Run the demo until Ctrl-C; 1 when it cannot start."""
    try:
        start = prepare()
        # The lab's hosts reach no registry: this image comes with their release.
        start.environment.setdefault("FLOTILLA_PROBE_IMAGE", BUSYBOX_REF)
        start.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with only_one(start.data):
            _run(start)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(start: Start) -> None:
    give_back(start)
    logs = start.data / LOGS
    logs.mkdir(mode=0o700, exist_ok=True)
    make_ready(start)
    lacks = lacking()
    programs = console_programs(start, logs)
    # The web process starts meanwhile.
    launching = ThreadPoolExecutor(1).submit(launch_tasks, start) if not lacks else None
    if not lacks:
        command = f"{PYTHON} manage.py worker --queue lab"
        programs.append(Program("lab", command, None, logs / "lab.log"))

    def words() -> list[str]:
        launched, problem = launching.result() if launching else ([], "")
        lines = lab_words(lacks, launched)
        if problem:
            lines = ["", f"  The demo's tasks cannot be launched: {problem}"]
        lines += ["", f"  Ctrl-C ends the console; what its processes say is in {logs}."]
        if not lacks:
            lines.append("  The hosts stay up until `make clean-lab`; the data stays too.")
        return lines

    serve(start, programs, words)
    print("The console has ended.")


if __name__ == "__main__":
    sys.exit(main())
