"""Custom kinds: what is shown, and choosing which are watched, on pages and over REST."""

from __future__ import annotations

import pytest
from django.utils import timezone

from clusters.models import Cluster, Health, Object, OfferedKinds, WatchedKind
from console.audit.models import AuditEvent
from tests.factories import ClusterFactory

pytestmark = pytest.mark.django_db

WIDGET = {
    "group": "example.org", "version": "v1", "plural": "widgets", "kind": "Widget",
    "namespaced": True,
}  # fmt: skip
GADGET = WIDGET | {"plural": "gadgets", "kind": "Gadget", "namespaced": False}


@pytest.fixture
def cluster() -> Cluster:
    return ClusterFactory()


@pytest.fixture
def offered(cluster) -> OfferedKinds:
    now = timezone.now()
    return OfferedKinds.objects.create(cluster=cluster, kinds=[WIDGET, GADGET], asked=now, read=now)


def choose(cluster: Cluster) -> str:
    return f"/clusters/{cluster.pk}/kinds/choose/"


def watched(cluster: Cluster) -> list[str]:
    return sorted(str(row) for row in WatchedKind.objects.filter(cluster=cluster))


def test_the_page_asks_the_watcher_and_waits_for_nothing(operator_client, cluster):
    html = operator_client.get(choose(cluster)).content.decode()
    assert "The watcher asks the cluster what it offers" in html
    row = OfferedKinds.objects.get(cluster=cluster)
    assert row.asked is not None
    again = operator_client.get(choose(cluster), headers={"HX-Request": "true"})
    assert again.status_code == 204
    row.kinds, row.read = [WIDGET], timezone.now()
    row.save()
    part = operator_client.get(choose(cluster), headers={"HX-Request": "true"}).content.decode()
    assert "widgets.example.org" in part
    assert "<html" not in part


def test_chosen_kinds_are_watched_with_one_event_of_the_audit_log(
    operator_client, cluster, offered
):
    answer = operator_client.post(choose(cluster), {"kinds": ["widgets.example.org"]})
    assert answer.status_code == 302
    row = WatchedKind.objects.get(cluster=cluster)
    assert (row.kind, row.version, row.namespaced) == ("Widget", "v1", True)
    assert row.wanted_by.username
    operator_client.post(choose(cluster), {"kinds": ["widgets.example.org"]})
    event = AuditEvent.objects.get(action="cluster.kinds_chosen")
    assert event.after == {"kinds": ["widgets.example.org"]}
    operator_client.post(choose(cluster), {"kinds": ["gadgets.example.org"]})
    assert watched(cluster) == ["gadgets.example.org"]
    operator_client.post(choose(cluster), {})
    assert watched(cluster) == []
    assert AuditEvent.objects.filter(action="cluster.kinds_chosen").count() == 3


@pytest.mark.parametrize("name", ["secrets", "../x", "<b>", "widgets.other.org"])
def test_only_what_the_cluster_offers_can_be_chosen(operator_client, cluster, offered, name):
    answer = operator_client.post(choose(cluster), {"kinds": ["widgets.example.org", name]})
    assert answer.status_code == 200
    assert "is not one of the available choices" in answer.content.decode()
    assert watched(cluster) == []


def test_there_is_an_end_to_how_many(operator_client, cluster, offered):
    offered.kinds = [WIDGET | {"plural": f"w{n}"} for n in range(51)]
    offered.save()
    names = [f"w{n}.example.org" for n in range(51)]
    answer = operator_client.post(choose(cluster), {"kinds": names})
    assert "at most 50" in answer.content.decode()
    assert watched(cluster) == []


def test_what_is_watched_can_be_unwatched_when_the_cluster_offers_it_no_more(
    operator_client, cluster, offered
):
    WatchedKind.objects.create(
        cluster=cluster, group="gone.org", version="v1", plural="olds", kind="Old"
    )
    assert "olds.gone.org" in operator_client.get(choose(cluster)).content.decode()
    operator_client.post(choose(cluster), {"kinds": []})
    assert watched(cluster) == []


def test_who_may_only_look_sees_the_tab_and_cannot_choose(auditor_client, cluster, offered):
    html = auditor_client.get(f"/clusters/{cluster.pk}/kinds/").content.decode()
    assert "No custom kinds are watched" in html
    assert "choose/" not in html
    assert auditor_client.get(choose(cluster)).status_code == 403
    assert auditor_client.post(choose(cluster), {"kinds": []}).status_code == 403


def test_the_tab_shows_objects_and_why_a_kind_is_not_watched(auditor_client, cluster):
    for kind in (WIDGET, GADGET):
        WatchedKind.objects.create(cluster=cluster, **kind)
    Object.objects.create(
        cluster=cluster, resource="widgets.example.org", kind="Widget", namespace="shop",
        name="<script>w</script>", status="NotReady", health=Health.WARN,
    )  # fmt: skip
    Cluster.objects.filter(pk=cluster.pk).update(
        not_watched={"gadgets.example.org": "The console may not list gadgets."}
    )
    html = auditor_client.get(f"/clusters/{cluster.pk}/kinds/").content.decode()
    assert "&lt;script&gt;w&lt;/script&gt;" in html
    assert "NotReady" in html
    assert "1 needs a look" in html
    assert "The console may not list gadgets." in html
    assert "None in this cluster" not in html


