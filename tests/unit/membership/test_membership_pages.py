"""The pages that add nodes, remove one and replace one."""

from __future__ import annotations

import re

import pytest

from clusters.models import ClusterStatus
from console.audit.models import AuditEvent
from provisioning.models import Cleanup, Host, HostState, Task, TaskStatus
from tests.factories import ClusterFactory, NodeFactory, TaskFactory

PAGES = ("add-nodes", "remove-node", "replace-node")


def reviewed(client, address, sent) -> dict[str, str]:
    """What is sent, with the digest of the plan that was shown for it."""
    html = client.post(f"{address}?step=review", sent).content.decode()
    digest = re.search(r'name="reviewed" value="([0-9a-f]+)"', html)
    assert digest, html
    return {**sent, "reviewed": digest[1]}


def launch(client, address, sent):
    return client.post(f"{address}?step=launch", reviewed(client, address, sent))


def changed_nothing(standard) -> bool:
    free = Host.objects.filter(pk__in=[h.pk for h in standard.free], cluster=None).count()
    return not Task.objects.exists() and free == len(standard.free)


# -- adding -------------------------------------------------------------------------------


def test_a_worker_is_added_after_its_plan_was_shown(operator_client, standard):
    page = standard.page("add-nodes")
    sent = {f"role-{standard.free[0].pk}": "worker"}
    html = operator_client.post(f"{page}?step=review", sent).content.decode()
    assert 'id="review"' in html
    assert "h5" in html
    assert changed_nothing(standard)
    answer = launch(operator_client, page, sent)
    task = Task.objects.get()
    assert answer["Location"] == f"/tasks/{task.pk}/"
    assert (task.operation, task.cluster) == ("add_nodes", standard.cluster)
    standard.free[0].refresh_from_db()
    assert (standard.free[0].cluster, standard.free[0].cluster_role) == (standard.cluster, "worker")
    assert AuditEvent.objects.get(action="cluster.nodes_added").after["workers"] == ["h5"]


def test_an_even_number_of_control_planes_must_be_meant(admin_client, standard):
    page = standard.page("add-nodes")
    sent = {f"role-{standard.free[0].pk}": "control_plane"}
    html = admin_client.get(page).content.decode()
    assert "I mean it" not in html
    html = admin_client.post(f"{page}?step=review", sent).content.decode()
    assert "The cluster would have 4 control planes" in html
    assert "I mean it" in html
    assert 'id="review"' not in html
    assert '<option value="control_plane" selected>' in html
    answer = launch(admin_client, page, {**sent, "accept_even": "on"})
    assert answer.status_code == 302
    standard.free[0].refresh_from_db()
    assert standard.free[0].cluster_role == "control_plane"


def test_two_more_control_planes_need_no_confirmation(admin_client, standard):
    sent = {f"role-{host.pk}": "control_plane" for host in standard.free}
    assert launch(admin_client, standard.page("add-nodes"), sent).status_code == 302


def test_only_a_standard_cluster_offers_the_role_control_plane(admin_client, standard):
    assert 'value="control_plane"' in admin_client.get(standard.page("add-nodes")).content.decode()
    standard.cluster.profile = "lightweight"
    standard.cluster.save()
    html = admin_client.get(standard.page("add-nodes")).content.decode()
    assert 'value="worker"' in html
    assert 'value="control_plane"' not in html


def test_nothing_is_launched_that_was_not_reviewed(admin_client, standard):
    page = standard.page("add-nodes")
    first, second = (f"role-{host.pk}" for host in standard.free)
    admin_client.post(f"{page}?step=launch", {first: "worker"})
    assert changed_nothing(standard)
    sent = {**reviewed(admin_client, page, {first: "worker"}), second: "worker"}
    html = admin_client.post(f"{page}?step=launch", sent).content.decode()
    assert "Something was changed since the last review" in html
    assert changed_nothing(standard)


def test_a_plan_is_stale_once_the_membership_has_changed(admin_client, standard):
    page = standard.page("add-nodes")
    sent = reviewed(admin_client, page, {f"role-{standard.free[0].pk}": "worker"})
    Host.objects.filter(pk=standard.hosts["h4"].pk).update(cluster=None, cluster_index=None)
    html = admin_client.post(f"{page}?step=launch", sent).content.decode()
    assert "Something was changed since the last review" in html
    assert not Task.objects.exists()


def test_a_host_that_is_taken_meanwhile_is_named(admin_client, standard):
    page = standard.page("add-nodes")
    sent = reviewed(admin_client, page, {f"role-{standard.free[0].pk}": "worker"})
    other = ClusterFactory(name="faster")
    Host.objects.filter(pk=standard.free[0].pk).update(cluster=other)
    html = admin_client.post(f"{page}?step=launch", sent).content.decode()
    assert "h5 is already in the cluster faster." in html
    assert not Task.objects.exists()


