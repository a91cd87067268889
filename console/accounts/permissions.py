"""Which role may do what, and how views, API routes and websockets declare what they need.

Deny by default: PermissionMiddleware refuses a page that declares nothing,
Declared refuses an API action that declares nothing, and the test
tests/unit/test_permissions.py lists every URL and consumer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.http import Http404
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from console.accounts import places
from console.accounts.models import Role, User

SIGNED_IN = "signed-in"  # everybody with a session or a token
PUBLIC = "public"  # no sign-in: the sign-in page, health checks

VIEW = {
    "clusters.view",
    "hosts.view",
    "credentials.view",  # names and public halves, never the secret
    "releases.view",
    "tasks.view",
    "pools.view",
    "tenants.view",
    "notices.view",  # what the console tells about clusters and tasks
}
OPERATE = {
    "clusters.change",
    "clusters.operate",  # nodes and objects inside a cluster
    "clusters.logs",  # what containers print; may hold more than it should
    "clusters.exec",  # a terminal in a container
    "pools.change",
    "hosts.change",
    "releases.change",
    "tasks.change",
}
REVIEW = {"audit.view", "users.view"}
ADMINISTER = {
    "audit.change",  # where the record goes out to; the record itself nobody changes
    "credentials.change",
    "clusters.import",
    "clusters.kubeconfig",
    "notices.change",
    "tenants.change",  # make tenants, give them clusters and quotas
    "users.change",
}

ROLE_PERMISSIONS: Mapping[str, frozenset[str]] = {
    Role.ADMIN: frozenset(VIEW | OPERATE | REVIEW | ADMINISTER),
    Role.OPERATOR: frozenset(VIEW | OPERATE),
    Role.AUDITOR: frozenset(VIEW | REVIEW),
    Role.NONE: frozenset(),
}
ALL_PERMISSIONS = ROLE_PERMISSIONS[Role.ADMIN] | {SIGNED_IN, PUBLIC}

F = TypeVar("F", bound=Callable[..., Any])


def allowed(user: User | AnonymousUser, permission: str) -> bool:
    """Whether the user's role carries the permission. Unknown names are refused loudly."""
    if permission not in ALL_PERMISSIONS:
        raise ValueError(f"{permission!r} is no permission of this console")
    if permission == PUBLIC:
        return True
    if not isinstance(user, User) or not user.is_active:
        return False
    return permission == SIGNED_IN or permission in ROLE_PERMISSIONS.get(user.role, frozenset())


def allowed_at(
    user: User | AnonymousUser, permission: str, address: Mapping[str, Any] | None
) -> bool:
    """`allowed`, or the user holds the permission in the place of an address.

    address: the arguments of a URL (console.accounts.places); None: what is asked for did not
    opt in, and the role alone counts.
    """
    if allowed(user, permission):
        return True
    return address is not None and places.held(user, permission, address)


def may_see(
    user: User | AnonymousUser, permission: str, address: Mapping[str, Any] | None = None
) -> bool:
    """Whether the user may know that the thing behind the permission exists.

    What one may not see answers 404, what one may see and not do answers 403.
    address: as of `allowed_at`.
    """
    area = permission.partition(".")[0]
    view = f"{area}.view"
    return view in ALL_PERMISSIONS and allowed_at(user, view, address)


def requires(
    permission: str = "", *, in_namespaces: bool = False, **methods: str
) -> Callable[[F], F]:
    """Declare what a page needs: one permission, or one for each HTTP method.

    requires("hosts.view"), requires(GET="hosts.view", POST="hosts.change").
    HEAD counts as GET. A method that is not named is refused. in_namespaces: those are let in,
    too, who hold the permission only where the address leads; the page shows and does nothing
    outside of their places (clusters.rights).
    """
    for name in (permission, *methods.values()):
        if name and name not in ALL_PERMISSIONS:
            raise ValueError(f"{name!r} is no permission of this console")

    def mark(view: F) -> F:
        view.flotilla_permission = methods or permission  # type: ignore[attr-defined]
        view.flotilla_in_namespaces = in_namespaces  # type: ignore[attr-defined]
        return view

    return mark


def declared(view: Callable[..., Any], method: str) -> str | None:
    """The permission that a page declares for an HTTP method, or None."""
    value = getattr(view, "flotilla_permission", None)
    if isinstance(value, str):
        return value or None
    if isinstance(value, Mapping):
        return value.get("GET" if method == "HEAD" else method)
    return None


class Declared(BasePermission):
    """API permission: each view set names what each action needs in `permissions`.

    permissions = {"list": "hosts.view", "create": "hosts.change"}; plain API
    views name HTTP methods in lower case instead of actions. in_namespaces = {"list"}
    names the actions that opt in, as pages do by `requires`.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """True when allowed; raises Http404 for what the user may not even see."""
        table: Mapping[str, str] = getattr(view, "permissions", {})
        action = getattr(view, "action", None) or (request.method or "").lower()
        no_handler = not callable(getattr(view, (request.method or "").lower(), None))
        if action in ("options", "metadata") or no_handler:
            # Who is signed in is told that the method is not allowed (405).
            return isinstance(request.user, User)
        permission = table.get("retrieve" if action == "head" else action)
        if permission is None:
            return False
        opted_in = action in getattr(view, "in_namespaces", ())
        address = getattr(view, "kwargs", {}) if opted_in else None
        if allowed_at(request.user, permission, address):
            return True
        # PermissionMiddleware writes an audit event when this was a change.
        request._request.flotilla_refused = permission  # type: ignore[attr-defined]
        if isinstance(request.user, User) and not may_see(request.user, permission, address):
            raise Http404
        return False
