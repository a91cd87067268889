"""Why the API server refuses to make a pod: quota, limits, security rules, webhooks.

Controllers tell it in the condition ReplicaFailure and in events FailedCreate.
Sources: plugin/pkg/admission of Kubernetes (resourcequota, limitranger,
serviceaccount, priority), pod-security-admission, and the webhook dispatchers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clusters.diagnosis.pods_start import service_account
from clusters.diagnosis.reading import (
    Cause,
    condition,
    condition_evidence,
    event_evidence,
    make,
    message,
    newest,
    text,
)

_PAIRS = r"((?:[^\s=,]{1,120}=[^\s,]{1,60},?)+)"
_QUOTA = re.compile(
    rf"exceeded quota: ([^\s,]{{1,253}}), requested: {_PAIRS},? used: {_PAIRS},? limited: {_PAIRS}",
    re.IGNORECASE,
)
_UNSPECIFIED = re.compile(
    r"failed quota: ([^\s:]{1,253}): must specify ([^\s;]{1,300})", re.IGNORECASE
)
_LIMIT = re.compile(
    r"((?:maximum|minimum) ([^\s]{1,60}) usage per (\w+) is ([^\s,]{1,40}), but (?:limit|request)"
    r" is ([^\s,\].]{1,40}))"
)
_LIMIT_OTHER = re.compile(
    r"\[?((?:maximum|minimum) \S{1,60} usage per \w+ is \S{1,40}[.,][^\]]{0,200}"
    r"|\S{1,60} max limit to request ratio per \w+ is [^\]]{1,200})"
)
_SECURITY = re.compile(r'violates PodSecurity "([^"]{1,60})": ?(.{0,600})')
_SECURITY_OLD = re.compile(
    r"unable to (?:admit|validate against any) pod(?: security policy)?:? ?(.{0,400})"
)
_WEBHOOK_DENIED = re.compile(
    r'admission webhook "([^"]{1,253})" denied the request(?: without explanation)?:? ?(.{0,600})'
)
_WEBHOOK_AWAY = re.compile(r'failed calling webhook "([^"]{1,253})": ?(.{0,600})')
_POLICY_DENIED = re.compile(
    r"ValidatingAdmissionPolicy '([^']{1,253})'(?: with binding '[^']{1,253}')? denied request:? ?"
    r"(.{0,400})"
)
_PRIORITY = re.compile(r"no PriorityClass with name (\S{1,253}) was found")
_ENDING = re.compile(r"because it is being terminated")
_INVALID = re.compile(r'(?:Pod|pods?) "[^"]{0,253}" is invalid: (.{1,600})')
_FORBIDDEN = re.compile(r'"?[^\s"]{0,253}"? is forbidden: (.{1,600})')
_ABOUT_CREATION = re.compile(
    r"is forbidden|is invalid|admission webhook|failed calling webhook|ValidatingAdmissionPolicy"
    r"|[Ee]rror creating|forbidden:|create Pod .{1,600} failed|create Claim .{1,600} failed"
)


def of_message(said: str, evidence: Mapping[str, str]) -> Cause:
    """What refused the creation; {} when the message is not about one."""
    if not _ABOUT_CREATION.search(said):
        return {}
    for rule in _RULES:
        if found := rule(said):
            code, values = found
            return make(code, evidence, **values)
    match = _FORBIDDEN.search(said)
    words = match[1] if match else said
    return make("create_refused", evidence, said=text(words))


def of_event(event: Any) -> Cause:
    """From an event FailedCreate."""
    return of_message(message(getattr(event, "message", "")), event_evidence(event))


def of_events(events: Sequence[Any]) -> Cause:
    """From the newest event FailedCreate that tells a reason."""
    for event in newest(events, "FailedCreate")[:10]:
        if found := of_event(event):
            return found
    return {}


def of_conditions(summary: Mapping[str, Any]) -> Cause:
    """From ReplicaFailure of a Deployment or ReplicaSet."""
    found = condition(summary, "ReplicaFailure")
    if found.get("status") != "True":
        return {}
    said, evidence = message(found.get("message")), condition_evidence(found)
    return of_message(said, evidence) or make("create_refused", evidence, said=text(said))


_Found = tuple[str, dict[str, Any]] | None


def _quota(said: str) -> _Found:
    if match := _QUOTA.search(said):
        asked, used, limited = (_pairs(match[n]) for n in (2, 3, 4))
        resource = next(iter(asked), "")
        return "quota_exceeded", {
            "quota": match[1],
            "resource": resource,
            "requested": asked.get(resource, ""),
            "used": used.get(resource, ""),
            "limited": limited.get(resource, ""),
            "others": ", ".join(name for name in asked if name != resource),
        }
    if match := _UNSPECIFIED.search(said):
        return "quota_unspecified", {"quota": match[1], "resources": match[2].replace(",", ", ")}
    return None


def _pairs(listed: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in listed.strip(",").split(",")[:50])
    return {name: value for name, _, value in pairs if name}


def _limit(said: str) -> _Found:
    if match := _LIMIT.search(said):
        return "limit_range", {
            "bound": "max" if match[1].startswith("max") else "min",
            "resource": match[2],
            "per": match[3],
            "limit": match[4],
            "requested": match[5],
        }
    if match := _LIMIT_OTHER.search(said):
        return "limit_range_words", {"said": text(match[1])}
    return None


def _security(said: str) -> _Found:
    if match := _SECURITY.search(said):
        return "pod_security", {"level": match[1], "said": text(match[2])}
    if match := _SECURITY_OLD.search(said):
        return "pod_security_policy", {"said": text(match[1].strip("[]"))}
    return None


def _webhook(said: str) -> _Found:
    if match := _WEBHOOK_DENIED.search(said):
        return "webhook_denied", {"webhook": match[1], "said": text(match[2])}
    if match := _WEBHOOK_AWAY.search(said):
        return "webhook_away", {"webhook": match[1], "said": text(match[2])}
    if match := _POLICY_DENIED.search(said):
        return "policy_denied", {"policy": match[1], "said": text(match[2])}
    return None


def _others(said: str) -> _Found:
    if name := service_account(said):
        return "service_account_missing", {"name": name}
    if match := _PRIORITY.search(said):
        return "priority_class_missing", {"name": match[1]}
    if _ENDING.search(said):
        return "namespace_ending", {}
    if match := _INVALID.search(said):
        return "create_invalid", {"said": text(match[1])}
    return None


_RULES: tuple[Callable[[str], _Found], ...] = (_quota, _limit, _security, _webhook, _others)
