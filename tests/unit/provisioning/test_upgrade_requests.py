"""Who may be upgraded to what, what is refused with which reason, and what stands meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from clusters.models import Cluster, ClusterStatus, ControlPlaneHealth
from console.accounts.models import User
from provisioning import cluster_operations, operations, upgrading
from provisioning.clusters import repair_cluster
from provisioning.models import Host, Release, ReleaseState, StepStatus, Task, TaskStatus
from provisioning.models_hosts import ClusterRole
from provisioning.operations import OPERATIONS, Refused
from provisioning.releases import users_of
from tests.factories import ClusterFactory, NodeFactory
from tests.unit.clusters.cast import host, release

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Cluster:
    release(version="v1.20.2")
    cluster: Cluster = ClusterFactory(
        name="prod", version="v1.20.2", seen=timezone.now(), options={"arch": "amd64"}
    )
    for number, role in ((1, ClusterRole.CONTROL_PLANE), (2, ClusterRole.WORKER)):
        row = host(number)
        Host.objects.filter(pk=row.pk).update(
            cluster=cluster, cluster_role=role, cluster_index=number - 1
        )
        NodeFactory(cluster=cluster, name=row.name, version="v1.20.2")
    return cluster


@pytest.fixture
def target() -> Release:
    return release(version="v1.21.0")


def refused(cluster: Cluster, to: Release | None, **values: Any) -> dict[str, str]:
    found = cluster_operations.preview(cluster, "upgrade", {"release": to, **values})
    return {p.code: f"{p.what} {p.mend}" for p in found.problems}


def launched(cluster: Cluster, to: Release, user: User) -> Task:
    return cluster_operations.launch(cluster, "upgrade", {"release": to}, user)


def ended(task: Task, status: TaskStatus) -> None:
    Task.objects.filter(pk=task.pk).update(status=status, ended=timezone.now())
    task.refresh_from_db()
    on_end = OPERATIONS["upgrade"].on_end
    assert on_end is not None
    on_end(task)


def begun(task: Task, phase: str) -> None:
    row = task.steps.filter(phase=phase).first()
    assert row is not None, phase
    row.attempt, row.status = 1, StepStatus.CHANGED
    row.save()


def test_one_minor_version_up_or_a_patch_may_be_taken(cluster: Cluster, target: Release) -> None:
    assert refused(cluster, target) == {}
    assert refused(cluster, release(version="v1.20.15")) == {}


def test_back_the_same_and_too_far_are_refused_with_what_to_do(
    cluster: Cluster, target: Release
) -> None:
    assert "downgrade" in refused(cluster, release(version="v1.20.1"))
    assert "same_version" in refused(cluster, Release.objects.get(version="v1.20.2"))
    assert "no_release" in refused(cluster, None)
    far = release(version="v1.22.0")
    assert "Take v1.21.0 first." in refused(cluster, far)["one_minor"]
    target.delete()
    assert "Add a release of v1.21" in refused(cluster, far)["one_minor"]


def test_a_release_must_be_ready_and_for_these_machines(cluster: Cluster, target: Release) -> None:
    Release.objects.filter(pk=target.pk).update(state=ReleaseState.FAILED)
    target.refresh_from_db()
    assert "release" in refused(cluster, target)
    Release.objects.filter(pk=target.pk).update(state=ReleaseState.READY, arch="arm64")
    target.refresh_from_db()
    assert "architecture" in refused(cluster, target)


def test_a_node_that_is_ill_or_too_old_is_named(cluster: Cluster, target: Release) -> None:
    node = cluster.nodes.get(name="h2")
    node.ready, node.reason = False, "kubelet stopped posting node status"
    node.save()
    assert "h2" in refused(cluster, target)["not_ready"]
    node.ready, node.version = True, "v1.18.3"
    node.save()
    assert "h2" in refused(cluster, target)["kubelet_too_old"]


@pytest.mark.parametrize(("layer", "program"), [("api", "kube-apiserver"), ("etcd", "etcd")])
def test_an_ill_member_is_named_while_the_news_of_it_is_fresh(
    cluster: Cluster, target: Release, layer: str, program: str
) -> None:
    member: dict[str, Any] = {"name": "h1", "api": {"state": "up"}, "etcd": {"state": "up"}}
    member[layer] = {"state": "down"}
    row = ControlPlaneHealth.objects.create(cluster=cluster, data={"members": [member]})
    assert f"{program} on h1" in refused(cluster, target)["member_ill"]
    row.probed = timezone.now() - timedelta(minutes=5)
    row.save()
    assert refused(cluster, target) == {}


def test_a_cluster_that_does_not_answer_is_not_upgraded_but_renewed(
    cluster: Cluster, target: Release
) -> None:
    cluster.set_status(ClusterStatus.UNREACHABLE, "no answer")
    assert "unreachable" in refused(cluster, target)
    assert cluster_operations.preview(cluster, "renew_certificates", {}).problems == []


def test_until_it_has_ended_only_the_upgrade_may_go_on(
    cluster: Cluster, target: Release, admin: User
) -> None:
    task = launched(cluster, target, admin)
    begun(task, "control-plane")
    ended(task, TaskStatus.FAILED)
    cluster.refresh_from_db()
    assert (cluster.version, upgrading.upgrading_to(cluster)) == ("v1.20.2", "v1.21.0")
    with pytest.raises(Refused, match="Retry the upgrade"):
        repair_cluster(cluster, admin)
    for kind, values in (("add_nodes", {"workers": (host(7),)}), ("renew_certificates", {})):
        found = cluster_operations.preview(cluster, kind, values).problems
        assert [p.code for p in found] == ["upgrading"]
    assert cluster_operations.preview(cluster, "snapshot", {}).problems == []
    # The version that it is on its way to must not go away, nor may it go to another.
    assert users_of(target) == ["prod"]
    assert "upgrading" in refused(cluster, release(version="v1.21.5"))
    assert refused(cluster, target) == {}

    assert operations.retry(task, admin)
    ended(task, TaskStatus.SUCCEEDED)
    cluster.refresh_from_db()
    assert (cluster.version, upgrading.upgrading_to(cluster)) == ("v1.21.0", "")
    assert cluster.options == {"arch": "amd64"}


@pytest.mark.parametrize("phase", ["preflight", "check", "snapshot", "copy"])
def test_an_upgrade_that_switched_no_program_leaves_nothing_standing(
    cluster: Cluster, target: Release, admin: User, phase: str
) -> None:
    task = launched(cluster, target, admin)
    begun(task, phase)
    ended(task, TaskStatus.FAILED)
    cluster.refresh_from_db()
    assert upgrading.upgrading_to(cluster) == ""
    assert repair_cluster(cluster, admin).operation == "repair"


def test_a_task_from_long_ago_takes_no_cluster_back(
    cluster: Cluster, target: Release, admin: User
) -> None:
    from provisioning.operation_upgrade import still_right
    from provisioning.run import Failure

    task = launched(cluster, target, admin)
    ended(task, TaskStatus.FAILED)
    Cluster.objects.filter(pk=cluster.pk).update(version="v1.22.3")
    assert operations.retry(task, admin)
    cluster.refresh_from_db()
    assert upgrading.upgrading_to(cluster) == ""

    class Run:
        parameters = task.parameters

        def __init__(self) -> None:
            self.task = task

    with pytest.raises(Failure, match=r"v1\.22\.3"):
        still_right(Run())  # type: ignore[arg-type]


# --- over the API and on pages


def test_the_api_plans_launches_and_refuses(
    cluster: Cluster, target: Release, operator_api: APIClient, auditor_api: APIClient
) -> None:
    url = f"/api/v1/clusters/{cluster.pk}/upgrade/"
    assert auditor_api.post(url, {"release": "v1.21.0"}, format="json").status_code == 403
    plan = operator_api.post(f"{url}?dry_run=true", {"release": "v1.21.0"}, format="json")
    assert plan.status_code == 200
    assert [p["id"] for p in plan.json()["plan"]["phases"]][:2] == ["check", "snapshot"]
    assert Task.objects.count() == 0
    far = operator_api.post(url, {"release": "v9.9.9"}, format="json")
    assert (far.status_code, "release" in str(far.json())) == (400, True)
    body = {"release": "v1.21.0", "drain_seconds": 60, "force": True}
    done = operator_api.post(url, body, format="json")
    assert done.status_code == 202
    parameters = Task.objects.get().parameters
    assert (parameters["drain_seconds"], parameters["force"]) == (60, True)
    assert operator_api.post(url, body, format="json").status_code == 409


def test_the_page_shows_the_plan_first_and_launches_just_that(
    cluster: Cluster, target: Release, operator_client: Client
) -> None:
    url = reverse("provisioning:cluster-upgrade", args=[cluster.pk])
    assert "v1.21.0" in operator_client.get(url).content.decode()
    body = {"release": target.pk, "drain_seconds": 900}
    page = operator_client.post(url, body)
    assert "Launch the upgrade" in page.content.decode()
    assert Task.objects.count() == 0
    # A launch of something that was not shown is another look at the plan.
    seen = {**body, "reviewed": page.context["digest"]}
    for other in ({"force": "on"}, {"accept_removed_apis": "on"}, {"drain_seconds": 30}):
        again = operator_client.post(f"{url}?step=launch", {**seen, **other}).content.decode()
        assert "Something was changed since the last review" in again
        assert Task.objects.count() == 0
    done = operator_client.post(f"{url}?step=launch", seen)
    assert done.status_code == 302
    assert Task.objects.get().parameters["to"] == "v1.21.0"


def test_what_speaks_against_an_upgrade_is_beside_its_field_and_nothing_is_lost(
    cluster: Cluster, target: Release, operator_client: Client
) -> None:
    url = reverse("provisioning:cluster-upgrade", args=[cluster.pk])
    body = {"release": target.pk, "drain_seconds": 5, "force": "on"}
    form = operator_client.post(f"{url}?step=launch", body).context["form"]
    assert "30" in form.errors["drain_seconds"][0]
    assert form["force"].value() and form["release"].value() == str(target.pk)
    form = operator_client.post(f"{url}?step=launch", {"drain_seconds": 900}).context["form"]
    assert form.errors["release"] == ["No release is chosen. Choose one."]
    assert Task.objects.count() == 0


def test_the_page_says_what_is_missing_where_there_is_nothing_to_go_to(
    cluster: Cluster, operator_client: Client
) -> None:
    url = reverse("provisioning:cluster-upgrade", args=[cluster.pk])
    assert "No release to upgrade to" in operator_client.get(url).content.decode()


def test_an_unfinished_upgrade_is_said_on_the_clusters_page(
    cluster: Cluster, target: Release, admin: User, operator_client: Client
) -> None:
    task = launched(cluster, target, admin)
    begun(task, "workers")
    ended(task, TaskStatus.FAILED)
    page = operator_client.get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    assert "has not come to its end" in page
    assert f"/tasks/{task.pk}/" in page
