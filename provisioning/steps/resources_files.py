"""Resources that are files, folders, links, programs, images and commands."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from provisioning import shell
from provisioning.spec import ReleaseFile
from provisioning.steps.base import PlanItem
from provisioning.steps.masking import MASK, diff, secret_parts
from provisioning.steps.resource import Payloads, Resource, digest
from provisioning.texts import gettext as _
from provisioning.texts import gettext_noop

if TYPE_CHECKING:
    from provisioning.facts import Facts, PathFact

# What lies at a path instead of what should.
_INSTEAD = {
    "file": gettext_noop("is a file"),
    "folder": gettext_noop("is a folder"),
    "link": gettext_noop("is a link"),
    "other": gettext_noop("is something else"),
}


def _mode(mode: int) -> str:
    return format(mode, "o")


@dataclass(frozen=True)
class File(Resource):
    """A file with exactly this content. content None: not known before the run (certificates).

    mode is the octal permission as a number (0o644); owner is "user:group";
    a secret file's content is never shown.
    """

    path: str
    content: str | None
    mode: int = 0o644
    owner: str = "root:root"
    secret: bool = False

    @property
    def key(self) -> str:
        return f"file:{self.path}"

    @property
    def title(self) -> str:
        return _("File %(path)s") % {"path": self.path}

    def _sha(self) -> str:
        return sha256((self.content or "").encode()).hexdigest()

    def evaluate(self, facts: Facts) -> PlanItem:
        there = facts.paths.get(self.path)
        if self.content is None:
            later = _("content is made during the run")
            return self.change(later) if there is None else self.unknown(later)
        problems = _differences(there, "file", self.mode, self.owner)
        if there is None or there.kind != "file" or there.sha256 != self._sha():
            old = there.content if there is not None else ""
            return self.change(*problems, *diff(self.path, old, self.content, self.secret))
        return self.change(*problems) if problems else self.ok()

    def script(self, payloads: Payloads) -> str:
        if self.content is None:
            raise ValueError(f"the content of {self.path} is not known yet")
        return (
            f"fl_file {shell.path(self.path)} {_mode(self.mode)} {shell.token(self.owner)}"
            f" {self._sha()} {shell.quote(self.content)}"
        )

    def fingerprint(self) -> str:
        return digest(self.path, self._sha(), _mode(self.mode), self.owner)

    def secrets(self) -> frozenset[str]:
        return secret_parts(self.content) if self.secret and self.content else frozenset()


def _differences(there: PathFact | None, kind: str, mode: int, owner: str) -> list[str]:
    if there is None:
        return []
    found = []
    if there.kind != kind:
        found.append(_(_INSTEAD.get(there.kind, _INSTEAD["other"])))
    if there.mode != mode:
        modes = {"old": _mode(there.mode), "new": _mode(mode)}
        found.append(_("mode %(old)s -> %(new)s") % modes)
    if there.owner != owner:
        found.append(_("owner %(old)s -> %(new)s") % {"old": there.owner, "new": owner})
    return found


@dataclass(frozen=True)
class Directory(Resource):
    """A folder. owns: what is inside belongs to the cluster, and is emptied when it is deleted.

    mode None: as it is (0755 when it is made).
    """

    path: str
    mode: int | None = 0o755
    owner: str = "root:root"
    owns: bool = False

    @property
    def key(self) -> str:
        return f"dir:{self.path}"

    @property
    def title(self) -> str:
        return _("Folder %(path)s") % {"path": self.path}

    def evaluate(self, facts: Facts) -> PlanItem:
        there = facts.paths.get(self.path)
        if there is None:
            return self.change(f"mkdir -m {_mode(self.mode or 0o755)} {self.path}")
        mode = there.mode if self.mode is None else self.mode
        problems = _differences(there, "folder", mode, self.owner)
        return self.change(*problems) if problems else self.ok()

    def script(self, payloads: Payloads) -> str:
        kind = "tree" if self.owns else "dir"
        mode = "-" if self.mode is None else _mode(self.mode)
        return f"fl_dir {shell.path(self.path)} {mode} {shell.token(self.owner)} {kind}"


@dataclass(frozen=True)
class Link(Resource):
    """A symbolic link at `path` that says `target`."""

    path: str
    target: str

    @property
    def key(self) -> str:
        return f"link:{self.path}"

    @property
    def title(self) -> str:
        return _("Link %(path)s") % {"path": self.path}

    def evaluate(self, facts: Facts) -> PlanItem:
        there = facts.paths.get(self.path)
        if there is not None and there.kind == "link" and there.target == self.target:
            return self.ok()
        return self.change(f"ln -sfn {self.target} {self.path}")

    def script(self, payloads: Payloads) -> str:
        return f"fl_link {shell.path(self.path)} {shell.path(self.target)}"

    def fingerprint(self) -> str:
        return digest(self.path, self.target)


@dataclass(frozen=True)
class Upload(Resource):
    """A release's file at `path`; sent only when the host has not got it."""

    file: ReleaseFile
    path: str
    mode: int = 0o755
    owner: str = "root:root"

    @property
    def key(self) -> str:
        return f"upload:{self.path}"

    @property
    def title(self) -> str:
        return _("Program %(path)s") % {"path": self.path}

    def evaluate(self, facts: Facts) -> PlanItem:
        there = facts.paths.get(self.path)
        if there is not None and there.sha256 == self.file.sha256:
            problems = _differences(there, "file", self.mode, self.owner)
            return self.change(*problems) if problems else self.ok()
        return self.change(
            _("send %(name)s: %(packed).1f MB packed, %(size).1f MB, SHA-256 %(sha256)s")
            % {
                "name": self.file.name,
                "packed": self.file.packed_size / 1e6,
                "size": self.file.size / 1e6,
                "sha256": self.file.sha256,
            }
        )

    def script(self, payloads: Payloads) -> str:
        number = payloads.add(self.file)
        return (
            f"fl_upload {shell.path(self.path)} {_mode(self.mode)} {shell.token(self.owner)}"
            f" {shell.token(self.file.sha256)} {self.file.size:d}"
            f" {number} {self.file.packed_size:d}"
        )

    def fingerprint(self) -> str:
        return digest(self.path, self.file.sha256)


