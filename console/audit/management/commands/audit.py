"""manage.py audit verify | export | seal | key | archive | archives | open: the proof."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from console.audit import command_archives, exporting, review, sealing, witness
from console.audit.command_progress import Progress
from console.audit.models import Tree
from console.audit.record import record
from console.audit.signing import signer
from console.audit.verifier import witnessed
from console.secrets.keyring import SecretError


class Command(BaseCommand):
    help = "Verify, export or archive the audit record, place waiting events, show the key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="part", required=True)
        verify = parts.add_parser("verify", help="find what was altered")
        verify.add_argument("--incremental", action="store_true", help="only what is new since")
        verify.add_argument(
            "--checkpoints", type=Path, help="a witness's file, besides the configured one"
        )
        export = parts.add_parser("export", help="JSON Lines that verifier.py checks")
        export.add_argument("file", type=Path)
        parts.add_parser("seal", help="give waiting events their places and sign a checkpoint")
        parts.add_parser("key", help="the public key, to be kept apart from the console")
        command_archives.add_parts(parts)

    def handle(self, *_args: Any, **options: Any) -> None:
        parts = {"verify": self.verify, "export": self.export, "seal": self.seal, "key": self.key}
        parts["archive"] = lambda given: command_archives.archive(given, self.stdout)
        parts["archives"] = lambda given: command_archives.archives(given, self.stdout)
        parts["open"] = lambda given: command_archives.open_file(given, self.stdout)
        try:
            parts[options["part"]](options)
        except (OSError, SecretError, LookupError) as error:
            raise CommandError(str(error)) from error

    def verify(self, options: dict[str, Any]) -> None:
        more = options["checkpoints"]
        notes = witnessed(more.read_text(encoding="utf-8")) if more else []
        whole = not options["incremental"]
        size = Tree.objects.values_list("size", flat=True).first() or 0
        progress = Progress(self.stdout, size, 0 if whole else review.last_good())
        try:
            report = review.verified(whole=whole, more=notes, progress=progress)
        finally:
            progress.end()
        for finding in report.findings:
            self.stdout.write(f"{finding.kind}: {finding.text}")
        count, age = sealing.unproved()
        self.stdout.write(
            f"{report.size - report.start} events looked at, {report.size} in the log, "
            f"{report.witnessed} checkpoints of witnesses compared; {count} events "
            f"{f'of the last {round(age.total_seconds())} s ' if age else ''}are not proved yet."
        )
        if not report.ok:
            raise CommandError("The audit record was altered, or what proves it was.")

    def export(self, options: dict[str, Any]) -> None:
        after = {"file": str(options["file"])}
        with transaction.atomic():
            record("audit.exported", after=after, reason="manage.py audit export")
        with options["file"].open("w", encoding="utf-8", newline="\n") as out:
            out.writelines(exporting.lines(exporting.covered()))
        self.stdout.write(f"{options['file']} is written: check it with console/audit/verifier.py.")

    def seal(self, _options: dict[str, Any]) -> None:
        with transaction.atomic():
            record("audit.sealed", object_name="audit", reason="manage.py audit seal")
        count = sealing.seal()
        point = sealing.checkpoint(force=True)
        witness.send_new()
        self.stdout.write(f"{count} events got their places.")
        if point:
            self.stdout.write(point.note)

    def key(self, _options: dict[str, Any]) -> None:
        with transaction.atomic():
            tree, _made = Tree.objects.get_or_create(pk=1)
            self.stdout.write(str(signer(tree).public))
