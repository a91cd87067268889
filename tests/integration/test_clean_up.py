"""A host that left its cluster while it was away is put back later, on a real host."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from clusters.models import Cluster
from lab import Lab
from provisioning import host_actions, operations
from provisioning.departures import release_hosts
from provisioning.engine import run_task
from provisioning.journal import PlannedStep
from provisioning.lease import Lease, claim, worker_name
from provisioning.models import Cleanup, Host, StepStatus, Task, TaskStatus
from provisioning.operations import Operation
from provisioning.recipe_rows import planned_steps
from provisioning.recipe_run import RecipeRun
from provisioning.run import TaskRun
from provisioning.spec import ClusterSpec, HostSpec, ReleaseSpec
from provisioning.steps.base import Context, Phase, Placed, Recipe, Step
from provisioning.steps.resources import Directory, File, Resource
from tests.factories import ClusterFactory

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(600),  # the base tree may have to be built first
    pytest.mark.django_db(transaction=True),
]
MANIFESTS = "/etc/kubernetes/manifests"


class Traces(Step):
    """What a cluster leaves: a folder of its own, and a file that was another before."""

    id, title = "traces", "Traces"

    def resources(self, ctx: Context) -> Sequence[Resource]:
        return [
            Directory("/etc/kubernetes"),
            Directory(MANIFESTS),
            File(f"{MANIFESTS}/pod.yaml", "kind: Pod\n"),
            File("/etc/before", "of the cluster\n"),
        ]


RECIPE = Recipe(
    "leave_traces",
    "Leave traces",
    lambda spec: (Phase("traces", "Traces", (Placed(Traces(), spec.hosts),)),),
)


def spec_of(task: Task) -> ClusterSpec:
    host = Host.objects.get()
    assert task.cluster is not None
    place = HostSpec(host.pk, host.name, host.address, 0)
    release = ReleaseSpec("v1.20.2", "amd64", (), "", "")
    return ClusterSpec(task.cluster.pk, "old", "lightweight", release, (place,), ())


def leave_traces(run: TaskRun) -> None:
    RecipeRun(run, RECIPE, spec_of(run.task)).execute()


def rows(task: Task) -> list[PlannedStep]:
    return planned_steps(RECIPE, spec_of(task))


def work_off(launched: Task) -> Task:
    task = claim("default", worker_name())
    assert task is not None
    assert task.pk == launched.pk
    run_task(task, Lease(task))
    task.refresh_from_db()
    return task


@pytest.fixture
def left(host: Host, one_host_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The host was in the cluster `old`, and away when that was deleted; the unsaved row of it."""
    kind = Operation("leave_traces", "Leave traces", leave_traces, rows)
    monkeypatch.setitem(operations.OPERATIONS, kind.id, kind)
    root = one_host_lab.host("node1").root
    (root / "etc/before").write_text("of the machine\n")
    cluster = ClusterFactory(name="old")
    Host.objects.filter(pk=host.pk).update(cluster=cluster, cluster_index=0)
    task = work_off(operations.launch(kind.id, title="Traces", user=None, cluster=cluster))
    assert task.status == TaskStatus.SUCCEEDED, task.failure
    assert (root / "etc/before").read_text() == "of the cluster\n"
    host.refresh_from_db()
    release_hosts(cluster, [host], {host.pk: "No route to host."})
    host.refresh_from_db()
    number = cluster.pk
    cluster.delete()
    cluster.pk = number
    return cluster


def test_it_is_put_back_by_the_records_that_were_kept(host, left, one_host_lab, admin):
    root = one_host_lab.host("node1").root
    assert Cleanup.objects.get().cluster_number == left.pk
    task = work_off(host_actions.clean_up(host, admin, None))
    assert task.status == TaskStatus.SUCCEEDED, task.failure
    steps = dict(task.steps.exclude(step="facts").values_list("step", "status"))
    assert steps == {"undo": StepStatus.CHANGED, "rescan": StepStatus.UNCHANGED}
    assert (root / "etc/before").read_text() == "of the machine\n"
    assert not (root / "etc/kubernetes").exists()
    assert not (root / "var/lib/flotilla").exists()
    assert not Cleanup.objects.exists()
    host.refresh_from_db()
    assert (host.state, host.facts["traces"], host.facts["clusters"]) == ("ready", [], [])


def test_a_machine_that_is_new_is_only_looked_at(host, left, one_host_lab, admin):
    root = one_host_lab.host("node1").root
    empty(root)
    (root / "etc/before").write_text("of the new machine\n")
    task = work_off(host_actions.clean_up(host, admin, None))
    assert task.status == TaskStatus.SUCCEEDED, task.failure
    assert task.steps.get(step="undo").status == StepStatus.SKIPPED
    assert (root / "etc/before").read_text() == "of the new machine\n"
    assert not Cleanup.objects.exists()


def test_another_kubernetes_is_left_alone(host, left, one_host_lab, admin):
    root = one_host_lab.host("node1").root
    empty(root)
    theirs = root / "etc/kubernetes/manifests"
    theirs.mkdir(parents=True)
    (theirs / "pod.yaml").write_text("kind: Pod\n# of somebody else\n")
    (root / "etc/before").write_text("of the new machine\n")
    try:
        task = work_off(host_actions.clean_up(host, admin, None))
        assert task.status == TaskStatus.FAILED
        assert "a Kubernetes that is not the one of this clean-up" in task.failure["found"]
        assert "forget the clean-up" in task.failure["hint"]
        assert "somebody else" in (theirs / "pod.yaml").read_text()
        assert (root / "etc/before").read_text() == "of the new machine\n"
        assert Cleanup.objects.exists()
    finally:
        empty(root)
    # Once it is gone, the same task goes through.
    assert operations.retry(task, admin)
    assert work_off(task).status == TaskStatus.SUCCEEDED
    assert not Cleanup.objects.exists()


def empty(root: Path) -> None:
    """As if the machine had been installed anew."""
    for folder in ("etc/kubernetes", "var/lib/flotilla"):
        shutil.rmtree(root / folder, ignore_errors=True)
