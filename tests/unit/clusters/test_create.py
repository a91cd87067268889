"""Creating a cluster: what is refused, what is reserved, and who wins when two ask at once."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from django.db import connections

from clusters.models import Cluster, ClusterStatus
from console.audit.models import AuditEvent
from provisioning.cluster_request import ClusterRequest
from provisioning.cluster_spec import spec_of
from provisioning.clusters import create_cluster, delete_cluster, preview, repair_cluster
from provisioning.models import Host, HostState, ReleaseState, Task, TaskStatus
from provisioning.operations import Refused
from tests.factories import ClusterFactory
from tests.unit.clusters.cast import GIB, GOOD, host, release


@pytest.fixture
def wanted(db):
    return ClusterRequest("edge", "lightweight", release(), (host(1),), (host(2),))


def problems(request: ClusterRequest) -> set[tuple[str, str]]:
    return {(p.field, p.code) for p in preview(request).problems}


def test_a_good_request_has_a_plan_and_changes_nothing(wanted):
    before = rows()
    found = preview(wanted)
    assert found.problems == []
    phases = [phase.id for phase in found.plan.plan.phases]
    assert phases.index("certificates") < phases.index("control-plane") < phases.index("verify")
    assert found.plan.plan.changes > 10
    assert rows() == before


def rows() -> tuple[int, ...]:
    free = Host.objects.filter(cluster=None).count()
    return Cluster.objects.count(), Task.objects.count(), AuditEvent.objects.count(), free


def test_the_plan_is_what_the_task_lays_out(wanted, admin):
    plan = preview(wanted).plan.plan
    _cluster, task = create_cluster(wanted, admin)
    anywhere = {"objects", "addons", "verify"}  # done once, by whichever control plane answers
    planned = [
        (phase.id, step.id, h.host.id if h.host and step.id not in anywhere else None)
        for phase in plan.phases
        for step in phase.steps
        for h in step.hosts
    ]
    laid_out = list(
        task.steps.exclude(phase__in=("preflight", "after")).values_list("phase", "step", "host_id")
    )
    assert laid_out == planned


def test_creating_reserves_the_hosts_and_launches_a_task(wanted, admin):
    cluster, task = create_cluster(wanted, admin)
    first, second = wanted.hosts
    for row in (first, second):
        row.refresh_from_db()
    assert (first.cluster, first.cluster_role, first.cluster_index) == (
        cluster, "control_plane", 0,
    )  # fmt: skip
    assert (second.cluster, second.cluster_role, second.cluster_index) == (cluster, "worker", 1)
    assert cluster.status == ClusterStatus.PROVISIONING
    assert cluster.endpoint == "https://10.40.0.1:6443"
    assert (task.operation, task.cluster, task.status) == (
        "create_lightweight", cluster, TaskStatus.QUEUED,
    )  # fmt: skip
    events = AuditEvent.objects.filter(action="cluster.created")
    assert events.get().after["control_plane"] == ["h1"]
    spec = spec_of(cluster)
    assert [h.name for h in spec.hosts] == ["h1", "h2"]
    assert spec.release.version == "v1.20.2"
    assert "places" not in spec.options


@pytest.mark.parametrize(
    "name",
    ["", "Edge", "edge_1", "-edge", "edge-", "a" * 64, "e dge", "edge.one", "ëdge", "edge\n"],
)
def test_names_that_are_no_dns_labels(wanted, name):
    assert problems(replace(wanted, name=name)) == {("name", "name_invalid")}


def test_a_name_that_is_taken(wanted):
    ClusterFactory(name="edge")
    assert problems(wanted) == {("name", "name_taken")}


def test_a_type_that_is_not_there(wanted):
    assert ("profile", "profile") in problems(replace(wanted, profile="huge"))


def test_releases_that_cannot_be_used(wanted):
    assert problems(replace(wanted, release=None)) == {("release", "release_unknown")}
    pending = release("v1.21.0", state=ReleaseState.PENDING)
    assert problems(replace(wanted, release=pending)) == {("release", "release_not_ready")}
    broken = release("v1.22.0", files=False)
    broken.files.create(name="kubelet", kind="binary", sha256="0" * 64, size=1, packed_size=1)
    assert problems(replace(wanted, release=broken)) == {("release", "release_incomplete")}
    partial = release("v1.23.0", files=False)
    found = preview(replace(wanted, release=partial)).problems
    assert [p.field for p in found] == ["release"]
    assert "kube-apiserver" in found[0].what


def test_the_number_of_control_planes(wanted):
    none = replace(wanted, control_plane=())
    assert ("control_plane", "control_plane_count") in problems(none)
    two = replace(wanted, control_plane=(*wanted.control_plane, host(3)))
    assert ("control_plane", "control_plane_count") in problems(two)


def test_a_host_in_two_places(wanted):
    twice = replace(wanted, workers=wanted.control_plane)
    assert ("hosts", "host_twice") in problems(twice)


def test_nowhere_to_run(wanted):
    alone = replace(wanted, workers=(), schedule_on_control_plane=False)
    assert ("schedule_on_control_plane", "nowhere_to_run") in problems(alone)
    assert problems(replace(alone, schedule_on_control_plane=True)) == set()


@pytest.mark.parametrize("state", [s for s in HostState if s != HostState.READY])
def test_hosts_that_are_not_ready(wanted, state):
    other = host(3, state=state, state_reason="Because of this.")
    found = preview(replace(wanted, workers=(other,))).problems
    assert [(p.host, p.code) for p in found] == [(other.pk, "host_not_ready")]
    assert found[0].mend == "Because of this."


def test_a_host_that_was_never_checked(wanted):
    other = host(3, facts={})
    found = preview(replace(wanted, workers=(other,))).problems
    assert [(p.host, p.code) for p in found] == [(other.pk, "host_unchecked")]


def test_a_host_that_is_in_a_cluster(wanted):
    taken = host(3, cluster=ClusterFactory(name="older"))
    found = preview(replace(wanted, workers=(taken,))).problems
    assert [(p.host, p.code) for p in found] == [(taken.pk, "host_taken")]
    assert "older" in found[0].what


@pytest.mark.parametrize(
    "change",
    [{"arch": "arm64"}, {"memory": GIB // 8}, {"cpus": 0}, {"init": ""}, {"root": False}],
    ids=["architecture", "memory", "cpus", "init", "root"],
)
def test_hosts_whose_facts_speak_against_it(wanted, change):
    other = host(3, facts=replace(GOOD, **change))
    found = preview(replace(wanted, workers=(other,))).problems
    assert {p.host for p in found} == {other.pk}
    assert all(p.what and p.mend for p in found)


def test_overlapping_networks(wanted):
    assert problems(replace(wanted, pod_cidr="10.40.0.0/16")) == {("pod_cidr", "network_of_hosts")}
    assert problems(replace(wanted, service_cidr="10.244.0.0/24")) == {
        ("service_cidr", "networks_overlap")
    }


@pytest.mark.parametrize(
    "manifest",
    ["", "   ", "just text", "x" * (1024 * 1024 + 1)],
    ids=["none", "blank", "text", "big"],
)
def test_manifests_that_are_none(wanted, manifest):
    asked = replace(wanted, network="manifest", network_manifest=manifest)
    assert problems(asked) == {("network_manifest", "network_manifest")}


def test_a_refused_creation_leaves_nothing_behind(wanted, admin):
    before = rows()
    with pytest.raises(Refused):
        create_cluster(replace(wanted, name="-"), admin)
    assert rows() == before


def test_a_host_taken_between_the_check_and_the_reservation(wanted, admin, monkeypatch):
    other = ClusterFactory(name="faster")
    real = preview

    def and_then_somebody_is_faster(request):
        found = real(request)
        Host.objects.filter(pk=wanted.workers[0].pk).update(cluster=other, cluster_index=0)
        return found

    monkeypatch.setattr("provisioning.clusters.preview", and_then_somebody_is_faster)
    with pytest.raises(Refused) as caught:
        create_cluster(wanted, admin)
    assert [(p.host, p.code) for p in caught.value.problems] == [
        (wanted.workers[0].pk, "host_taken")
    ]
    assert "h2" in str(caught.value)
    assert "faster" in str(caught.value)
    assert not Cluster.objects.filter(name="edge").exists()
    assert Host.objects.get(pk=wanted.control_plane[0].pk).cluster is None
    assert Task.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_people_take_the_same_host_at_once(admin):
    bundle, worker = release(), host(9)
    asked = [
        ClusterRequest(f"c{n}", "lightweight", bundle, (host(n),), (worker,)) for n in (1, 2, 3)
    ]
    barrier = threading.Barrier(len(asked))
    made, refused = [], []

    def ask(request):
        try:
            barrier.wait()
            made.append(create_cluster(request, admin))
        except Refused as error:
            refused.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(request,)) for request in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(refused) == 2
    assert all("h9" in str(error) for error in refused)
    assert Host.objects.exclude(cluster=None).count() == 2
    assert Cluster.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_take_the_same_name_at_once(admin):
    bundle = release()
    asked = [ClusterRequest("same", "lightweight", bundle, (host(n),), ()) for n in (1, 2)]
    barrier = threading.Barrier(2)
    made, refused = [], []

    def ask(request):
        try:
            barrier.wait()
            made.append(create_cluster(request, admin))
        except Refused as error:
            refused.extend(error.problems)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(request,)) for request in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert [p.code for p in refused] == ["name_taken"]
    assert Host.objects.exclude(cluster=None).count() == 1


def ended(task: Task, status: TaskStatus = TaskStatus.FAILED) -> None:
    Task.objects.filter(pk=task.pk).update(status=status)


def test_a_busy_cluster_takes_no_second_task(wanted, admin):
    cluster, task = create_cluster(wanted, admin)
    for act in (repair_cluster, delete_cluster):
        with pytest.raises(Refused) as caught:
            act(cluster, admin)
        assert [p.code for p in caught.value.problems] == ["busy"]
    ended(task)
    assert repair_cluster(cluster, admin).operation == "repair"


def test_deleting_says_so_and_writes_an_event(wanted, admin):
    cluster, task = create_cluster(wanted, admin)
    ended(task)
    deletion = delete_cluster(cluster, admin)
    cluster.refresh_from_db()
    assert (deletion.operation, cluster.status) == ("delete", ClusterStatus.DELETING)
    assert AuditEvent.objects.get(action="cluster.deleted").before["hosts"] == ["h1", "h2"]
    ended(deletion)
    with pytest.raises(Refused):
        repair_cluster(cluster, admin)
    assert delete_cluster(cluster, admin).operation == "delete"


def test_clusters_that_others_built_are_left_alone(admin, db):
    cluster = ClusterFactory(origin="imported")
    for act in (repair_cluster, delete_cluster):
        with pytest.raises(Refused):
            act(cluster, admin)
    cluster.refresh_from_db()
    assert cluster.status == ClusterStatus.ACTIVE


def test_a_cluster_can_be_deleted_when_its_release_is_gone(wanted, admin):
    cluster, task = create_cluster(wanted, admin)
    ended(task)
    wanted.release.delete()
    assert delete_cluster(cluster, admin).steps.count() > 0
