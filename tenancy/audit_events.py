"""The part of the audit record that a tenant's owners read, and what is withheld from them.

Deny by default: only the kinds of actions named here, and only filters by what is shown, so that
nobody finds out by filters what the list does not say (docs/audit.md).
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from console.accounts.models import User
from console.accounts.permissions import allowed
from console.audit.catalogue import ACTIONS
from console.audit.exporting import Withhold
from console.audit.filters import AuditEventFilter
from console.audit.models import AuditEvent, Outcome
from tenancy.models import Tenant

# Policies of approval are the platform's, and so is who looked at the record.
KINDS = ("tenant", "tenant_request", "namespace", "object", "pod")
OPEN = frozenset(name for name in ACTIONS if name.partition(".")[0] in KINDS) | {"audit.exported"}
# Where somebody was and with what, and why a cluster failed them.
OF_A_PERSON: dict[str, Any] = {"address": None, "user_agent": "", "session": "", "token_name": ""}


class TenantAuditFilter(AuditEventFilter):
    """As the filter of the whole record, by what is withheld from nobody."""

    NAMES: ClassVar = ("who", "action", "object", "outcome", "request", "cluster", "since", "until")

    @classmethod
    def get_filters(cls) -> dict[str, Any]:
        """Only those of NAMES, and only actions that are open."""
        found = super().get_filters()
        chosen = {name: copy.deepcopy(found[name]) for name in cls.NAMES}
        chosen["action"].extra["choices"] = [
            (name, text) for name, text in ACTIONS.items() if name in OPEN
        ]
        return chosen


def events_of(tenant: Tenant) -> QuerySet[AuditEvent]:
    """The tenant's events that its owners may read, newest first."""
    return AuditEvent.objects.filter(tenant_key=tenant.pk, action__in=sorted(OPEN))


def withholding(reader: User | AnonymousUser, tenant: Tenant) -> Withhold | None:
    """What takes out of an event what the reader may not see; None for who reads everything.

    Of people who are no members now, or have a platform role: address, browser, session, token,
    and why something failed. Of everybody: the names of other tenants.
    """
    if allowed(reader, "audit.view"):
        return None
    members = set(
        User.objects.filter(
            Q(memberships__tenant=tenant) | Q(groups__memberships__tenant=tenant), role=""
        ).values_list("pk", flat=True)
    )

    def withhold(event: AuditEvent) -> list[str]:
        names = []
        if event.actor_key is not None and event.actor_key not in members:
            for name, empty in OF_A_PERSON.items():
                if getattr(event, name) != empty:
                    setattr(event, name, empty)
                    names.append(name)
            if event.reason and event.outcome == Outcome.FAILURE:
                event.reason = ""
                names.append("reason")
        for name in ("before", "after"):
            fields = getattr(event, name)
            if "tenant" in fields and fields["tenant"] not in (tenant.slug, tenant.pk):
                setattr(event, name, {key: fields[key] for key in fields if key != "tenant"})
                names.append(f"{name}.tenant")
        return names

    return withhold
