"""Kubeconfigs for one namespace: given out with an end, listed, and revoked at once.

Each has a service account of its own, outside of the tenant's reach in the console's namespace
of the cluster: whoever may make pods or secrets in a namespace can get the token of every
account in it. The token is bound to the account ("TokenRequest"): when the account is deleted
the token is worth nothing. API servers remember an accepted token for ten seconds, so the
account's RoleBinding is deleted first, which they hear of at once.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import yaml
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from clusters import console_account
from clusters.kube import Connection, KubeError, NotFound, connect
from clusters.kube.credentials import credentials_of
from clusters.models import Cluster
from console.accounts.models import User
from console.audit.record import record
from tenancy import roles
from tenancy.desired import PART
from tenancy.models import GivenKubeconfig, Membership, Namespace, TenantRole
from tenancy.permissions import KUBECONFIGS, rights

JSON = dict[str, Any]

DEFAULT_HOURS = 24
LEAST_HOURS, MOST_HOURS = 1, 30 * 24
MOST_OF_ONE = 20  # that count at one time, of one person in one namespace
CALL_SECONDS = 4.0
ACCOUNTS = f"/api/v1/namespaces/{console_account.NAMESPACE}/serviceaccounts"
RANK = [TenantRole.VIEWER, TenantRole.DEVELOPER, TenantRole.ADMIN, TenantRole.OWNER]


class KubeconfigRefusedError(Exception):
    """Why none is given out; the message says what to do."""


@dataclass(frozen=True)
class Issued:
    """The kubeconfig's text, which is shown once, its file name, and its row."""

    text: str
    filename: str
    row: GivenKubeconfig


def roles_for(user: User, namespace: Namespace) -> list[str]:
    """The roles that the person's kubeconfigs may have: up to the own one, least first."""
    if KUBECONFIGS not in rights(user, namespace.tenant):
        return []
    held = set(
        Membership.objects.filter(tenant=namespace.tenant)
        .filter(Q(user=user) | Q(group__user=user))
        .values_list("role", flat=True)
    )
    most = max((RANK.index(TenantRole(role)) for role in held), default=-1)
    return [role.value for role in RANK[: most + 1] if role != TenantRole.OWNER]


def issue(
    namespace: Namespace,
    user: User,
    *,
    role: str,
    hours: int = DEFAULT_HOURS,
    note: str = "",
    request: Any = None,
) -> Issued:
    """A kubeconfig of the person for a namespace, in a role, for so many hours.

    Raises KubeconfigRefusedError, or KubeError when the cluster does not go along; nothing
    that works is left then.
    """
    row = _wanted(namespace, user, role, hours, note)
    try:
        connection = connect(namespace.cluster)
        token, expires = _make(connection, row, hours)
        text = _text(namespace, row, token)
    except KubeError as error:
        _end(row, _("It was not completed: %(error)s") % {"error": error})
        record(
            "namespace.kubeconfig_issued", namespace, request=request, actor=user,
            outcome="failure", reason=str(error), after=told(row),
        )  # fmt: skip
        raise
    with transaction.atomic():
        row.expires = expires
        row.save(update_fields=["expires"])
        record(
            "namespace.kubeconfig_issued", namespace, request=request, actor=user, after=told(row)
        )
    name = f"{row.cluster.name}-{row.namespace_name}.kubeconfig.yaml"
    return Issued(text, name, row)


def revoke(row: GivenKubeconfig, *, by: User, request: Any = None) -> bool:
    """Revoke at once; whether the cluster has followed. If not, the watcher goes on trying."""
    with transaction.atomic():
        now = timezone.now()
        fresh = GivenKubeconfig.objects.filter(pk=row.pk, revoked=None)
        why = _("revoked by %(name)s") % {"name": by.get_username()}
        if fresh.update(revoked=now, revoked_why=why):
            row.revoked, row.revoked_why = now, why
            record(
                "namespace.kubeconfig_revoked", row.namespace or row.tenant, request=request,
                actor=by, before=told(row), object_name=str(row),
            )  # fmt: skip
    try:
        return _remove(connect(row.cluster), row)
    except KubeError as error:
        GivenKubeconfig.objects.filter(pk=row.pk).update(problem=str(error)[:2000])
        return False


def keep(cluster: Cluster, connection: Connection, held: Callable[[], None]) -> None:
    """For the watcher: whoever lost the right loses the kubeconfig; what is over is removed.

    Raises KubeError when the cluster is away; what is over is tried again then.
    """
    rows = GivenKubeconfig.objects.filter(cluster=cluster, gone=False)
    for row in rows.select_related("namespace__tenant", "user", "cluster", "tenant"):
        if not row.is_over() and (why := lost(row)):
            held()
            _end(row, why)
            record(
                "namespace.kubeconfig_revoked", row.namespace or row.tenant, before=told(row),
                reason=why, object_name=str(row),
            )  # fmt: skip
        if row.is_over():
            held()
            _remove(connection, row)


def lost(row: GivenKubeconfig) -> str:
    """Why the person has no right to this kubeconfig any more; "" when they have."""
    namespace = row.namespace
    if namespace is None or namespace.tenant_id != row.tenant_id:
        return _("the namespace is no longer the tenant's")
    if row.user is None or not row.user.is_active:
        return _("there is no such person any more")
    if row.role not in roles_for(row.user, namespace):
        return _("%(name)s has no such role in the tenant any more") % {"name": row.user_name}
    return ""


