"""Events with places and a checkpoint (events), one altered (alter) and put right (mend).

Two days of different ones for who reviews them (days).
"""

from __future__ import annotations

import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from console.accounts.models import User  # noqa: E402
from console.audit import sealing, triggers  # noqa: E402
from console.audit.canonical import stamp  # noqa: E402
from console.audit.models import AuditEvent  # noqa: E402
from console.audit.record import record  # noqa: E402

NAME = "host-with-a-long-name." + "rack-17." * 12 + "example.org"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0"
MANIFEST = {"kind": "Deployment", "spec": {"replicas": 2, "image": "web:1.4.0"}, "note": "x" * 400}
# (hours ago, action, object, outcome, number of the request)
DAYS: tuple[tuple[float, str, str, str, int], ...] = (
    (31, "auth.sign_in", "", "success", 1),
    (30.9, "cluster.created", "prod-eu", "success", 2),
    (30.9, "task.launched", "Create prod-eu", "success", 2),
    (30.9, "host.changed", NAME, "success", 2),
    (9, "auth.sign_in_failed", "", "failure", 3),
    (8.9, "object.edited", "web", "success", 4),
    (5, "request.denied", "/clusters/1/delete/", "denied", 5),
    (4.9, "pod.terminal_opened", "web-7f9c", "success", 6),
    (4.8, "cluster.deleted", "prod-eu", "success", 7),
    (4.8, "task.launched", "Delete prod-eu", "success", 7),
)


def days() -> None:
    """Two days of the work of one person."""
    ada = User.objects.get(username="ada")
    now = timezone.now()
    with connection.schema_editor() as editor:
        triggers.remove(editor)
    for hours, action, name, outcome, number in DAYS:
        request: Any = SimpleNamespace(
            request_id=f"{number:08d}-0000-4000-8000-000000000000",
            META={"REMOTE_ADDR": "2001:db8::17", "HTTP_USER_AGENT": AGENT},
            session=SimpleNamespace(session_key="review"),
            user=ada,
        )
        edited = action == "object.edited"
        after = MANIFEST | {"spec": {"replicas": 5, "image": "web:1.5.0"}} if edited else {}
        event = record(
            action, request=request, object_name=name, outcome=outcome,
            before=MANIFEST if edited else None, after=after,
            reason="The password was wrong." if outcome == "failure" else "",
        )  # fmt: skip
        event.time = now - timedelta(hours=hours)
        event.stamp = stamp(event)
        event.save()
    with connection.schema_editor() as editor:
        triggers.install(editor)
    sealing.seal()
    sealing.checkpoint(force=True)


def main(what: str) -> None:
    if what == "days":
        days()
        return
    if what == "events":
        ada = User.objects.get(username="ada")
        for number in range(30):
            before, after = {"port": 22, "user": "root"}, {"port": 2200 + number, "user": "root"}
            record("host.changed", object_name=NAME, actor=ada, before=before, after=after)
        sealing.seal()
        sealing.checkpoint(force=True)
        return
    name = "eve" if what == "alter" else NAME
    with connection.schema_editor() as editor:
        triggers.remove(editor)
    first = AuditEvent.objects.filter(action="host.changed").order_by("pk")[:1]
    AuditEvent.objects.filter(pk__in=first).update(object_name=name)
    with connection.schema_editor() as editor:
        triggers.install(editor)


if __name__ == "__main__":
    main(sys.argv[1])
