"""The word that `kubectl get pods` shows for a pod, and how many of its containers are ready.

Source: printPod in kubernetes/pkg/printers/internalversion/printers.go, whose
order of questions this keeps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from clusters.inventory.raw import JSON, as_map, as_maps, condition, conditions, text, whole
from clusters.models import Health

ENDED = ("Succeeded", "Failed")
STARTING = ("Pending", "ContainerCreating", "PodInitializing", "SchedulingGated", "Terminating")


@dataclass
class PodWord:
    """status: the word; ready and total: containers, sidecars included; restarts of both."""

    status: str
    ready: int = 0
    total: int = 0
    restarts: int = 0


def pod_word(item: JSON) -> PodWord:
    """The word and the figures of a pod."""
    metadata, spec, status = (as_map(item.get(p)) for p in ("metadata", "spec", "status"))
    found = conditions(status)
    scheduled = condition(found, "PodScheduled")
    word = PodWord(text(status.get("reason"), 64) or text(status.get("phase"), 64) or "Unknown")
    word.total = len(as_maps(spec.get("containers")))
    if scheduled.get("reason") == "SchedulingGated":
        word.status = "SchedulingGated"
    initializing = _init(word, spec, status)
    if not initializing or condition(found, "Initialized").get("status") == "True":
        _containers(word, status, condition(found, "Ready").get("status") == "True")
    if metadata.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            word.status = "Unknown"
        elif status.get("phase") not in ENDED:
            word.status = "Terminating"
    return word


def _init(word: PodWord, spec: JSON, status: JSON) -> bool:
    """Whether the pod still starts its init containers; sidecars count among the containers."""
    declared = as_maps(spec.get("initContainers"))
    sidecars = {text(c.get("name")) for c in declared if c.get("restartPolicy") == "Always"}
    word.total += len(sidecars)
    all_restarts = sidecar_restarts = 0
    for number, container in enumerate(as_maps(status.get("initContainerStatuses"))):
        sidecar = text(container.get("name")) in sidecars
        all_restarts += whole(container.get("restartCount"))
        sidecar_restarts += whole(container.get("restartCount")) if sidecar else 0
        state = as_map(container.get("state"))
        waiting, ended = as_map(state.get("waiting")), as_map(state.get("terminated"))
        if ended and not whole(ended.get("exitCode")):
            continue
        if sidecar and container.get("started") is True:
            word.ready += container.get("ready") is True
            continue
        reason = text(waiting.get("reason"), 58)
        if ended:
            word.status = "Init:" + (text(ended.get("reason"), 58) or _exit(ended))
        elif reason and reason != "PodInitializing":
            word.status = "Init:" + reason
        else:
            word.status = f"Init:{number}/{len(declared)}"
        word.restarts = all_restarts
        return True
    word.restarts = sidecar_restarts
    return False


def _containers(word: PodWord, status: JSON, pod_ready: bool) -> None:
    running = False
    for container in reversed(as_maps(status.get("containerStatuses"))):
        word.restarts += whole(container.get("restartCount"))
        state = as_map(container.get("state"))
        waiting, ended = as_map(state.get("waiting")), as_map(state.get("terminated"))
        if waiting.get("reason"):
            word.status = text(waiting.get("reason"), 64)
        elif ended:
            word.status = text(ended.get("reason"), 64) or _exit(ended)
        elif container.get("ready") is True and isinstance(state.get("running"), dict):
            running = True
            word.ready += 1
    if word.status == "Completed" and running:
        word.status = "Running" if pod_ready else "NotReady"


def _exit(ended: JSON) -> str:
    if signal := whole(ended.get("signal")):
        return f"Signal:{signal}"
    return f"ExitCode:{whole(ended.get('exitCode'))}"


def pod_health(word: PodWord, item: JSON) -> Health:
    """What the word means: a pod that starts is moving, one that fails is bad."""
    status = as_map(item.get("status"))
    if word.status in ("Completed", "Succeeded"):
        return Health.GOOD
    if word.status == "Running":
        if word.ready >= word.total:
            return Health.GOOD
        starting = any(
            container.get("started") is False and not whole(container.get("restartCount"))
            for container in as_maps(status.get("containerStatuses"))
        )
        return Health.MOVING if starting else Health.WARN
    if word.status == "Pending":
        # The scheduler has looked and found no node.
        unscheduled = condition(conditions(status), "PodScheduled").get("status") == "False"
        return Health.WARN if unscheduled else Health.MOVING
    if word.status in STARTING or re.fullmatch(r"Init:\d+/\d+", word.status):
        return Health.MOVING
    return Health.WARN if word.status == "NotReady" else Health.BAD
