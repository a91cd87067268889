"""Importing clusters: from what a person gives to a watched cluster, and everything in between."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from clusters.inventory import imports, lease
from clusters.inventory.imports import identify, work
from clusters.kube import connect
from clusters.kube.credentials import CA, CERTIFICATE, KEY, TOKEN
from clusters.models import Cluster, ClusterImport, ClusterSecret, ImportState, Origin
from console.audit.models import AuditEvent
from tests.factories import ClusterFactory, UserFactory
from tests.unit.clusters.hostile_ground import b64
from tests.unit.clusters.import_server import KUBE_SYSTEM, ImportServer
from tests.unit.clusters.import_steps import PAGE, checked, give, kubeconfig, save, text_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_pasted_kubeconfig_becomes_a_watched_cluster(admin_client, admin, server):
    row = checked(admin_client, kubeconfig(server))
    assert not Cluster.objects.exists()  # nothing before the check was seen
    page = text_of(admin_client.get(f"{PAGE}{row.pk}/"))
    assert "Can be imported" in page
    assert "v1.20.2" in page
    save(admin_client, row)
    cluster = Cluster.objects.get()
    assert (cluster.name, cluster.origin, cluster.status) == ("shop", "imported", "active")
    assert (cluster.endpoint, cluster.uid) == (server.endpoint, "uid-1")
    assert connect(cluster).version() == "v1.20.2"
    # The watcher takes it as it takes any other.
    assert [taken.cluster_id for taken in lease.claim("test", 5)] == [cluster.pk]
    event = AuditEvent.objects.get(action="cluster.imported")
    assert (event.actor, event.object_name) == (admin, "shop")
    assert "a-token" not in json.dumps(event.after)


def test_what_was_given_is_encrypted_and_thrown_away_after_the_import(admin_client, server):
    row = checked(admin_client, kubeconfig(server))
    with connection.cursor() as cursor:
        cursor.execute("SELECT given, offered FROM clusters_clusterimport")
        kept, offered = cursor.fetchone()
    assert kept
    assert "a-token" not in kept
    assert "a-token" not in str(offered)
    assert row.entry(0).token == "a-token"
    save(admin_client, row)
    row.refresh_from_db()
    assert (row.given, row.state) == ("", ImportState.SAVED)


def test_no_page_shows_the_token_again(admin_client, server):
    row = checked(admin_client, kubeconfig(server))
    for address in (f"{PAGE}{row.pk}/", f"{PAGE}{row.pk}/live/"):
        assert "a-token" not in text_of(admin_client.get(address))
    bad = kubeconfig(server).replace("server: https", "server: http")
    text = text_of(admin_client.post(PAGE, {"way": "kubeconfig", "kubeconfig": bad}))
    assert "clusters[0].cluster.server" in text
    assert "a-token" not in text


def test_a_file_is_taken_too(admin_client, server):
    file = SimpleUploadedFile("config", kubeconfig(server).encode())
    assert admin_client.post(PAGE, {"way": "kubeconfig", "file": file}).status_code == 302
    large = SimpleUploadedFile("config", b"#" * (300 * 1024))
    assert "256 KiB" in text_of(admin_client.post(PAGE, {"way": "kubeconfig", "file": large}))


def test_server_ca_and_token_by_hand(admin_client, server):
    given = {"way": "hand", "server": server.endpoint, "ca": server.authority.crt}
    text = text_of(admin_client.post(PAGE, {**given, "token": "a token"}))
    assert "It is not a token" in text
    assert server.endpoint in text  # what is no secret is still there
    admin_client.post(PAGE, {**given, "token": "a-token"})
    row = ClusterImport.objects.get()
    assert row.offered[0]["signs_in"] == "token"


def test_an_exec_is_refused_naming_the_field_and_nothing_is_kept(admin_client, server):
    text = kubeconfig(server).replace("token: a-token", "exec: {command: touch}")
    answer = admin_client.post(PAGE, {"way": "kubeconfig", "kubeconfig": text})
    assert "users[0].user.exec" in text_of(answer)
    assert not ClusterImport.objects.exists()


def test_several_contexts_become_several_clusters(admin_client, authority, server):
    with ImportServer(authority, uid="uid-2") as second:
        row = checked(admin_client, kubeconfig(server, second), name_0="one", name_1="two")
        save(admin_client, row)
    found = dict(Cluster.objects.values_list("name", "uid"))
    assert found == {"one": "uid-1", "two": "uid-2"}


def test_two_contexts_of_one_cluster_become_one(admin_client, server):
    row = checked(admin_client, kubeconfig(server, server), name_0="one", name_1="two")
    assert [result["ok"] for result in row.results] == [True, False]
    assert "same cluster" in row.results[1]["problem"]
    save(admin_client, row)
    assert Cluster.objects.count() == 1


def test_one_that_is_away_does_not_keep_the_other_back(admin_client, authority, server):
    with ImportServer(authority, uid="uid-2") as second:
        text = kubeconfig(server, second)
    row = checked(admin_client, text, name_0="one", name_1="two")
    assert [result["ok"] for result in row.results] == [True, False]
    assert "refuses connections" in text_of(admin_client.get(f"{PAGE}{row.pk}/"))
    save(admin_client, row)
    assert Cluster.objects.get().name == "one"


@pytest.mark.parametrize("origin", [Origin.IMPORTED, Origin.PROVISIONED, Origin.SYSTEM])
def test_the_same_cluster_twice_is_refused_naming_the_other(admin_client, server, origin):
    ClusterFactory(name="known", origin=origin, uid="uid-1")
    row = checked(admin_client, kubeconfig(server))
    assert (row.results[0]["ok"], row.results[0]["twin"]) == (False, "known")
    assert "known" in text_of(admin_client.get(f"{PAGE}{row.pk}/"))
    assert "None of the checks was good" in text_of(save(admin_client, row))
    assert Cluster.objects.count() == 1


def test_a_cluster_that_came_in_meanwhile_is_not_imported_twice(admin_client, server):
    row = checked(admin_client, kubeconfig(server))
    ClusterFactory(name="faster", uid="uid-1")
    assert "faster" in text_of(save(admin_client, row))
    assert Cluster.objects.count() == 1


def test_a_name_that_was_taken_meanwhile_is_said(admin_client, server):
    row = checked(admin_client, kubeconfig(server))
    ClusterFactory(name="shop", uid="other")
    assert "There is a cluster named shop already" in text_of(save(admin_client, row))
    assert Cluster.objects.count() == 1


def test_clusters_without_a_uid_get_theirs_from_the_watcher(server):
    cluster = ClusterFactory(endpoint=server.endpoint, seen=timezone.now())
    ClusterSecret.objects.create(cluster=cluster, name=CA, value=server.authority.crt)
    ClusterSecret.objects.create(cluster=cluster, name=TOKEN, value="a-token")
    identify()
    cluster.refresh_from_db()
    assert cluster.uid == "uid-1"


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "lower-case"), ("Shop", "lower-case"), ("a_b", "lower-case"), ("taken", "already")],
)
def test_a_bad_name_stands_beside_its_field_and_the_rest_stays(admin_client, server, name, problem):
    ClusterFactory(name="taken")
    row = give(admin_client, kubeconfig(server, server))
    answer = admin_client.post(
        f"{PAGE}{row.pk}/", {"context": ["0", "1"], "name-0": name, "name-1": "typed"}
    )
    text = text_of(answer)
    assert "name-0-error" in text
    assert problem in text
    assert 'value="typed"' in text
    row.refresh_from_db()
    assert row.state == ImportState.CHOOSING


def test_names_are_suggested_that_nobody_has(admin_client, server):
    ClusterFactory(name="c0")
    given = yaml.safe_load(kubeconfig(server, server))
    given["contexts"][1]["name"] = "Admin@Prod_EU"
    row = give(admin_client, yaml.safe_dump(given))
    assert [item["name"] for item in row.offered] == ["c0-2", "admin-prod-eu"]


def test_nothing_chosen_is_said(admin_client, server):
    row = give(admin_client, kubeconfig(server, server))
    answer = admin_client.post(f"{PAGE}{row.pk}/", {})
    assert "Choose at least one context" in text_of(answer)


def test_the_rights_are_listed_with_what_they_are_for(admin_client, server):
    server.denied = {("impersonate", "users"), ("get", "nodes"), ("list", "cronjobs")}
    row = checked(admin_client, kubeconfig(server))
    refused = row.results[0]["rights"]
    assert refused["impersonate"] == ["impersonate users"]
    assert refused["metrics"] == ["get nodes/proxy"]
    assert refused["inventory"] == ["list cronjobs.batch"]
    assert refused["exchange"] == []
    page = text_of(admin_client.get(f"{PAGE}{row.pk}/"))
    assert "Not allowed" in page
    assert "Nobody can change anything in the cluster from here" in page
    # Every kind of the inventory was asked for, list and watch.
    asked = {(item["verb"], item["resource"]) for item in server.reviewed}
    assert {("list", "pods"), ("watch", "pods"), ("list", "events")} <= asked


def test_wrong_credentials_are_said(admin_client, server):
    row = checked(admin_client, kubeconfig(server, token="another"))
    assert "401" in row.results[0]["problem"]
    assert "another" not in json.dumps(row.results)


def test_what_is_no_kubernetes_is_said(admin_client, server):
    server.override = (200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>")
    row = checked(admin_client, kubeconfig(server))
    assert row.results[0]["ok"] is False
    assert "Welcome" not in row.results[0]["problem"]
    server.override = None
    server.paths[KUBE_SYSTEM] = {"metadata": {"uid": {"a": 1}}}
    row.delete()
    row = checked(admin_client, kubeconfig(server))
    assert "not as a Kubernetes API server" in row.results[0]["problem"]


def test_what_a_server_says_of_itself_is_cut_and_cleaned(admin_client, server):
    server.git_version = "v1.30\0<b>" + "x" * 100
    row = checked(admin_client, kubeconfig(server))
    assert row.results[0]["version"] == ("v1.30<b>" + "x" * 100)[:32]
    assert "<b>x" not in text_of(admin_client.get(f"{PAGE}{row.pk}/"))
    server.paths[KUBE_SYSTEM] = {"metadata": {"uid": "a\0b"}}
    row.delete()
    row = checked(admin_client, kubeconfig(server))
    assert "not as a Kubernetes API server" in row.results[0]["problem"]


def test_loopback_is_refused_where_no_network_is_allowed(admin_client, server, settings):
    settings.OUTBOUND_ALLOWED = ()
    answer = admin_client.post(PAGE, {"way": "kubeconfig", "kubeconfig": kubeconfig(server)})
    assert "loopback" in text_of(answer)
    text = kubeconfig(server).replace("127.0.0.1", "localhost")
    row = checked(admin_client, text)  # a name is checked by the watcher, when it is resolved
    assert "loopback" in row.results[0]["problem"]
    assert server.connections == []


def test_the_page_says_whether_private_networks_are_allowed(admin_client, settings):
    assert "private networks are allowed" in text_of(admin_client.get(PAGE))
    settings.PRIVATE_CLUSTERS = False
    assert "private networks are refused" in text_of(admin_client.get(PAGE))


def with_certificate(server: ImportServer, life: timedelta) -> str:
    certificate, key = server.authority.client("ada", life=life)
    given = yaml.safe_load(kubeconfig(server))
    pair = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
    given["users"][0]["user"] = pair
    return yaml.safe_dump(given)


def test_expired_credentials_are_not_tried(admin_client, server):
    row = checked(admin_client, with_certificate(server, timedelta(minutes=-5)))
    assert "ended on" in row.results[0]["problem"]
    assert server.requests == []


def test_a_client_certificate_is_kept_with_its_end(admin_client, server):
    row = checked(admin_client, with_certificate(server, timedelta(days=5)))
    save(admin_client, row)
    cluster = Cluster.objects.get()
    assert set(cluster.secrets.values_list("name", flat=True)) == {CA, CERTIFICATE, KEY}
    left = cluster.credentials_expire - timezone.now()
    assert timedelta(days=4) < left < timedelta(days=5)
    assert "end on" in text_of(admin_client.get(f"/clusters/{cluster.pk}/"))


def test_an_import_is_its_makers_alone(admin_client, server, sign_in):
    row = give(admin_client, kubeconfig(server))
    other = sign_in(UserFactory(username="eve", role="admin"))
    assert other.get(f"{PAGE}{row.pk}/").status_code == 404
    assert other.post(f"{PAGE}{row.pk}/save/").status_code == 404


def test_after_an_hour_it_is_thrown_away(admin_client, server):
    row = give(admin_client, kubeconfig(server))
    ClusterImport.objects.filter(pk=row.pk).update(expires=timezone.now())
    assert admin_client.get(f"{PAGE}{row.pk}/").status_code == 404
    work()
    assert not ClusterImport.objects.exists()


def test_a_check_whose_watcher_died_is_taken_up_again(admin_client, server):
    row = give(admin_client, kubeconfig(server))
    admin_client.post(f"{PAGE}{row.pk}/", {"context": "0", "name-0": "shop"})
    held = timezone.now() + timedelta(seconds=60)
    rows = ClusterImport.objects.filter(pk=row.pk)
    rows.update(state=ImportState.CHECKING, held_until=held)
    assert work() == 0  # another watcher is at it
    rows.update(held_until=timezone.now() - timedelta(seconds=1))
    assert work() == 1


def test_the_page_polls_only_while_something_moves(admin_client, server):
    row = give(admin_client, kubeconfig(server))
    live = f"{PAGE}{row.pk}/live/"
    assert "hx-trigger" not in text_of(admin_client.get(live))
    admin_client.post(f"{PAGE}{row.pk}/", {"context": "0", "name-0": "shop"})
    assert "hx-trigger" in text_of(admin_client.get(live))
    work()
    assert "hx-trigger" not in text_of(admin_client.get(live))


def test_no_request_talks_to_the_cluster(admin_client, server):
    row = give(admin_client, kubeconfig(server))
    admin_client.post(f"{PAGE}{row.pk}/", {"context": "0", "name-0": "shop"})
    assert server.requests == []
    work()
    asked = len(server.requests)
    save(admin_client, row)
    assert len(server.requests) == asked


def test_markup_in_names_stays_text(admin_client, server):
    given = yaml.safe_load(kubeconfig(server))
    given["contexts"][0]["name"] = "<img src=x onerror=alert(1)>"
    row = give(admin_client, yaml.safe_dump(given))
    page = text_of(admin_client.get(f"{PAGE}{row.pk}/"))
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_a_late_result_does_not_stand_for_what_was_chosen_since(admin_client, authority, server):
    """A watcher that hung for a minute had its good word saved for a cluster nobody looked at."""
    with ImportServer(authority, uid="uid-2") as other:
        row = checked(admin_client, kubeconfig(server, other))
        again = {"context": ["0"], "name-0": "shop"}
        admin_client.post(f"{PAGE}{row.pk}/", again)
        hung = imports._claimed()
        # Another took it over, was done, and the other context was chosen and is looked at.
        rows = ClusterImport.objects.filter(pk=row.pk)
        rows.update(
            chosen=[{"number": 1, "name": "other"}],
            held_until=timezone.now() + timedelta(minutes=1),
            results=[],
        )
        imports._check(hung)
        row.refresh_from_db()
        assert (row.state, row.results) == (ImportState.CHECKING, [])
        save(admin_client, row)
        assert not Cluster.objects.exists()
