"""What the page of an import shows: its rows in the words of the reader."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters import access, console_account, expiry
from clusters.import_needs import NEEDS, Need
from clusters.models import Cluster, ClusterImport, ImportState, Origin
from clusters.tabs import Action, Notice, registry


@dataclass(frozen=True)
class Granted:
    """One need as a result shows it. state: "ok", "denied" or "unknown"."""

    need: Need
    state: str
    refused: list[str]


@dataclass
class OfferedRow:
    """One context that may be chosen."""

    number: int
    context: str
    name: str
    server: str
    own_ca: bool
    signs_in: str
    expires: datetime | None
    refused: str
    chosen: bool
    problem: str = ""


@dataclass(frozen=True)
class ResultRow:
    """One chosen context with what the check found so far."""

    name: str
    server: str
    expires: datetime | None
    result: dict[str, Any]
    rights: list[Granted]

    @property
    def state(self) -> str:
        """The word of the badge."""
        if self.result["waiting"]:
            return "checking"
        return "ready" if self.result["ok"] else "failed"

    @property
    def missing(self) -> int:
        """How many purposes are not served in full."""
        return sum(granted.state != "ok" for granted in self.rights)


def offered_rows(row: ClusterImport) -> list[OfferedRow]:
    """Every context of what was given."""
    chosen = {item["number"]: item["name"] for item in row.chosen}
    usable = [item for item in row.offered if not item["refused"]]
    rows = []
    for number, item in enumerate(row.offered):
        first = number in chosen if chosen else (item["current"] or len(usable) == 1)
        rows.append(
            OfferedRow(
                number=number,
                context=item["context"],
                name=chosen.get(number, item["name"]),
                server=item["server"],
                own_ca=item["own_ca"],
                signs_in=item["signs_in"],
                expires=_moment(item["expires"]),
                refused=f"{item['field']}: {item['refused']}" if item["refused"] else "",
                chosen=first and not item["refused"],
            )
        )
    return rows


def result_rows(row: ClusterImport) -> list[ResultRow]:
    """The chosen contexts with their results; none before the check has begun."""
    rows = []
    for chosen, result in zip(row.chosen, row.results, strict=False):
        item = row.offered[chosen["number"]]
        rows.append(
            ResultRow(
                name=row.cluster.name if row.cluster else chosen["name"],
                server=item["server"],
                expires=_moment(item["expires"]),
                result=result,
                rights=granted(result) if result["ok"] else [],
            )
        )
    return rows


def granted(result: dict[str, Any]) -> list[Granted]:
    """Each need with what is refused of it."""
    rows = []
    for need in NEEDS:
        refused = result["rights"].get(need.id, [])
        unknown = need.id in result["unasked"] or need.id not in result["rights"]
        state = "unknown" if unknown else "denied" if refused else "ok"
        rows.append(Granted(need, state, refused))
    return rows


@dataclass(frozen=True)
class Rights:
    """What the console may do in an imported cluster. own: with an account that it made."""

    granted: list[Granted]
    own: bool

    @property
    def missing(self) -> bool:
        """Whether any purpose is not served in full."""
        return not self.granted or any(one.state != "ok" for one in self.granted)


def rights_of(cluster: Cluster) -> Rights | None:
    """What was found when the credentials were given, and what has shown itself since.

    None for clusters that were not imported: the console has every right there.
    """
    if not is_imported(cluster):
        return None
    own = bool(cluster.options.get("account"))
    kept = cluster.options.get("rights")
    if not own and not isinstance(kept, dict):
        return Rights([], own)  # nobody looked
    found: dict[str, list[str]] = kept if isinstance(kept, dict) else {}
    if own:
        # The role of its account has all of them (clusters.console_account.rules).
        found = {need.id: [] for need in NEEDS}
    rows = [row for row in granted({"rights": found, "unasked": []}) if not row.need.exchange]
    now = {"inventory": bool(cluster.not_watched), "impersonate": bool(access.problem(cluster))}
    return Rights([replace(r, state="denied") if now.get(r.need.id) else r for r in rows], own)


def context(row: ClusterImport) -> dict[str, Any]:
    """Everything that the page of an import shows."""
    results = result_rows(row)
    good = [item for item in results if item.result["ok"]]
    return {
        "row": row,
        "offered": offered_rows(row),
        "results": results,
        "good": good if row.state == ImportState.CHECKED else [],
        "exchangeable": all(
            item.state == "ok" for r in good for item in r.rights if item.need.exchange
        ),
        "manifest": console_account.manifest(),
        "saved": Cluster.objects.filter(pk__in=row.saved),
        "editable": row.state in (ImportState.CHOOSING, ImportState.CHECKED),
        "replacing": row.cluster,
    }


def reach_words() -> str:
    """Which addresses an imported cluster may have, as the settings are."""
    if settings.PRIVATE_CLUSTERS:
        words = _("Addresses in private networks are allowed on this console.")
    else:
        words = _("Addresses in private networks are refused on this console.")
    if settings.OUTBOUND_ALLOWED:
        names = ", ".join(str(network) for network in settings.OUTBOUND_ALLOWED)
        words += " " + _("Also allowed: %s.") % names
    return words


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def is_imported(cluster: Cluster) -> bool:
    """Whether others built it, so that its credentials were given."""
    return cluster.origin == Origin.IMPORTED


def credentials_end(_request: HttpRequest, cluster: Cluster) -> dict[str, Any] | None:
    """That the credentials of an imported cluster end within 30 days, or have ended."""
    if not is_imported(cluster) or (found := expiry.of_cluster(cluster)) is None:
        return None
    return {"expiry": found, "aside": True}


def register() -> None:
    """Add what imported clusters have to the cluster's page."""
    registry.add_notice(
        Notice("clusters/notice_credentials.html", "clusters.view", credentials_end)
    )
    registry.add_action(
        Action(
            gettext_lazy("Replace credentials"), "clusters:credentials", "clusters.import",
            icon="key", order=20, shown=is_imported,
        )
    )  # fmt: skip
    registry.add_action(
        Action(
            gettext_lazy("Forget"), "clusters:forget", "clusters.import",
            icon="trash", order=30, shown=is_imported, tone="outline-danger",
        )
    )  # fmt: skip
