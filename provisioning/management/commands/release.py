"""manage.py release list | import PATH | fetch VERSION: releases without the browser."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from console.audit.record import record
from console.ui.quantities import bytes_text
from provisioning.models import Release
from provisioning.release_actions import public_fields
from provisioning.releases import begin, fail
from provisioning.releases_layout import ARCHITECTURES, ReleaseError
from provisioning.releases_sources import (
    BUNDLE,
    DISTRIBUTION,
    OFFICIAL,
    fetch_official,
    import_archive,
    import_folder,
)


class Command(BaseCommand):
    help = "List, import or download releases: the binaries of a Kubernetes version."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="part", required=True)
        parts.add_parser("list", help="what there is")
        bundle = parts.add_parser("import", help="a folder or a tar archive")
        bundle.add_argument("path", type=Path)
        bundle.add_argument("--version", default="", dest="kubernetes", help="without manifest")
        bundle.add_argument("--arch", default="", choices=("", *ARCHITECTURES))
        bundle.add_argument("--source", default=BUNDLE, choices=(BUNDLE, DISTRIBUTION))
        fetch = parts.add_parser("fetch", help="an official version")
        fetch.add_argument("kubernetes", metavar="VERSION")
        fetch.add_argument("--arch", default=ARCHITECTURES[0], choices=ARCHITECTURES)

    def handle(self, *_args: Any, **options: Any) -> None:
        parts = {"list": self.list, "import": self.bundle, "fetch": self.fetch}
        try:
            parts[options["part"]](options)
        except ReleaseError as error:
            details = [f"  {word}: {text}" for word, text in _details(error) if text]
            raise CommandError("\n".join([str(error), *details])) from error
        finally:
            self.hand_over()

    def hand_over(self) -> None:
        """Root's files go to whoever owns the store: a console that runs as another reads them."""
        store = Path(settings.RELEASES_DIR)
        if os.geteuid() == 0 and store.exists():
            owner = store.stat()
            for path in store.rglob("*"):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def list(self, _options: dict[str, Any]) -> None:
        for release in Release.objects.prefetch_related("files"):
            files = release.files.all()
            size = bytes_text(sum(file.packed_size for file in files))
            self.stdout.write(
                f"{release.version:12} {release.arch:6} {release.state:8} {release.source:13}"
                f"{len(files):3} files {size:>10}  {release.provenance}"
            )
            if release.state_reason:
                self.stdout.write(f"             {release.state_reason}")

    def bundle(self, options: dict[str, Any]) -> None:
        path: Path = options["path"]
        if not path.exists():
            raise CommandError(f"There is nothing at {path}.")
        wanted = {"version": options["kubernetes"], "arch": options["arch"]}
        if path.is_dir():
            release = import_folder(path, source=options["source"], log=self.say, **wanted)
        else:
            release = import_archive(path, log=self.say, **wanted)
        record("release.imported", release, after=public_fields(release))
        self.stdout.write(self.style.SUCCESS(f"{release} is ready."))

    def fetch(self, options: dict[str, Any]) -> None:
        release = begin(options["kubernetes"], options["arch"], OFFICIAL)
        try:
            fetch_official(release, log=self.say)
        except (ReleaseError, KeyboardInterrupt) as error:
            fail(release, str(error) or "Stopped.")
            raise
        record("release.fetched", release, after=public_fields(release))
        self.stdout.write(self.style.SUCCESS(f"{release} is ready."))

    def say(self, line: str) -> None:
        self.stdout.write(line)


def _details(error: ReleaseError) -> list[tuple[str, str]]:
    return [("expected", error.expected), ("found", error.found), ("mend", error.hint)]
