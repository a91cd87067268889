"""Claims and volumes that do not come together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from clusters.diagnosis.reading import (
    Cause,
    event_evidence,
    make,
    mapping,
    message,
    newest,
    text,
)

_NO_CLASS = re.compile(r'storageclass(?:\.storage\.k8s\.io)? "([^"]{1,253})" not found')
_NEITHER = re.compile(r"no storage class is set")
_EXTERNAL = re.compile(r"external provisioner [\"']([^\"']{1,253})[\"']")
_PREFIX = re.compile(
    r'^(?:failed to provision volume with StorageClass "[^"]*": |rpc error: code = \w+ desc = )'
)


def cause_of_claim(row: Any, _now: datetime) -> Cause:
    """From the row alone."""
    summary = mapping(row.summary)
    phase = text(summary.get("phase"), 20) or text(row.status, 20)
    evidence = {"kind": "status", "name": phase}
    if phase == "Lost":
        return make("claim_lost", evidence, volume=text(summary.get("volume"), 253))
    if phase != "Pending":
        return {}
    name = text(summary.get("class"), 253)
    if not name:
        # A claim with the name of a volume waits for that one.
        volume = text(summary.get("volume"), 253)
        return make("claim_no_class", evidence, requested=_asked(summary), volume=volume)
    return make("claim_pending", evidence, class_name=name, requested=_asked(summary))


def refine_claim(row: Any, found: Cause, events: Sequence[Any], _now: datetime) -> Cause:
    """With the claim's events."""
    if not found:
        return _resize(events)
    if found["code"] not in ("claim_no_class", "claim_pending"):
        return found
    failures = newest(events, "ProvisioningFailed")
    told = newest(
        events, "ProvisioningFailed", "FailedBinding", "WaitForFirstConsumer", "VolumeMismatch",
        "ExternalProvisioning", "WaitForPodScheduled",
    )  # fmt: skip
    for event in told[:10]:
        # Provisioners tell of a failure beside the event that waits for them.
        waits = getattr(event, "reason", "") == "ExternalProvisioning"
        if better := _of_event(row, failures[0] if waits and failures else event):
            return better
    return found


def _of_event(row: Any, event: Any) -> Cause:
    summary = mapping(row.summary)
    name = text(summary.get("class"), 253)
    reason, said = getattr(event, "reason", ""), message(getattr(event, "message", ""))
    evidence = event_evidence(event)
    found: Cause = {}
    if match := _NO_CLASS.search(said):
        found = make("claim_class_missing", evidence, class_name=match[1])
    elif reason in ("WaitForFirstConsumer", "WaitForPodScheduled"):
        found = make("claim_waits_for_pod", evidence, class_name=name)
    elif reason == "FailedBinding" and _NEITHER.search(said):
        found = make("claim_no_class", evidence, requested=_asked(summary))
    elif reason == "ExternalProvisioning":
        match = _EXTERNAL.search(said)
        found = make("claim_provisioner", evidence, provisioner=match[1] if match else name)
    elif reason == "VolumeMismatch":
        found = make("claim_mismatch", evidence, said=text(said))
    elif reason == "ProvisioningFailed":
        found = _failed(event, name)
    return found


def with_classes(row: Any, found: Cause, classes: Sequence[Any]) -> Cause:
    """With the cluster's storage classes: one that is not there, or that binds late by intent."""
    if found.get("code") != "claim_pending":
        return found
    name = text(mapping(row.summary).get("class"), 253)
    one = next((row for row in classes if row.name == name), None)
    if one is None:
        return {**found, "code": "claim_class_missing", "values": {"class_name": name}}
    if mapping(one.summary).get("binding") == "WaitForFirstConsumer":
        return {**found, "code": "claim_waits_for_pod"}
    return found


def cause_of_volume(row: Any, _now: datetime) -> Cause:
    """A volume whose reclaim failed."""
    summary = mapping(row.summary)
    phase = text(summary.get("phase"), 20) or text(row.status, 20)
    evidence = {"kind": "status", "name": phase}
    claim = text(summary.get("claim"), 320)
    if phase == "Failed":
        return make("volume_failed", evidence, claim=claim, said=text(summary.get("message")))
    if phase == "Released" and summary.get("reclaim") == "Retain":
        return make("volume_released", evidence, claim=claim)
    return {}


def refine_volume(_row: Any, found: Cause, events: Sequence[Any], _now: datetime) -> Cause:
    """With the volume's events: why it could not be deleted or recycled."""
    if found.get("code") == "volume_failed":
        for event in newest(events, "VolumeFailedDelete", "VolumeFailedRecycle")[:1]:
            said = text(getattr(event, "message", ""))
            values = {**found["values"], "said": said}
            return {**found, "values": values, "evidence": event_evidence(event)}
    return found


def _resize(events: Sequence[Any]) -> Cause:
    for event in newest(events, "VolumeResizeFailed", "FileSystemResizeSuccessful")[:1]:
        if getattr(event, "reason", "") == "VolumeResizeFailed":
            said = text(getattr(event, "message", ""))
            return make("claim_resize", event_evidence(event), said=said)
    return {}


def _failed(event: Any, name: str) -> Cause:
    said = message(getattr(event, "message", ""))
    for _ in range(4):
        said = _PREFIX.sub("", said, count=1)
    return make("claim_failed", event_evidence(event), class_name=name, said=text(said))


def _asked(summary: Any) -> str:
    return text(summary.get("requested"), 40)
