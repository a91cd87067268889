"""What somebody changed by hand in a tenant's namespace: how it is told, kept and accepted.

An entry of Namespace.drift is {"kind", "name", "diff", "live", "accepted"}. live: a digest of
what the cluster has, "" where it is gone; accepted: somebody said that it may stay so, which
holds for exactly that. Of the namespace's ResourceQuota also "hard", as the cluster has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from tenancy import compare
from tenancy.desired import NOT_OF_CLUSTERS, QUOTA
from tenancy.models import Namespace, NamespaceState

JSON = dict[str, Any]
Key = tuple[str, str]

GONE = ""


def entry(live: JSON | None, wanted: JSON | None, known: Mapping[Key, JSON]) -> JSON:
    """One difference; wanted None: there is to be no such object. known: by_key(row.drift)."""
    body: JSON = wanted or live or {}
    key = (str(body["kind"]), str(body["metadata"]["name"]))
    found: JSON = {
        "kind": key[0],
        "name": key[1],
        "diff": compare.diff(live, wanted),
        "live": GONE if live is None else compare.digest(live, body),
        "accepted": False,
    }
    if key == ("ResourceQuota", QUOTA):
        spec = live.get("spec") if live else None
        found["hard"] = dict((spec if isinstance(spec, dict) else {}).get("hard") or {})
    before = known.get(key)
    found["accepted"] = bool(
        before and before.get("accepted") and before.get("live") == found["live"]
    )
    return found


def by_key(entries: Iterable[JSON]) -> dict[Key, JSON]:
    """Entries by kind and name."""
    return {(str(item.get("kind")), str(item.get("name"))): item for item in entries}


def unsettled(entries: Iterable[JSON]) -> list[JSON]:
    """The entries that nobody has accepted."""
    return [item for item in entries if not item.get("accepted")]


def is_gone(row: Namespace) -> bool:
    """Whether the namespace itself was deleted by hand, and nobody has said what now."""
    found = by_key(row.drift).get(("Namespace", row.name))
    return found is not None and found.get("live") == GONE


def accept(row: Namespace) -> list[str]:
    """Let what the cluster has be right; the names of the fields that were changed, not saved.

    For the caller, who holds the tenant's lock, asks whether the quota then fits
    (tenancy.quotas), saves and records. A changed quota becomes the namespace's own; one that
    was deleted leaves nothing to keep, and its row goes with the watcher's next round; anything
    else stays as it is until somebody changes it again or mends it.
    """
    fields = ["state", "state_reason", "state_since"]
    if is_gone(row):
        row.state = NamespaceState.RELEASING
    else:
        quota = by_key(row.drift).get(("ResourceQuota", QUOTA))
        if quota is not None:
            own = {k: v for k, v in row.quota.items() if k in NOT_OF_CLUSTERS}
            row.quota = {**own, **quota.get("hard", {})}
            row.revision += 1
            fields += ["quota", "revision"]
        rest = [item for item in row.drift if item is not quota]
        row.drift = [{**item, "accepted": True} for item in rest]
        row.state = NamespaceState.PENDING if quota is not None else NamespaceState.APPLIED
        fields.append("drift")
    row.state_reason, row.state_since = "", timezone.now()
    return fields


def foreign_policy(live: JSON, known: Mapping[Key, JSON]) -> JSON:
    """The entry of a NetworkPolicy that somebody else put there: it lets more through."""
    found = entry(live, None, known)
    path = f"-n {live['metadata'].get('namespace')} {live['metadata']['name']}"
    found["diff"] = (
        _("Somebody else's policy, which may let more through. To remove it: %(command)s")
        % {"command": f"kubectl delete networkpolicy {path}"}
        + f"\n{found['diff']}"
    )
    return found
