"""What goes into an SSH connection and what comes out of it: targets, results, errors.

Nothing here opens a connection; provisioning.ssh does.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


class SSHError(Exception):
    """A connection that did not come about or broke: the cause and the mend."""

    code = "ssh"

    def __init__(self, cause: str, mend: str) -> None:
        super().__init__(f"{cause} {mend}")
        self.cause, self.mend = cause, mend


class Unreachable(SSHError):
    """Nothing answered, or the connection broke."""

    code = "unreachable"


class JumpFailed(Unreachable):
    """The way leads through a host that cannot be reached or not be trusted itself."""

    def __init__(self, target: Target, jump: Target, error: SSHError) -> None:
        super().__init__(
            f"{target.name} is reached through {jump.name}, and that failed: {error.cause}",
            error.mend,
        )


class KeyUntrusted(SSHError):
    """Nobody has trusted this host's key yet; `offered` is what it showed."""

    code = "untrusted"

    def __init__(self, offered: str) -> None:
        super().__init__(
            f"The host's key {fingerprint(offered)} is not trusted yet.",
            "Compare the fingerprint with the one on the host's console and trust it.",
        )
        self.offered = offered


class KeyChanged(SSHError):
    """The host shows another key than the pinned one; `offered` is what it showed."""

    code = "key_changed"

    def __init__(self, pinned: str, offered: str) -> None:
        super().__init__(
            f"The host shows the key {fingerprint(offered)} but {fingerprint(pinned)} is trusted.",
            "Either the machine was installed anew or somebody stands in between: find out "
            "which before you trust the new key.",
        )
        self.offered = offered


class SignInRefused(SSHError):
    """The host refused the user, key or password."""

    code = "sign_in"


@dataclass(frozen=True)
class Target:
    """How to reach one host. Texts of keys are OpenSSH's ("ssh-ed25519 AAAA...")."""

    name: str
    address: str
    port: int
    username: str
    host_key: str
    private_key: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    sudo_password: str = field(default="", repr=False)
    jump: Target | None = None


@dataclass(frozen=True)
class Payload:
    """Bytes that a script may ask for: a file on the console and how many bytes travel.

    source: where the bytes come from when they lie in no file as they are to be
    sent (what is encrypted on the console); path is then only a name.
    """

    path: str
    size: int
    source: Callable[[], Iterable[bytes]] | None = None


@dataclass
class RunResult:
    """How a script ended: exit status (-1: killed or lost) and what cut it short."""

    status: int
    timed_out: bool = False
    stopped: bool = False


def fingerprint(key: str) -> str:
    """The SHA-256 fingerprint of "type base64" as ssh-keygen -l prints it (RFC 4716 blob)."""
    blob = base64.b64decode(key.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
