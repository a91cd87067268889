"""The list of a cluster's certificates, and the warnings at 30, 7 and 1 days."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from clusters.models import Cluster, ClusterSecret
from provisioning import pki
from provisioning.certificates import Level, certificates_of, level_of, warning_of
from provisioning.facts import CertificateFact
from provisioning.models import Host, Task
from provisioning.models_hosts import ClusterRole
from tests.factories import ClusterFactory
from tests.unit.clusters.cast import GOOD, host, release

pytestmark = pytest.mark.django_db
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> pki.Pair:
    return pki.new_authority("kubernetes-ca")


@pytest.fixture
def cluster() -> Cluster:
    release()
    cluster: Cluster = ClusterFactory(name="prod", seen=timezone.now(), options={"arch": "amd64"})
    row = host(1)
    Host.objects.filter(pk=row.pk).update(
        cluster=cluster, cluster_role=ClusterRole.CONTROL_PLANE, cluster_index=0
    )
    return cluster


def keep(cluster: Cluster, name: str, authority: pki.Pair, days: float) -> None:
    pair = pki.new_leaf(authority, pki.Leaf("someone"), datetime.timedelta(days=days))
    for end, value in (("crt", pair.certificate), ("key", pair.key)):
        ClusterSecret.objects.update_or_create(
            cluster=cluster, name=f"{name}.{end}", defaults={"value": value}
        )


def apiserver() -> str:
    return f"hosts/{Host.objects.get().pk}/apiserver"


@pytest.mark.parametrize(
    ("left", "level"),
    [
        (31 * DAY, Level.OK),
        (30 * DAY, Level.SOON),
        (8 * DAY, Level.SOON),
        (7 * DAY, Level.WEEK),
        (2 * DAY, Level.WEEK),
        (DAY, Level.DAY),
        (datetime.timedelta(seconds=1), Level.DAY),
        (datetime.timedelta(0), Level.EXPIRED),
        (-DAY, Level.EXPIRED),
    ],
)
def test_how_soon_a_certificate_ends(left: datetime.timedelta, level: Level) -> None:
    now = timezone.now()
    assert level_of(now + left, now) is level


def test_the_list_says_what_where_whose_and_until_when(
    cluster: Cluster, authority: pki.Pair, auditor_api: APIClient
) -> None:
    keep(cluster, apiserver(), authority, 200)
    ClusterSecret.objects.create(
        cluster=cluster, name="ca/kubernetes.crt", value=authority.certificate
    )
    url = f"/api/v1/clusters/{cluster.pk}/certificates/"
    answer = auditor_api.get(url)
    assert answer.status_code == 200
    leaf, ca = answer.json()["certificates"]
    assert (leaf["name"], leaf["place"], leaf["level"]) == (apiserver(), "h1", "ok")
    assert (leaf["subject"], leaf["issuer"]) == ("CN=someone", "CN=kubernetes-ca")
    assert (ca["authority"], leaf["authority"]) == (True, False)
    assert "PRIVATE" not in answer.content.decode()


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (200, ""),
        (29, "end within 30 days: 1"),
        (6, "end within 7 days: 1"),
        (0.5, "end within a day: 1"),
        (-0.001, "have expired"),
    ],
)
def test_pages_warn_in_time(
    cluster: Cluster, authority: pki.Pair, operator_client: Client, days: float, says: str
) -> None:
    keep(cluster, apiserver(), authority, days)
    page = operator_client.get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    overview = operator_client.get("/").content.decode()
    if says:
        assert says in page
        assert "The first certificate of the cluster" in overview
    else:
        assert "Certificates end" not in page
        assert "expired" not in page
        assert "Ends soon" not in overview


def test_a_renewal_ends_the_warning_at_once(cluster: Cluster, authority: pki.Pair) -> None:
    keep(cluster, apiserver(), authority, 3)
    assert warning_of(cluster)
    keep(cluster, apiserver(), authority, 365)
    assert warning_of(cluster) is None


def kubelet(cluster: Cluster, left_then: float, looked: float) -> None:
    """A kubelet's certificate that had so many days left when its host was looked at."""
    now = timezone.now()
    seen = now - looked * DAY
    ends = (seen + left_then * DAY).timestamp()
    fact = CertificateFact("O=system:nodes,CN=system:node:h1", "CN=kubernetes-ca", 0, ends, "a")
    facts = json.loads(replace(GOOD, kubelet_certificate=fact).to_json())
    Host.objects.update(facts=facts, facts_at=seen)


def test_a_kubelet_renews_its_own_unless_it_was_seen_not_to(cluster: Cluster) -> None:
    kubelet(cluster, left_then=300, looked=299)
    row = certificates_of(cluster)[0]
    assert (row.title, row.place, row.renews_itself) == ("kubelet-client", "h1", True)
    assert warning_of(cluster) is None
    kubelet(cluster, left_then=20, looked=15)
    row = certificates_of(cluster)[0]
    assert (row.level, row.renews_itself) == (Level.WEEK, False)
    assert warning_of(cluster)


def test_the_tab_leads_to_the_renewal(
    cluster: Cluster, authority: pki.Pair, operator_client: Client, auditor_client: Client
) -> None:
    keep(cluster, apiserver(), authority, 3)
    tab = reverse("clusters:tab", args=[cluster.pk, "certificates"])
    renew = reverse("provisioning:cluster-renew", args=[cluster.pk])
    assert renew in operator_client.get(tab).content.decode()
    assert renew not in auditor_client.get(tab).content.decode()
    assert "Renew the certificates" in operator_client.get(renew).content.decode()
    assert operator_client.post(renew).status_code == 302
    assert Task.objects.get().parameters["expired"] is False


def test_whether_the_control_plane_still_trusts_itself_decides_how_it_is_renewed(
    cluster: Cluster, authority: pki.Pair, operator_api: APIClient
) -> None:
    kubelets = f"hosts/{Host.objects.get().pk}/kubelet-serving"
    url = f"/api/v1/clusters/{cluster.pk}/renew-certificates/"
    for name, expired in ((kubelets, False), (apiserver(), True)):
        keep(cluster, name, authority, -0.001)
        assert operator_api.post(url).status_code == 202
        task = Task.objects.latest("id")
        assert task.parameters["expired"] is expired
        rolling = "control-plane" not in {s.phase for s in task.steps.filter(step="others")}
        assert rolling is expired
        task.delete()
