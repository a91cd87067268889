"""What the card "Isolation proof" of a namespace's page shows, from SQL alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime

from tenancy import proof_actions, proof_words
from tenancy.models import Isolation, IsolationProof, Namespace, Verdict
from tenancy.proof_plan import DENIED, EITHER, PASSED, UNTRIED

EARLIER = 5
# A verdict's look (console.ui.statuses). None but `enforced` is good, and that while it counts.
_LOOKS = {
    Verdict.ENFORCED: "success",
    Verdict.NOT_ENFORCED: "failed",
    Verdict.TOO_STRICT: "warning",
    Verdict.NOT_PROVED: "unknown",
}
STALE_LOOK = "unknown"


@dataclass(frozen=True)
class Line:
    """One line of the matrix, in words. judged: one of tenancy.proof_words.judged."""

    source: str
    target: str
    port: str
    expected: str
    why: str
    seen: str
    judged: str
    cause: str
    command: str
    tries: list[dict[str, Any]]
    where: dict[str, str]


def card_of(row: Namespace, *, may: bool) -> dict[str, Any]:
    """The context of the card. may: whether who looks has the right to have it proved."""
    proofs = list(row.proofs.all()[: proof_actions.KEPT])
    running = next((one for one in proofs if one.running), None)
    shown = next((one for one in proofs if not one.running and not one.canceled), None)
    stale = proof_actions.stale(shown, row) if shown else ""
    why_not = proof_actions.why_not(row)
    return {
        "running": running,
        "log": said_of(running) if running else [],
        "proof": shown,
        "stale": stale,
        "look": look(shown, stale),
        "says": proof_words.says(shown.verdict) if shown else "",
        "reason": proof_words.reason(shown.reason) if shown else "",
        "lines": lines(shown) if shown else [],
        "earlier": [one for one in proofs if one not in (running, shown)][:EARLIER],
        "open": row.isolation == Isolation.OPEN,
        "why_not": why_not if may else "",
        "may": may and not why_not and running is None,
        "may_cancel": may and running is not None and not running.canceled,
    }


def look(proof: IsolationProof | None, stale: str = "") -> str:
    """How the verdict's badge looks; a stale one is never good."""
    if proof is None or (stale and proof.verdict == Verdict.ENFORCED):
        return STALE_LOOK
    return _LOOKS.get(Verdict(proof.verdict), STALE_LOOK)


def lines(proof: IsolationProof) -> list[Line]:
    """The matrix in words: what went wrong first, then what must be denied, then the rest."""
    order = {proof_words.WRONG: 0, proof_words.RIGHT: 1, proof_words.OPEN: 2}
    found = [_line(one) for one in proof.attempts]
    return sorted(found, key=lambda line: order[line.judged])


def said_of(proof: IsolationProof) -> list[tuple[Any, str]]:
    """The log: [(moment, text)]."""
    return [(parse_datetime(moment), said) for moment, said in proof.log]


def _line(one: dict[str, Any]) -> Line:
    known = one["outcome"] in (PASSED, DENIED, UNTRIED) and one["expected"]
    return Line(
        source=proof_words.end(one["source"], one["from_name"]),
        target=proof_words.end(one["target"], one["to_name"]),
        port=f"{one['port']}/{one['protocol']}" if one["port"] else "",
        expected=proof_words.expected(one["expected"] if known else EITHER),
        why=proof_words.why(one["why"]),
        seen=proof_words.seen(one["outcome"]),
        judged=proof_words.judged(one),
        cause=one["cause"],
        command=one["command"],
        tries=one["tries"],
        where=one.get("where") or {},
    )
