"""Taking a cluster off its hosts: the undo script, and the rescan that proves it.

The console's records of a host and the host's own undo.log are united on the
host (the first record of a key counts) and undone in reverse. Undoing twice is
undoing once; an interrupted undo goes on where it was, because the state
folder with log and backups is removed last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from provisioning import shell
from provisioning.facts import Facts
from provisioning.steps.base import Context, PlanItem, Step, Verdict
from provisioning.steps.compile import CompiledScript, assemble, source
from provisioning.steps.resources import Probe, Resource
from provisioning.texts import gettext as _

_KINDS = frozenset(
    {
        "file",
        "link",
        "dir",
        "tree",
        "unit",
        "package",
        "sysctl",
        "module",
        "swap",
        "hostname",
        "hosts",
    }
)
_TOKEN = re.compile(r"[A-Za-z0-9:/._@+=,%-]+")


def record_line(record: Mapping[str, object]) -> str:
    """A `prior` event as a line of undo.log. ValueError for one that is none.

    Records travelled from a host to the database and go back to it into a
    shell: only plain tokens may pass.
    """
    arguments = record.get("args")
    if not isinstance(arguments, list | tuple):
        raise ValueError(f"{record!r} is no record of an earlier state")
    words = [str(record.get("key", "")), str(record.get("kind", "")), *map(str, arguments)]
    if words[1] not in _KINDS or not all(_TOKEN.fullmatch(word) for word in words):
        raise ValueError(f"{record!r} is no record of an earlier state")
    return " ".join(words)


def undo_script(
    records: Sequence[Mapping[str, object]], nonce: str, cluster_id: int
) -> CompiledScript:
    """The script that puts a host back. records: the data of its `prior` events, oldest first.

    Tells `resource {key, state: "undone"}` for each thing that it put back,
    `failed` with what it could not, and `done {changed}`. Raises ValueError
    for a record that is none.
    """
    lines = dict.fromkeys(record_line(record) for record in records)
    body = f"fl_undo {shell.quote(chr(10).join(lines))}"
    text = assemble(("prelude.sh", "prelude_system.sh", "undo.sh"), body, nonce, cluster_id)
    # fl_start would make the state folder, whose absence says that nothing is left to undo.
    return CompiledScript(text.replace("\nfl_start\n", "\n", 1))


class UndoStep(Step):
    """Puts a host back to what it was; the engine calls compile() with the records it kept."""

    id = "undo"
    title = "Put the host back"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """None: what there is to do is in the records."""
        return ()

    def describe(self, ctx: Context, facts: Facts) -> Sequence[PlanItem]:
        """For the plan: what of the cluster is on the host, as far as the facts know."""
        if ctx.spec.id not in facts.clusters and not facts.traces:
            return [PlanItem(_("Nothing of the cluster is on this host"), Verdict.OK)]
        return [PlanItem(_("Put back by the journal"), Verdict.CHANGE, tuple(facts.traces))]

    def compile(
        self, ctx: Context, records: Sequence[Mapping[str, object]], nonce: str
    ) -> CompiledScript:
        """The undo script of ctx.host from its records."""
        return undo_script(records, nonce, ctx.spec.id)


class RescanStep(Step):
    """Looks for anything that Kubernetes left; fails naming it."""

    id = "rescan"
    title = "Prove that nothing is left"
    timeout = 60

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """One probe with the same search as the facts'."""
        search = source("traces.sh")
        return [
            Probe(
                "traces",
                _("Nothing of a Kubernetes is left"),
                f'found=$(\n{search})\n[ -z "$found" ] || {{ printf \'%s\\n\' "$found"; exit 1; }}',
                _("no unit, process, folder, mount, interface or chain of Kubernetes"),
                "left_behind",
                _("looks again for everything that Kubernetes leaves on a host"),
            )
        ]
