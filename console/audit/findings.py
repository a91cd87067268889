"""What a verification says."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.audit import archive_check

# So many findings tell what happened; a rebuilt log would give one for each event.
MOST = 50


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. kind: a word for programs; text: a sentence for people."""

    kind: str
    text: str
    position: int | None = None


@dataclass
class Report:
    """What was looked at and what was found.

    start: the events before it were not looked at; size: events in the tree; proved: events
    that a signed checkpoint covers; witnessed: checkpoints from outside that were compared;
    archives: which positions are in signed archives instead of the table.
    """

    start: int = 0
    size: int = 0
    proved: int = 0
    witnessed: int = 0
    findings: list[Finding] = field(default_factory=list)
    archives: archive_check.Archived = field(default_factory=archive_check.Archived)

    @property
    def ok(self) -> bool:
        """Whether nothing was altered."""
        return not self.findings

    def add(self, kind: str, text: str, position: int | None = None) -> None:
        """Note a finding; the list has an end."""
        if len(self.findings) < MOST:
            self.findings.append(Finding(kind, text, position))
