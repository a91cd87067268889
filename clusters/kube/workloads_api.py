"""What is done to one workload: scale, restart, pause, suspend, run now, delete.

Every function takes the object's own path and a connection in whose name the
call is made, and returns what the audit log keeps: the fields before and after.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from clusters.kube.connection import JSON, Connection
from clusters.kube.errors import Conflict, KubeError, UnexpectedAnswer

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
# Labels that belong to an older Job and its pods; the server gives the new one its own.
_JOB_LABELS = (
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
)
MOST_REPLICAS = 10_000
# A Job's name is its pods' label: 63 characters, of which the server's suffix takes 6.
JOB_NAME = 52


class Effect(NamedTuple):
    """What a change did: fields before and after, none of them secret.

    name: of the object that was made; warning: what a person should know though it went well.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    name: str = ""
    warning: str = ""


def scale(conn: Connection, path: str, replicas: int) -> Effect:
    """Set the number of replicas through the subresource `scale`. Raises KubeError."""
    current = conn.get_json(f"{path}/scale")
    before = int((current.get("spec") or {}).get("replicas") or 0)
    conn.merge_patch(f"{path}/scale", {"spec": {"replicas": replicas}})
    return Effect({"replicas": before}, {"replicas": replicas})


def restart(conn: Connection, path: str) -> Effect:
    """Make every pod anew by the workload's own strategy, as `kubectl rollout restart` does.

    A Deployment that is paused would do nothing: UnexpectedAnswer says so.
    """
    live = conn.get_json(path)
    if (live.get("spec") or {}).get("paused"):
        raise UnexpectedAnswer(
            "It is paused, so a restart would do nothing.", "Resume it first, then restart."
        )
    before = _template_annotations(live).get(RESTARTED_AT, "")
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    annotations = {"metadata": {"annotations": {RESTARTED_AT: now}}}
    conn.merge_patch(path, {"spec": {"template": annotations}})
    return Effect({"restartedAt": before}, {"restartedAt": now})


def pause(conn: Connection, path: str, paused: bool) -> Effect:
    """Hold a Deployment's rollouts, or let them go on. Raises KubeError."""
    before = bool((conn.get_json(path).get("spec") or {}).get("paused"))
    conn.merge_patch(path, {"spec": {"paused": True if paused else None}})
    return Effect({"paused": before}, {"paused": paused})


def suspend(conn: Connection, path: str, suspended: bool) -> Effect:
    """Stop a CronJob from starting Jobs, or let it start them again. Raises KubeError."""
    before = bool((conn.get_json(path).get("spec") or {}).get("suspend"))
    conn.merge_patch(path, {"spec": {"suspend": suspended}})
    return Effect({"suspended": before}, {"suspended": suspended})


def run_now(conn: Connection, path: str) -> Effect:
    """Create a Job from a CronJob's template, as `kubectl create job --from` does.

    Effect.name is the Job's. Raises KubeError.
    """
    cron = conn.get_json(path)
    metadata = cron["metadata"]
    template = (cron.get("spec") or {}).get("jobTemplate") or {}
    described = template.get("metadata") or {}
    name = f"{metadata['name'][:JOB_NAME].rstrip('-.')}-{secrets.token_hex(3)}"
    labels = {k: v for k, v in (described.get("labels") or {}).items() if k not in _JOB_LABELS}
    owner = {
        "apiVersion": cron.get("apiVersion", "batch/v1"),
        "kind": "CronJob",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": {
                **(described.get("annotations") or {}),
                "cronjob.kubernetes.io/instantiate": "manual",
            },
            "ownerReferences": [owner],
        },
        "spec": template.get("spec") or {},
    }
    conn.post(f"/apis/batch/v1/namespaces/{metadata['namespace']}/jobs", body)
    return Effect({}, {"job": name}, name=name)


def delete(conn: Connection, path: str, uid: str, propagation: str) -> Effect:
    """Delete an object, and no other of the same name that came after it (its UID is sent).

    propagation: Background, Foreground or Orphan (Garbage Collection, "Cascading
    deletion"). Raises Conflict when the name is another object's, or another KubeError.
    """
    options: JSON = {"propagationPolicy": propagation}
    if uid:
        options["preconditions"] = {"uid": uid}
    conn.delete(path, options)
    return Effect({"uid": uid}, {"propagation": propagation})


def rewrite(
    conn: Connection,
    path: str,
    generation: int,
    change: Callable[[JSON], JSON],
    put: Callable[[str, JSON], JSON],
) -> JSON:
    """Change an object that is still of the generation which a person looked at.

    The status of a workload changes all the time and the resourceVersion with
    it; the generation moves with the specification alone. Raises Conflict when
    that has moved, or another KubeError.
    """
    for left in (2, 1, 0):
        live = conn.get_json(path)
        now = int((live.get("metadata") or {}).get("generation") or 0)
        if now != generation:
            raise Conflict(
                f"It was changed meanwhile: generation {now}, and the page showed {generation}.",
                "Look at it again before you decide.",
            )
        try:
            return put(path, change(live))
        except Conflict:
            if not left:
                raise
    raise AssertionError("unreachable")


def autoscalers(conn: Connection, namespace: str, kind: str, name: str) -> list[str]:
    """The names of the HorizontalPodAutoscalers that scale a workload; within 3 s or KubeError."""
    path = f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers"
    wanted = (kind, name)
    return [
        str(item["metadata"]["name"])
        for item in conn.listing(path, timeout=3.0).items
        if _target(item) == wanted
    ]


def hint(find: Callable[[], list[str]]) -> list[str] | None:
    """What find() answers, or None when the cluster did not say it in time."""
    try:
        return find()
    except KubeError:
        return None  # a page says that nobody could be asked


def _target(autoscaler: JSON) -> tuple[str, str]:
    target = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
    return str(target.get("kind", "")), str(target.get("name", ""))


def _template_annotations(live: JSON) -> dict[str, str]:
    template = (live.get("spec") or {}).get("template") or {}
    found: dict[str, str] = (template.get("metadata") or {}).get("annotations") or {}
    return found
