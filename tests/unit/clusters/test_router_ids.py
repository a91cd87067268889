"""Virtual router ids: each standard cluster has its own, and one that was heard is not kept."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from django.utils import timezone

from clusters.models import Cluster
from provisioning import operations
from provisioning.cluster_request import ClusterRequest
from provisioning.clusters import create_cluster, free_router_id, preview
from provisioning.models import Host, StepStatus, Task, TaskStatus, TaskStep
from provisioning.operations import Refused
from provisioning.recipe_rows import CHECK_STEP
from tests.factories import ClusterFactory
from tests.unit.clusters.cast import host, release


def request_for(name: str, first: int, bundle) -> ClusterRequest:
    hosts = [host(first + n) for n in range(4)]
    return ClusterRequest(
        name, "standard", bundle, tuple(hosts[:3]), tuple(hosts[3:]), vip=f"10.40.0.{200 + first}"
    )


def test_the_highest_id_that_nobody_has_and_nobody_was_heard_with(db):
    assert free_router_id() == 255
    ClusterFactory(name="one", router_id=255)
    assert free_router_id({254, 12}) == 253


def test_when_all_are_taken_it_is_said_before_anything_is_made(db, admin):
    for number in range(1, 256):
        ClusterFactory(name=f"c{number}", router_id=number)
    wanted = request_for("more", 1, release())
    assert [p.code for p in preview(wanted).problems] == ["router_id"]
    with pytest.raises(Refused, match="255"):
        create_cluster(wanted, admin)
    assert not Cluster.objects.filter(name="more").exists()


@pytest.mark.django_db(transaction=True)
def test_two_clusters_made_at_once_do_not_share_one(admin):
    bundle = release()
    asked = [request_for(f"c{n}", n, bundle) for n in (10, 20, 30)]
    barrier = threading.Barrier(len(asked))
    refused = []

    def ask(request):
        try:
            barrier.wait()
            create_cluster(request, admin)
        except Refused as error:  # where transactions run side by side one may have to try again
            refused.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(request,)) for request in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = list(Cluster.objects.values_list("router_id", flat=True))
    assert len(ids) == len(set(ids)) == len(asked) - len(refused)
    assert all([p.code for p in error.problems] == ["router_id"] for error in refused)


def failed(task: Task, code: str, **facts: object) -> None:
    """As the worker leaves a task whose check found something."""
    now = timezone.now()
    failure = {"code": code, "found": "…", "hint": "…"}
    TaskStep.objects.filter(task=task, step=CHECK_STEP).update(
        status=StepStatus.FAILED, failure=failure, started=now, ended=now, attempt=1
    )
    Task.objects.filter(pk=task.pk).update(status=TaskStatus.FAILED, failure=failure, ended=now)
    for row in Host.objects.filter(cluster_role="control_plane"):
        row.facts = {**row.facts, **facts}
        row.save(update_fields=["facts"])
    task.refresh_from_db()


@pytest.mark.parametrize(
    ("code", "facts", "then"),
    [
        ("router_id", {"vrrp_heard": [254, 255]}, 253),
        # It was not the first of the problems, and another code stands in the failure.
        ("clock", {"vrrp_heard": [255]}, 254),
        # Somebody has looked at the hosts since, without listening.
        ("router_id", {}, 254),
        ("clock", {"vrrp_heard": [51]}, 255),
        ("clock", {}, 255),
    ],
)
def test_a_retry_takes_another_id_when_its_own_was_heard(db, admin, code, facts, then):
    cluster, task = create_cluster(request_for("prod", 1, release()), admin)
    assert cluster.router_id == 255
    failed(task, code, **facts)
    assert operations.retry(task, admin)
    cluster.refresh_from_db()
    assert (cluster.router_id, cluster.status) == (then, "provisioning")
    check = task.steps.get(step=CHECK_STEP)
    assert (check.status, check.failure) == (StepStatus.PENDING, {})


def test_a_cluster_that_is_on_its_hosts_already_keeps_its_id(db, admin):
    cluster, task = create_cluster(request_for("prod", 1, release()), admin)
    failed(task, "clock", vrrp_heard=[255], clusters=[cluster.pk])
    assert operations.retry(task, admin)
    cluster.refresh_from_db()
    assert cluster.router_id == 255