def test_the_clusters_page_says_what_is_not_seen_and_why(auditor_client, cluster):
    page = f"/clusters/{cluster.pk}/"
    assert "not seen" not in auditor_client.get(page).content.decode()
    Cluster.objects.filter(pk=cluster.pk).update(not_watched={"secrets": "403: <b>no</b>"})
    html = auditor_client.get(page).content.decode()
    assert "1 kind of object is not seen in this cluster" in html
    assert "403: &lt;b&gt;no&lt;/b&gt;" in html


def test_a_kind_that_is_served_in_another_version_is_watched_in_it(
    operator_client, cluster, offered
):
    WatchedKind.objects.create(cluster=cluster, **WIDGET | {"version": "v1beta1"})
    operator_client.post(choose(cluster), {"kinds": ["widgets.example.org"]})
    assert WatchedKind.objects.get().version == "v1"


# REST.

WIDGETS = "widgets.example.org"


def kinds(cluster: Cluster, more: str = "") -> str:
    return f"/api/v1/clusters/{cluster.pk}/kinds/{more}"


def test_what_is_offered_is_read_by_the_watcher(operator_api, cluster):
    answer = operator_api.get(kinds(cluster, "offered/")).json()
    assert (answer["read"], answer["results"]) == (None, [])
    assert OfferedKinds.objects.get(cluster=cluster).asked is not None
    early = operator_api.post(kinds(cluster), {"resource": WIDGETS}, format="json")
    assert early.status_code == 409 and "has not read yet" in early.json()["detail"]


def test_kinds_are_watched_and_unwatched_one_by_one(operator_api, operator, cluster, offered):
    first = operator_api.get(kinds(cluster, "offered/")).json()["results"]
    assert [(k["resource"], k["watched"]) for k in first] == [
        ("gadgets.example.org", False), (WIDGETS, False),
    ]  # fmt: skip
    for name in ("gadgets.example.org", WIDGETS, WIDGETS):
        answer = operator_api.post(kinds(cluster), {"resource": name}, format="json")
        assert answer.status_code == 201
    assert watched(cluster) == ["gadgets.example.org", WIDGETS]
    assert WatchedKind.objects.get(plural="widgets").wanted_by == operator
    assert operator_api.delete(kinds(cluster, "gadgets.example.org/")).status_code == 204
    assert operator_api.delete(kinds(cluster, "gadgets.example.org/")).status_code == 404
    assert watched(cluster) == [WIDGETS]
    events = AuditEvent.objects.filter(action="cluster.kinds_chosen").order_by("pk")
    assert [event.after["kinds"] for event in events] == [
        ["gadgets.example.org"], ["gadgets.example.org", WIDGETS], [WIDGETS],
    ]  # fmt: skip
    assert {event.token_name for event in events} == {"tests"}


@pytest.mark.parametrize("name", ["secrets", "../x", "<b>", "widgets.other.org", "a\0", "", None])
def test_only_what_the_cluster_offers_can_be_watched(operator_api, cluster, offered, name):
    answer = operator_api.post(kinds(cluster), {"resource": name}, format="json")
    assert answer.status_code == 400 and list(answer.json()["errors"]) == ["resource"]
    assert watched(cluster) == []


def test_as_many_are_watched_as_on_the_page(operator_api, cluster, offered):
    for n in range(50):
        WatchedKind.objects.create(cluster=cluster, **WIDGET | {"plural": f"w{n}"})
    answer = operator_api.post(kinds(cluster), {"resource": WIDGETS}, format="json")
    assert answer.status_code == 400 and "at most 50" in answer.json()["errors"]["resource"][0]


def test_an_auditor_sees_what_is_watched_and_its_objects_and_chooses_nothing(
    auditor_api, nobody_api, cluster, offered
):
    WatchedKind.objects.create(cluster=cluster, **WIDGET)
    WatchedKind.objects.create(cluster=cluster, **GADGET)
    Object.objects.create(
        cluster=cluster, resource=WIDGETS, kind="Widget", namespace="shop", name="w",
        status="NotReady", health=Health.WARN,
    )  # fmt: skip
    Cluster.objects.filter(pk=cluster.pk).update(not_watched={"gadgets.example.org": "403: no"})
    gadgets, widgets = auditor_api.get(kinds(cluster)).json()["results"]
    assert gadgets["problem"] == "403: no" and gadgets["namespaced"] is False
    assert widgets == {
        "resource": WIDGETS, "kind": "Widget", "api_version": "example.org/v1",
        "namespaced": True, "objects": 1, "needs_a_look": 1, "problem": "",
    }  # fmt: skip
    objects = f"/api/v1/clusters/{cluster.pk}/objects/?resource={WIDGETS}"
    (one,) = auditor_api.get(objects).json()["results"]
    assert (one["name"], one["status"]) == ("w", "NotReady")
    for answer in (
        auditor_api.get(kinds(cluster, "offered/")),
        auditor_api.post(kinds(cluster), {"resource": WIDGETS}, format="json"),
        auditor_api.delete(kinds(cluster, f"{WIDGETS}/")),
    ):
        assert answer.status_code == 403
    assert nobody_api.get(kinds(cluster)).status_code == 404
    assert len(watched(cluster)) == 2
