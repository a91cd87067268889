"""One object's YAML: read it, try a change, make it; what others changed is never overwritten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from clusters.changed_fields import changed_fields
from clusters.kube import Conflict
from clusters.kube.acting import Acting
from clusters.kube.workloads_api import Effect
from clusters.manifest_text import Problem, Refused, bare, difference, dump, read_one
from clusters.models import Object
from clusters.operate import NotPossible, path_of

JSON = dict[str, Any]


@dataclass(frozen=True)
class Clash:
    """Somebody changed the object meanwhile: what is there now, and the difference."""

    text: str
    diff: str
    version: str


def refuse_secrets(row: Object) -> None:
    """Secrets are not edited here. Raises NotPossible."""
    if row.resource == "secrets":
        raise NotPossible(
            _("The values of Secrets are never shown, so they cannot be edited here."),
            _("Apply a manifest that sets them anew."),
        )


def text_of(conn: Acting, row: Object) -> str:
    """The object as it is now, without status and managedFields. Raises KubeError."""
    return dump(bare(conn.get_json(path_of(row))))


def body_of(row: Object, text: str, version: str = "") -> JSON:
    """The object that was typed. Raises Refused when it is no YAML, or another object.

    version: its resourceVersion where the text names none.
    """
    body = read_one(text)
    metadata = body["metadata"]
    for field, wanted, typed in (
        ("apiVersion", row.api_version, body["apiVersion"]),
        ("kind", row.kind, body["kind"]),
        ("metadata.name", row.name, metadata["name"]),
        ("metadata.namespace", row.namespace, metadata.get("namespace") or ""),
    ):
        if typed != wanted:
            what = _("%(field)s must stay “%(wanted)s”: this page edits one object.")
            raise Refused([Problem(0, 0, what % {"field": field, "wanted": wanted})])
    if version and not metadata.get("resourceVersion"):
        metadata["resourceVersion"] = version
    if not metadata.get("resourceVersion") or not isinstance(metadata["resourceVersion"], str):
        what = _("metadata.resourceVersion was removed: without it changes of others would go.")
        raise Refused([Problem(0, 0, what)])
    return body


def tried(conn: Acting, row: Object, body: JSON) -> str:
    """What the change would do, as a diff; "" when nothing. Raises Conflict or a KubeError."""
    path = path_of(row)
    live = conn.get_json(path)
    return difference(live, conn.put(path, body, dry_run=True))


def saved(conn: Acting, row: Object, body: JSON) -> Effect:
    """Make the change. Raises Conflict when the object was changed since it was loaded."""
    path = path_of(row)
    before = conn.get_json(path)
    if before["metadata"].get("resourceVersion") != body["metadata"]["resourceVersion"]:
        raise Conflict("Somebody changed it meanwhile.", "Look at what is there now.")
    after = conn.put(path, body)
    return Effect(*changed_fields(before, after))


def clash(conn: Acting, row: Object, base: str) -> Clash:
    """What others changed since `base` was loaded. Raises KubeError."""
    live = bare(conn.get_json(path_of(row)))
    try:
        before = read_one(base)
    except Refused:
        before = None
    version = str(live["metadata"].get("resourceVersion", ""))
    return Clash(dump(live), difference(before, live) if before else "", version)


def rebased(text: str, current: str) -> str:
    """The typed text with the version of the current object. Raises Refused for what is no YAML.

    Only the line of the version changes: comments and order stay as typed.
    """
    version = str(read_one(current)["metadata"].get("resourceVersion", ""))
    typed = str(read_one(text)["metadata"].get("resourceVersion", ""))
    lines = text.splitlines()
    for number, line in enumerate(lines):
        key, colon, value = line.partition(":")
        if key.strip() == "resourceVersion" and colon and value.strip().strip("'\"") == typed:
            lines[number] = f"{key}: '{version}'"
            break
    return "\n".join(lines) + "\n"
