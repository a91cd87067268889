"""Rows of deployments, stateful sets, daemon sets, replica sets, jobs and cron jobs."""

from __future__ import annotations

from typing import Any

from clusters.inventory.raw import (
    JSON,
    as_map,
    as_maps,
    condition,
    conditions,
    filled,
    number_or,
    pairs,
    text,
    texts,
    time_text,
    whole,
)
from clusters.inventory.told import Told
from clusters.models import Health

REVISION = "deployment.kubernetes.io/revision"
SCALED_TO_0, PAUSED, STALLED = "Scaled to 0", "Paused", "Stalled"
AVAILABLE, PROGRESSING = "Available", "Progressing"


def deployment(item: JSON) -> Told:
    """A deployment, as `kubectl rollout status` judges it."""
    spec, status = as_map(item.get("spec")), as_map(item.get("status"))
    told = _workload(item, number_or(spec.get("replicas"), 1), strategy=spec.get("strategy"))
    figures = told.summary
    gets_on = condition(figures.get("conditions", []), "Progressing")
    failing = condition(figures.get("conditions", []), "ReplicaFailure").get("status") == "True"
    ready = figures["available"] >= figures["desired"]
    rolled_out = (
        ready and figures["updated"] >= figures["desired"] and whole(status.get("replicas")) <= max(
            figures["updated"], figures["desired"]
        )
    )  # fmt: skip
    if spec.get("paused") is True:
        told.status, told.health = PAUSED, Health.GOOD if ready else Health.WARN
    elif figures["desired"] == 0 and not whole(status.get("replicas")):
        told.status, told.health = SCALED_TO_0, Health.NONE
    elif failing or gets_on.get("status") == "False":
        told.status, told.health = STALLED, Health.BAD
    elif rolled_out and _observed(figures):
        told.status, told.health = AVAILABLE, Health.GOOD
    else:
        # After a rollout that was complete, it is pods that fail now.
        complete = gets_on.get("reason") == "NewReplicaSetAvailable" and _observed(figures)
        told.status, told.health = PROGRESSING, Health.WARN if complete else Health.MOVING
    return told


def stateful_set(item: JSON) -> Told:
    """A stateful set; it has no deadline, so that what is stuck is told by its pods."""
    spec, status = as_map(item.get("spec")), as_map(item.get("status"))
    told = _workload(item, number_or(spec.get("replicas"), 1), strategy=spec.get("updateStrategy"))
    figures = told.summary
    on_delete = figures.get("strategy") == "OnDelete"
    partition = as_map(as_map(spec.get("updateStrategy")).get("rollingUpdate")).get("partition")
    rolling = (
        text(status.get("currentRevision")) != text(status.get("updateRevision"))
        and not on_delete
        and not whole(partition)
    )
    _judge(told, rolling=rolling)
    return told


def daemon_set(item: JSON) -> Told:
    """A daemon set: the figures are numbers of nodes."""
    status = as_map(item.get("status"))
    spec = as_map(item.get("spec"))
    told = _workload(
        item,
        whole(status.get("desiredNumberScheduled")),
        ready=status.get("numberReady"),
        updated=status.get("updatedNumberScheduled"),
        available=status.get("numberAvailable"),
        current=status.get("currentNumberScheduled"),
        strategy=spec.get("updateStrategy"),
    )
    figures = told.summary
    if misscheduled := whole(status.get("numberMisscheduled")):
        figures["misscheduled"] = misscheduled
    on_delete = figures.get("strategy") == "OnDelete"
    _judge(told, rolling=figures["updated"] < figures["desired"] and not on_delete)
    if told.status == SCALED_TO_0:  # no node is selected
        told.status = AVAILABLE
    return told


def replica_set(item: JSON) -> Told:
    """A replica set; revision: which one of its deployment it is."""
    spec = as_map(item.get("spec"))
    told = _workload(item, number_or(spec.get("replicas"), 1))
    told.summary.pop("updated", None)
    _judge(told, rolling=False)
    found = told.summary.get("conditions", [])
    if condition(found, "ReplicaFailure").get("status") == "True":
        told.status, told.health = STALLED, Health.BAD
    return told


