"""What a tenant's namespace may be called, and which levels of pod security it may have.

Sources: "Object Names and IDs", "Namespaces" (names that begin with kube- are Kubernetes'
own), "Pod Security Standards".
"""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from tenancy import desired
from tenancy.models import PodSecurity, Tenant

# From the laxest to the strictest.
LEVELS = (PodSecurity.PRIVILEGED, PodSecurity.BASELINE, PodSecurity.RESTRICTED)


def guarded(name: str) -> bool:
    """Whether a namespace belongs to Kubernetes or to the console: nobody's to make or take."""
    return desired.guarded(name) or name.startswith("flotilla")


def check_name(name: str) -> None:
    """Nothing for a name that a tenant's namespace may have. Raises ValidationError."""
    if guarded(name):
        raise ValidationError(
            _(
                "“%(name)s” is kept for Kubernetes and for the console: default, kube-… and "
                "flotilla… cannot be used. Choose another name."
            )
            % {"name": name}
        )


def levels_of(tenant: Tenant) -> tuple[PodSecurity, ...]:
    """The levels of pod security that its namespaces may have: the tenant's, or stricter."""
    return LEVELS[LEVELS.index(PodSecurity(tenant.pod_security)) :]
