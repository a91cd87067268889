"""Permissions that somebody holds in some places only, without a role that carries them.

Roles hold for everything. What a person may do in their tenant's namespaces is known by the apps
above this package, which register how to ask. Pages, API actions and websockets opt in one by
one (`in_namespaces`); for all others this module changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser

from console.accounts.models import User

# (user, permission, address) -> whether they hold it where the address leads. address: the
# arguments of a URL, {"pk": cluster, "namespace": "shop", …}; without a namespace: in any there,
# without a cluster: anywhere.
Holds = Callable[[User, str, Mapping[str, Any]], bool]
_sources: list[Holds] = []


def register(holds: Holds) -> None:
    """Have a source of places asked as well; one that is known already is kept once."""
    if holds not in _sources:
        _sources.append(holds)


def held(user: User | AnonymousUser, permission: str, address: Mapping[str, Any]) -> bool:
    """Whether the user holds the permission in the place of an address, whatever their role."""
    if not isinstance(user, User) or not user.is_active:
        return False
    return any(holds(user, permission, address) for holds in _sources)