def job(item: JSON) -> Told:
    """A job: Complete, Failed, Suspended or Running."""
    spec, status = as_map(item.get("spec")), as_map(item.get("status"))
    found = conditions(status)
    failed = whole(status.get("failed"))
    if condition(found, "Complete").get("status") == "True":
        word, health = "Complete", Health.GOOD
    elif condition(found, "Failed").get("status") == "True":
        word, health = "Failed", Health.BAD
    elif spec.get("suspend") is True:
        word, health = "Suspended", Health.NONE
    else:
        word, health = "Running", Health.WARN if failed else Health.MOVING
    template = as_map(as_map(spec.get("template")).get("spec"))
    ended = condition(found, "Failed").get("since", "")
    summary = {
        "completions": number_or(spec.get("completions"), 1),
        "parallelism": number_or(spec.get("parallelism"), 1),
        "succeeded": whole(status.get("succeeded")),
        "failed": failed,
        "active": whole(status.get("active")),
        "suspended": spec.get("suspend") is True,
        "started": time_text(status.get("startTime")),
        "finished": time_text(status.get("completionTime")) or ended,
        "conditions": found,
        "service_account": text(template.get("serviceAccountName")),
    }
    return Told(word, health, images=_images(template), summary=filled(summary))


def cron_job(item: JSON) -> Told:
    """A cron job: Suspended, Running while one of its jobs runs, or nothing to say."""
    spec, status = as_map(item.get("spec")), as_map(item.get("status"))
    active = len(as_maps(status.get("active")))
    suspended = spec.get("suspend") is True
    job_spec = as_map(as_map(spec.get("jobTemplate")).get("spec"))
    template = as_map(as_map(job_spec.get("template")).get("spec"))
    summary = {
        "schedule": text(spec.get("schedule")),
        "time_zone": text(spec.get("timeZone")),
        "suspended": suspended,
        "active": active,
        "last_run": time_text(status.get("lastScheduleTime")),
        "last_success": time_text(status.get("lastSuccessfulTime")),
    }
    word = "Suspended" if suspended else "Running" if active else ""
    health = Health.MOVING if active and not suspended else Health.NONE
    return Told(word, health, images=_images(template), summary=filled(summary))


def _workload(item: JSON, desired: int, *, strategy: Any = None, **figures: Any) -> Told:
    """The keys that all workloads have; figures: where the status has them under other names."""
    metadata, spec, status = (as_map(item.get(p)) for p in ("metadata", "spec", "status"))
    template = as_map(as_map(spec.get("template")).get("spec"))
    selector = as_map(spec.get("selector"))
    summary: dict[str, Any] = {
        "desired": desired,
        "ready": whole(figures.get("ready", status.get("readyReplicas"))),
        "updated": whole(figures.get("updated", status.get("updatedReplicas"))),
        "available": whole(figures.get("available", status.get("availableReplicas"))),
        "current": whole(figures.get("current", status.get("replicas"))),
        "paused": spec.get("paused") is True,
        "strategy": text(as_map(strategy).get("type"), 32),
        "selector": pairs(selector.get("matchLabels")),
        "expressions": [_expression(raw) for raw in as_maps(selector.get("matchExpressions"), 20)],
        "revision": text(as_map(metadata.get("annotations")).get(REVISION), 32),
        "generation": whole(metadata.get("generation")),
        "observed": whole(status.get("observedGeneration")),
        "conditions": conditions(status),
        "service_account": text(template.get("serviceAccountName")),
    }
    return Told(images=_images(template), summary=filled(summary))


def _judge(told: Told, *, rolling: bool) -> None:
    figures = told.summary
    desired, ready, current = figures["desired"], figures["ready"], figures["current"]
    if rolling or not _observed(figures) or current > desired:
        told.status, told.health = PROGRESSING, Health.MOVING
    elif desired == 0:
        told.status, told.health = SCALED_TO_0, Health.NONE
    elif ready >= desired:
        told.status, told.health = AVAILABLE, Health.GOOD
    else:
        # All its pods are there and some are not ready, or it still makes them.
        told.status = PROGRESSING
        told.health = Health.WARN if current >= desired else Health.MOVING


def _observed(figures: dict[str, Any]) -> bool:
    """Whether the controller has seen the newest spec."""
    return bool(figures["observed"] >= figures["generation"])


def _expression(raw: JSON) -> str:
    """A match expression as `kubectl -l` takes it: "tier in (a,b)", "!canary"."""
    key, values = text(raw.get("key"), 320), ",".join(texts(raw.get("values"), 50))
    return {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
    }.get(text(raw.get("operator"), 32), key)


def _images(template: JSON) -> list[str]:
    containers = as_maps(template.get("initContainers"), 60) + as_maps(
        template.get("containers"), 60
    )
    return [image for raw in containers if (image := text(raw.get("image"), 500))]
