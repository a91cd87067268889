"""What a cluster left on a host that was away: shown, refused, cleaned up, forgotten."""

from __future__ import annotations

import pytest
from django.urls import reverse

from console.audit.models import AuditEvent
from provisioning.cluster_request import host_problem
from provisioning.models import Cleanup, Host, HostState, Task, TaskStatus
from provisioning.operation_cleanup import ended
from tests.factories import ClusterFactory, HostFactory
from tests.unit.hosts.conftest import facts

pytestmark = pytest.mark.django_db


def url(name: str, *args: object) -> str:
    return reverse(f"provisioning:{name}", args=args)


@pytest.fixture
def host():
    """A host that left the cluster `old` while it was away."""
    row = HostFactory(name="back", state=HostState.UNREACHABLE, facts=facts())
    Cleanup.objects.create(
        host=row, cluster_number=4711, cluster_name="old", reason="No route to <host>."
    )
    return row


def returned(host: Host) -> None:
    """A check found the host again."""
    Host.objects.filter(pk=host.pk).update(state=HostState.READY)


# -- shown --------------------------------------------------------------------------------


def test_a_host_that_is_away_says_what_waits_and_why(auditor_client, host):
    html = auditor_client.get(url("host", host.pk)).content.decode()
    assert "It is to be cleaned up" in html
    assert "<strong>old</strong>" in html
    assert "No route to &lt;host&gt;." in html
    assert "Clean up now" not in html  # an auditor only looks
    listed = auditor_client.get(url("hosts")).content.decode()
    assert "left of old" in listed
    assert "To be cleaned up" in listed


def test_a_host_that_is_back_says_so_and_nothing_is_done_by_itself(operator_client, host):
    returned(host)
    html = operator_client.get(url("host", host.pk)).content.decode()
    assert "It is back: clean it up" in html
    assert url("host-clean-up", host.pk) in html
    assert url("host-forget-clean-up", host.pk) in html
    assert "Back: clean it up" in operator_client.get(url("hosts")).content.decode()
    overview = operator_client.get("/").content.decode()
    assert "Back: clean it up" in overview
    assert "It still has what is left of old." in overview
    assert not Task.objects.exists()


def test_it_is_not_free_for_a_cluster(operator_client, host):
    returned(host)
    host.refresh_from_db()
    problem = host_problem(host)
    assert problem is not None
    assert (problem.code, problem.host) == ("host_remains", host.pk)
    assert "old" in problem.what
    assert "back" not in operator_client.get(url("hosts"), {"free": "on"}).content.decode().replace(
        "background", ""
    )
    host.cleanups.all().delete()
    assert host_problem(Host.objects.get(pk=host.pk)) is None


def test_the_api_tells_it(auditor_api, host):
    answer = auditor_api.get(f"/api/v1/hosts/{host.pk}/").json()
    (told,) = answer["cleanups"]
    assert (told["cluster"], told["cluster_number"]) == ("old", 4711)
    assert told["reason"] == "No route to <host>."
    assert told["since"]
    (listed,) = auditor_api.get("/api/v1/hosts/").json()["results"]
    assert listed["cleanups"] == answer["cleanups"]


# -- cleaned up ---------------------------------------------------------------------------


def test_the_page_launches_the_task(operator_client, operator, host):
    answer = operator_client.post(url("host-clean-up", host.pk))
    task = Task.objects.get()
    assert answer["Location"] == url("task", task.pk)
    assert (task.operation, task.created_by) == ("clean_up_host", operator)
    assert task.parameters == {"host": host.pk, "cleanups": [4711]}
    assert [(s.step, s.host_id) for s in task.steps.order_by("position")] == [
        (step, host.pk) for step in ("facts", "undo", "rescan", "facts")
    ]
    assert operator_client.get(url("task", task.pk)).status_code == 200
    html = operator_client.get(url("host", host.pk)).content.decode()
    assert "It is being cleaned up" in html
    assert url("task", task.pk) in html


def test_one_clean_up_at_a_time_and_only_where_there_is_one(operator_client, operator_api, host):
    operator_client.post(url("host-clean-up", host.pk))
    answer = operator_client.post(url("host-clean-up", host.pk), follow=True)
    assert "is being cleaned up by task" in answer.content.decode()
    assert operator_api.delete(f"/api/v1/hosts/{host.pk}/clean-up/").status_code == 409
    clean = HostFactory(name="clean")
    assert operator_api.post(f"/api/v1/hosts/{clean.pk}/clean-up/").status_code == 409
    assert operator_api.delete(f"/api/v1/hosts/{clean.pk}/clean-up/").status_code == 409
    assert Task.objects.count() == 1
    assert Cleanup.objects.count() == 1