@dataclass(frozen=True)
class Image(Resource):
    """An image archive of a release in containerd; references: the names it must be known by."""

    file: ReleaseFile
    references: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"image:{self.file.name}"

    @property
    def title(self) -> str:
        return _("Image %(name)s") % {"name": " ".join(self.references) or self.file.name}

    def evaluate(self, facts: Facts) -> PlanItem:
        if facts.mark(self.key) == self.file.sha256:
            return self.ok()
        return self.change(f"ctr -n k8s.io images import {self.file.name}")

    def script(self, payloads: Payloads) -> str:
        number = payloads.add(self.file)
        names = " ".join(shell.image(name) for name in self.references)
        return (
            f"fl_image {shell.quote(names)} {shell.token(self.file.sha256)} {self.file.size:d}"
            f" {number} {self.file.packed_size:d}"
        )


@dataclass(frozen=True)
class Command(Resource):
    """Shell commands that run until they have once succeeded, or as long as `unless` fails.

    unless: shell text that succeeds when nothing is to be done; creates: a path
    whose existence says the same. With neither, success is remembered on the
    host with a digest of the commands and of `version`, and they run again
    when that changes. sensitive: texts in `run` that must not be shown.
    settled: a path whose existence tells the plan that nothing is to be done,
    where only `unless` can tell the run.
    """

    name: str
    about: str
    run: str
    unless: str = ""
    creates: str = ""
    once: bool = True
    version: str = ""
    sensitive: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    settled: str = ""

    @property
    def key(self) -> str:
        return f"command:{self.name}"

    @property
    def title(self) -> str:
        return self.about

    def _mark(self) -> str:
        return digest(self.run, self.unless, self.creates, self.version) if self.once else "-"

    def evaluate(self, facts: Facts) -> PlanItem:
        if self.creates and self.creates in facts.paths and not self.once:
            return self.ok()
        if self.once and facts.mark(self.key) == self._mark():
            return self.ok()
        if self.settled and self.settled in facts.paths:
            return self.ok()
        text = self.run
        for secret in self.sensitive:
            text = text.replace(secret, MASK)
        lines = tuple(text.strip().splitlines())
        return self.change(*lines) if self.once or self.creates else self.unknown(*lines)

    def script(self, payloads: Payloads) -> str:
        guards = [self.unless] if self.unless else []
        if self.creates:
            guards.append(f"[ -e {shell.path(self.creates)} ]")
        guard = " && ".join(f"{{ {text}\n}}" for text in guards)
        return f"fl_command {self._mark()} {shell.quote(guard)} {shell.quote(self.run)}"

    def fingerprint(self) -> str:
        return digest(self.run, self.version)

    def secrets(self) -> frozenset[str]:
        return frozenset(self.sensitive)

    def dependants(self) -> tuple[str, ...]:
        return self.after
