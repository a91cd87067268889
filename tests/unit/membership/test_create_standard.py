"""The create page with a standard cluster, as a browser without JavaScript meets it."""

from __future__ import annotations

import re

import pytest

from clusters.models import Cluster
from provisioning.models import Task
from tests.factories import ClusterFactory
from tests.unit.clusters.cast import host, release

CREATE = "/clusters/create/"
VIP = "10.40.0.100"


@pytest.fixture
def choice(db):
    """A standard cluster of h1, h2, h3 with the worker h4."""
    hosts = [host(n) for n in (1, 2, 3, 4)]
    roles = {f"role-{h.pk}": "control_plane" for h in hosts[:3]}
    return {
        "profile": "standard",
        "name": "prod",
        "release": str(release().pk),
        **roles,
        f"role-{hosts[3].pk}": "worker",
        "vip": VIP,
        "pod_cidr": "10.244.0.0/16",
        "service_cidr": "10.96.0.0/16",
        "network": "routed",
        "schedule_shown_for": "standard",
    }


def review(client, sent):
    return client.post(f"{CREATE}?step=review", sent)


def reviewed(client, sent) -> dict[str, str]:
    html = review(client, sent).content.decode()
    digest = re.search(r'name="reviewed" value="([0-9a-f]+)"', html)
    assert digest, html
    return {**sent, "reviewed": digest[1]}