def test_choosing_nobody_is_said(admin_client, standard):
    html = admin_client.post(f"{standard.page('add-nodes')}?step=review", {"x": "1"})
    assert "Give at least one host a role." in html.content.decode()


# -- removing -----------------------------------------------------------------------------


def test_a_worker_is_removed_after_its_plan_was_shown(operator_client, standard):
    page = standard.page("remove-node")
    node = standard.hosts["h4"]
    html = operator_client.get(f"{page}?host={node.pk}").content.decode()
    assert f'<option value="{node.pk}" selected>' in html
    assert "emptyDir and local volumes" in html
    answer = launch(operator_client, page, {"host": str(node.pk), "force": "on"})
    task = Task.objects.get()
    assert answer["Location"] == f"/tasks/{task.pk}/"
    assert (task.operation, task.parameters["force"]) == ("remove_node", True)
    assert [place["name"] for place in task.parameters["leaving"]] == ["h4"]


def test_a_control_plane_goes_only_when_its_name_is_typed(admin_client, standard):
    page = standard.page("remove-node")
    sent = {"host": str(standard.hosts["h3"].pk), "accept_even": "on"}
    html = admin_client.post(f"{page}?step=review", sent).content.decode()
    assert "2 stay, and so many of them may fail: 0" in html
    for typed in ("", "h2"):
        answer = launch(admin_client, page, {**sent, "confirm_name": typed})
        assert "This is not the name" in answer.content.decode()
        assert 'id="review"' in answer.content.decode()
        assert not Task.objects.exists()
    assert launch(admin_client, page, {**sent, "confirm_name": "h3"}).status_code == 302
    assert Task.objects.get().operation == "remove_node"


def test_an_even_rest_must_be_meant(admin_client, standard):
    sent = {"host": str(standard.hosts["h3"].pk)}
    html = admin_client.post(f"{standard.page('remove-node')}?step=review", sent).content.decode()
    assert "The cluster would have 2 control planes" in html
    assert 'name="accept_even"' in html
    assert 'id="review"' not in html


def test_the_last_control_plane_stays(admin_client, standard):
    others = [standard.hosts[name].pk for name in ("h2", "h3")]
    Host.objects.filter(pk__in=others).update(cluster=None, cluster_role="", cluster_index=None)
    sent = {"host": str(standard.hosts["h1"].pk), "accept_even": "on"}
    html = admin_client.post(f"{standard.page('remove-node')}?step=review", sent).content.decode()
    assert "It is the last control plane" in html
    assert 'id="review"' not in html


def test_a_host_that_is_away_says_that_its_clean_up_is_kept(admin_client, standard):
    node = standard.hosts["h4"]
    Host.objects.filter(pk=node.pk).update(
        state=HostState.UNREACHABLE, state_reason="No route to host."
    )
    for page in ("remove-node", "replace-node"):
        html = admin_client.get(f"{standard.page(page)}?host={node.pk}").content.decode()
        assert "h4 cannot be reached now" in html
        assert "No route to host." in html
        assert "kept as a clean-up" in html


@pytest.mark.parametrize("sent", ["", "x", "999999", "999999999999999999999999"])
def test_hosts_that_are_none(admin_client, standard, sent):
    for page in ("remove-node", "replace-node"):
        assert admin_client.get(f"{standard.page(page)}?host={sent}").status_code == 200
        answer = admin_client.post(f"{standard.page(page)}?step=review", {"host": sent, "x": "1"})
        assert answer.status_code == 200
        assert 'id="review"' not in answer.content.decode()
    assert not Task.objects.exists()


# -- replacing ----------------------------------------------------------------------------


def test_a_dead_control_plane_is_replaced(admin_client, standard):
    dead = standard.hosts["h2"]
    Host.objects.filter(pk=dead.pk).update(state=HostState.UNREACHABLE)
    sent = {"host": str(dead.pk), "replacement": str(standard.free[0].pk)}
    answer = launch(admin_client, standard.page("replace-node"), sent)
    task = Task.objects.get()
    assert answer["Location"] == f"/tasks/{task.pk}/"
    assert task.operation == "replace_node"
    standard.free[0].refresh_from_db()
    assert standard.free[0].cluster_role == "control_plane"


