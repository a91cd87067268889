"""Puts made-up rows into the console of a browser test: `python -m tests.browser.scene WHAT …`.

people; task LINES STATUS (prints its id); write TASK LINES SECONDS (the log grows); end TASK.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402

from clusters.models import Cluster, ClusterStatus, Origin, Profile  # noqa: E402
from console.accounts.models import ApiToken, Role, User  # noqa: E402
from console.audit.record import record  # noqa: E402
from provisioning import logs  # noqa: E402
from provisioning.models import (  # noqa: E402
    Host,
    HostState,
    LogChunk,
    StepStatus,
    Task,
    TaskStatus,
    TaskStep,
)

PASSWORD = "correct horse battery staple"
STEPS = (
    ("preflight", "Preflight", "facts", "Read the facts"),
    ("runtime", "Container runtime", "containerd", "containerd"),
    ("certificates", "Certificates", "pki", "Certificates and keys"),
    ("verify", "Verify", "pod", "A real pod runs"),
)
TEXTS = (
    "\x1b[32mok\x1b[0m {n}: /etc/kubernetes/manifests changed",
    "<script>document.title = 'broken'</script> line {n}",
    "progress 10%\rprogress 100% of {n}",
    "Unpacking containerd 容器运行时 {n}",
)


def people() -> None:
    """Somebody of each role, and a little of everything that pages list."""
    for name, role in (("ada", Role.ADMIN), ("otto", Role.OPERATOR), ("nemo", Role.NONE)):
        user = User(username=name, role=role)
        user.set_password(PASSWORD)
        user.save()
        record("user.created", user, request=None, after=user)
    ApiToken.issue(User.objects.get(username="ada"), "pipeline")
    cluster = Cluster.objects.create(
        name="first",
        origin=Origin.PROVISIONED,
        profile=Profile.LIGHTWEIGHT,
        status=ClusterStatus.ACTIVE,
        version="v1.20.2",
    )
    for number in (1, 2):
        Host.objects.create(
            name=f"host{number}",
            address=f"10.77.0.{10 + number}",
            state=HostState.READY,
            cluster=cluster,
            cluster_index=number,
            cluster_role="control_plane" if number == 1 else "worker",
            is_lab=number == 1,
        )


def task(lines: int, status: str) -> int:
    """A task with a journal and so many lines; its id."""
    now = timezone.now()
    row = Task.objects.create(
        operation="create_lightweight",
        title=f"Create with {lines} lines",
        status=status,
        started=now - timedelta(seconds=60),
        ended=None if status == TaskStatus.RUNNING else now,
        created_by=User.objects.get(username="ada"),
        worker="here:1",
        attempt=1,
    )
    if status == TaskStatus.FAILED:
        row.failure = {
            "host": "host2",
            "step": "containerd",
            "expected": "400 MiB free in /usr/local",
            "found": "38 MiB free",
            "hint": "Free space, then retry.",
            "output": ["tar: <b>No space</b> left on device"],
        }
    row.save()
    position = 0
    for index, (phase, phase_title, step, title) in enumerate(STEPS):
        for host in ("",) if step == "pki" else ("host1", "host2"):
            state = (StepStatus.CHANGED, StepStatus.RUNNING, StepStatus.PENDING)[min(index, 2)]
            if status != TaskStatus.RUNNING:
                state = StepStatus.CHANGED
            if status == TaskStatus.FAILED and index:
                state = StepStatus.FAILED if index == 1 else StepStatus.PENDING
            TaskStep.objects.create(
                task=row,
                position=position,
                phase=phase,
                phase_title=phase_title,
                step=step,
                title=title,
                host_name=host,
                host=Host.objects.filter(name=host).first(),
                status=state,
                started=None if state == StepStatus.PENDING else now - timedelta(seconds=30),
                ended=None if state in (StepStatus.PENDING, StepStatus.RUNNING) else now,
                expected_seconds=12,
            )
            position += 1
    append(row.pk, lines)
    return row.pk


def append(task_id: int, count: int) -> None:
    """So many more lines, in chunks as the worker writes them."""
    row = Task.objects.get(pk=task_id)
    now = timezone.now()
    made = (
        logs.Line(
            seq,
            logs.wire_line(
                seq,
                now,
                f"host{seq % 2 + 1}",
                STEPS[seq % len(STEPS)][2],
                "stderr" if seq % 9 == 0 else "stdout",
                TEXTS[seq % len(TEXTS)].format(n=seq),
            ),
        )
        for seq in range(row.last_seq + 1, row.last_seq + count + 1)
    )
    for group in logs.chunked(made):
        body = ",".join(line.wire for line in group)
        LogChunk.objects.create(task=row, first=group[0].seq, last=group[-1].seq, body=body)
    Task.objects.filter(pk=task_id).update(last_seq=row.last_seq + count)


def write(task_id: int, lines: int, seconds: float) -> None:
    """Let the log grow by so many lines, spread over so many seconds."""
    rounds = max(1, int(seconds / 0.1))
    for _round in range(rounds):
        append(task_id, lines // rounds)
        time.sleep(0.1)


def end(task_id: int) -> None:
    """The task succeeds."""
    Task.objects.filter(pk=task_id).update(status=TaskStatus.SUCCEEDED, ended=timezone.now())


def main(words: list[str]) -> None:
    """Do what the command line says."""
    what, *rest = words
    if what == "people":
        people()
    elif what == "task":
        sys.stdout.write(str(task(int(rest[0]), rest[1])))
    elif what == "write":
        write(int(rest[0]), int(rest[1]), float(rest[2]))
    elif what == "end":
        end(int(rest[0]))
    else:
        raise SystemExit(f"{what!r} is no scene")


if __name__ == "__main__":
    main(sys.argv[1:])
