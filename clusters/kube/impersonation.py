"""In whose name a call is made."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from clusters.kube import faults

AGENT = "flotilla"
AGENT_LIMIT = 200


@dataclass(frozen=True)
class Impersonation:
    """In whose name a call is made (User impersonation): the cluster's own RBAC decides for them.

    name: what people call them, for readers of the cluster's audit log: it is told as a part of
    the client's name and decides nothing. Raises ValueError for a user without a name and
    for characters that do not belong in a header.
    """

    user: str
    groups: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        # Kubernetes has groups only together with a user.
        for name in (self.user, *self.groups):
            if not name or not name.isascii() or not name.isprintable() or name != name.strip():
                raise ValueError(f"{name!r} cannot be impersonated: it does not fit in a header")

    @property
    def agent(self) -> str:
        """The User-Agent of calls in this name: "flotilla (anna)"."""
        name = quote(self.name, safe=" @+")[:AGENT_LIMIT]
        return f"{AGENT} ({name})" if name else AGENT


def in_the_name_of(impersonation: Impersonation | None) -> tuple[str, list[tuple[str, str]]]:
    """Who a refusal names, and the headers that say in whose name a call is made."""
    if impersonation is None:
        return faults.CONSOLE, []
    groups = [("Impersonate-Group", group) for group in impersonation.groups]
    who = [("Impersonate-User", impersonation.user), *groups, ("User-Agent", impersonation.agent)]
    return f"the user {impersonation.user}", who
