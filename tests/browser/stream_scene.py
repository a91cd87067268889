"""Sends what there is to each stream (send), beside one whose receiver has been away (away)."""

from __future__ import annotations

import sys
from datetime import timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402

from console.audit import sealing  # noqa: E402
from console.audit.models import Stream  # noqa: E402
from console.audit.record import record  # noqa: E402
from console.audit.streams import sending  # noqa: E402

ADDRESS = "tcp://syslog-with-a-long-name." + "rack-17." * 12 + "example.org:601"
ERROR = (
    "The certificate of syslog.example.org:6514 is not trusted: unable to get local issuer "
    "certificate."
)


def main(what: str) -> None:
    if what == "away":
        Stream.objects.create(
            name="siem-of-the-other-place", kind="syslog", address=ADDRESS, last_error=ERROR,
            failures=1234, next_try=timezone.now() + timedelta(minutes=5),
        )  # fmt: skip
    for number in range(3):
        record("host.added", object_name=f"h{number}")
    sealing.seal()
    sealing.checkpoint(force=True)
    while claimed := sending.claim():
        sending.send(claimed)


if __name__ == "__main__":
    main(sys.argv[1])
