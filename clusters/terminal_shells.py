"""Which shells a terminal may start."""

from __future__ import annotations

from collections.abc import Mapping

# Asked with `command -v`: a shell whose `exec` fails ends, and tries nothing more.
BEST = (
    "TERM=xterm-256color; export TERM; for s in bash ash; do"
    " if command -v $s >/dev/null 2>&1; then exec $s; fi; done; exec sh"
)


def _with_terminal(shell: str) -> tuple[str, ...]:
    return ("env", "TERM=xterm-256color", shell)


SHELLS: Mapping[str, tuple[str, ...]] = {
    "auto": ("sh", "-c", BEST),
    "bash": _with_terminal("bash"),
    "ash": _with_terminal("ash"),
    "sh": _with_terminal("sh"),
}