def picture(html: str) -> str:
    """The cluster as it will be, without the templates of the script."""
    drawn = html[html.index("data-planned role") : html.index("<template data-planned-column")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", drawn))


def test_a_standard_cluster_is_planned_and_launched(operator_client, choice):
    html = review(operator_client, choice).content.decode()
    assert 'id="review"' in html
    assert "keepalived" in html
    answer = operator_client.post(f"{CREATE}?step=launch", reviewed(operator_client, choice))
    task = Task.objects.get()
    assert answer["Location"] == f"/tasks/{task.pk}/"
    assert task.operation == "create_standard"
    cluster = Cluster.objects.get()
    assert (cluster.profile, cluster.vip) == ("standard", VIP)
    assert cluster.options["schedule_on_control_plane"] is False


def test_the_picture_names_what_is_chosen(admin_client, choice):
    drawn = picture(review(admin_client, choice).content.decode())
    assert re.search(rf"{re.escape(VIP)} .* h1 .* h2 .* h3 .* h4", drawn)
    assert "to be chosen" not in drawn
    first = next(key for key in choice if key.startswith("role-"))
    drawn = picture(review(admin_client, {**choice, first: ""}).content.decode())
    assert drawn.count("to be chosen") == 1
    drawn = picture(admin_client.get(CREATE).content.decode())
    assert drawn.count("to be chosen") == 1  # a lightweight cluster has one
    assert "no worker chosen" in drawn


def test_the_networks_of_the_chosen_control_planes_are_told(admin_client, choice):
    html = review(admin_client, choice).content.decode()
    assert "The chosen control planes are in 10.40.0.0/24." in html
    other = host(9)
    other.address = "10.41.0.9"
    for address in other.facts["addresses"]:
        address["address"] = address["address"].replace("10.40.0.9", "10.41.0.9")
    other.save()
    html = review(admin_client, {**choice, f"role-{other.pk}": "control_plane"}).content.decode()
    assert "are in different networks: 10.40.0.0/24, 10.41.0.0/24." in html


@pytest.mark.parametrize(
    ("vip", "part"),
    [
        ("", "The virtual IP is missing."),
        ("10.40.0", "is no IPv4 address"),
        ("<b>", "“&lt;b&gt;” is no IPv4 address"),
        ("fd00::1", "is no IPv4 address"),
        ("10.99.0.1", "is outside 10.40.0.0/24"),
        ("10.40.0.2", "is the address of the host h2"),
        ("10.40.0.255", "broadcast address"),
        ("10.244.0.9", "lies in the pods&#x27; network"),
    ],
)
def test_a_bad_virtual_ip_is_said_at_its_field_and_kept(admin_client, choice, vip, part):
    answer = review(admin_client, {**choice, "vip": vip})
    html = answer.content.decode()
    assert answer.context["form"].errors["vip"]
    assert part in html
    assert 'id="review"' not in html
    if vip.isascii() and "<" not in vip:
        assert f'name="vip" value="{vip}"' in html or not vip


def test_a_virtual_ip_of_another_cluster(admin_client, choice):
    ClusterFactory(name="older", vip=VIP)
    assert (
        "is the virtual IP of the cluster older." in review(admin_client, choice).content.decode()
    )


def test_another_virtual_ip_than_the_reviewed_one_is_reviewed_first(admin_client, choice):
    sent = {**reviewed(admin_client, choice), "vip": "10.40.0.101"}
    html = admin_client.post(f"{CREATE}?step=launch", sent).content.decode()
    assert "Something was changed since the last review" in html
    assert not Cluster.objects.exists()


def test_numbers_of_control_planes_and_workers_stand_at_the_hosts(admin_client, choice):
    roles = [key for key in choice if key.startswith("role-")]
    answer = review(admin_client, {**choice, roles[0]: "", roles[3]: ""})
    told = [problem.code for problem in answer.context["form"].placement_problems]
    assert sorted(told) == ["control_plane_count", "no_worker"]
    html = answer.content.decode()
    assert "2 are chosen" in html
    assert "An even number survives no more failures than one less." in html
    assert "Without workers nothing could run" not in html


@pytest.mark.parametrize(
    ("shown_for", "profile", "box", "kept"),
    [
        ("lightweight", "standard", "on", False),  # another type, another default
        ("standard", "lightweight", "", True),
        ("standard", "standard", "on", True),  # ticked after the type was chosen
        ("lightweight", "lightweight", "", False),
        ("", "standard", "on", True),  # a script that knows nothing of the default
    ],
)
def test_the_box_for_workloads_follows_the_type(
    admin_client, choice, shown_for, profile, box, kept
):
    sent = {**choice, "profile": profile, "schedule_shown_for": shown_for}
    if box:
        sent["schedule_on_control_plane"] = box
    form = review(admin_client, sent).context["form"]
    assert form.request().schedule_on_control_plane is kept
    assert bool(form["schedule_on_control_plane"].value()) is kept
    if shown_for:
        assert form["schedule_shown_for"].value() == profile


def test_a_virtual_ip_that_was_typed_for_the_other_type_means_nothing(admin_client, choice):
    roles = [key for key in choice if key.startswith("role-")]
    sent = {**choice, "profile": "lightweight", roles[1]: "worker", roles[2]: "worker"}
    answer = review(admin_client, {**sent, "vip": "nonsense"})
    assert 'id="review"' in answer.content.decode()
    assert answer.context["form"].request().vip == ""
    assert 'value="nonsense"' in answer.content.decode()  # and is not lost


def test_the_newest_release_that_fits_the_machines_is_chosen(admin_client, choice):
    newer = release("v1.33.10")
    release("v1.33.9")
    release("v1.36.0", arch="arm64")
    html = admin_client.get(CREATE).content.decode()
    assert f'<option value="{newer.pk}" selected>' in html


def test_hosts_that_cannot_be_chosen_are_named_apart(admin_client, choice):
    taken = host(8, cluster=ClusterFactory(name="older"))
    html = admin_client.get(CREATE).content.decode()
    assert "1 host cannot be chosen" in html
    assert "h8 is already in the cluster older." in html
    assert f'name="role-{taken.pk}"' not in html
    # One that was chosen and is taken meanwhile keeps its place in the table, with its reason.
    html = review(admin_client, {**choice, f"role-{taken.pk}": "worker"}).content.decode()
    assert f'name="role-{taken.pk}"' in html
    assert 'id="review"' not in html
