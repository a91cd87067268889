"""The first page: what to do first, what runs, what needs a person."""

from __future__ import annotations

import pytest
from django.test import Client

from clusters.models import ClusterStatus
from provisioning.models import HostState, ReleaseState, TaskStatus
from tests.factories import ClusterFactory, HostFactory, ReleaseFactory, TaskFactory

pytestmark = pytest.mark.django_db


def text(client: Client) -> str:
    return client.get("/").content.decode()


def states(client: Client) -> list[str]:
    context = client.get("/").context
    return [stage.state for stage in context["stages"]]


def test_a_newcomer_is_told_what_to_do_first(admin_client: Client) -> None:
    assert states(admin_client) == ["todo", "todo", "todo"]
    page = text(admin_client)
    assert "Add Linux machines" in page
    assert "/hosts/" in page


def test_the_steps_follow_what_is_there(admin_client: Client) -> None:
    TaskFactory(operation="lab_kubernetes", status=TaskStatus.RUNNING, queue="lab")
    HostFactory(state=HostState.READY)
    assert states(admin_client) == ["done", "busy", "todo"]
    ReleaseFactory(state=ReleaseState.READY)
    assert states(admin_client) == ["done", "done", "todo"]
    cluster = ClusterFactory(name="first", status=ClusterStatus.PROVISIONING)
    assert states(admin_client) == ["done", "done", "busy"]
    cluster.set_status(ClusterStatus.ACTIVE)
    assert admin_client.get("/").context["stages"] == []


def test_while_the_lab_is_set_up_there_is_something_to_do(admin_client: Client) -> None:
    task = TaskFactory(title="Boot the local hosts", queue="lab", status=TaskStatus.RUNNING)
    page = text(admin_client)
    assert "What you can do meanwhile" in page
    assert f"/tasks/{task.pk}/" in page


def test_it_counts_hosts_by_what_they_can_do(admin_client: Client) -> None:
    cluster = ClusterFactory()
    HostFactory(state=HostState.READY)
    HostFactory(state=HostState.READY, cluster=cluster, cluster_index=0)
    HostFactory(state=HostState.KEY_CHANGED)
    HostFactory(state=HostState.NEW)
    hosts = admin_client.get("/").context["hosts"]
    assert hosts == {"all": 4, "free": 1, "used": 1, "attention": 1}


def test_an_auditor_sees_it_without_what_they_cannot_do(auditor_client: Client) -> None:
    page = text(auditor_client)
    assert "Create cluster</a>" not in page
    assert "Add hosts" not in page


def test_without_a_role_it_says_whom_to_ask(nobody_client: Client) -> None:
    ClusterFactory(name="secret-name")
    page = text(nobody_client)
    assert "no platform role yet" in page
    assert "secret-name" not in page


def test_htmx_gets_the_live_part_alone(admin_client: Client) -> None:
    answer = admin_client.get("/", headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith('<div id="overview-live"')
