"""Fresh lab hosts for each measurement, and what a measurement may want on them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab import Host, Lab, requirements
from lab.cache import cache_root

NAME, SUBNET = "bench", "10.82.0.0/24"


def why_not() -> str:
    """Why the lab cannot run on this machine; empty when it can."""
    lacks = requirements.missing()
    return (
        "needs the lab's hosts: " + "; ".join(f"{m.what} ({m.how})" for m in lacks) if lacks else ""
    )


@contextmanager
def fresh_lab(hosts: int = 4, name: str = NAME, subnet: str = SUBNET) -> Iterator[Lab]:
    """A lab of new hosts that is gone afterwards, whatever happened."""
    Lab(name, subnet, hosts).down()
    lab = Lab(name, subnet, hosts)
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


def known_hosts(lab: Lab, folder: Path) -> Path:
    """A known_hosts file with exactly the lab's keys."""
    path = folder / "known_hosts"
    path.write_text("".join(f"{h.address} {h.ssh_host_key}\n" for h in lab.hosts))
    return path


def on_host(lab: Lab, host: Host, command: str, known: Path) -> str:
    """What a command prints on a host. Raises CalledProcessError."""
    options = ["BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known}"]
    argv = ["ssh", "-q", "-i", str(lab.key_path)]
    for option in options:
        argv += ["-o", option]
    done = subprocess.run(
        [*argv, f"root@{host.address}", command], capture_output=True, text=True, check=True
    )
    return done.stdout


def install_packages(lab: Lab, packages: Sequence[str], known: Path) -> None:
    """Packages of the distribution on every host, brought by this machine's apt.

    The hosts themselves reach no mirror. Raises CalledProcessError.
    """
    store = cache_root() / "bench" / "packages"
    (store / "partial").mkdir(parents=True, exist_ok=True)
    hosts = lab.hosts
    status = hosts[0].root / "var/lib/dpkg/status"
    subprocess.run(
        [
            "apt-get", "install", "--download-only", "--no-install-recommends", "-y", "-q",
            "-o", f"Dir::State::status={status}", "-o", f"Dir::Cache::archives={store}",
            "-o", "Debug::NoLocking=1", *packages,
        ],
        capture_output=True,
        check=True,
    )  # fmt: skip

    def install(host: Host) -> None:
        folder = host.root / "root/packages"
        shutil.copytree(store, folder, ignore=shutil.ignore_patterns("partial", "lock"))
        quiet = "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends"
        on_host(lab, host, f"{quiet} /root/packages/*.deb", known)

    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(install, hosts))
