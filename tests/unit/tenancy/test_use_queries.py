"""What a member's list of namespaces asks of the database, however many there are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.accounts.models import User
from tenancy import quotas
from tenancy.views_namespaces import visible
from tests.conftest import signed_in, with_token
from tests.unit.tenancy.people import member
from tests.unit.tenancy.quota_rows import namespace_of, pod, tenant_of, thing, watched_cluster

pytestmark = pytest.mark.django_db
QUOTA = {"requests.cpu": "2", "pods": "5", "services": "3", "requests.nvidia.com/gpu": "1"}


def member_of(count: int) -> User:
    """A developer of a tenant with so many namespaces on two clusters, each with objects."""
    clusters = [watched_cluster(), watched_cluster()]
    tenant = tenant_of(*clusters)
    for number in range(count):
        row = namespace_of(tenant, clusters[number % 2], f"n{number:03}", quota=QUOTA)
        if number < 10:
            pod(row, cpu_request=0.5)
            pod(row, cpu_request=0.5, phase="Succeeded")
            thing(row, "services", type="NodePort", ports=["80:30080/TCP"])
            thing(row, "persistentvolumeclaims", requested="1Gi")
    return member(tenant, "developer")


@pytest.mark.parametrize("count", [5, 200])
def test_the_lists_own_data_takes_three_queries(count: int, django_assert_num_queries) -> None:
    user = member_of(count)
    with django_assert_num_queries(3):
        rows = list(visible(user))
        bars = quotas.of_namespaces(rows)
    assert len(rows) == count
    shown = {bar.resource.key: bar.used for bar in bars[rows[0].pk]}
    assert shown == {"requests.cpu": 500, "pods": 1, "services": 1, "requests.nvidia.com/gpu": 0}


@pytest.mark.parametrize(("path", "most"), [("/namespaces/", 8), ("/api/v1/namespaces/", 4)])
def test_page_and_rest_cost_the_same_for_five_and_two_hundred(path: str, most: int) -> None:
    taken = []
    for count in (5, 200):
        user = member_of(count)
        client = signed_in(user) if path == "/namespaces/" else with_token(user)
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        taken.append(len(queries))
        if count == 5:
            User.objects.filter(pk=user.pk).update(username="earlier")
    assert taken[0] == taken[1] <= most, [query["sql"][:300] for query in queries]
