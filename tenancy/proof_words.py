"""What a proof of isolation says, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tenancy.models_proofs import Verdict
from tenancy.proof_plan import DENIED, DENY, DNS, EITHER, NODE, OUTSIDE, PASS, PASSED, UNTRIED

# Why something is to pass or not: keys of tenancy.proof_plan.Attempt.why.
WHY: Mapping[str, str] = {
    "node": gettext_noop("Kubernetes always lets a node probe the pods on it."),
    "own": gettext_noop("Pods of one namespace always talk."),
    "control": gettext_noop("It shows that the other side answers at all."),
    "open": gettext_noop("The other namespace is open."),
    "free_out": gettext_noop("Only “strict” limits where pods connect to."),
    "tenant": gettext_noop("The isolation allows the tenant's namespaces."),
    "exception": gettext_noop("An exception allows it."),
    "dns": gettext_noop("Names are always resolved."),
    "cidr": gettext_noop(
        "A network of an exception covers it; plug-ins differ in whether pods are meant."
    ),
    "same_node": gettext_noop("A pod and its own node always talk."),
    "closed_in": gettext_noop("Nothing lets it in."),
    "closed_out": gettext_noop("Nothing lets it out."),
}
VERDICTS: Mapping[str, str] = {
    Verdict.ENFORCED: gettext_noop(
        "Enforced: what must be denied was denied, and what must pass passed."
    ),
    Verdict.NOT_ENFORCED: gettext_noop(
        "Not enforced: connections that must be denied went through. The policies are on the "
        "cluster, and its network plug-in does not act on them."
    ),
    Verdict.TOO_STRICT: gettext_noop("Too strict: connections that must pass were denied."),
    Verdict.NOT_PROVED: gettext_noop("Not proved: nothing can be said about the isolation."),
}
# Keys of tenancy.proof_plan.verdict, and of tenancy.proof_run.
REASONS: Mapping[str, str] = {
    "leak": gettext_noop("Something that must be denied went through."),
    "blocked": gettext_noop("Something that must pass was denied."),
    "untried": gettext_noop("Some of it could not be tried."),
    "control": gettext_noop("A target answered nobody, so that silence proves nothing."),
    "nothing_denied": gettext_noop("Nothing was left that must be denied and answers elsewhere."),
    "enforced": gettext_noop("Every attempt went as it must."),
    "canceled": gettext_noop("It was canceled."),
    "away": gettext_noop("The cluster did not answer in time."),
    "gone": gettext_noop("The namespace was taken away meanwhile."),
    "changed": gettext_noop("The policies were changed meanwhile."),
}
_EXPECTED = {
    PASS: gettext_noop("must pass"),
    DENY: gettext_noop("must be denied"),
    EITHER: gettext_noop("may be either"),
}
_SEEN = {
    PASSED: gettext_noop("passed"),
    DENIED: gettext_noop("denied"),
    UNTRIED: gettext_noop("could not be tried"),
}
_ENDS = {
    DNS: gettext_noop("DNS of the cluster"),
    OUTSIDE: gettext_noop("API server"),
    NODE: gettext_noop("its node (probe)"),
}
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
