"""The list of tasks and a task's page, from the rows to what is shown."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.accounts.models import User
from console.audit.models import AuditEvent
from provisioning import logs
from provisioning.models import StepStatus, Task, TaskStatus, TaskStep
from provisioning.models_hosts import ClusterRole
from provisioning.task_page import page_of
from tests.factories import ClusterFactory, HostFactory, TaskFactory

pytestmark = pytest.mark.django_db
P = StepStatus


@pytest.fixture
def task(admin: User) -> Task:
    """A create that has reached its second phase on two hosts."""
    cluster = ClusterFactory(name="first")
    one = HostFactory(name="one", cluster=cluster, cluster_role=ClusterRole.CONTROL_PLANE)
    two = HostFactory(name="two", cluster=cluster, cluster_role=ClusterRole.WORKER)
    made: Task = TaskFactory(
        title="Create first",
        operation="create_lightweight",
        cluster=cluster,
        cluster_name="first",
        status=TaskStatus.RUNNING,
        started=timezone.now() - timedelta(seconds=30),
        created_by=admin,
    )
    step(made, 0, "prepare", "sysctl", P.CHANGED, one, 2)
    step(made, 1, "prepare", "sysctl", P.UNCHANGED, two, 2)
    step(made, 2, "runtime", "containerd", P.RUNNING, one, 8)
    step(made, 3, "runtime", "containerd", P.PENDING, two, 4)
    step(made, 4, "certificates", "pki", P.PENDING, None, 1)
    return made


def step(
    task: Task, position: int, phase: str, name: str, status: str, host: Any, expected: float
) -> TaskStep:
    now = timezone.now()
    return TaskStep.objects.create(
        task=task,
        position=position,
        phase=phase,
        phase_title=phase.title(),
        step=name,
        title=f"The {name}",
        status=status,
        host=host,
        host_name=host.name if host else "",
        expected_seconds=expected,
        started=None if status == P.PENDING else now - timedelta(seconds=5),
        ended=now if status in (P.CHANGED, P.UNCHANGED, P.FAILED) else None,
    )


def view(task: Task) -> Any:
    steps = list(task.steps.order_by("position"))
    hosts = [s.host for s in steps if s.host]
    return page_of(task, steps, hosts)


def test_phases_say_where_the_task_is(task: Task) -> None:
    phases = {p.id: p.progress for p in view(task).phases}
    assert [p.status for p in phases.values()] == [P.CHANGED, P.RUNNING, P.PENDING]
    assert phases["prepare"].elapsed is not None
    assert phases["runtime"].elapsed is None, "the page counts while it runs"
    # Hosts work side by side: the slowest of them counts.
    assert phases["runtime"].expected == 8
    assert view(task).progress.expected == 2 + 8 + 1


def test_the_grid_has_a_column_for_each_host_and_the_console_last(task: Task) -> None:
    page = view(task)
    assert page.hosts == ("one", "two", "")
    cells = page.phases[2].rows[0].cells
    assert [bool(cell) for cell in cells] == [False, False, True]


def test_the_topology_is_tiers_by_role(task: Task) -> None:
    tiers = view(task).tiers
    assert [(t.role, [n.name for n in t.nodes]) for t in tiers] == [
        (ClusterRole.CONTROL_PLANE, ["one"]),
        (ClusterRole.WORKER, ["two"]),
    ]
    assert tiers[0].nodes[0].now == "The containerd"


def test_a_phase_between_two_steps_still_runs_and_stops_with_the_task(task: Task) -> None:
    task.steps.filter(position=2).update(status=P.CHANGED, ended=timezone.now())
    assert view(task).phases[1].progress.status == P.RUNNING
    task.status = TaskStatus.CANCELED
    assert view(task).phases[1].progress.status == P.PENDING


def test_a_task_with_thousands_of_cells_folds_what_is_quiet(task: Task) -> None:
    hosts = [HostFactory(name=f"many{n}") for n in range(60)]
    TaskStep.objects.bulk_create(
        TaskStep(
            task=task, position=100 + n, phase="late", phase_title="Late", step=f"s{n % 8}",
            title="Late step", host=hosts[n // 8], host_name=hosts[n // 8].name,
        )
        for n in range(480)
    )  # fmt: skip
    folded = {p.id: p.folded for p in view(task).phases}
    assert folded == {"prepare": True, "runtime": False, "certificates": True, "late": True}


def test_the_page_shows_the_task(admin_client: Client, task: Task) -> None:
    logs.append(task, ["<b>bold</b>", "\x1b[31mred\x1b[0m"])
    page = admin_client.get(f"/tasks/{task.pk}/").content.decode()
    for words in ("Create first", "The containerd", "Control plane", "&lt;b&gt;bold&lt;/b&gt;"):
        assert words in page
    assert "\x1b" not in page
    assert "<b>bold" not in page


def test_the_state_comes_only_when_it_changed(admin_client: Client, task: Task) -> None:
    page = admin_client.get(f"/tasks/{task.pk}/").content.decode()
    address = re.search(r'hx-get="([^"]+)"', page)
    assert address
    assert admin_client.get(address[1]).status_code == 204
    task.steps.filter(position=3).update(status=P.RUNNING, started=timezone.now())
    answer = admin_client.get(address[1])
    assert answer.status_code == 200
    assert f'hx-get="/tasks/{task.pk}/state/' in answer.content.decode()


def test_the_polling_ends_with_the_task(admin_client: Client, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(status=TaskStatus.SUCCEEDED, ended=timezone.now())
    assert "hx-get" not in admin_client.get(f"/tasks/{task.pk}/state/").content.decode()


def test_a_failure_says_what_where_why_and_what_to_do(admin_client: Client, task: Task) -> None:
    task.status = TaskStatus.FAILED
    task.ended = timezone.now()
    task.failure = {
        "host": "two",
        "step": "The containerd",
        "expected": "400 MiB free",
        "found": "<38 MiB>",
        "hint": "Free space, then retry.",
        "output": ["tar: No space left"],
    }
    task.save()
    page = admin_client.get(f"/tasks/{task.pk}/").content.decode()
    for words in ("failed on two", "400 MiB free", "&lt;38 MiB&gt;", "Free space", "No space left"):
        assert words in page
    assert f"/tasks/{task.pk}/retry/" in page


def test_stopping_asks_first_and_is_recorded(
    operator_client: Client, operator: User, task: Task
) -> None:
    asked = operator_client.get(f"/tasks/{task.pk}/cancel/")
    assert "asked to stop" in asked.content.decode()
    task.refresh_from_db()
    assert task.cancel_requested is None
    answer = operator_client.post(f"/tasks/{task.pk}/cancel/")
    assert answer["Location"] == f"/tasks/{task.pk}/"
    task.refresh_from_db()
    assert task.cancel_requested is not None
    assert AuditEvent.objects.filter(action="task.canceled", actor=operator).count() == 1


def test_a_failed_task_is_retried_and_a_running_one_is_not(
    operator_client: Client, task: Task
) -> None:
    said = operator_client.post(f"/tasks/{task.pk}/retry/", follow=True).content.decode()
    assert "cannot be retried now" in said
    Task.objects.filter(pk=task.pk).update(status=TaskStatus.FAILED, ended=timezone.now())
    said = operator_client.post(f"/tasks/{task.pk}/retry/", follow=True).content.decode()
    assert "goes on where it stopped" in said
    task.refresh_from_db()
    assert task.status == TaskStatus.QUEUED


def test_an_auditor_looks_and_cannot_stop(auditor_client: Client, task: Task) -> None:
    page = auditor_client.get(f"/tasks/{task.pk}/").content.decode()
    assert "Stop task" not in page
    assert auditor_client.post(f"/tasks/{task.pk}/cancel/").status_code == 403


def test_nobody_without_a_role_sees_that_it_exists(nobody_client: Client, task: Task) -> None:
    for path in ("", "state/", "log.txt"):
        assert nobody_client.get(f"/tasks/{task.pk}/{path}").status_code == 404


def test_the_list_is_filtered_and_live(admin_client: Client, task: Task) -> None:
    TaskFactory(title="Check hosts", operation="check_hosts", status=TaskStatus.SUCCEEDED)
    page = admin_client.get("/tasks/?status=running").content.decode()
    assert "Create first" in page
    assert "Check hosts</a>" not in page
    assert 'hx-trigger="every 2s"' in page
    assert "2/5" in page
    ended = admin_client.get("/tasks/?status=succeeded").content.decode()
    assert "hx-trigger" not in ended
    part = admin_client.get("/tasks/", headers={"HX-Request": "true"}).content.decode()
    assert part.startswith('<div class="card" id="task-table"')


def test_the_list_costs_the_same_for_any_number_of_tasks(
    admin_client: Client, task: Task, django_assert_max_num_queries: Any
) -> None:
    for _n in range(20):
        TaskFactory(status=TaskStatus.RUNNING, created_by=task.created_by)
    with django_assert_max_num_queries(10):
        admin_client.get("/tasks/")


def test_the_download_is_the_log(admin_client: Client, task: Task) -> None:
    texts = ["plain", "容器", "a  b", "", "\x1b[31mred\x1b[0m"]
    logs.append(task, texts, step="pki")
    answer = admin_client.get(f"/tasks/{task.pk}/log.txt")
    lines = b"".join(answer).decode().split("\n")  # type: ignore[arg-type]
    assert [line.split(" ", 3)[3] for line in lines[:-1]] == texts
    assert {line.split(" ", 3)[1] for line in lines[:-1]} == {"console"}
    assert "attachment" in answer["Content-Disposition"]
