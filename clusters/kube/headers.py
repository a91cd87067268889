"""What goes ahead of each call: who asks, in whose name, and for which request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from clusters.kube.impersonation import AGENT
from console.audit.cause import AUDIT_ID, audit_id, cause

if TYPE_CHECKING:
    from urllib3 import HTTPHeaderDict


def headers_of(
    accept: str, token: str, request_id: str, more: Iterable[tuple[str, str]]
) -> HTTPHeaderDict:
    """The headers of one call. request_id: "" for the request of this moment, or none.

    more: further ones; a User-Agent among them takes the place of the console's own.
    """
    from urllib3 import HTTPHeaderDict

    found = HTTPHeaderDict({"Accept": accept, "User-Agent": AGENT})
    if given := audit_id(request_id or cause()):
        found.add(AUDIT_ID, given)
    if token:
        found.add("Authorization", f"Bearer {token}")
    for name, value in more:
        if name == "User-Agent":
            found[name] = value
        else:
            found.add(name, value)  # a second group is a second header
    return found
