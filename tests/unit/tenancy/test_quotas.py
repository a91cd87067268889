"""Quotas of tenants: nothing is given twice, and what is short is said with its figure."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from clusters.models import Object
from console.audit.models import AuditEvent
from tenancy import quotas
from tenancy.amounts import AmountsError, read
from tenancy.models import Namespace, Tenant
from tests.factories import ClusterFactory, UserFactory
from tests.unit.tenancy.quota_rows import (
    in_threads,
    namespace_of,
    pod,
    tenant_of,
    thing,
    watched_cluster,
)

GIB = 2**30


@pytest.mark.django_db
class TestShortfalls:
    def test_what_fits_is_no_shortfall(self):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster, east={"requests.cpu": "4"}, over_all={"requests.cpu": "10"})
        namespace_of(tenant, cluster, quota={"requests.cpu": "2500m"})
        assert quotas.shortfalls(tenant, cluster, {"requests.cpu": "1500m"}) == []
        (short,) = quotas.shortfalls(tenant, cluster, {"requests.cpu": "1501m"})
        assert (short.limit, short.taken, short.wanted, short.short_by) == (4000, 2500, 1501, 1)
        assert short.text() == (
            "requests.cpu: 1.5 CPU of 4 CPU left on east, 1.501 CPU wanted: 0.001 CPU short."
        )

    def test_both_quotas_are_named_when_both_are_short(self):
        east, west = ClusterFactory(name="east"), ClusterFactory(name="west")
        tenant = tenant_of(east, west, east={"pods": "5"}, over_all={"pods": "6"})
        namespace_of(tenant, west, quota={"pods": "4"})
        assert [s.scope for s in quotas.shortfalls(tenant, east, {"pods": "6"})] == [
            "east",
            "all clusters",
        ]
        (short,) = quotas.shortfalls(tenant, east, {"pods": "3"})
        assert (short.scope, short.short_by) == ("all clusters", 1)
        # A namespace on a cluster without a quota of its own still counts over all.
        assert quotas.shortfalls(tenant, west, {"pods": "2"}) == []
        assert quotas.left(tenant, east) == {"pods": 2}

    def test_what_the_tenant_has_limited_must_be_stated(self):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster, over_all={"limits.memory": "8Gi"})
        (short,) = quotas.shortfalls(tenant, cluster, {"requests.cpu": "1"})
        assert short.unstated and "must be stated" in short.text() and "8 GiB" in short.text()
        assert quotas.shortfalls(tenant, cluster, {"limits.memory": "0"}) == []

    def test_the_number_of_namespaces_is_limited_too(self):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster, over_all={"namespaces": "1"})
        assert quotas.shortfalls(tenant, cluster, {}) == []
        one = namespace_of(tenant, cluster)
        (short,) = quotas.shortfalls(tenant, cluster, {})
        assert short.text() == "namespaces: 0 of 1 left on all clusters, 1 wanted: 1 short."
        assert quotas.shortfalls(tenant, cluster, {}, replacing=one) == []

    def test_a_change_counts_without_what_it_replaces(self):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster, east={"pods": "10"})
        one = namespace_of(tenant, cluster, quota={"pods": "8"})
        assert quotas.taken(tenant, cluster, without=one) == {}
        assert quotas.shortfalls(tenant, cluster, {"pods": "10"}, replacing=one) == []
        assert quotas.shortfalls(tenant, cluster, {"pods": "11"}, replacing=one)[0].short_by == 1

    def test_what_is_over_the_quota_may_still_be_lowered(self):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster, east={"pods": "5"})
        one = namespace_of(tenant, cluster, quota={"pods": "8"})
        assert quotas.shortfalls(tenant, cluster, {"pods": "7"}, replacing=one) == []
        assert quotas.shortfalls(tenant, cluster, {"pods": "9"}, replacing=one)[0].short_by == 4

    def test_a_move_keeps_nothing_of_what_the_other_tenant_gave(self):
        cluster = ClusterFactory(name="east")
        old, new = tenant_of(cluster), tenant_of(cluster, east={"pods": "5"})
        moving = namespace_of(old, cluster, quota={"pods": "8"})
        assert quotas.shortfalls(new, cluster, moving.quota, replacing=moving)[0].short_by == 3

    def test_the_quotas_of_others_do_not_count(self):
        cluster = ClusterFactory(name="east")
        tenant, other = tenant_of(cluster, east={"pods": "5"}), tenant_of(cluster)
        namespace_of(other, cluster, quota={"pods": "99"})
        assert quotas.shortfalls(tenant, cluster, {"pods": "5"}) == []

    def test_nonsense_is_refused(self):
        cluster = ClusterFactory()
        with pytest.raises(AmountsError):
            quotas.shortfalls(tenant_of(cluster), cluster, {"pods": "many"})


WANTED = st.tuples(st.integers(0, 1), st.integers(0, 4000), st.integers(0, 3 * GIB), st.booleans())


class TestNoSequenceExceedsTheQuota(TestCase):
    @settings(max_examples=25)
    @given(st.lists(WANTED, max_size=10), st.integers(0, 9000), st.integers(0, 6 * GIB))
    def test_it(self, wishes, cpus, memory):
        clusters = ClusterFactory(name="east"), ClusterFactory(name="west")
        hard = {"requests.cpu": f"{cpus}m", "limits.memory": str(memory)}
        tenant = tenant_of(*clusters, east={"requests.cpu": "3"}, over_all=hard)
        limits = {clusters[0]: {"requests.cpu": 3000}, None: read(hard)}
        for index, cpu, size, again in wishes:
            cluster = clusters[index]
            replaced = tenant.namespaces.filter(cluster=cluster).first() if again else None
            wanted = {"requests.cpu": f"{cpu}m", "limits.memory": str(size)}
            short = quotas.shortfalls(tenant, cluster, wanted, replacing=replaced)
            for one in short:
                # The figure is right to the unit: this much less would have fitted.
                assert one.taken + one.wanted - one.short_by == max(one.limit, one.taken)
            if short:
                continue
            if replaced:
                Namespace.objects.filter(pk=replaced.pk).update(quota=wanted)
            else:
                namespace_of(tenant, cluster, quota=wanted)
            for scope, most in limits.items():
                taken = quotas.taken(tenant, scope)
                assert all(taken.get(key, 0) <= limit for key, limit in most.items())


@pytest.mark.django_db(transaction=True)
class TestRaces:
    @pytest.mark.parametrize(
        ("hard", "wanted"),
        [({"namespaces": "3"}, {}), ({"requests.cpu": "4500m"}, {"requests.cpu": "1500m"})],
    )
    def test_of_fifty_at_once_one_gets_the_last_slot(self, hard, wanted):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster, over_all=hard)
        for _ in range(2):
            namespace_of(tenant, cluster, quota=wanted)
        won, lost = [], []

        def create(number: int) -> None:
            with quotas.locked(tenant) as mine:
                if quotas.shortfalls(mine, cluster, wanted):
                    lost.append(number)
                else:
                    namespace_of(mine, cluster, f"race-{number}", quota=wanted)
                    won.append(number)

        in_threads(create, 50)
        assert (len(won), len(lost), tenant.namespaces.count()) == (1, 49, 3)

    def test_lowering_the_quota_meanwhile_leaves_nobody_above_it(self):
        cluster, admin = ClusterFactory(name="east"), UserFactory()
        tenant = tenant_of(cluster, east={"pods": "20"})

        def work(number: int) -> None:
            if number % 2:
                try:
                    quotas.set_quota(tenant, cluster, {"pods": str(20 - number)}, by=admin)
                except quotas.QuotaRefusedError:
                    return
            else:
                with quotas.locked(tenant):
                    if not quotas.shortfalls(tenant, cluster, {"pods": "4"}):
                        namespace_of(tenant, cluster, quota={"pods": "4"})

        in_threads(work, 20)
        limit = read(tenant.quotas.get().hard)["pods"]
        assert quotas.taken(tenant, cluster)["pods"] <= limit

    def test_two_moves_in_opposite_directions_do_not_wait_for_each_other(self):
        tenants = tenant_of(), tenant_of()

        def move(number: int) -> None:
            one, other = tenants if number % 2 else reversed(tenants)
            with quotas.locked(one, other) as found:
                assert found == one

        in_threads(move, 10)


@pytest.mark.django_db
class TestSetQuota:
    def test_it_is_kept_in_canonical_spelling_and_audited_once(self, admin):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster)
        for _ in range(2):
            found = quotas.set_quota(
                tenant, cluster, {"requests.cpu": "0.5", "namespaces": 3, "pods": ""}, by=admin
            )
        assert found.hard == {"requests.cpu": "500m", "namespaces": "3"}
        event = AuditEvent.objects.get(action="tenant.quota_changed")
        assert event.actor == admin
        assert event.before == {"cluster": "east", "hard": {}}
        assert event.after == {"cluster": "east", "hard": found.hard}
        quotas.set_quota(tenant, None, {"requests.cpu": "9"}, by=admin)
        assert tenant.quotas.get(cluster=None).hard == {"requests.cpu": "9"}

    def test_lowering_below_what_is_given_is_refused_with_the_figures(self, admin):
        east, west = ClusterFactory(name="east"), ClusterFactory(name="west")
        tenant = tenant_of(east, west, over_all={"limits.memory": "10Gi", "pods": "9"})
        for cluster in (east, west):
            # The same name twice, on two clusters.
            namespace_of(tenant, cluster, "web", quota={"limits.memory": "3Gi", "pods": "1"})
        with pytest.raises(quotas.QuotaRefusedError) as refusal:
            quotas.set_quota(tenant, None, {"limits.memory": "5Gi", "pods": "2"}, by=admin)
        assert refusal.value.problems == {
            "limits.memory": "limits.memory: the namespaces on all clusters have been given 6 GiB, "
            "1 GiB more than 5 GiB: lower their quotas first."
        }
        assert tenant.quotas.get().hard == {"limits.memory": "10Gi", "pods": "9"}
        assert not AuditEvent.objects.exists()
        quotas.set_quota(tenant, None, {"limits.memory": "6Gi", "pods": "2"}, by=admin)

    def test_what_is_exceeded_already_may_be_raised_but_not_to_its_end(self, admin):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster, east={"pods": "2"})
        namespace_of(tenant, cluster, quota={"pods": "5"})
        quotas.set_quota(tenant, cluster, {"pods": "3"}, by=admin)
        with pytest.raises(quotas.QuotaRefusedError):
            quotas.set_quota(tenant, cluster, {"pods": "2"}, by=admin)

    def test_a_namespace_without_a_limit_would_make_the_quota_a_lie(self, admin):
        cluster = ClusterFactory(name="east")
        tenant = tenant_of(cluster)
        namespace_of(tenant, cluster, "web")
        with pytest.raises(quotas.QuotaRefusedError, match="east/web"):
            quotas.set_quota(tenant, None, {"pods": "100"}, by=admin)
        quotas.set_quota(tenant, None, {"namespaces": "1"}, by=admin)

    def test_only_on_a_cluster_that_the_tenant_has(self, admin):
        with pytest.raises(quotas.QuotaRefusedError, match="give it first"):
            quotas.set_quota(tenant_of(), ClusterFactory(), {"pods": "1"}, by=admin)

    def test_a_tenant_that_is_gone(self, admin):
        tenant = tenant_of()
        Tenant.objects.all().delete()
        with pytest.raises(Tenant.DoesNotExist):
            quotas.set_quota(tenant, None, {"pods": "1"}, by=admin)


@pytest.mark.django_db
class TestOverview:
    def test_limit_taken_and_used(self, django_assert_max_num_queries):
        east, west = watched_cluster(name="east"), watched_cluster(name="west")
        hard = {"requests.cpu": "8", "requests.memory": "16Gi", "pods": "50", "namespaces": "4",
                "requests.storage": "100Gi", "services.loadbalancers": "2",
                "services.nodeports": "9", "count/secrets": "9",
                "requests.nvidia.com/gpu": "4"}  # fmt: skip
        tenant = tenant_of(east, west, west={"pods": "20"}, over_all=hard)
        quota = {"requests.cpu": "2", "pods": "10", "requests.nvidia.com/gpu": "3"}
        web = namespace_of(tenant, east, "web", quota=quota)
        shop = namespace_of(tenant, west, "web", quota=quota)
        gpu = {"requests": {"nvidia.com/gpu": "1"}}
        pod(web, cpu_request=0.1, memory_request=2.0**20, containers=[gpu, gpu])
        pod(web, cpu_request=0.2)
        pod(web, cpu_request=9, phase="Succeeded")
        pod(shop, cpu_request=0.5)
        pod(namespace_of(tenant_of(east), east, "other"), cpu_request=50)
        thing(web, "persistentvolumeclaims", requested="1.5Gi")
        thing(web, "services", type="LoadBalancer", ports=["80:30080/TCP → 8080"])
        thing(web, "services", type="NodePort", ports=["80:30081/TCP → a", "81:30082/TCP → b"])
        thing(web, "services", type="ClusterIP", ports=["80/TCP → 8080"])
        thing(web, "secrets")
        with django_assert_max_num_queries(9):
            rows = {(row.scope, row.resource.key): row for row in quotas.overview(tenant)}
        found = {
            key: (r.limit, r.taken, r.used) for (scope, key), r in rows.items() if scope[0] == "a"
        }
        assert found == {
            "requests.cpu": (8000, 4000, 800),
            "requests.memory": (16 * GIB, 0, 2**20),
            "pods": (50, 20, 3),
            "namespaces": (4, 2, 2),
            "requests.storage": (100 * GIB, 0, 3 * 2**29),
            "services.loadbalancers": (2, 0, 1),
            "services.nodeports": (9, 0, 3),
            "count/secrets": (9, 0, 1),
            "requests.nvidia.com/gpu": (4, 6, 2),
        }
        row = rows["west", "pods"]
        assert (row.limit, row.taken, row.used, row.taken_percent) == (20, 10, 1, 50)
        assert (row.left_text, row.used_percent) == ("10", 5)
        of_web = {row.resource.key: row for row in quotas.of_namespaces([web, shop])[web.pk]}
        assert of_web["requests.cpu"].used_text == "0.3 CPU"
        assert of_web["requests.cpu"].left_text == "1.7 CPU"

    def test_what_is_not_known_is_not_called_nothing(self):
        never_seen, half = ClusterFactory(name="east"), watched_cluster(name="west")
        half.not_watched = {"pods": "forbidden"}
        half.save()
        of_west = {"pods": "9", "services": "9", "limits.ephemeral-storage": "1Gi"}
        tenant = tenant_of(never_seen, half, east={"pods": "9"}, west=of_west)
        for cluster in (never_seen, half):
            namespace_of(tenant, cluster, quota={"pods": "2"})
        used = {(r.scope, r.resource.key): r.used for r in quotas.overview(tenant)}
        assert used == {
            ("east", "pods"): None,
            ("west", "pods"): None,
            ("west", "services"): 0,
            ("west", "limits.ephemeral-storage"): None,
        }

    def test_a_full_quota_of_nothing(self):
        cluster = watched_cluster(name="east")
        tenant = tenant_of(cluster, east={"pods": "0"})
        (row,) = quotas.overview(tenant)
        assert (row.taken_percent, row.left) == (0, 0)
        assert Object.objects.count() == 0
