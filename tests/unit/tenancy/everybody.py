"""Everybody who may come along, and what each of them is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from clusters.models import Cluster
from console.accounts.models import User
from tenancy import members
from tenancy.models import Tenant
from tests.factories import UserFactory
from tests.unit.tenancy.namespace_rows import ROLES, member, tenant_of

MANAGE = {"owner", "admin", "platform admin"}
WORK = {*MANAGE, "developer"}
SEE = {*ROLES, "by group", "platform admin", "platform operator", "platform auditor"}
PLATFORM = {"platform admin"}


def everybody(
    shop: Tenant, cluster: Cluster, admin: User, operator: User, auditor: User, nobody: User
) -> dict[str, User]:
    """{what they are to the tenant: somebody}: members, former members, strangers, the platform's.

    Also makes another tenant, "bank", with an owner and the same cluster.
    """
    found = {role: member(shop, role, admin) for role in ROLES}
    for name, role in (("by group", "viewer"), ("formerly by group", "owner")):
        group = Group.objects.create(name=name)
        found[name] = UserFactory(username=name.replace(" ", "-"))
        group.user_set.add(found[name])
        members.set_role(shop, group, role, by=admin)
        if name == "formerly by group":
            group.user_set.remove(found[name])
    found["former"] = UserFactory(username="former")
    members.remove(members.set_role(shop, found["former"], "admin", by=admin), by=admin)
    bank = tenant_of(cluster, "bank")
    return {
        **found,
        "owner of another": member(bank, "owner", admin),
        "stranger": nobody,
        "platform admin": admin,
        "platform operator": operator,
        "platform auditor": auditor,
    }


def answers(people: Mapping[str, User], ask: Callable[[User], Any]) -> dict[str, int]:
    """{who: the status of the answer}; what the request did is undone after each."""
    found = {}
    for who, user in people.items():
        with transaction.atomic():
            found[who] = ask(user).status_code
            transaction.set_rollback(True)
    return found


def expected(people: Mapping[str, User], done: int, may: set[str], see: set[str]) -> dict[str, int]:
    """done for those who may, 403 for those who only see, 404 for everybody else."""
    return {who: done if who in may else 403 if who in see else 404 for who in people}
