"""From resources to one shell script, and from its output back to events.

The protocol between the engine and a running script:

* One channel, one script. The engine's wrapper reads the script's text from
  stdin (exactly its length), evaluates it with a POSIX sh as root, and leaves
  stdin as the channel. The text is one subshell, so nothing that it redirects
  touches the wrapper; its exit status is the wrapper's `$?`: 0 done, 1 after a
  `failed` event, anything else means that the script was killed.
* **stdout carries events only, stderr the log** (everything that commands
  print, on both of their streams). Read each by itself and do not merge them:
  then no output can forge or split an event. An event is one line,
  `<nonce> <verb> <json>`; lines of stdout that are no events may be logged.
* `resource {key, state}`: state is ok | changing | changed | failed. Waits say
  changing, then ok. `prior {key, kind, args}` comes before the effect; keep the
  first of each key in order, and give all of a host's to `undo_script`.
* `want {payload, key, packed}`: write exactly payloads[payload].size bytes of the file
  payloads[payload].path (Zstandard) to stdin; when `packed` is false, because the host
  cannot unpack it, the plain_size bytes that are inside. The script reads nothing else.
* `failed {key, hint_code, expected, found}` (decoded by read_event; mask
  secrets in `found`, it quotes output) and then exit status 1.
* `done {changed}`: the number of resources that were changed.
* The state folder on the host is /var/lib/flotilla/<cluster_id> (the
  environment variables FLOTILLA_STATE and FLOTILLA_PATH replace /var/lib/flotilla
  and the PATH, and FLOTILLA_ROOT goes before /proc, /run and /sys, for tests).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from provisioning import shell
from provisioning.steps.events import Event, read_event
from provisioning.steps.resource import Payloads, Resource, digest
from provisioning.steps.resources_system import Unit

__all__ = ["CompiledScript", "Event", "Payload", "compile_script", "read_event", "settle"]

_NONCE = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True)
class Payload:
    """A packed file that the script may ask for: its place on the console, its size in bytes.

    plain_size: of what is inside, for a host that cannot unpack it; source: where the bytes come
    from when they do not lie there as they travel.
    """

    path: Path
    size: int
    plain_size: int = 0
    source: Callable[[], Iterable[bytes]] | None = None


@dataclass(frozen=True)
class CompiledScript:
    """text: the script; payloads: what it may want, by number; secrets: texts to mask in output."""

    text: str
    payloads: Mapping[int, Payload] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()


@cache
def source(*names: str) -> str:
    """The shell functions of package files, without comment lines (they need not travel)."""
    folder = files("provisioning.steps")
    text = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    return "\n".join(x for x in text.splitlines() if x and not x.lstrip().startswith("#")) + "\n"


def settle(
    resources: Iterable[Resource], known: Mapping[str, Resource] | None = None
) -> list[Resource]:
    """The resources with each Unit told the fingerprints of what it must be restarted for.

    known: resources of earlier steps of the same host that restart_on may name
    too. Raises ValueError for a key that stands for nothing or occurs twice.
    """
    listed = list(resources)
    by_key: dict[str, Resource] = dict(known or {})
    seen: set[str] = set()
    for resource in listed:
        if resource.key in seen:
            raise ValueError(f"{resource.key} occurs twice in one step")
        seen.add(resource.key)
        by_key[resource.key] = resource
    settled: list[Resource] = []
    for resource in listed:
        if isinstance(resource, Unit):
            missing = [key for key in resource.restart_on if key not in by_key]
            if missing:
                raise ValueError(f"{resource.key} depends on unknown {', '.join(missing)}")
            prints = (by_key[key].fingerprint() for key in resource.restart_on)
            settled.append(replace(resource, inputs=digest(*prints)))
        else:
            settled.append(resource)
    return settled


def compile_script(resources: Sequence[Resource], nonce: str, cluster_id: int) -> CompiledScript:
    """One script that makes the resources true, in order, and tells what it does.

    nonce: random text of this run (8 to 64 of A-Z a-z 0-9 _ -). Raises
    ValueError for a bad nonce, a key twice, or a value that no shell can carry.
    """
    settled = settle(resources)
    restarts: dict[str, list[str]] = {}
    for resource in settled:
        if isinstance(resource, Unit):
            for key in resource.restart_on:
                restarts.setdefault(key, []).append(shell.unit(resource.name))
    payloads = Payloads()
    calls = []
    for resource in settled:
        deps = " ".join(restarts.get(resource.key, ()))
        calls.append(f"FL_KEY={shell.token(resource.key)} FL_DEPS={shell.quote(deps)}")
        calls.append(resource.script(payloads))
    return CompiledScript(
        text=assemble(("prelude.sh", "prelude_system.sh"), "\n".join(calls), nonce, cluster_id),
        payloads={
            number: Payload(file.packed, file.packed_size, file.size)
            for number, file in enumerate(payloads.files)
        },
        secrets=frozenset().union(*(resource.secrets() for resource in settled)),
    )


def assemble(sources: tuple[str, ...], body: str, nonce: str, cluster_id: int) -> str:
    """The text of a script: a subshell with the named sources and a body between start and done."""
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 8 to 64 letters, digits, '_' or '-'")
    if cluster_id < 0:
        raise ValueError("a cluster's number is not negative")
    return (
        f"(\nFL_NONCE={nonce} FL_CLUSTER={cluster_id:d}\n{source(*sources)}"
        f"fl_start\n{body}\nfl_done\n)\n"
    )
