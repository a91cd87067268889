"""The look at a cluster before anything of it is saved: is it there, which one, what may we do?

Runs in the watcher process. A result is JSON: {"ok", "problem", "mend", "version", "uid",
"twin" (the name of the cluster that is the same one), "rights": {need id: [refused rights as
texts]}, "unasked" (need ids that the time did not reach), "waiting" (not looked at yet)}.
"""

from __future__ import annotations

import time
from typing import Any

from django.utils import timezone

from clusters.given import Entry
from clusters.import_needs import NEEDS, Right
from clusters.kube import Connection, KubeError
from clusters.kube.access_review import may
from clusters.kube.credentials import Credentials
from clusters.kube.errors import AccessRefused, Forbidden
from clusters.kube.outbound import Outbound
from clusters.models import Cluster

SECONDS = 10.0  # for each context
LEAST_SECONDS = 0.5  # what one more call gets at least


def credentials(entry: Entry) -> Credentials:
    """How to connect with what was given, by the rules for addresses that people give."""
    return Credentials(
        entry.server, entry.ca, entry.certificate, entry.key, entry.token, Outbound.of_settings()
    )


def check(
    entry: Entry, replacing: Cluster | None = None, seconds: float = SECONDS
) -> dict[str, Any]:
    """Look at the cluster and return a result; replacing: it has to be this cluster."""
    deadline = time.monotonic() + seconds
    if entry.expires is not None and entry.expires <= timezone.now():
        return failed(
            f"These credentials ended on {entry.expires:%Y-%m-%d %H:%M} UTC.",
            "Get new ones from whoever runs the cluster.",
        )
    connection = None
    try:
        connection = Connection(credentials(entry))
        version = connection.version()
        uid = identity(connection)
        result = failed(*_not_this_one(uid, replacing)) | {
            "version": printable(version),
            "uid": uid,
        }
        if result["problem"]:
            result["twin"] = _twin(uid, replacing)
            return result
        rights, unasked = _rights(connection, deadline)
    except Forbidden as error:
        return failed(
            error.cause,
            "Give the credentials the right to get the namespace kube-system: by its UID the "
            "console tells this cluster from others.",
        )
    except AccessRefused as error:
        return failed(error.cause, "The cluster does not know these credentials: get new ones.")
    except KubeError as error:
        return failed(error.cause, error.mend)
    finally:
        if connection is not None:
            connection.close()
    return result | {"ok": True, "rights": rights, "unasked": unasked}


def identity(connection: Connection) -> str:
    """The UID of the namespace kube-system: it stays as long as the cluster. Raises KubeError."""
    found = connection.get_json("/api/v1/namespaces/kube-system", timeout=5.0)
    metadata = found.get("metadata")
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    if not isinstance(uid, str) or not uid or len(uid) > 64 or not uid.isprintable():
        raise KubeError(
            f"{connection.endpoint} answers, but not as a Kubernetes API server does.",
            "Check the address.",
        )
    return uid


def printable(version: str) -> str:
    """A version as a server said it, fit to be kept and shown."""
    return "".join(c for c in version if c.isprintable())[:32]


def _rights(connection: Connection, deadline: float) -> tuple[dict[str, list[str]], list[str]]:
    """The refused rights of each need, and the needs that were not asked about in time."""
    refused: dict[str, list[str]] = {}
    unasked: list[str] = []
    known: dict[Right, bool] = {}
    for need in NEEDS:
        try:
            for right in need.rights:
                if right not in known:
                    left = deadline - time.monotonic()
                    if left < LEAST_SECONDS:
                        raise TimeoutError
                    known[right] = _ask(connection, right, left)
            refused[need.id] = [str(right) for right in need.rights if not known[right]]
        except (TimeoutError, KubeError):
            unasked.append(need.id)
    return refused, unasked


def _ask(connection: Connection, right: Right, left: float) -> bool:
    return may(
        connection,
        right.verb,
        right.group,
        right.resource,
        right.subresource,
        right.namespace,
        timeout=min(5.0, left),
    )


def _not_this_one(uid: str, replacing: Cluster | None) -> tuple[str, str]:
    twin = _twin(uid, replacing)
    if replacing is not None and replacing.uid and replacing.uid != uid:
        here = f" It is {twin}." if twin else ""
        return (
            f"This is another cluster than {replacing.name}.{here}",
            "Give credentials of the same cluster, or import the other one.",
        )
    if twin:
        return (
            f"This cluster is in the console already: {twin}.",
            "Replace the credentials there if they are to be changed.",
        )
    return "", ""


def _twin(uid: str, replacing: Cluster | None) -> str:
    others = Cluster.objects.filter(uid=uid)
    if replacing is not None:
        others = others.exclude(pk=replacing.pk)
    return others.values_list("name", flat=True).first() or ""


def failed(problem: str = "", mend: str = "") -> dict[str, Any]:
    """The result of a check that came to this."""
    return {
        "ok": False, "problem": problem, "mend": mend, "version": "", "uid": "", "twin": "",
        "rights": {}, "unasked": [], "waiting": False,
    }  # fmt: skip
