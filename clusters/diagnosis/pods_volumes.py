"""What keeps a scheduled pod from its volumes and its network: events of kubelet and controller."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from clusters.diagnosis.pods_start import missing, missing_code, service_account
from clusters.diagnosis.reading import Cause, event_evidence, make, message, newest, text

_VOLUME = re.compile(r'(?:failed for volume|Multi-Attach error for volume) "([^"]{1,253})"')
_UNMOUNTED = re.compile(r"unmounted volumes=\[([^\]]{1,500})\]")
_PREFIX = re.compile(
    r'^(?:\w+\.\w+ (?:verification )?failed for volume "[^"]*" ?:? ?'
    r"|rpc error: code = \w+ desc = )"
)
_USED_BY = re.compile(r"already used by pod\(s\) (\S{1,253})")
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]{1,253})" (?:not found|is not bound)')
_NETWORK = re.compile(
    r"network|cni\b|NetworkPlugin|plugin type=|no IP addresses available"
    r"|failed to allocate for range",
    re.IGNORECASE,
)
_ADDRESSES = re.compile(r"no (?:IP )?addresses available|range set: .{0,200} full", re.IGNORECASE)
_SANDBOX = re.compile(
    r"^(?:Failed to create pod sandbox: |rpc error: code = \w+ desc = "
    r"|failed to (?:create|setup|set up)[^:]{0,200}: )"
)


def of_events(events: Sequence[Any]) -> Cause:
    """Why no container of a pod is being made: the newest event that names a reason."""
    mounts = newest(events, "FailedMount", "FailedAttachVolume", "FailedMapVolume")[:20]
    vague: Cause = {}
    for event in mounts:
        found = _mount(event)
        if found["code"] != "volume_slow":
            return found
        vague = vague or found
    for event in newest(events, "FailedCreatePodSandBox", "NetworkNotReady", "FailedSync")[:5]:
        if found := _sandbox(event):
            return found
    return vague


def _mount(event: Any) -> Cause:
    said, evidence = message(getattr(event, "message", "")), event_evidence(event)
    volume = _VOLUME.search(said)
    name = volume[1] if volume else ""
    if found := missing(said):
        return make(missing_code(found), evidence, volume=name, **found)
    if account := service_account(said):
        return make("service_account_missing", evidence, name=account)
    if match := _CLAIM.search(said):
        code = "claim_missing" if "not found" in match[0] else "claim_unbound"
        return make(code, evidence, claim=match[1], claims=match[1])
    if "Multi-Attach" in said or "exclusively attached" in said:
        used = _USED_BY.search(said)
        return make("volume_multi_attach", evidence, volume=name, by=used[1] if used else "")
    unmounted = _UNMOUNTED.search(said)
    if unmounted:
        return make("volume_slow", evidence, volume=text(unmounted[1], 253), said=_timeout(said))
    code = (
        "volume_attach" if getattr(event, "reason", "") == "FailedAttachVolume" else "volume_mount"
    )
    return make(code, evidence, volume=name, said=_words(said, _PREFIX))


def _sandbox(event: Any) -> Cause:
    said, evidence = message(getattr(event, "message", "")), event_evidence(event)
    if getattr(event, "reason", "") == "FailedSync":
        return {}
    words = _words(said, _SANDBOX)
    if _ADDRESSES.search(said):
        return make("sandbox_addresses", evidence, said=words)
    code = "sandbox_network" if _NETWORK.search(said) else "sandbox"
    return make(code, evidence, said=words)


def _timeout(said: str) -> str:
    return text(said.rpartition("]: ")[2]) if "]: " in said else ""


def _words(said: str, prefix: re.Pattern[str]) -> str:
    for _ in range(6):
        shorter = prefix.sub("", said, count=1)
        if shorter == said:
            break
        said = shorter
    return text(said)
