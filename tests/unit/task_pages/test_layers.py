"""The task page of a cluster: its layers, who joins and leaves, who is away, what waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.models import ControlPlaneHealth
from provisioning.models import StepStatus, Task, TaskStatus, TaskStep
from provisioning.task_page import page_of
from tests.factories import ClusterFactory, HostFactory, TaskFactory

pytestmark = pytest.mark.django_db
NOTE = "shop/web-0 waits: the PodDisruptionBudget shop/web allows no disruption"


@pytest.fixture
def task():
    """A running task of a cluster: h1 stays, h2 leaves and is drained, h3 is away."""
    cluster = ClusterFactory(name="prod", profile="standard", vip="10.40.0.100")
    made = TaskFactory(
        cluster=cluster,
        cluster_name="prod",
        operation="remove_node",
        status=TaskStatus.RUNNING,
        started=timezone.now(),
    )
    rows = []
    for n, name in enumerate(("h1", "h2", "h3")):
        host = HostFactory(name=name, cluster=cluster, cluster_index=n)
        host.cluster_role = "control_plane" if n != 1 else "worker"
        host.save()
        rows.append(host)
    made.parameters = {
        "joining": [],
        "leaving": [
            {"id": rows[1].pk, "name": "h2", "address": "", "index": 1, "control_plane": False}
        ],
    }
    made.save()
    step(made, 0, rows[0], StepStatus.UNCHANGED)
    step(made, 1, rows[1], StepStatus.RUNNING, note=f"first\n{NOTE}\n")
    away = {"code": "away", "host": "h3", "found": "No answer within 10 s."}
    step(made, 2, rows[2], StepStatus.SKIPPED, failure=away)
    step(made, 3, None, StepStatus.PENDING)
    return made


def step(task: Task, position: int, host, status: str, **fields: object) -> TaskStep:
    started = timezone.now() if status != StepStatus.PENDING else None
    return TaskStep.objects.create(
        task=task, position=position, phase="drain", phase_title="Drain",
        step="drain" if host else "vote", title="Drain the node" if host else "etcd", host=host,
        host_name=host.name if host else "", status=status, started=started, **fields,
    )  # fmt: skip


def layer(state: str, **more: object) -> dict[str, object]:
    since = timezone.now().isoformat()
    return {"state": state, "fault": "", "status": 0, "since": since, **more}


def look(task: Task, holder: str = "h1") -> ControlPlaneHealth:
    """What the watcher saw."""
    since = timezone.now().isoformat()
    members = [
        {
            "name": name, "address": "10.40.0.1", "met": since, "api": layer("up", failing=[]),
            "proxy": layer("up", back_ends=None), "etcd": layer("up"),
        }
        for name in ("h1", "h3")
    ]  # fmt: skip
    vip = {
        "api": layer("up", failing=[]),
        "holder": {"name": holder, "fault": "", "since": since},
    }
    data = {"vip": vip, "members": members, "etcd": {}, "leases": []}
    return ControlPlaneHealth.objects.create(cluster=task.cluster, data=data)


def page(client, task: Task) -> str:
    return client.get(f"/tasks/{task.pk}/").content.decode()


def test_before_the_first_look_the_page_says_so(auditor_client, task):
    html = page(auditor_client, task)
    assert "Not looked at yet" in html
    assert "fl-stepper-down" in html


def test_the_layers_stand_beside_the_phases_with_the_virtual_ip(auditor_client, task):
    look(task)
    html = page(auditor_client, task)
    assert "HAProxy" in html
    assert "holds the virtual IP" in html
    assert "held by h1" in html
    assert "10.40.0.100" in html
    # The page of a task only shows them: nodes are changed from the cluster's page.
    assert "remove-node" not in html


def test_the_part_above_the_log_comes_again_when_a_layer_changed(auditor_client, task):
    row = look(task)
    version = auditor_client.get(f"/tasks/{task.pk}/").context["version"]
    state = f"/tasks/{task.pk}/state/?v="
    assert auditor_client.get(state + version).status_code == 204
    ControlPlaneHealth.objects.filter(pk=row.pk).update(
        changed=timezone.now() + timedelta(seconds=1)
    )
    assert auditor_client.get(state + version).status_code == 200


def test_a_line_that_waits_comes_at_once(auditor_client, task):
    version = auditor_client.get(f"/tasks/{task.pk}/").context["version"]
    task.steps.filter(position=1).update(note="something else")
    answer = auditor_client.get(f"/tasks/{task.pk}/state/?v={version}")
    assert answer.status_code == 200
    assert "something else" in answer.content.decode()


def test_what_a_step_waits_for_stands_in_stepper_and_grid(auditor_client, task):
    view = page_of(task, list(task.steps.order_by("position")), [])
    assert view.phases[0].notes == (("h2", NOTE),)
    html = page(auditor_client, task)
    assert html.count(NOTE) == 2


def test_who_leaves_and_who_is_away(auditor_client, task):
    html = page(auditor_client, task)
    assert "· leaves" in html
    assert "Away: left out" in html
    assert "No answer within 10 s." in html


def test_a_host_that_has_left_keeps_its_place_in_the_picture(auditor_client, task):
    host = task.steps.get(position=1).host
    host.cluster, host.cluster_role, host.cluster_index = None, "", None
    host.save()
    view = auditor_client.get(f"/tasks/{task.pk}/").context["view"]
    assert [(t.role, [n.name for n in t.nodes]) for t in view.tiers] == [
        ("control_plane", ["h1", "h3"]),
        ("worker", ["h2"]),
    ]


def test_steps_of_no_host_have_a_column_of_their_own(auditor_client, task):
    assert "Once for the cluster" in page(auditor_client, task)
    alone = TaskFactory()
    TaskStep.objects.create(task=alone, position=0, phase="run", phase_title="Run", step="x")
    assert "Once for the cluster" not in page(auditor_client, alone)


def test_an_older_task_shows_no_layers_of_today(auditor_client, task):
    look(task)
    Task.objects.filter(pk=task.pk).update(status=TaskStatus.SUCCEEDED, ended=timezone.now())
    html = page(auditor_client, task)
    assert "holds the virtual IP" in html  # the newest: its end is seen
    assert 'hx-trigger="every 10s' in html
    TaskFactory(cluster=task.cluster)
    html = page(auditor_client, task)
    assert "holds the virtual IP" not in html
    assert "hx-trigger" not in html.split('id="task-state"')[1].split(">")[0]
