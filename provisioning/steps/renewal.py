"""Every leaf certificate made anew, with the authorities kept."""

from __future__ import annotations

import datetime

from provisioning import pki
from provisioning.steps.base import Context
from provisioning.steps.certificates import Certificates


class RenewedCertificates(Certificates):
    """As Certificates, and every leaf that is older than the task.

    request["since"]: when the task was asked for (ISO 8601, UTC). A run that
    goes on after a kill makes nothing anew that an earlier one has made.
    """

    id = "renewed-certificates"
    title = "New certificates"

    def is_due(self, ctx: Context, certificate: str) -> bool:
        """Whether the leaf was made before the task was asked for."""
        since = datetime.datetime.fromisoformat(str(ctx.spec.request["since"]))
        return not pki.issued_since(certificate, since)
