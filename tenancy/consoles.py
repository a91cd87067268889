"""Which console a namespace is kept by: a cluster may be known to more than one."""

from __future__ import annotations

from django.utils.crypto import salted_hmac


def console_id() -> str:
    """Tells this console from others that may know the same cluster."""
    return salted_hmac("flotilla.console", "clusters").hexdigest()[:12]
