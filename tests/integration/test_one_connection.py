"""One SSH connection for each host and task, at most one channel for each step and host.

Counted by the hosts' own sshd, while a whole task runs against it.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from clusters.models import Cluster
from lab import Host as Machine
from lab import Lab, requirements
from provisioning import operations
from provisioning.engine import run_task
from provisioning.journal import PlannedStep
from provisioning.lease import Lease, claim, worker_name
from provisioning.models import Host, StepStatus, Task, TaskStatus, TaskStep
from provisioning.operations import Operation
from provisioning.recipe_rows import planned_steps
from provisioning.recipe_run import RecipeRun
from provisioning.run import TaskRun
from provisioning.spec import ClusterSpec, HostSpec, ReleaseSpec
from provisioning.steps.base import Context, Phase, Placed, Recipe, Step
from provisioning.steps.resources import Directory, File, Resource
from tests.factories import ClusterFactory, HostFactory, SSHCredentialFactory

LACKS = requirements.missing()
WHY_NOT = "the lab cannot run here: " + "; ".join(f"{m.what} ({m.how})" for m in LACKS)
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(LACKS), reason=WHY_NOT),
    pytest.mark.timeout(600),  # the base tree may have to be built first
    pytest.mark.django_db(transaction=True),
]

NAME, SUBNET = "test-connections", "10.84.0.0/24"
SIGNED_IN, CHANNEL = "Accepted publickey for", "Starting session: command"
FOLDER, FILES = "/etc/one-connection", 6


class SmallFile(Step):
    """One small file."""

    def __init__(self, number: int) -> None:
        self.id, self.title = f"file-{number}", f"File {number}"
        self.number = number

    def resources(self, ctx: Context) -> Sequence[Resource]:
        return [Directory(FOLDER), File(f"{FOLDER}/f{self.number}", f"{self.number}\n")]


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """Two phases, one of them rolling, so that connections have to outlive a phase."""
    steps = [Placed(SmallFile(n), spec.hosts) for n in range(FILES)]
    return (
        Phase("first", "First", tuple(steps[:3])),
        Phase("second", "Second", tuple(steps[3:]), rolling=True),
    )


RECIPE = Recipe("one_connection", "One connection", phases)


def spec_of(task: Task) -> ClusterSpec:
    hosts = tuple(
        HostSpec(h.pk, h.name, h.address, i) for i, h in enumerate(Host.objects.order_by("pk"))
    )
    assert task.cluster is not None
    release = ReleaseSpec("v1.20.2", "amd64", (), "", "")
    return ClusterSpec(task.cluster.pk, "one", "lightweight", release, hosts[:1], hosts[1:])


def run_recipe(run: TaskRun) -> None:
    RecipeRun(run, RECIPE, spec_of(run.task)).execute()


def rows(task: Task) -> list[PlannedStep]:
    return planned_steps(RECIPE, spec_of(task))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    Lab(NAME, SUBNET, 2).down()
    lab = Lab(NAME, SUBNET, 2)
    lab.up()
    for machine in lab.hosts:
        (machine.root / "etc/ssh/sshd_config.d/count.conf").write_text("LogLevel VERBOSE\n")
        ask(lab, machine, "systemctl reload ssh")
    yield lab
    lab.down()


@pytest.fixture
def cluster(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster of the lab's hosts, and the operation that writes small files on them."""
    kind = Operation("one_connection", "One connection", run_recipe, rows)
    monkeypatch.setitem(operations.OPERATIONS, kind.id, kind)
    credential = SSHCredentialFactory(private_key=lab.key_path.read_text())
    for machine in lab.hosts:
        HostFactory(
            name=machine.name,
            address=machine.address,
            credential=credential,
            host_key=machine.ssh_host_key,
        )
    return ClusterFactory()


def ask(lab: Lab, machine: Machine, command: str) -> str:
    """Run a command on a host with OpenSSH, beside the console."""
    known = lab.folder / "known_hosts"
    known.write_text("".join(f"{h.address} {h.ssh_host_key}\n" for h in lab.hosts))
    argv = ["ssh", "-q", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
    argv += ["-o", f"UserKnownHostsFile={known}", "-i", str(lab.key_path)]
    return subprocess.run(
        [*argv, f"root@{machine.address}", command],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def seen(lab: Lab, machine: Machine) -> Counter[str]:
    """Connections and channels that the host's sshd has written down, this question's included."""
    text = ask(lab, machine, "journalctl --sync; journalctl -t sshd -o cat --no-pager")
    return Counter(
        word for line in text.splitlines() for word in (SIGNED_IN, CHANNEL) if line.startswith(word)
    )


def run(cluster: Cluster) -> Task:
    launched = operations.launch("one_connection", title="One", user=None, cluster=cluster)
    task = claim("default", worker_name())
    assert task is not None
    assert task.pk == launched.pk
    run_task(task, Lease(task))
    task.refresh_from_db()
    assert task.status == TaskStatus.SUCCEEDED, task.failure
    return task


def counted(lab: Lab, cluster: Cluster) -> dict[str, tuple[int, int, int]]:
    """For each host: connections and channels of one whole task, and its steps there."""
    before = {machine.name: seen(lab, machine) for machine in lab.hosts}
    task = run(cluster)
    found = {}
    for machine in lab.hosts:
        # Each question counts itself: the difference holds one question too many.
        new = seen(lab, machine) - before[machine.name]
        steps = TaskStep.objects.filter(task=task, host_name=machine.name).count()
        found[machine.name] = (new[SIGNED_IN] - 1, new[CHANNEL] - 1, steps)
    return found


def assert_sparing(found: dict[str, tuple[int, int, int]]) -> None:
    assert len(found) == 2
    for name, (connections, channels, steps) in found.items():
        assert steps >= FILES + 1, f"{name}: the facts and {FILES} files, at least"
        assert connections == 1, name
        assert channels <= steps, name


def test_a_task_opens_one_connection_and_a_channel_for_each_step(
    lab: Lab, cluster: Cluster
) -> None:
    assert_sparing(counted(lab, cluster))


def test_a_task_that_finds_everything_correct_needs_no_more(lab: Lab, cluster: Cluster) -> None:
    run(cluster)
    assert_sparing(counted(lab, cluster))
    last = Task.objects.latest("pk")
    assert set(last.steps.exclude(phase="preflight").values_list("status", flat=True)) == {
        StepStatus.UNCHANGED
    }
