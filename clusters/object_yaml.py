"""The YAML of an object, asked of its cluster in the reader's own name."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from clusters.inventory.kinds import object_path
from clusters.kube import KubeError, connect
from clusters.models import ClusterStatus, Object
from clusters.rights import acting
from clusters.yaml_text import Piece, pieces
from console.accounts.models import User

# A person waits for this page, and so does a thread of the web process.
SECONDS = 5.0
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# More text than anybody reads, in an element that a browser must lay out.
MOST_PIECES = 60_000
MOST_CHARACTERS = 2_000_000


def yaml_context(request: HttpRequest, row: Object) -> dict[str, Any]:
    """{"yaml": pieces} or what stands in the way; a cluster that is away is asked on demand."""
    away = row.cluster.status == ClusterStatus.UNREACHABLE
    managed = request.GET.get("managed") == "1"
    context: dict[str, Any] = {"managed": managed, "still": True, "away": away}
    if away and request.GET.get("try") != "1":
        return context
    try:
        answer = fetch(row, request.user)
    except KubeError as error:
        return context | {"error": error}
    found: list[Piece] = []
    size = 0
    for piece in pieces(shown(answer, managed=managed)):
        found.append(piece)
        size += len(piece.text)
        if len(found) >= MOST_PIECES or size > MOST_CHARACTERS:
            return context | {"yaml": found, "cut": True}
    return context | {"yaml": found}


def fetch(row: Object, user: Any) -> dict[str, Any]:
    """The object as the cluster has it now, in the user's name. Raises KubeError."""
    if not isinstance(user, User):
        raise TypeError("only a signed-in person can be impersonated")
    plural = row.resource.partition(".")[0]
    path = object_path(row.api_version, plural, row.namespace, row.name)
    return connect(row.cluster).get_json(path, timeout=SECONDS, impersonation=acting(user))


def shown(answer: dict[str, Any], *, managed: bool = False) -> dict[str, Any]:
    """The object without what nobody asked for, and without any value of a secret."""
    found = dict(answer)
    metadata = found.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    if not managed:
        metadata.pop("managedFields", None)
    if found.get("kind") == "Secret":
        for field in ("data", "stringData"):
            if field in found:
                found[field] = _masked(found[field])
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict) and LAST_APPLIED in annotations:
            # kubectl keeps the whole manifest there, values included.
            hidden = _("(hidden: holds the values)")
            metadata["annotations"] = {**annotations, LAST_APPLIED: hidden}
    found["metadata"] = metadata
    return found


def _masked(values: Any) -> Any:
    if not isinstance(values, dict):
        return _("(hidden)")
    return {str(key): _length(value) for key, value in values.items()}


def _length(value: Any) -> str:
    """How long a value is says enough to see that it is there."""
    try:
        size = len(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError, TypeError):
        return _("(hidden)")
    return _("(hidden, %(n)d bytes)") % {"n": size}
