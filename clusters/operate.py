"""How everything that people do inside clusters is done: pages, bulk actions and REST alike.

In their name, within one time limit, and each change with its audit event,
whether it went well or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, cast
from urllib.parse import quote

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from clusters import access, guarded, places
from clusters.inventory.kinds import object_path
from clusters.kube import KubeError, connect
from clusters.kube.acting import Acting
from clusters.kube.credentials import credentials_of
from clusters.kube.streams import Doer
from clusters.kube.workloads_api import Effect
from clusters.models import Cluster, Object
from clusters.rights import acting, grants_on, why_not_here
from console.accounts.models import User
from console.audit.record import record

REQUEST_SECONDS = 10.0  # for all calls of one request together


class NotPossible(KubeError):
    """It was not even asked of the cluster: what speaks against it, and what to do."""


class NotAllowed(NotPossible):
    """Only admins may do it in this place (clusters.guarded)."""

    status = 403


def user_of(request: Any) -> User:
    """Who asks; every address here wants a role, so somebody is signed in."""
    return cast(User, request.user)


def connection(
    cluster: Cluster,
    user: User,
    seconds: float | None = REQUEST_SECONDS,
    namespaces: Iterable[str] = (),
) -> Acting:
    """The cluster's connection in a person's name, and no further than they may go in it.

    namespaces: those whose rights are looked up at once, so that calls in other threads ask
    no database. Each call on it raises NotAllowed for a place where the person may not. Raises
    NotPossible where the console cannot act for people, CredentialsMissing or another KubeError
    where it has no way in.
    """
    if reason := access.problem(cluster):
        raise NotPossible(
            _("People's actions are not possible on this cluster: %(reason)s") % {"reason": reason},
            _("Apply the YAML of the page “Access” of the cluster."),
        )
    return Acting(connect(cluster), acting(user), seconds, _guard(cluster, user, namespaces))


def doer(row: Object, user: User, permission: str) -> Doer:
    """For a stream in a person's name, to an object's log or a terminal in it.

    permission: "clusters.logs" or "clusters.exec". Raises NotAllowed for a place
    where the person may not, CredentialsMissing where the console has no way in.
    """
    refuse_by_place(user, permission, row.cluster, guarded.namespace_of(row))
    return Doer(credentials_of(row.cluster), acting(user))


def _guard(cluster: Cluster, user: User, namespaces: Iterable[str]) -> Callable[[str, str], None]:
    """Raises NotAllowed for a call's method and path where the person may not go."""

    @cache
    def why(use: guarded.Use, namespace: str) -> str:
        return why_not_here(user, guarded.PERMISSIONS[use], cluster, namespace)

    for namespace in set(namespaces):
        for use in guarded.Use:
            why(use, namespace)

    def guard(method: str, path: str) -> None:
        if guarded.is_discovery(method, path):
            return
        try:
            use, namespace = guarded.use_of(method, path)
        except guarded.NoPlainPath:
            raise NotPossible(
                _("%(path)s is no path of an object.") % {"path": path[:200]},
                _("Names of Kubernetes have neither slashes nor dots alone."),
            ) from None
        _refuse(why(use, namespace))

    return guard


def path_of(row: Object) -> str:
    """The object's path in the API."""
    return object_path(row.api_version, plural_of(row.resource), row.namespace, row.name)


def plural_of(resource: str) -> str:
    """The plural in "deployments.apps"."""
    return resource.partition(".")[0]


def title_of(row: Object) -> str:
    """What the audit log calls an object: "Deployment shop/web"."""
    return f"{row.kind} {row}"


def arguments_of(row: Object) -> tuple[int, str, str, str]:
    """The arguments of an object's addresses."""
    return row.cluster_id, row.resource, row.namespace or "-", row.name


def address_of(row: Object) -> str:
    """The object's own page, above those of its operations."""
    page = reverse("clusters:object-access", args=arguments_of(row))
    return page.removesuffix("access/")


def api_address(cluster: int, resource: str, namespace: str, name: str) -> str:
    """The path of an object in the console's API."""
    parts = "/".join(quote(part, safe="") for part in (resource, namespace or "-", name))
    return f"/api/v1/clusters/{cluster}/objects/{parts}/"


def refuse_by_place(user: User, permission: str, cluster: Cluster, namespace: str = "") -> None:
    """Raises NotAllowed where the person may not use the permission, as in kube-system."""
    _refuse(why_not_here(user, permission, cluster, namespace))


def _refuse(why: str) -> None:
    if why:
        raise NotAllowed(why, _("Ask a platform admin to do it."))


def refuse_by_role(user: User, verb: str, row: Object, resource: str = "") -> None:
    """Say it before the cluster does: neither the place nor the role would allow this change.

    resource: "deployments.apps" by default the row's own. Raises NotAllowed by the place,
    NotPossible by the roles that the console gives.
    """
    refuse_by_place(user, "clusters.operate", row.cluster, guarded.namespace_of(row))
    resource = resource or row.resource
    if not grants_on(user, verb, row, resource):
        text = _("Your role %(role)s may not %(verb)s %(resource)s inside clusters.")
        if not user.role:
            text = _("You may not %(verb)s %(resource)s in this namespace.")
        values = {"role": user.get_role_display(), "verb": verb, "resource": resource}
        raise NotPossible(
            text % values,
            _("Ask a platform admin to do it."),
        )


def perform(
    row: Object,
    audit: str,
    call: Callable[[Acting], Effect],
    *,
    user: User,
    request: HttpRequest | None = None,
) -> Effect:
    """Do one thing to one object in the user's name, and record it.

    Raises KubeError after it was recorded as a failure.
    """
    acting_for: Acting | None = None
    try:
        acting_for = connection(row.cluster, user)
        effect = call(acting_for)
    except KubeError as error:
        own = acting_for.own_audit_ids if acting_for else []
        _tell_of(row, audit, error, user=user, request=request, own_ids=own)
        raise
    own = acting_for.own_audit_ids
    _tell_of(row, audit, effect, user=user, request=request, own_ids=own)
    return effect


def _tell_of(row: Object, audit: str, result: Effect | KubeError, **more: Any) -> None:
    place = guarded.namespace_of(row)
    tell(row.cluster, audit, title_of(row), result, namespace=place, **more)


def tell(
    cluster: Cluster,
    audit: str,
    name: str,
    result: Effect | KubeError,
    *,
    user: User,
    request: HttpRequest | None = None,
    own_ids: Sequence[str] = (),
    namespace: str = "",
) -> None:
    """The audit event of something that was done, or was not.

    namespace: where; the event is its tenant's, too.
    own_ids: under which ids the cluster's own audit log has it, where those are not the request's.
    """
    common: dict[str, Any] = {"request": request, "actor": user}
    if namespace:
        common["tenant"] = places.source().tenant(cluster.pk, namespace)
    more = {"cluster_audit_ids": list(own_ids)} if own_ids else {}
    common["object_name"] = f"{cluster.name}: {name}"
    if isinstance(result, KubeError):
        record(audit, cluster, outcome="failure", reason=str(result), after=more, **common)
    else:
        record(audit, cluster, before=result.before, after={**result.after, **more}, **common)
