"""What platform admins and owners do with tenants: each change with its audit event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.accounts.models import User
from console.audit.record import record
from tenancy import members
from tenancy.models import Tenant, TenantRole

FIELDS = (
    "name", "slug", "description", "pod_security", "isolation", "protected", "defaults",
    "storage_classes", "ingress_classes", "registries",
)  # fmt: skip


class TenantRefusedError(Exception):
    """Something that cannot be done with a tenant as it is; the message says why."""


def public_fields(tenant: Tenant) -> dict[str, Any]:
    """What an audit event says of a tenant."""
    return {name: getattr(tenant, name) for name in FIELDS}


def create(
    values: Mapping[str, Any], *, owner: User | None = None, by: User, request: Any = None
) -> Tenant:
    """A new tenant, with an owner where one is named.

    values: fields of FIELDS, valid as TenantForm has them. Raises IntegrityError when the name
    or the short name was taken meanwhile.
    """
    with transaction.atomic():
        tenant = Tenant(**_known(values))
        tenant.save(force_insert=True)
        record("tenant.created", tenant, request=request, actor=by, after=public_fields(tenant))
        if owner is not None:
            members.set_role(tenant, owner, TenantRole.OWNER, by=by, request=request)
    return tenant


def change(tenant: Tenant, values: Mapping[str, Any], *, by: User, request: Any = None) -> Tenant:
    """Other fields of a tenant; the short name stays, for clusters know the tenant by it."""
    with transaction.atomic():
        row = _locked(tenant)
        before = public_fields(row)
        wanted = {name: value for name, value in _known(values).items() if name != "slug"}
        for name, value in wanted.items():
            setattr(row, name, value)
        after = public_fields(row)
        if after != before:
            row.save(update_fields=list(wanted))
            record("tenant.changed", row, request=request, actor=by, before=before, after=after)
    return row


def freeze(tenant: Tenant, reason: str, *, by: User, request: Any = None) -> None:
    """Leave its members nothing but looking, until it is unfrozen."""
    with transaction.atomic():
        row = _locked(tenant)
        before = {"frozen": row.frozen, "frozen_reason": row.frozen_reason}
        if row.frozen and row.frozen_reason == reason:
            return
        row.frozen, row.frozen_reason = True, reason
        row.save(update_fields=["frozen", "frozen_reason"])
        after = {"frozen": True, "frozen_reason": reason}
        record("tenant.frozen", row, request=request, actor=by, before=before, after=after)


def unfreeze(tenant: Tenant, *, by: User, request: Any = None) -> None:
    """Give its members back what their roles allow."""
    with transaction.atomic():
        row = _locked(tenant)
        if not row.frozen:
            return
        before = {"frozen": True, "frozen_reason": row.frozen_reason}
        row.frozen, row.frozen_reason = False, ""
        row.save(update_fields=["frozen", "frozen_reason"])
        record(
            "tenant.unfrozen", row, request=request, actor=by,
            before=before, after={"frozen": False},
        )  # fmt: skip


def remove(tenant: Tenant, *, by: User, request: Any = None) -> None:
    """Delete a tenant with its memberships, grants and quotas.

    Raises TenantRefusedError while it is protected or has namespaces.
    """
    with transaction.atomic():
        row = _locked(tenant)
        refused = why_not_removed(row)
        if refused:
            raise TenantRefusedError(refused)
        before = {
            **public_fields(row),
            "members": [
                f"{found.who}: {found.role}"
                for found in row.memberships.select_related("user", "group")
            ],
            "clusters": list(row.clusters.values_list("cluster__name", flat=True)),
        }
        record("tenant.removed", row, request=request, actor=by, before=before)
        row.delete()


def why_not_removed(tenant: Tenant) -> str:
    """Why a tenant cannot be deleted now; "" when it can."""
    if tenant.protected:
        return _("It is protected from deletion. Take the protection away in its settings first.")
    names = list(tenant.namespaces.order_by("name").values_list("name", flat=True)[:10])
    if not names:
        return ""
    count = tenant.namespaces.count()
    listed = ", ".join(names) + (" …" if count > len(names) else "")
    return ngettext(
        "It has a namespace (%(names)s): delete it, release it or move it to another tenant first.",
        "It has %(count)d namespaces (%(names)s): delete them, release them or move them to "
        "another tenant first.",
        count,
    ) % {"count": count, "names": listed}


def _locked(tenant: Tenant) -> Tenant:
    return Tenant.objects.select_for_update().get(pk=tenant.pk)


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in FIELDS if name in values}
