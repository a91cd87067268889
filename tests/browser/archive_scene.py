"""Two archives of events with long names (archives); one is altered and put right again."""

from __future__ import annotations

import sys

import django

django.setup()

from console.accounts.models import User  # noqa: E402
from console.audit import archiving, sealing  # noqa: E402
from console.audit.archive_file import path_of  # noqa: E402
from console.audit.models import Archive  # noqa: E402
from console.audit.record import record  # noqa: E402

NAME = "host-with-a-long-name." + "rack-17." * 12 + "example.org"


def main(what: str) -> None:
    if what in ("alter", "mend"):
        path = path_of(Archive.objects.order_by("start")[0])
        # The last byte of a small .gz is the uppermost of its length: zero.
        data = path.read_bytes()
        path.write_bytes(data[:-1] if what == "alter" else data + b"\0")
        return
    ada = User.objects.get(username="ada")
    for part in range(2):
        for number in range(60):
            before, after = {"port": 22, "user": "root"}, {"port": 2200 + number, "user": "root"}
            name = NAME if number % 2 else f"host-{part}-{number}"
            record("host.changed", object_name=name, actor=ada, before=before, after=after)
        sealing.seal()
        sealing.checkpoint(force=True)
        archiving.archive(keep_events=0)


if __name__ == "__main__":
    main(sys.argv[1])