def told(row: GivenKubeconfig) -> JSON:
    """What audit events say of a kubeconfig."""
    return {
        "number": row.pk,
        "for": row.user_name,
        "cluster": row.cluster.name,
        "namespace": row.namespace_name,
        "role": row.role,
        "expires": row.expires,
        "note": row.note,
    }


def _wanted(namespace: Namespace, user: User, role: str, hours: int, note: str) -> GivenKubeconfig:
    if not LEAST_HOURS <= hours <= MOST_HOURS:
        raise KubeconfigRefusedError(
            _("Choose from %(least)d to %(most)d hours.")
            % {"least": LEAST_HOURS, "most": MOST_HOURS}
        )
    with transaction.atomic():
        namespace = Namespace.objects.select_for_update(of=("self",)).get(pk=namespace.pk)
        if role not in roles_for(user, namespace):
            raise KubeconfigRefusedError(
                _("Only members take kubeconfigs, and no higher role than their own.")
            )
        if not namespace.applied_revision:
            raise KubeconfigRefusedError(
                _("The namespace is not on its cluster yet: wait until it is as wanted.")
            )
        now = timezone.now()
        mine = GivenKubeconfig.objects.filter(namespace=namespace, user=user, revoked=None)
        if mine.filter(expires__gt=now).count() >= MOST_OF_ONE:
            raise KubeconfigRefusedError(
                _("You have %(count)d kubeconfigs for this namespace: revoke some first.")
                % {"count": MOST_OF_ONE}
            )
        return GivenKubeconfig.objects.create(
            tenant=namespace.tenant, namespace=namespace, cluster=namespace.cluster,
            namespace_name=namespace.name, user=user, user_name=user.get_username(),
            role=role, note=note, created=now, expires=now + timedelta(hours=hours),
        )  # fmt: skip


def _make(connection: Connection, row: GivenKubeconfig, hours: int) -> tuple[str, datetime]:
    """Account, binding and token; the token and its end as the cluster says it."""
    for path, body in _objects(row):
        connection.apply(path, body, force=True, timeout=CALL_SECONDS)
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": hours * 3600, "audiences": []},
    }
    path = f"{ACCOUNTS}/{row.account}/token"
    answer = connection.post(path, asked, timeout=CALL_SECONDS).get("status") or {}
    token, ends = answer.get("token"), parse_datetime(str(answer.get("expirationTimestamp", "")))
    if not isinstance(token, str) or not token or ends is None:
        raise KubeError(
            _("The cluster answered no token."),
            _("It needs the TokenRequest API: kube-apiserver's --service-account-issuer."),
        )
    # A cluster may shorten what was asked for, and the console never shows a later end.
    return token, min(ends, row.expires)


def _objects(row: GivenKubeconfig) -> list[tuple[str, JSON]]:
    labels = {**console_account.LABELS, PART: "kubeconfig"}
    home = console_account.NAMESPACE
    space = {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": home, "labels": dict(console_account.LABELS)},
    }  # fmt: skip
    account = {
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": row.account, "namespace": home, "labels": labels},
        "automountServiceAccountToken": False,
    }  # fmt: skip
    binding = {
        "apiVersion": f"{roles.RBAC}/v1", "kind": "RoleBinding",
        "metadata": {"name": _binding_name(row), "namespace": row.namespace_name, "labels": labels},
        "roleRef": {
            "apiGroup": roles.RBAC, "kind": "ClusterRole", "name": roles.role_name(row.role),
        },
        "subjects": [{"kind": "ServiceAccount", "name": row.account, "namespace": home}],
    }  # fmt: skip
    return [
        (f"/api/v1/namespaces/{home}", space),
        (f"{ACCOUNTS}/{row.account}", account),
        (_binding_path(row), binding),
    ]


def _binding_name(row: GivenKubeconfig) -> str:
    return f"flotilla:{row.account}"


def _binding_path(row: GivenKubeconfig) -> str:
    group = f"/apis/{roles.RBAC}/v1/namespaces/{row.namespace_name}"
    return f"{group}/rolebindings/{_binding_name(row)}"


def _remove(connection: Connection, row: GivenKubeconfig) -> bool:
    for path in (_binding_path(row), f"{ACCOUNTS}/{row.account}"):
        try:
            connection.delete(path, timeout=CALL_SECONDS)
        except NotFound:
            continue
    GivenKubeconfig.objects.filter(pk=row.pk).update(gone=True, problem="")
    row.gone = True
    return True


def _end(row: GivenKubeconfig, why: str) -> None:
    row.revoked, row.revoked_why = timezone.now(), why[:255]
    row.save(update_fields=["revoked", "revoked_why"])


def _text(namespace: Namespace, row: GivenKubeconfig, token: str) -> str:
    """The file: one cluster, one user, one context with the namespace."""
    credentials = credentials_of(namespace.cluster)
    server: JSON = {"server": credentials.endpoint}
    if credentials.ca:
        server["certificate-authority-data"] = base64.b64encode(credentials.ca.encode()).decode()
    name, user = namespace.cluster.name, f"{row.user_name}@{namespace.cluster.name}"
    context = {"cluster": name, "user": user, "namespace": namespace.name}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": server}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": f"{namespace.name}@{name}", "context": context}],
            "current-context": f"{namespace.name}@{name}",
        },
        sort_keys=False,
    )
