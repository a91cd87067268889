"""A workload's revisions: the history of its pod templates, and the way back to one.

A Deployment keeps them as ReplicaSets, a StatefulSet and a DaemonSet as
ControllerRevisions. Both are asked of the cluster itself: the inventory keeps no templates.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from clusters.kube.acting import Acting
from clusters.kube.connection import JSON, Connection
from clusters.kube.errors import NotFound
from clusters.kube.workloads_api import Effect, rewrite

REVISION = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"
SECONDS = 5.0  # for the whole history
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class Revision:
    """One revision: its number, the object that keeps it, its pod template.

    replicas: pods that it has at the moment (None where nobody counts them).
    """

    number: int
    name: str
    created: str
    cause: str
    template: JSON = field(repr=False)
    replicas: int | None = None

    @property
    def moment(self) -> datetime | None:
        """When it was made."""
        return parse_datetime(self.created) if len(self.created) < 40 else None

    @property
    def images(self) -> list[str]:
        """The images of its containers, those of init containers first."""
        spec = self.template.get("spec") or {}
        both = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        return [str(one.get("image", "")) for one in both]


@dataclass(frozen=True)
class History:
    """A workload's revisions, the newest first, and the template that it has now.

    generation: of the specification that was looked at; current: the number
    of the revision that it has now, 0 when none is like it.
    """

    generation: int
    current: int
    template: JSON = field(repr=False)
    revisions: tuple[Revision, ...] = ()

    def revision(self, number: int) -> Revision:
        """The revision of a number. Raises NotFound when it is kept no longer."""
        for one in self.revisions:
            if one.number == number:
                return one
        raise NotFound(
            f"There is no revision {number} any more.",
            "The cluster keeps only the last ones (revisionHistoryLimit).",
        )


def history(conn: Connection, kind: str, path: str, namespace: str) -> History:
    """The revisions of a Deployment, StatefulSet or DaemonSet, within 5 s. Raises KubeError."""
    ends = time.monotonic() + SECONDS
    live = conn.get_json(path, timeout=SECONDS)
    uid = live["metadata"]["uid"]
    plural = "replicasets" if kind == "Deployment" else "controllerrevisions"
    collection = f"/apis/apps/v1/namespaces/{namespace}/{plural}"
    query = _by_labels((live.get("spec") or {}).get("selector") or {})
    items = conn.listing(collection, query, max(0.5, ends - time.monotonic())).items
    own = [item for item in items if _controlled(item, uid)]
    make = _replica_sets if kind == "Deployment" else _controller_revisions
    revisions = sorted(make(own), key=lambda one: -one.number)
    template = clean(live["spec"]["template"])
    current = next((one.number for one in revisions if one.template == template), 0)
    generation = int(live["metadata"].get("generation") or 0)
    return History(generation, current, template, tuple(revisions))


def rollback(conn: Acting, kind: str, path: str, namespace: str, number: int, seen: int) -> Effect:
    """Give a workload the pod template of one of its revisions.

    seen: the generation that the person looked at. Raises Conflict when the
    specification was changed meanwhile, NotFound when the revision is kept no longer.
    """
    past = history(conn, kind, path, namespace)
    wanted = past.revision(number)

    def change(live: JSON) -> JSON:
        live["spec"]["template"] = copy.deepcopy(wanted.template)
        return live

    rewrite(conn, path, seen, change, conn.put)
    return Effect(
        {"revision": past.current, "images": _images(past.template)},
        {"revision": number, "images": wanted.images},
    )


def clean(template: JSON) -> JSON:
    """A pod template without what controllers put into it, so that two can be compared."""
    found = copy.deepcopy(template)
    found.pop("$patch", None)  # ControllerRevisions keep it as a strategic merge patch
    metadata = found.get("metadata") or {}
    metadata.pop("creationTimestamp", None)
    labels = metadata.get("labels") or {}
    labels.pop(HASH, None)
    found["metadata"] = metadata
    return found


def _replica_sets(items: list[JSON]) -> Iterator[Revision]:
    for item in items:
        annotations = item["metadata"].get("annotations") or {}
        number = _number(annotations.get(REVISION))
        if number:
            yield Revision(
                number,
                str(item["metadata"]["name"]),
                str(item["metadata"].get("creationTimestamp", "")),
                str(annotations.get(CAUSE, ""))[:500],
                clean((item.get("spec") or {}).get("template") or {}),
                _number((item.get("status") or {}).get("replicas")),
            )


def _controller_revisions(items: list[JSON]) -> Iterator[Revision]:
    for item in items:
        annotations = item["metadata"].get("annotations") or {}
        template = ((item.get("data") or {}).get("spec") or {}).get("template")
        if isinstance(template, dict):
            yield Revision(
                _number(item.get("revision")),
                str(item["metadata"]["name"]),
                str(item["metadata"].get("creationTimestamp", "")),
                str(annotations.get(CAUSE, ""))[:500],
                clean(template),
            )


def _by_labels(selector: JSON) -> dict[str, str]:
    labels = selector.get("matchLabels") or {}
    if not labels:
        return {}
    return {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}


def _controlled(item: JSON, uid: str) -> bool:
    owners = item["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == uid and owner.get("controller") for owner in owners)


def _number(value: Any) -> int:
    text = str(value or 0)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _images(template: JSON) -> list[str]:
    return Revision(0, "", "", "", template).images
