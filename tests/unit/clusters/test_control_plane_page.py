"""The control plane tab, the notice on the others, and the same over REST."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from clusters.inventory.control_plane_data import merged
from clusters.inventory.control_plane_problems import problems_of
from clusters.kube.member_answers import BackEnd
from clusters.kube.members import ApiSeen, EtcdSeen, ProxySeen, Seen, VipSeen
from clusters.models import Cluster, ClusterStatus, ControlPlaneHealth
from tests.factories import ClusterFactory, NodeFactory
from tests.unit.clusters.test_control_plane_problems import OFF, REFUSED, UP, change, healthy, off

VIP = "10.0.0.9"


def row_of(sight, cluster: Cluster | None = None, **fields) -> ControlPlaneHealth:
    cluster = cluster or ClusterFactory(profile="standard", vip=VIP)
    now = timezone.now()
    data = merged(sight, merged(healthy(len(sight.members)), {}, now), now)
    found = [problem.as_json() for problem in problems_of(data, VIP, now, False)]
    made = ControlPlaneHealth.objects.create(
        cluster=cluster, data=data, problems=found, probed=now, etcd_revision=1003
    )
    ControlPlaneHealth.objects.filter(pk=made.pk).update(**fields)
    made.refresh_from_db()
    return made


def tab(client, row: ControlPlaneHealth) -> str:
    answer = client.get(f"/clusters/{row.cluster_id}/control-plane/")
    assert answer.status_code == 200
    return answer.content.decode()


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.django_db
def test_it_shows_every_layer_who_holds_and_who_leads(auditor_client):
    html = text(tab(auditor_client, row_of(healthy())))
    assert "Live" in html
    assert f"Virtual IP {VIP} Up" in html
    assert "held by cp1" in html
    assert "cp1 holds the virtual IP" in html
    assert html.count("holds the virtual IP") == 1
    assert html.count("etcd leader Up") == 1
    assert html.count("sees 3 of 3 API servers up") == 3
    assert "3 of 3 voting members are up, 2 are needed. So many more may fail: 1." in html
    assert "kube-scheduler cp1" in html
    assert "Renewed" in html


@pytest.mark.django_db
def test_vip_down_members_up(auditor_client):
    row = row_of(replace(healthy(), vip=VipSeen(ApiSeen(REFUSED), "", "refused")))
    html = text(tab(auditor_client, row))
    assert f"The virtual IP {VIP} is down, 3 of 3 API servers are up." in html
    assert "the console goes on through a member" in html
    assert "nobody listens there" in html
    assert "who holds it is not known" in html


@pytest.mark.django_db
def test_a_host_that_is_off_is_down_in_each_layer_and_in_the_matrix(auditor_client):
    ends = tuple(
        BackEnd(name, "down" if name == "cp3" else "up", "L4TOUT") for name in ("cp1", "cp2", "cp3")
    )
    sight = change(off(healthy(), 3), 1, proxy=ProxySeen(UP, ends))
    html = text(tab(auditor_client, row_of(sight)))
    assert "cp3 does not answer at all." in html
    assert "sees 2 of 3 API servers up" in html
    assert "L4TOUT" in html
    assert "One more failure stops the cluster." in html


@pytest.mark.django_db
def test_while_it_is_being_created_what_is_not_there_is_not_yet_up(auditor_client):
    cluster = ClusterFactory(profile="standard", vip=VIP, status=ClusterStatus.PROVISIONING)
    sight = off(healthy(), 2, 3)
    sight = change(sight, 1, api=ApiSeen(REFUSED), proxy=ProxySeen(REFUSED))
    sight = replace(sight, vip=VipSeen(ApiSeen(OFF), "", "timeout"), leases=())
    html = text(tab(auditor_client, row_of(sight, cluster)))
    assert "Not up yet" in html
    assert "held by nobody yet" in html
    assert "does not answer" not in html
    assert "quorum" not in html
    assert "Down" not in html


@pytest.mark.django_db
def test_old_data_say_how_old_they_are(auditor_client):
    row = row_of(healthy(), probed=timezone.now() - timedelta(minutes=4))
    html = text(tab(auditor_client, row))
    assert "Stale" in html
    assert "4 minutes ago" in html
    assert "No watcher looks at this cluster now." in html
    assert "Live" not in html


@pytest.mark.django_db
def test_before_the_first_look_and_without_members_it_says_so(auditor_client):
    cluster = ClusterFactory()
    html = auditor_client.get(f"/clusters/{cluster.pk}/control-plane/").content.decode()
    assert "Not looked at yet" in html
    ControlPlaneHealth.objects.create(cluster=cluster, data={}, problems=[])
    html = auditor_client.get(f"/clusters/{cluster.pk}/control-plane/").content.decode()
    assert "The members are not known" in html


@pytest.mark.django_db
def test_the_page_asks_itself_again_and_stays_while_only_figures_move(auditor_client):
    row = row_of(healthy())
    html = tab(auditor_client, row)
    assert "every 3s" in html
    again = re.search(r'hx-get="([^"]+live=[0-9a-f]+)"', html)[1].replace("&amp;", "&")
    data = row.data
    data["members"][0]["etcd"] |= {"revision": 99999, "index": "88888"}
    row.data, row.probed = data, timezone.now()
    row.save()
    assert auditor_client.get(again).status_code == 204
    data["vip"]["holder"]["name"] = "cp2"
    row.save()
    changed = auditor_client.get(again)
    assert changed.status_code == 200
    assert "held by cp2" in text(changed.content.decode())


@pytest.mark.django_db
def test_what_machines_answered_is_text_and_never_markup(auditor_client):
    evil = "<script>alert(1)</script>"
    status = replace(healthy().members[0].etcd.status, errors=(evil,), version=evil)
    sight = change(healthy(), 1, etcd=replace(healthy().members[0].etcd, status=status))
    sight = change(sight, 2, api=ApiSeen(Seen("not_ready", "ok", 500), (evil,)))
    html = tab(auditor_client, row_of(sight))
    assert evil not in html
    assert "&lt;script&gt;" in html


@pytest.mark.django_db
def test_other_tabs_name_the_worst_problem_and_lead_here(auditor_client):
    row = row_of(
        off(healthy(), 3),
        ClusterFactory(
            profile="standard", vip=VIP, status=ClusterStatus.DEGRADED, status_reason="old words"
        ),
    )
    page = f"/clusters/{row.cluster_id}/"
    html = text(auditor_client.get(page).content.decode())
    assert "Degraded" in html
    assert "cp3 does not answer at all." in html
    assert "There is 1 more problem." in html
    assert "old words" not in html
    assert f"{page}control-plane/" in auditor_client.get(page).content.decode()
    assert "old words" not in tab(auditor_client, row), "the problems stand below, in full"


@pytest.mark.django_db
def test_the_overview_shows_the_virtual_ip_and_its_holder(auditor_client):
    row = row_of(healthy())
    NodeFactory(cluster=row.cluster, name="cp1", roles=["control-plane"])
    html = text(auditor_client.get(f"/clusters/{row.cluster_id}/").content.decode())
    assert f"Virtual IP {VIP} Up held by cp1" in html
    assert "Ready holds the virtual IP" in html


@pytest.mark.django_db
def test_problems_are_said_in_the_readers_language():
    row = row_of(off(healthy(), 3))
    with translation.override("de"):  # no translation: the source text, and no error
        html = render_to_string("clusters/control_plane_layers.html", {"health": row})
    assert "cp3 does not answer at all." in html


@pytest.mark.django_db
def test_a_problem_of_another_version_of_the_console_keeps_its_own_words():
    row = row_of(healthy())
    row.problems = [
        {"code": "from_the_future", "level": "warn", "member": "", "values": {},
         "what": "Something new.", "mend": ""}
    ]  # fmt: skip
    row.save()
    assert "Something new." in render_to_string(
        "clusters/control_plane_layers.html", {"health": row}
    )


@pytest.mark.django_db
def test_a_lightweight_cluster_shows_one_column_without_haproxy(auditor_client):
    sight = healthy(1)
    alone = replace(sight.members[0], proxy=None)
    row = row_of(replace(sight, members=(alone,), vip=None), ClusterFactory())
    html = text(tab(auditor_client, row))
    assert "HAProxy" not in html
    assert "Virtual IP" not in html
    assert "API server Up" in html
    assert "nothing may fail" in html


@pytest.mark.django_db
def test_over_rest(auditor_api, nobody_api):
    row = row_of(off(healthy(), 3))
    url = f"/api/v1/clusters/{row.cluster_id}/control-plane/"
    told = auditor_api.get(url).json()
    assert told["fresh"] is True
    assert told["etcd_revision"] == 1003
    assert [p["code"] for p in told["problems"]] == ["member_away", "quorum_edge"]
    assert told["problems"][0]["member"] == "cp3"
    assert told["problems"][0]["mend"]
    assert told["data"]["vip"]["holder"]["name"] == "cp1"
    assert nobody_api.get(url).status_code == 404
    assert auditor_api.post(url).status_code in (403, 405)
    other = ClusterFactory()
    assert auditor_api.get(f"/api/v1/clusters/{other.pk}/control-plane/").status_code == 404
    assert auditor_api.get("/api/v1/clusters/999999/control-plane/").status_code == 404


@pytest.mark.django_db
def test_etcd_that_cannot_be_looked_at_says_why(auditor_client):
    sight = healthy()
    for number in (1, 2, 3):
        sight = change(sight, number, etcd=EtcdSeen(Seen("unknown")))
    html = text(tab(auditor_client, row_of(sight)))
    assert "The console cannot look at etcd" in html
    assert "the console has no certificate for it" in html
