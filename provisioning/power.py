"""Who can cut a host's power and give it back: whoever owns the machine registers a switch."""

from __future__ import annotations

from typing import Protocol

from provisioning.models import Host


class Switch(Protocol):
    """The power of some hosts.

    queue: which workers may use it ("lab": one that runs as root on this
    machine).
    """

    queue: str

    def serves(self, host: Host) -> bool:
        """Whether this switch belongs to the host."""
        ...

    def off(self, host: Host) -> None:
        """Take the power away at once. Raises OSError saying why it could not."""
        ...

    def on(self, host: Host) -> None:
        """Give it back and wait until the host boots; nothing when it has power."""
        ...


SWITCHES: list[Switch] = []


def switch_of(host: Host) -> Switch | None:
    """The switch of a host's power, if anybody has one."""
    return next((switch for switch in SWITCHES if switch.serves(host)), None)
