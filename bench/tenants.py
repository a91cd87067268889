"""A tenant member's list of namespaces against guardian as it comes, at 20,000 namespaces.

As it comes: a right of the person on each namespace in guardian's own generic tables, and
get_objects_for_user. Both sides find the same namespaces.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bench.console import Console
from bench.report import Result, median_ratio

if TYPE_CHECKING:
    from console.accounts.models import User

NAME = "tenants"
TITLE = "A member's page of namespaces out of 20,000 with 5,000 grants"
MOST_QUERIES, LEAST_TIMES = 3, 3
AIM = (
    f"at most {MOST_QUERIES} queries, and a third of the processor time of "
    "guardian's get_objects_for_user"
)
TENANTS, EACH, GRANTS, OWN = 200, 100, 5_000, 5
REPEATS = 20


def measure(_running: Console, rounds: int) -> Result:
    """Both sides in every round; who begins changes."""
    user = _scene()
    result = Result(NAME, TITLE, AIM)
    sides = {"console": _console, "guardian": _guardian}
    took: dict[str, list[float]] = {name: [] for name in sides}
    rows = {}
    for number in range(rounds):
        for name in sorted(sides, reverse=bool(number % 2)):
            begin = time.process_time()
            for _again in range(REPEATS):
                rows[name] = sides[name](user)
            took[name].append((time.process_time() - begin) / REPEATS)
    if rows["console"] != rows["guardian"]:
        raise AssertionError("the two sides found different namespaces")
    queries = _queries(user)
    times = median_ratio(took["guardian"], took["console"])
    result.figure = f"{queries} queries; 1/{times:.1f} of guardian's"
    result.met = queries <= MOST_QUERIES and times >= LEAST_TIMES
    result.data = {"seconds": took, "queries": queries, "times": times}
    return result


def _console(user: User) -> list[str]:
    from tenancy.views_namespaces import visible

    return [f"{row.tenant.slug}/{row.name}" for row in visible(user).order_by("name", "pk")[:50]]


def _guardian(user: User) -> list[str]:
    from guardian.shortcuts import get_objects_for_user

    from tenancy.models import Namespace

    rows = get_objects_for_user(
        user,
        "tenancy.view_namespace",
        Namespace.objects.select_related("tenant", "cluster", "pool"),
        accept_global_perms=False,
    )
    return [f"{row.tenant.slug}/{row.name}" for row in rows.order_by("name", "pk")[:50]]


def _queries(user: User) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        _console(user)
    return len(seen)


def _scene() -> User:
    from clusters.models import Cluster, ClusterStatus, Origin
    from console.accounts.models import Role, User
    from tenancy import members
    from tenancy.models import Namespace, Tenant

    admin = User.objects.create(username="bench-admin", role=Role.ADMIN)
    cluster = Cluster.objects.create(
        name="bench-tenants", origin=Origin.IMPORTED, status=ClusterStatus.ACTIVE
    )
    tenants = Tenant.objects.bulk_create(
        Tenant(name=f"Tenant {n}", slug=f"tenant-{n}") for n in range(TENANTS)
    )
    Namespace.objects.bulk_create(
        (
            Namespace(tenant=tenant, cluster=cluster, name=f"{tenant.slug}-{n}")
            for tenant in tenants
            for n in range(EACH)
        ),
        batch_size=500,
    )
    people = User.objects.bulk_create(User(username=f"bench-{n}") for n in range(GRANTS // OWN))
    for number, person in enumerate(people):
        for k in range(OWN):
            tenant = tenants[(number * 7 + k) % TENANTS]
            members.set_role(tenant, person, "viewer", by=admin)
    _as_it_comes(people)
    return people[0]


def _as_it_comes(people: list[User]) -> None:
    """Guardian's generic rows: the first person's own namespaces, and the rest of the grants."""
    from django.contrib.auth.models import Permission
    from guardian.models import UserObjectPermission

    from tenancy.models import Namespace
    from tenancy.views_namespaces import visible

    right = Permission.objects.get(codename="view_namespace")
    own = list(visible(people[0]).values_list("pk", flat=True))
    others = Namespace.objects.exclude(pk__in=own).values_list("pk", flat=True)
    rows: Any = [(people[0], pk) for pk in own]
    rows += [
        (people[1 + n % (len(people) - 1)], pk) for n, pk in enumerate(others[: GRANTS - len(own)])
    ]
    UserObjectPermission.objects.bulk_create(
        (
            UserObjectPermission(
                user=person, permission=right, content_type=right.content_type, object_pk=str(pk)
            )
            for person, pk in rows
        ),
        batch_size=500,
    )
