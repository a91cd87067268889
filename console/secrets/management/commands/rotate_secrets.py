"""`manage.py rotate_secrets`: a new key, every secret re-encrypted, the old keys dropped."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.audit import sealing
from console.audit.record import record
from console.secrets import rotation
from console.secrets.keyring import SecretError, key_ring


class Command(BaseCommand):
    help = (
        "Re-encrypt every stored secret under the key ring's primary key, while the console runs. "
        "Can be killed and run again. In the order of a rotation: --new-key, then, when every "
        "process has run with it for a while, --drop-old-keys."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--new-key", action="store_true", help="put a new primary key into the ring first"
        )
        parser.add_argument(
            "--drop-old-keys",
            action="store_true",
            help="afterwards remove all other keys; refused while a value needs one",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            if options["new_key"]:
                sealing.before_keys_go()  # the old key signs what it has stamped
                rotation.add_key()
            counts = self._reencrypt()
            sealing.before_keys_go()
            dropped = rotation.drop_old_keys() if options["drop_old_keys"] else 0
        except SecretError as error:
            raise CommandError(str(error)) from None
        total = sum(counts.values())
        after = {"values": counts, "key": key_ring().primary, "dropped_keys": dropped}
        if total or dropped or options["new_key"]:
            record("secret.rotated", after=after, reason="manage.py rotate_secrets")
        self.stdout.write(f"{total} values re-encrypted under key {key_ring().primary}.")
        if dropped:
            self.stdout.write(f"{dropped} old keys dropped.")

    def _reencrypt(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for column in rotation.secret_columns():
            # No transaction around it all: others must be able to write, and what is done
            # stays done when this process is killed.
            for count in rotation.reencrypt(column):
                counts[str(column)] = counts.get(str(column), 0) + count
        return counts
