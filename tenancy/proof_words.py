"""What a proof of isolation says, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as noop

from tenancy.models_proofs import Verdict
from tenancy.proof_plan import DENIED, DENY, DNS, EITHER, NODE, OUTSIDE, PASS, PASSED, UNTRIED

# Why something is to pass or not: keys of tenancy.proof_plan.Attempt.why.
WHY: Mapping[str, str] = {
    "node": noop("Kubernetes always lets a node probe the pods on it."),
    "own": noop("Pods of one namespace always talk."),
    "control": noop("It shows that the other side answers at all."),
    "open": noop("The other namespace is open."),
    "free_out": noop("Only “strict” limits where pods connect to."),
    "tenant": noop("The isolation allows the tenant's namespaces."),
    "exception": noop("An exception allows it."),
    "dns": noop("Names are always resolved."),
    "cidr": noop("A network of an exception covers it; plug-ins differ in whether pods are meant."),
    "same_node": noop("A pod and its own node always talk."),
    "closed_in": noop("Nothing lets it in."),
    "closed_out": noop("Nothing lets it out."),
}
VERDICTS: Mapping[str, str] = {
    Verdict.ENFORCED: noop("Enforced: what must be denied was denied, and what must pass passed."),
    Verdict.NOT_ENFORCED: noop(
        "Not enforced: connections that must be denied went through. The policies are on the "
        "cluster, and its network plug-in does not act on them."
    ),
    Verdict.TOO_STRICT: noop("Too strict: connections that must pass were denied."),
    Verdict.NOT_PROVED: noop("Not proved: nothing can be said about the isolation."),
}
# Keys of tenancy.proof_plan.verdict, and of tenancy.proof_run.
REASONS: Mapping[str, str] = {
    "leak": noop("Something that must be denied went through."),
    "blocked": noop("Something that must pass was denied."),
    "untried": noop("Some of it could not be tried."),
    "control": noop("A target answered nobody, so that silence proves nothing."),
    "nothing_denied": noop("Nothing was left that must be denied and answers elsewhere."),
    "enforced": noop("Every attempt went as it must."),
    "canceled": noop("It was canceled."),
    "away": noop("The cluster did not answer in time."),
    "gone": noop("The namespace was taken away meanwhile."),
    "changed": noop("The policies were changed meanwhile."),
}
_EXPECTED = {PASS: noop("must pass"), DENY: noop("must be denied"), EITHER: noop("may be either")}
_SEEN = {
    PASSED: noop("passed"), DENIED: noop("denied"), UNTRIED: noop("could not be tried"),
}  # fmt: skip
_ENDS = {
    DNS: noop("DNS of the cluster"), OUTSIDE: noop("API server"), NODE: noop("its node (probe)"),
}  # fmt: skip
# What the icon beside a line means, for those who do not see it.
RIGHT, WRONG, OPEN = "right", "wrong", "open"


def why(key: str) -> str:
    """Why an attempt is to go so."""
    return _(WHY[key]) if key in WHY else ""


def says(verdict: str) -> str:
    """A verdict in one sentence."""
    return _(VERDICTS[verdict]) if verdict in VERDICTS else ""


def reason(key: str) -> str:
    """Why a verdict is what it is."""
    return _(REASONS[key]) if key in REASONS else key


def expected(value: str) -> str:
    """ "must pass", "must be denied", "may be either"."""
    return _(_EXPECTED[value])


def seen(value: str) -> str:
    """ "passed", "denied", "could not be tried"."""
    return _(_SEEN[value])


def end(key: str, name: str) -> str:
    """One end of an attempt: a namespace's name, or what it is."""
    if key not in _ENDS:
        return name
    return " ".join(filter(None, (_(_ENDS[key]), name)))


def judged(row: Mapping[str, str]) -> str:
    """RIGHT, WRONG, or OPEN where nothing is to be judged."""
    if row["outcome"] == UNTRIED or row["expected"] == EITHER:
        return OPEN
    return RIGHT if (row["outcome"] == PASSED) == (row["expected"] == PASS) else WRONG
