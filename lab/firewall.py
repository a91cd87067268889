"""Let frames pass on the lab's bridge where the machine filters bridged traffic.

Docker, for one, makes the machine hand bridged frames to iptables and drops what it does not
know; the hosts of a lab would then see the machine but not one another.
"""

import shutil
import subprocess
from pathlib import Path

from lab.command import run

FILTERED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
MEND = "see `iptables -S FORWARD`"


def _rule(action: str, bridge: str) -> list[str]:
    return [
        *("iptables", "--wait", action, "FORWARD"),
        *("--in-interface", bridge, "--out-interface", bridge),
        *("--match", "comment", "--comment", "flotilla-lab", "--jump", "ACCEPT"),
    ]


def _has_rule(bridge: str) -> bool:
    """Whether the bridge's rule is there; without iptables on the machine it is not."""
    if shutil.which("iptables") is None:
        return False
    done = subprocess.run(_rule("--check", bridge), capture_output=True, check=False)
    return done.returncode == 0


def admit(bridge: str, filtered: Path = FILTERED) -> bool:
    """Admit what goes from the bridge to the bridge; whether a rule was added.

    Does nothing where bridged frames are not filtered, or the machine has no iptables.
    """
    if not filtered.exists() or filtered.read_text().strip() == "0":
        return False
    if shutil.which("iptables") is None or _has_rule(bridge):
        return False
    run(_rule("--insert", bridge), what=f"Admitting traffic on {bridge}", mend=MEND)
    return True


def withdraw(bridge: str) -> None:
    """Remove what `admit` added, as often as it is there."""
    while _has_rule(bridge):
        run(_rule("--delete", bridge), what=f"Withdrawing the rule for {bridge}", mend=MEND)


def rules(bridge: str) -> list[str]:
    """The rules of this bridge that are there, one phrase for each."""
    return [f"iptables rule for {bridge}"] if _has_rule(bridge) else []
