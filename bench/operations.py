"""The operations that are measured: small steps on hosts, and a task that only writes lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provisioning.models import Host, Task
from provisioning.operations import Operation, operation, register
from provisioning.recipe_rows import planned_steps
from provisioning.recipe_run import RecipeRun
from provisioning.run import TaskRun
from provisioning.spec import ClusterSpec, HostSpec, ReleaseSpec
from provisioning.steps.base import Context, Phase, Placed, Recipe, Step
from provisioning.steps.resources import Directory, File, Resource

FOLDER = "/etc/bench-flotilla"
STEPS = 40


class Folder(Step):
    """The folder of the small files."""

    id = "folder"
    title = "Folder"

    def resources(self, ctx: Context) -> Sequence[Resource]:
        return [Directory(FOLDER)]


class SmallFile(Step):
    """One small file: check, write, verify."""

    def __init__(self, number: int, content: str) -> None:
        self.id, self.title = f"file-{number}", f"File {number}"
        self.file = File(f"{FOLDER}/f{number}", content)

    def resources(self, ctx: Context) -> Sequence[Resource]:
        return [self.file]


def small_recipe(content: str) -> Recipe:
    """A folder and STEPS small files with this content on every host."""

    def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
        steps = [Folder(), *(SmallFile(n, content) for n in range(STEPS))]
        return (Phase("files", "Files", tuple(Placed(s, spec.hosts) for s in steps)),)

    return Recipe("bench_small", "Small steps", phases)


def _small(task: Task) -> tuple[Recipe, ClusterSpec]:
    parameters: dict[str, Any] = task.parameters
    rows = Host.objects.filter(pk__in=parameters["hosts"]).order_by("pk")
    hosts = tuple(HostSpec(h.pk, h.name, h.address, i) for i, h in enumerate(rows))
    release = ReleaseSpec("v0.0.0", "amd64", (), "", "")
    spec = ClusterSpec(task.cluster_id or 0, task.cluster_name, "lightweight", release, (), hosts)
    return small_recipe(parameters["content"]), spec


def _run_small(run: TaskRun) -> None:
    RecipeRun(run, *_small(run.task)).execute()


for _id, _queue in (("bench_small", "default"), ("bench_small_cold", "bench-cold")):
    register(Operation(_id, "Small steps", _run_small, lambda t: planned_steps(*_small(t)), _queue))


@operation("bench_lines", title="Lines", steps=[("write", "Write lines")])
def write_lines(run: TaskRun) -> None:
    """As many lines as the parameters say, as fast as the log takes them."""
    with run.step("write"):
        for number in range(1, int(run.parameters["lines"]) + 1):
            run.log(
                f"line {number}: pulling layer sha256:{number:064x} of an image, 12.5 MiB done",
                host="node1",
                stream="stdout",
            )
