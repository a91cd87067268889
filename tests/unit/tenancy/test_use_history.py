"""Use over time: sampled in bulk, kept within bounds, honest about what is not known."""

from __future__ import annotations

import pytest
from django.utils import timezone

from clusters.models import Cluster, ClusterStatus
from tenancy import use_history, use_samples
from tenancy.models import Namespace, UseFrame, UseTier
from tenancy.use_frames import Point
from tenancy.use_history import full_in_days
from tenancy.use_samples import DAY, HOUR
from tests.conftest import signed_in, with_token
from tests.factories import UserFactory
from tests.unit.tenancy.people import member
from tests.unit.tenancy.quota_rows import namespace_of, pod, tenant_of, watched_cluster

# A day's start.
START = 1_790_000_000 // DAY * DAY


@pytest.fixture
def namespace(db: None) -> Namespace:
    cluster = watched_cluster(name="east", status=ClusterStatus.ACTIVE)
    tenant = tenant_of(cluster, over_all={"pods": "20"}, east={"pods": "10"})
    row = namespace_of(tenant, cluster, "web", quota={"pods": "4", "requests.cpu": "2"})
    pod(row, cpu_request=0.5)
    return row


def used(row: Namespace, now: int, key: str = "pods") -> list[tuple[int, int, int]]:
    found = use_history.samples_of_namespace(row, "30d", now).get(key, [])
    return [(time, *point) for time, point in found]


class TestSamples:
    def test_once_an_hour_and_with_the_quota_of_then(self, namespace: Namespace) -> None:
        use_samples.look(START + 10)
        use_samples.look(START + 400)
        pod(namespace)
        Namespace.objects.update(quota={"pods": "8"})
        use_samples.look(START + HOUR + 5)
        assert used(namespace, START + 2 * HOUR) == [(START, 1, 4), (START + HOUR, 2, 8)]
        assert used(namespace, START + 2 * HOUR, "requests.cpu") == [(START, 500, 2000)]
        over_all = use_history.samples_of_tenant(namespace.tenant, None, "30d", START + 2 * HOUR)
        here = use_history.samples_of_tenant(
            namespace.tenant, namespace.cluster_id, "30d", START + 2 * HOUR
        )
        assert over_all["pods"][-1] == (START + HOUR, Point(2, 20))
        assert here["pods"][-1] == (START + HOUR, Point(2, 10))

    def test_many_namespaces_cost_no_more_queries(
        self, namespace: Namespace, django_assert_max_num_queries
    ) -> None:
        for _number in range(200):
            namespace_of(namespace.tenant, namespace.cluster, quota={"pods": "1"})
        with django_assert_max_num_queries(26):
            use_samples.look(START)
        assert UseFrame.objects.count() <= 6

    def test_a_cluster_that_is_away_leaves_a_gap(self, namespace: Namespace) -> None:
        use_samples.look(START)
        Cluster.objects.update(status=ClusterStatus.UNREACHABLE)
        use_samples.look(START + HOUR)
        Cluster.objects.update(status=ClusterStatus.ACTIVE)
        use_samples.look(START + 2 * HOUR)
        assert [time for time, *_rest in used(namespace, START + DAY)] == [START, START + 2 * HOUR]
        trend = use_history.of_namespace(namespace, START + 3 * HOUR)["pods"]
        assert len(trend.used_lines) == 2, "the line is broken where nothing was known"
        over_all = use_history.samples_of_tenant(namespace.tenant, None, "30d", START + DAY)
        assert len(over_all["pods"]) == 2

    def test_days_are_made_and_old_rows_go(self, namespace: Namespace) -> None:
        use_samples.look(START)
        pod(namespace)
        use_samples.look(START + 5 * HOUR)
        use_samples.look(START + DAY)
        year = use_history.samples_of_namespace(namespace, "1y", START + 2 * DAY)
        assert year["pods"] == [(START, Point(2, 4))]
        use_samples.look(START + 40 * DAY)
        assert not UseFrame.objects.filter(tier=UseTier.HOURS, time__lt=START + DAY).exists()
        assert UseFrame.objects.filter(tier=UseTier.DAYS, time=START).exists()
        use_samples.look(START + 400 * DAY)
        assert not UseFrame.objects.filter(tier=UseTier.DAYS, time=START).exists()

    def test_a_clock_that_was_ahead_is_forgotten(self, namespace: Namespace) -> None:
        use_samples.look(START + 30 * DAY)
        use_samples.look(START)
        assert [time for time, *_rest in used(namespace, START + DAY)] == [START]

    def test_another_tenant_does_not_see_what_was_used_before_a_move(
        self, namespace: Namespace
    ) -> None:
        use_samples.look(START)
        namespace.tenant = tenant_of(namespace.cluster)
        namespace.save()
        assert used(namespace, START + HOUR) == []


def line(days: int, first: int, each: float, limit: int = 1000) -> list[tuple[int, Point]]:
    times = range(START - days * DAY, START + 1, 6 * HOUR)
    return [(t, Point(int(first + each * (t - times[0]) / DAY), limit)) for t in times]


class TestForecast:
    def test_a_line_says_when_it_is_full(self) -> None:
        assert full_in_days(line(10, 0, 50), START) == 10

    @pytest.mark.parametrize(
        "found",
        [
            line(6, 0, 50),
            line(10, 500, 0),
            line(10, 600, -50),
            line(10, 1000, 50),
            line(10, 0, 1),
            [(t, Point(p.used if n % 2 else 900 - p.used, 1000)) for n, (t, p) in
             enumerate(line(10, 0, 10))],
            [],
        ],
        ids=["too short", "flat", "falling", "full", "far away", "no line", "nothing"],
    )  # fmt: skip
    def test_and_nothing_where_that_would_be_a_guess(self, found) -> None:
        assert full_in_days(found, START) is None

    def test_nor_of_what_ended_long_ago(self) -> None:
        assert full_in_days(line(10, 0, 50), START + 3 * DAY) is None


class TestPages:
    def test_bars_have_their_lines_and_a_table(self, namespace: Namespace) -> None:
        viewer = member(namespace.tenant, "viewer")
        now = int(timezone.now().timestamp())
        for hours in (3, 2, 1):
            use_samples.look(now - hours * HOUR)
        client = signed_in(viewer)
        for page in (f"/namespaces/{namespace.pk}/", f"/tenants/{namespace.tenant.slug}/"):
            html = client.get(page).content.decode()
            assert "<polyline" in html and "Last 30 days" in html, page
            assert "Full in about" not in html
        for address in (
            f"/api/v1/namespaces/{namespace.pk}/use/history/",
            f"/api/v1/tenants/{namespace.tenant.slug}/use/history/",
            f"/api/v1/tenants/{namespace.tenant.slug}/use/history/?cluster={namespace.cluster_id}",
        ):
            found = with_token(viewer).get(address).json()
            pods = next(one for one in found["resources"] if one["resource"] == "pods")
            assert len(pods["samples"]) == 3 and pods["full_in_days"] is None
            assert with_token(UserFactory()).get(address).status_code == 404
        wrong = with_token(viewer).get(f"/api/v1/namespaces/{namespace.pk}/use/history/?range=9")
        assert wrong.status_code == 400 and "range" in wrong.json()["errors"]
