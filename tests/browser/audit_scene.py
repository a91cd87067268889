"""Events with places and a checkpoint (events), one altered (alter) and put right (mend)."""

from __future__ import annotations

import sys

import django

django.setup()

from django.db import connection  # noqa: E402

from console.accounts.models import User  # noqa: E402
from console.audit import sealing, triggers  # noqa: E402
from console.audit.models import AuditEvent  # noqa: E402
from console.audit.record import record  # noqa: E402

NAME = "host-with-a-long-name." + "rack-17." * 12 + "example.org"


def main(what: str) -> None:
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
