"""A lab: a bridge with hosts on it, brought up and taken down as one."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import base, cgroups, firewall, limits, network, requirements
from lab.cache import cache_root, locked
from lab.command import run
from lab.disk import check_key, make_key, mounts_below
from lab.errors import LabError, Output, silent
from lab.leftovers import Leftovers
from lab.machine import Host, HostStatus
from lab.network import DEMO_NAME, AddressPlan

DEMO_SUBNET = "10.77.0.0/24"
DEFAULT_HOSTS = 6
KEY_NAME = "id_ed25519"


def labs_folder() -> Path:
    """Where each lab keeps its state and its hosts' disks."""
    return cache_root() / "labs"


def lab_names() -> list[str]:
    """The labs that have state on this machine, running or not."""
    return sorted(state.parent.name for state in labs_folder().glob("*/lab.json"))


class Lab:
    """A named lab with `hosts` hosts in `subnet`, on a bridge of its own.

    `authorized_keys` are public key lines that may sign in; without any the lab makes a key pair,
    see `key_path`. Two labs with different names and subnets do not disturb each other. Raises
    LabError when the name or subnet cannot be used.
    """

    def __init__(
        self,
        name: str = DEMO_NAME,
        subnet: str | None = None,
        hosts: int = DEFAULT_HOSTS,
        bridge: str | None = None,
        authorized_keys: Sequence[str] = (),
    ) -> None:
        self.folder = labs_folder() / name
        saved = self._saved()
        if subnet is None:
            subnet = str(saved["subnet"]) if saved else DEMO_SUBNET if name == DEMO_NAME else None
        if subnet is None:
            raise LabError(
                f"Opening the lab {name!r}", "it was never up", "give its --subnet and run `lab up`"
            )
        if bridge is None and saved:
            bridge = str(saved["bridge"])
        self.plan = AddressPlan.of(name, subnet, bridge)
        self.wanted = hosts
        self.extra_keys = [check_key(key) for key in authorized_keys]
        if not 1 <= hosts <= self.plan.capacity:
            raise LabError(
                f"Planning the lab {name!r}",
                f"{hosts} hosts do not fit in {self.plan.subnet}",
                f"ask for 1 to {self.plan.capacity}, or give a larger subnet",
            )

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.plan.name

    @property
    def key_path(self) -> Path:
        """The private key that the lab made for signing in to its hosts."""
        return self.folder / KEY_NAME

    @property
    def hosts(self) -> list[Host]:
        """The hosts that were made, running or not, in the order of their numbers."""
        saved = self._saved()
        if saved is None:
            return []
        tree = cache_root() / "base" / str(saved["base"]) / "root"
        count = int(str(saved["hosts"]))
        return [Host(self.plan, number, self.folder, tree) for number in range(1, count + 1)]

    def host(self, name: str) -> Host:
        """The host of this name; raises LabError when the lab has none."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts) or "none"
        raise LabError(
            f"Finding the host {name}",
            f"the lab {self.name} has no such host; it has {known}",
            "see `lab status`, or make more hosts with `lab up -n`",
        )

    def up(self, out: Output = silent) -> list[Host]:
        """Bring the lab up and return its hosts once each one's sshd answers.

        Hosts that run stay as they are, those that are off boot with the disk they had, missing
        ones are made; none is taken away. Builds the base tree the first time (1 to 3 minutes).
        Raises LabError when the machine lacks something or a host does not come up.
        """
        requirements.demand()
        tree = base.ensure(out)
        with locked(self._lock):
            saved = self._saved()
            if saved:
                self._check_same(saved)
                tree = cache_root() / "base" / str(saved["base"]) / "root"
                if not tree.exists():
                    raise LabError(
                        f"Bringing the lab {self.name} up",
                        f"its hosts are overlays of {tree}, which is gone",
                        f"run `lab down --name {self.name}` and bring it up again",
                    )
            count = max(self.wanted, int(str(saved["hosts"])) if saved else 0)
            keys = self._keys()
            limits.raise_limits(out)
            network.ensure_bridge(self.plan)
            firewall.admit(self.plan.bridge)
            self._save(tree, count)
            begin = time.monotonic()
            hosts = self.hosts

            def bring_up(host: Host) -> None:
                host.create(keys)
                host.start(out)

            self._each(hosts, bring_up)
            seconds = time.monotonic() - begin
            out(f"Lab {self.name}: {count} hosts up on {self.plan.bridge} after {seconds:.2f} s")
            return hosts

    def down(self, out: Output = silent) -> None:
        """Remove the lab with its hosts' disks, and prove that nothing of it is left.

        Works from what is on the machine, not only from the saved state; fine when the lab is
        not up. Raises LabError that names each process, mount, namespace, link or cgroup left.
        """
        with locked(self._lock), Leftovers.before(self.plan, self.folder) as watch:
            self._remove(out)
            left = watch.found()
            if left:
                raise LabError(
                    f"Taking the lab {self.name} down",
                    "left on the machine: " + "; ".join(left),
                    "end or unmount what is named and run `lab down` again",
                )
            out(
                f"Lab {self.name}: down; no process, mount, namespace, link, cgroup or file of it "
                "is left"
            )

    def _remove(self, out: Output) -> None:
        """Remove all that the lab's state names, then all that is found under its names."""
        hosts = self.hosts
        self._each(hosts, lambda host: host.stop(out))
        for group in cgroups.children(self.plan.prefix):
            cgroups.end(f"{self.plan.prefix}/{group}")
        for space in network.namespaces(self.plan):
            network.ip("netns", "delete", space, what=f"Removing the namespace {space}")
        self._each(hosts, lambda host: host.disk.remove())
        for link in network.lab_links(self.plan):
            if link != self.plan.bridge:
                network.ip("link", "delete", link, what=f"Removing the link {link}")
        firewall.withdraw(self.plan.bridge)
        network.remove_bridge(self.plan)
        cgroups.remove(self.plan.prefix)
        for point in mounts_below(self.folder):
            run(["umount", point], what=f"Unmounting {point}", mend="see `fuser -vm` on it")
        if self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    def status(self) -> list[HostStatus]:
        """What is true about each host now."""
        hosts = self.hosts
        if not hosts:
            return []
        with ThreadPoolExecutor(len(hosts)) as pool:
            return list(pool.map(lambda host: host.status(), hosts))

    @property
    def _lock(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.lock")

    def _saved(self) -> dict[str, object] | None:
        try:
            state = json.loads((self.folder / "lab.json").read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise LabError(
                f"Reading the state of the lab {self.folder.name}",
                f"{self.folder / 'lab.json'} is damaged: {error}",
                "delete that file and run `lab down`",
            ) from error
        return state if isinstance(state, dict) else None

    def _save(self, tree: Path, count: int) -> None:
        state = {
            "name": self.name,
            "subnet": str(self.plan.subnet),
            "bridge": self.plan.bridge,
            "base": tree.parent.name,
            "hosts": count,
        }
        draft = self.folder / "lab.json.new"
        draft.write_text(json.dumps(state, indent=1) + "\n")
        draft.replace(self.folder / "lab.json")

    def _check_same(self, saved: dict[str, object]) -> None:
        here = (str(self.plan.subnet), self.plan.bridge)
        there = (str(saved["subnet"]), str(saved["bridge"]))
        if here != there:
            raise LabError(
                f"Bringing the lab {self.name} up",
                f"it is already made with {' on '.join(there)}, not {' on '.join(here)}",
                "take it down first, or choose another --name",
            )

    def _keys(self) -> list[str]:
        """All keys that may sign in: the lab's own and every one that was ever given."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.key_path.exists():
            make_key(self.key_path, f"flotilla-lab-{self.name}")
        own = Path(f"{self.key_path}.pub").read_text().strip()
        path = self.folder / "authorized_keys"
        known = path.read_text().splitlines() if path.exists() else []
        keys = list(dict.fromkeys([own, *known, *self.extra_keys]))
        path.write_text("".join(f"{key}\n" for key in keys))
        return keys

    def _each(self, hosts: Sequence[Host], act: Callable[[Host], None]) -> None:
        """Do something with all hosts at once; when some fail, raise the first error at the end."""
        if not hosts:
            return
        with ThreadPoolExecutor(len(hosts)) as pool:
            futures = [pool.submit(act, host) for host in hosts]
        for future in futures:
            future.result()
