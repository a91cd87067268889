"""Causes in the reader's language: what is wrong in one sentence, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clusters.diagnosis.reading import figure, mapping, moment, text, whole
from clusters.diagnosis.words_cluster import CLUSTER_WORDS
from clusters.diagnosis.words_pods import POD_WORDS
from console.ui.quantities import bytes_text, cpus_text

WORDS: dict[str, tuple[Any, Any]] = {**POD_WORDS, **CLUSTER_WORDS}
BAD, WARN, INFO = "bad", "warn", "info"
_LEVELS = {
    **dict.fromkeys(
        ("node_cordoned", "cron_suspended", "claim_waits_for_pod", "volume_released",
         "scheduling_gated"),
        INFO,
    ),
    **dict.fromkeys(
        ("not_ready", "readiness_gate", "init_slow", "slow_start", "node_starting", "cron_missed",
         "daemon_misscheduled", "node_too_old", "node_too_new", "claim_provisioner",
         "claim_pending", "node_shutting_down", "preempted"),
        WARN,
    ),
}  # fmt: skip

# Exit codes as shells and POSIX give them meaning; 128 + n is the signal n.
_EXITS = {
    126: gettext_lazy("the command cannot be run"),
    127: gettext_lazy("the command was not found"),
    134: gettext_lazy("it aborted itself, SIGABRT"),
    137: gettext_lazy("killed, SIGKILL"),
    139: gettext_lazy("a fault in its memory, SIGSEGV"),
    143: gettext_lazy("told to end, SIGTERM"),
}
# (why not, what to do) of the parts of a scheduler's message.
_PARTS = {
    "insufficient": (
        gettext_lazy("too little %(what)s left"),
        gettext_lazy("Lower the pod's requests, free what others hold, or add a node."),
    ),
    "pods": (
        gettext_lazy("full, it runs as many pods as it may"),
        gettext_lazy("Add a node."),
    ),
    "taint": (
        gettext_lazy("a taint that the pod does not tolerate%(brackets)s"),
        gettext_lazy("Add a toleration to the pod, or take the taint off a node."),
    ),
    "cordoned": (gettext_lazy("cordoned"), gettext_lazy("Uncordon a node.")),
    "selector": (
        gettext_lazy("labels that do not fit the pod's node selector or affinity"),
        gettext_lazy("Correct the pod's node selector, or label a node."),
    ),
    "name": (
        gettext_lazy("another name than the pod asks for"),
        gettext_lazy("Correct nodeName of the pod."),
    ),
    "anti_affinity": (
        gettext_lazy("pods that it must not run beside (anti-affinity)"),
        gettext_lazy("Run fewer replicas, add a node, or prefer instead of require."),
    ),
    "affinity": (
        gettext_lazy("none of the pods that it must run beside (affinity)"),
        gettext_lazy("Look whether the pods that it wants to be near are there."),
    ),
    "spread": (
        gettext_lazy("more of its pods than topologySpreadConstraints allow, or no label for them"),
        gettext_lazy("Label the nodes, or loosen the constraints."),
    ),
    "ports": (
        gettext_lazy("its host port is taken"),
        gettext_lazy("Use no host port, or one that is free."),
    ),
    "volume_place": (
        gettext_lazy("not where the pod's volume is"),
        gettext_lazy("The pod can only run where its volume is: make room there."),
    ),
    "volume_count": (
        gettext_lazy("as many volumes as it may have"),
        gettext_lazy("Add a node."),
    ),
    "volume_disk": (
        gettext_lazy("the pod's volume is in use"),
        gettext_lazy("Wait until the other pod has ended."),
    ),
    "volume_none": (
        gettext_lazy("no fitting volume"),
        gettext_lazy("Create a volume, or use a storage class that makes one."),
    ),
    "not_ready": (gettext_lazy("not ready"), gettext_lazy("Look at the nodes.")),
    "devices": (
        gettext_lazy("devices that the pod claims cannot be given"),
        gettext_lazy("Look at the pod's resource claims."),
    ),
}
_OTHER_PART = ("%(what)s", gettext_lazy("Look at the pod's events."))


@dataclass(frozen=True)
class Words:
    """what: one sentence with its figures; mend: what to do. Plain text, to be escaped."""

    what: str
    mend: str


class _Values(dict[str, Any]):
    """What a sentence is filled with; a value that a cause lacks is said to be not known."""

    def __missing__(self, key: str) -> str:
        return "?"


def level(cause: Mapping[str, Any]) -> str:
    """BAD, WARN or INFO; "" for no cause."""
    code = cause.get("code")
    return _LEVELS.get(str(code), BAD) if code else ""


def words(cause: Mapping[str, Any]) -> Words:
    """A cause in words; of one that this version does not know, its code. Never raises."""
    code, values = text(cause.get("code"), 64), mapping(cause.get("values"))
    if not code:
        return Words("", "")
    if code not in WORDS:
        return Words(_("Not well: %(code)s.") % {"code": code}, "")
    filled = _filled(values)
    sentence, mend = (str(half) % filled for half in WORDS[code])
    if str(WORDS[code][0]).startswith("%(who)s"):
        sentence = sentence[:1].upper() + sentence[1:]
    parts = _parts(values)
    if code == "unschedulable":
        sentence = _with_parts(sentence, values, parts)
        mends = dict.fromkeys(str(_part(why)[1]) for _n, why, _what in parts)
        mend = " ".join(list(mends)[:2]) or mend
    sentence += _times(values)
    said = text(values.get("said")).rstrip(". ")
    what = f"{sentence}: {said}." if said else f"{sentence}."
    if "desired" in values and "%(desired)s" not in str(WORDS[code][0]):
        what = _("%(ready_pods)s of %(desired)s pods are ready. %(sentence)s") % _Values(
            filled, sentence=what
        )
    return Words(what, mend)


def _filled(values: Mapping[str, Any]) -> _Values:
    """The values, and the words that are made of them."""
    plain = {key: text(str(value), 400) for key, value in values.items() if key != "parts"}
    filled = _Values(plain)
    filled["who"] = _who(values)
    filled["ending"] = _ending(values)
    filled["probe_shown"] = _brackets(plain.get("probe", ""))
    filled["asked_shown"] = _brackets(plain.get("requested", ""))
    filled["contents_shown"] = _brackets(plain.get("contents", ""))
    others = _("; it has too little left of %(others)s too") % filled
    filled["others_shown"] = others if plain.get("others") else ""
    filled["where"] = _brackets(plain.get("volume", "") or plain.get("container", ""))
    filled["bound_shown"] = _("at most") if values.get("bound") == "max" else _("at least")
    filled["figures"] = _brackets(", ".join(_eviction(values)))
    since = moment(values.get("since"))
    filled["since_shown"] = date_format(localtime(since), "Y-m-d H:i") if since else "?"
    if values.get("status") and not values.get("said"):
        answers = _("it answers %(status)s") % filled
        filled["probe_shown"] = _brackets(", ".join(filter(None, [plain.get("probe"), answers])))
    return filled


def _brackets(inner: str) -> str:
    return f" ({inner})" if inner else ""


def _who(values: Mapping[str, Any]) -> str:
    name = {"name": text(values.get("container"), 63) or "?"}
    return (_("init container %(name)s") if values.get("init") else _("container %(name)s")) % name


def _ending(values: Mapping[str, Any]) -> str:
    code, signal = values.get("exit_code"), whole(values.get("signal"))
    if signal:
        return _("signal %(signal)s") % {"signal": signal}
    code = whole(code)
    shown = _("exit code %(code)s") % {"code": code}
    if code in _EXITS:
        return f"{shown} ({_EXITS[code]})"
    if 128 < code < 128 + 65:
        by_signal = _("signal %(signal)s") % {"signal": code - 128}
        return f"{shown} ({by_signal})"
    return shown


def _eviction(values: Mapping[str, Any]) -> Iterator[str]:
    filled = _Values({key: text(str(value), 80) for key, value in values.items()})
    if values.get("threshold"):
        yield _("%(available)s left, the threshold is %(threshold)s") % filled
    if values.get("used"):
        yield _("%(container)s used %(used)s and asks for %(requested)s") % filled


def _times(values: Mapping[str, Any]) -> str:
    restarts, times = whole(values.get("restarts")), whole(values.get("times"))
    told = []
    if times > 1:
        told.append(ngettext("%(n)s time", "%(n)s times", times) % {"n": times})
    if restarts:
        told.append(ngettext("%(n)s restart", "%(n)s restarts", restarts) % {"n": restarts})
    return _brackets(", ".join(told))


def _parts(values: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    raw = values.get("parts")
    if not isinstance(raw, (list, tuple)):
        return []
    return [
        (whole(part[0]), text(part[1], 40), text(part[2], 320))
        for part in raw[:12]
        if isinstance(part, (list, tuple)) and len(part) == 3
    ]


def _part(why: str) -> tuple[Any, Any]:
    return _PARTS.get(why, _OTHER_PART)


def _with_parts(sentence: str, values: Mapping[str, Any], parts: list[tuple[int, str, str]]) -> str:
    told = []
    for number, why, what in parts:
        reason = str(_part(why)[0]) % _Values(what=what, brackets=_brackets(what))
        counted = ngettext("%(n)s node: %(reason)s", "%(n)s nodes: %(reason)s", number)
        told.append(counted % {"n": number, "reason": reason})
    if nodes := whole(values.get("nodes")):
        sentence = ngettext(
            "The only node does not take this pod", "None of %(n)s nodes takes this pod", nodes
        ) % {"n": nodes}
    shown = sentence + _brackets("; ".join(told))
    asked = _resources(figure(values.get("asked_cpu")), figure(values.get("asked_memory")))
    left = _resources(figure(values.get("left_cpu")), figure(values.get("left_memory")))
    if asked:
        shown += _("; it asks for %(asked)s") % {"asked": asked}
    if left:
        shown += _(", at most %(left)s is left on a node") % {"left": left}
    return shown


def _resources(cpu: float | None, memory: float | None) -> str:
    known = [cpus_text(cpu) if cpu is not None else "", bytes_text(memory) if memory else ""]
    return ", ".join(filter(None, known))