def test_a_replacement_with_remains_is_refused_at_its_field(admin_client, standard):
    free = standard.free[0]
    Cleanup.objects.create(host=free, cluster_number=99, cluster_name="old", reason="away")
    page = standard.page("replace-node")
    assert "h5 still has what is left of old" in admin_client.get(page).content.decode()
    sent = {"host": str(standard.hosts["h4"].pk), "replacement": str(free.pk)}
    answer = admin_client.post(f"{page}?step=review", sent)
    assert "h5 still has what is left of old" in str(answer.context["form"].errors["replacement"])
    assert changed_nothing(standard)


def test_nobody_chosen_is_said_at_both_fields(admin_client, standard):
    answer = admin_client.post(f"{standard.page('replace-node')}?step=review", {"x": "1"})
    assert set(answer.context["form"].errors) == {"host", "replacement"}


# -- who and when -------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_who_may(
    page, standard, admin_client, operator_client, auditor_client, nobody_client, anonymous_client
):
    address = standard.page(page)
    assert admin_client.get(address).status_code == 200
    assert operator_client.get(address).status_code == 200
    assert auditor_client.get(address).status_code == 403
    assert auditor_client.post(address, {"host": "1"}).status_code == 403
    assert nobody_client.get(address).status_code == 404
    assert anonymous_client.get(address).status_code == 302
    assert not Task.objects.exists()


@pytest.mark.parametrize("page", PAGES)
def test_other_peoples_clusters_have_no_such_pages(page, admin_client, standard):
    imported = ClusterFactory(origin="imported")
    assert admin_client.get(f"/clusters/{imported.pk}/{page}/").status_code == 404
    assert admin_client.get(f"/clusters/999999/{page}/").status_code == 404


def test_a_busy_cluster_waits(admin_client, standard):
    TaskFactory(cluster=standard.cluster, status=TaskStatus.RUNNING)
    sent = {f"role-{standard.free[0].pk}": "worker"}
    html = admin_client.post(f"{standard.page('add-nodes')}?step=review", sent).content.decode()
    assert "A task of prod is running." in html
    detail = admin_client.get(f"/clusters/{standard.cluster.pk}/nodes/").content.decode()
    assert "add-nodes" not in detail
    assert "remove-node" not in detail


def test_the_nodes_tab_links_each_node_for_those_who_may(admin_client, auditor_client, standard):
    for name in standard.hosts:
        NodeFactory(cluster=standard.cluster, name=name)
    NodeFactory(cluster=standard.cluster, name="stranger")
    tab = f"/clusters/{standard.cluster.pk}/nodes/"
    html = admin_client.get(tab).content.decode()
    assert standard.page("add-nodes") in html
    for host in standard.hosts.values():
        assert f"remove-node/?host={host.pk}" in html
        assert f"replace-node/?host={host.pk}" in html
    assert html.count("remove-node/?host=") == len(standard.hosts)
    assert "remove-node" not in auditor_client.get(tab).content.decode()


def test_a_lightweight_control_plane_has_no_links(admin_client, standard):
    standard.cluster.profile = "lightweight"
    standard.cluster.save()
    for name in standard.hosts:
        NodeFactory(cluster=standard.cluster, name=name)
    html = admin_client.get(f"/clusters/{standard.cluster.pk}/nodes/").content.decode()
    assert re.findall(r"remove-node/\?host=(\d+)", html) == [str(standard.hosts["h4"].pk)]


def test_a_cluster_that_does_not_answer_says_what_to_do_first(admin_client, standard):
    standard.cluster.set_status(ClusterStatus.UNREACHABLE, "No route to host.")
    sent = {f"role-{standard.free[0].pk}": "worker"}
    html = admin_client.post(f"{standard.page('add-nodes')}?step=review", sent).content.decode()
    assert "prod does not answer: No route to host." in html
    assert changed_nothing(standard)


# -- what was missed, and deletion with hosts that are away --------------------------------


def test_a_missed_change_is_on_the_pages_of_cluster_and_host(
    admin_client, auditor_client, standard
):
    text = "It was away during “Add nodes to prod”: No route to host."
    Host.objects.filter(name="h4").update(missed=text)
    page = f"/clusters/{standard.cluster.pk}/"
    for address in (page, f"/hosts/{standard.hosts['h4'].pk}/"):
        html = admin_client.get(address).content.decode()
        assert text in html
        assert f"{page}repair/" in html
    alert = auditor_client.get(page).content.decode()
    assert text in alert
    assert "repair/" not in alert


def test_deleting_says_which_hosts_are_away(admin_client, standard, settings):
    settings.CONFIRM_PASSWORD_SECONDS = 10**9
    Host.objects.filter(name="h2").update(state=HostState.UNREACHABLE, state_reason="No answer.")
    html = admin_client.get(standard.page("delete"), follow=True).content.decode()
    assert "1 host cannot be reached now" in html
    assert "No answer." in html
    assert "kept as a clean-up" in html
