"""How a script travels: the command that reads it on the host, and what is sent ahead of it."""

from __future__ import annotations

from provisioning.shell import quote
from provisioning.ssh_types import Target

# Begins the line that says how long a script is; no password looks like it.
HEADER = "flotilla-script-bytes:"


def command(target: Target, as_root: bool, mark: str) -> str:
    """What the host is to execute: it reads a script from standard input and runs it.

    mark: goes into the script's environment as FLOTILLA_RUN; empty for none.
    """
    # The shell reads how many bytes the script has, then the script itself; what
    # follows on standard input belongs to the script. `read` takes single bytes and
    # head never reads ahead, so nothing of a payload is swallowed. A line before the
    # header is a password that sudo did not ask for.
    reader = (
        f"/bin/sh -c 'IFS= read -r n; case $n in {HEADER}*) ;; *) IFS= read -r n ;; esac; "
        f'n=${{n#{HEADER}}}; s=$(head -c "$n"; printf x); eval "${{s%x}}"\''
    )
    if mark:
        reader = f"env FLOTILLA_RUN={quote(mark)} {reader}"
    if not as_root or target.username == "root":
        return reader
    if target.sudo_password:
        return f"sudo -S -p '' -- {reader}"
    return f"sudo -n -- {reader}"


def prologue(target: Target, as_root: bool, script: str) -> bytes:
    """What goes to the command's standard input first: sudo's password where it may ask for it,
    the length of the script in bytes, and the script.
    """
    body = script.encode()
    sent = f"{HEADER}{len(body)}\n".encode() + body
    if as_root and target.username != "root" and target.sudo_password:
        return target.sudo_password.encode() + b"\n" + sent
    return sent
