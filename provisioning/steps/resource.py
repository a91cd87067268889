"""What every resource is: its key, its plan, its shell call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import sha256
from typing import TYPE_CHECKING

from provisioning.spec import ReleaseFile
from provisioning.steps.base import PlanItem, Verdict

if TYPE_CHECKING:
    from provisioning.facts import Facts


class Payloads:
    """Numbers the release files that a script may ask for: add() gives the number of one."""

    def __init__(self) -> None:
        self.files: list[ReleaseFile] = []

    def add(self, file: ReleaseFile) -> int:
        """The payload number of `file`, from 0."""
        self.files.append(file)
        return len(self.files) - 1


class Resource(ABC):
    """One thing that should be true on a host. Its key is unique on a host ("file:/etc/x")."""

    @property
    @abstractmethod
    def key(self) -> str:
        """Its name in the journal, a plain token: "file:/etc/x", "unit:kubelet.service"."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What a person reads: "File /etc/x"."""

    @abstractmethod
    def evaluate(self, facts: Facts) -> PlanItem:
        """What the plan says of it, against stored facts. Pure."""

    @abstractmethod
    def script(self, payloads: Payloads) -> str:
        """The shell call that checks, journals, applies and verifies it."""

    def fingerprint(self) -> str:
        """A digest of the desired state; changes when the resource asks for something else."""
        return ""

    def secrets(self) -> frozenset[str]:
        """Texts that must never be shown when they turn up in output."""
        return frozenset()

    def dependants(self) -> tuple[str, ...]:
        """Keys of resources whose change makes this one act again (a unit's config files)."""
        return ()

    def ok(self, *detail: str) -> PlanItem:
        """The plan's line when nothing is to be done."""
        return PlanItem(self.title, Verdict.OK, detail)

    def change(self, *detail: str) -> PlanItem:
        """The plan's line when something will be done; detail: commands or a diff."""
        return PlanItem(self.title, Verdict.CHANGE, detail)

    def unknown(self, *detail: str) -> PlanItem:
        """The plan's line when only the run can tell."""
        return PlanItem(self.title, Verdict.UNKNOWN, detail)


def digest(*parts: str) -> str:
    """A short digest (32 hex digits) of texts, in order."""
    return sha256("\0".join(parts).encode()).hexdigest()[:32]