def test_a_host_in_a_cluster_is_never_cleaned_up(operator_api, host):
    Host.objects.filter(pk=host.pk).update(cluster=ClusterFactory(name="newer"))
    answer = operator_api.post(f"/api/v1/hosts/{host.pk}/clean-up/")
    assert answer.status_code == 409
    assert "newer" in answer.json()["detail"]
    assert not Task.objects.exists()


@pytest.mark.parametrize("status", [TaskStatus.FAILED, TaskStatus.CANCELED, TaskStatus.SUCCEEDED])
def test_the_record_goes_only_on_success(operator_api, operator, host, status):
    answer = operator_api.post(f"/api/v1/hosts/{host.pk}/clean-up/")
    assert answer.status_code == 202
    task = Task.objects.get(pk=answer.json()["id"])
    task.status = status
    ended(task)
    ended(task)  # an older task that is retried has nothing to tell any more
    done = status == TaskStatus.SUCCEEDED
    assert host.cleanups.exists() is not done
    events = AuditEvent.objects.filter(action="host.cleaned_up")
    assert [event.after for event in events] == ([{"clusters": ["old"]}] if done else [])


# -- forgotten ----------------------------------------------------------------------------


def test_forgetting_asks_for_the_name_and_is_audited(operator_client, operator, host):
    page = url("host-forget-clean-up", host.pk)
    html = operator_client.get(page).content.decode()
    assert "the records of what was on it before old" in html
    assert (
        "This is not the name"
        in operator_client.post(page, {"confirm_name": "bakc"}).content.decode()
    )
    assert host.cleanups.exists()
    operator_client.post(page, {"confirm_name": "back"})
    assert not host.cleanups.exists()
    event = AuditEvent.objects.get(action="host.cleanup_forgotten")
    assert (event.actor_name, event.before) == (operator.username, {"clusters": ["old"]})
    assert "nothing to clean up" in operator_client.get(page).content.decode()


def test_forgetting_over_the_api(operator_api, host):
    assert operator_api.delete(f"/api/v1/hosts/{host.pk}/clean-up/").status_code == 204
    assert not host.cleanups.exists()
    assert AuditEvent.objects.filter(action="host.cleanup_forgotten").count() == 1


def test_removing_the_host_says_what_goes_with_it(operator_client, operator_api, host):
    assert (
        "the records of what was on it before old"
        in operator_client.get(url("host-remove", host.pk)).content.decode()
    )
    answer = operator_api.delete(f"/api/v1/hosts/{host.pk}/")
    assert answer.status_code == 409
    assert "clean it up or forget it" in answer.json()["detail"]
    operator_client.post(url("host-remove", host.pk), {"confirm_name": "back"})
    assert not Host.objects.filter(pk=host.pk).exists()
    actions = AuditEvent.objects.filter(action__startswith="host.").values_list("action", flat=True)
    assert set(actions) == {"host.cleanup_forgotten", "host.removed"}


def test_a_host_that_is_being_cleaned_up_is_not_removed(operator_client, host):
    operator_client.post(url("host-clean-up", host.pk))
    operator_client.post(url("host-remove", host.pk), {"confirm_name": "back"})
    assert Host.objects.filter(pk=host.pk).exists()


# -- who ----------------------------------------------------------------------------------


def test_who_may(auditor_client, auditor_api, nobody_client, nobody_api, host):
    launch, forget = url("host-clean-up", host.pk), url("host-forget-clean-up", host.pk)
    api = f"/api/v1/hosts/{host.pk}/clean-up/"
    assert auditor_client.post(launch).status_code == 403
    assert auditor_client.get(forget).status_code == 403
    assert auditor_api.post(api).status_code == 403
    assert auditor_api.delete(api).status_code == 403
    assert nobody_client.post(launch).status_code == 404
    assert nobody_client.get(forget).status_code == 404
    assert nobody_api.post(api).status_code == 404
    assert host.cleanups.exists()
    assert not Task.objects.exists()


def test_hosts_that_are_not_there(operator_client, operator_api):
    assert operator_client.post(url("host-clean-up", 999)).status_code == 404
    assert operator_client.get(url("host-forget-clean-up", 999)).status_code == 404
    assert operator_api.post("/api/v1/hosts/999/clean-up/").status_code == 404
