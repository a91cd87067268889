"""Resources that are parts of a running system: units, packages, kernel settings, waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning import shell
from provisioning.steps.base import PlanItem
from provisioning.steps.resource import Payloads, Resource, digest
from provisioning.texts import gettext as _

if TYPE_CHECKING:
    from provisioning.facts import Facts


def _yes_no(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "no"


@dataclass(frozen=True)
class Unit(Resource):
    """A systemd unit: whether it starts at boot, whether it runs now (None: as it is).

    restart_on: keys of resources of the same step that it must be restarted
    for; version: text that stands for what other steps gave it (the release's
    version). block False: start it and go on, a Wait looks after it later.
    reload True: it takes new settings while it runs (`systemctl
    reload-or-restart`), so that what it serves goes on.
    """

    name: str
    enabled: bool | None = True
    started: bool | None = True
    restart_on: tuple[str, ...] = ()
    version: str = ""
    block: bool = True
    inputs: str = ""  # filled by the compiler: the fingerprints of restart_on
    reload: bool = False

    @property
    def key(self) -> str:
        return f"unit:{self.name}"

    @property
    def again(self) -> str:
        """systemctl's word for taking what has changed."""
        return "reload-or-restart" if self.reload else "restart"

    @property
    def title(self) -> str:
        return _("Unit %(name)s") % {"name": self.name}

    def mark(self) -> str:
        """What the host remembers of the state that the unit was last started with."""
        return digest(self.version, self.inputs)

    def dependants(self) -> tuple[str, ...]:
        return self.restart_on

    def evaluate(self, facts: Facts) -> PlanItem:
        there = facts.units.get(self.name)
        todo = []
        if self.enabled is not None and (there is not None and there.enabled) != self.enabled:
            todo.append(f"systemctl {'enable' if self.enabled else 'disable'} {self.name}")
        running = there is not None and there.active
        if self.started is not None and running != self.started:
            todo.append(f"systemctl {'start' if self.started else 'stop'} {self.name}")
        elif self.started and facts.mark(self.key) != self.mark():
            todo.append(f"systemctl {self.again} {self.name}")
        return self.change(*todo) if todo else self.ok()

    def script(self, payloads: Payloads) -> str:
        return (
            f"fl_unit {shell.unit(self.name)} {_yes_no(self.enabled)} {_yes_no(self.started)}"
            f" {self.mark()} {'--quiet' if self.block else '--no-block'} {self.again}"
        )


@dataclass(frozen=True)
class Package(Resource):
    """A package of the distribution. provides: the path it is wanted for, whoever it comes from."""

    name: str
    provides: str = ""

    @property
    def key(self) -> str:
        return f"package:{self.name}"

    @property
    def title(self) -> str:
        return _("Package %(name)s") % {"name": self.name}

    def evaluate(self, facts: Facts) -> PlanItem:
        if self.name in facts.packages or (self.provides and self.provides in facts.paths):
            return self.ok()
        return self.change(
            _("install %(name)s with the host's package manager") % {"name": self.name}
        )

    def script(self, payloads: Payloads) -> str:
        provides = shell.path(self.provides) if self.provides else "''"
        return f"fl_package {shell.token(self.name)} {provides}"


@dataclass(frozen=True)
class Sysctl(Resource):
    """A kernel setting, now (a File in /etc/sysctl.d keeps it over a reboot)."""

    name: str
    value: str

    @property
    def key(self) -> str:
        return f"sysctl:{self.name}"

    @property
    def title(self) -> str:
        return _("Kernel setting %(name)s") % {"name": self.name}

    def evaluate(self, facts: Facts) -> PlanItem:
        now = facts.sysctls.get(self.name)
        if now == self.value:
            return self.ok()
        note = _("now %(value)s") % {"value": now} if now else _("now not there")
        return self.change(f"sysctl -w {self.name}={self.value}  # {note}")

    def script(self, payloads: Payloads) -> str:
        return f"fl_sysctl {shell.sysctl(self.name)} {shell.quote(self.value)}"


@dataclass(frozen=True)
class KernelModule(Resource):
    """A kernel module; path: what exists once the kernel offers it, built in or loaded."""

    name: str
    path: str = ""

    @property
    def key(self) -> str:
        return f"module:{self.name}"

    @property
    def title(self) -> str:
        return _("Kernel module %(name)s") % {"name": self.name}

    def evaluate(self, facts: Facts) -> PlanItem:
        return self.ok() if self.name in facts.modules else self.change(f"modprobe {self.name}")

    def script(self, payloads: Payloads) -> str:
        path = shell.path(self.path) if self.path else "''"
        return f"fl_module {shell.token(self.name)} {path}"


@dataclass(frozen=True)
class Swap(Resource):
    """No swap, now and after a reboot (the kubelet's default `failSwapOn`)."""

    @property
    def key(self) -> str:
        return "swap:off"

    @property
    def title(self) -> str:
        return _("Swap off")

    def evaluate(self, facts: Facts) -> PlanItem:
        if not facts.swap:
            return self.ok()
        used = _("in use: %(names)s") % {"names": " ".join(facts.swap)}
        return self.change("swapoff -a", f"# {used}", _("comment it in /etc/fstab"))

    def script(self, payloads: Payloads) -> str:
        return "fl_swap"


@dataclass(frozen=True)
class Hostname(Resource):
    """The machine's own name."""

    name: str

    @property
    def key(self) -> str:
        return "hostname:hostname"

    @property
    def title(self) -> str:
        return _("Host name %(name)s") % {"name": self.name}

    def evaluate(self, facts: Facts) -> PlanItem:
        if facts.hostname == self.name:
            return self.ok()
        note = _("now %(value)s") % {"value": facts.hostname}
        return self.change(f"hostname {self.name}  # {note}")

    def script(self, payloads: Payloads) -> str:
        return f"fl_hostname {shell.label(self.name)}"


@dataclass(frozen=True)
class HostsEntries(Resource):
    """The cluster's own lines in /etc/hosts, (address, name) pairs; other lines stay."""

    entries: tuple[tuple[str, str], ...]
    cluster: int

    @property
    def key(self) -> str:
        return "hosts:/etc/hosts"

    @property
    def title(self) -> str:
        return _("Names of the nodes in /etc/hosts")

    def _lines(self) -> tuple[str, ...]:
        return tuple(
            f"{shell.address(address)} {shell.label(name)} # flotilla:{self.cluster:d}"
            for address, name in self.entries
        )

    def evaluate(self, facts: Facts) -> PlanItem:
        mine = tuple(line for line in facts.hosts if line.endswith(f"# flotilla:{self.cluster}"))
        return (
            self.ok() if mine == self._lines() else self.change(*(f"+{x}" for x in self._lines()))
        )

    def script(self, payloads: Payloads) -> str:
        return f"fl_hosts {shell.quote(chr(10).join(self._lines()))}"


@dataclass(frozen=True)
class Wait(Resource):
    """Until `condition` succeeds, at most `seconds`; changes nothing.

    expected: what a person reads when it does not; diagnosis: commands whose
    output tells why; units: those that end the wait at once when they keep
    failing (in the plan the wait is over when all of them run).
    """

    name: str
    about: str
    condition: str
    seconds: int
    expected: str
    diagnosis: str = ""
    units: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"wait:{self.name}"

    @property
    def title(self) -> str:
        return self.about

    def evaluate(self, facts: Facts) -> PlanItem:
        known = [facts.units.get(name) for name in self.units]
        if known and all(unit is not None and unit.active for unit in known):
            return self.ok(_("waits only if it is not so"))
        return self.unknown(
            _("wait at most %(seconds)d s until %(expected)s")
            % {"seconds": self.seconds, "expected": self.expected}
        )

    def script(self, payloads: Payloads) -> str:
        units = " ".join(shell.unit(name) for name in self.units)
        return (
            f"fl_wait {self.seconds:d} {shell.quote(units)} {shell.quote(self.expected)}"
            f" {shell.quote(self.condition)} {shell.quote(self.diagnosis)}"
        )


@dataclass(frozen=True)
class Probe(Resource):
    """A test that leaves everything as it was; its last lines are the finding when it fails."""

    name: str
    about: str
    run: str
    expected: str
    hint: str
    explains: str = ""

    @property
    def key(self) -> str:
        return f"probe:{self.name}"

    @property
    def title(self) -> str:
        return self.about

    def evaluate(self, facts: Facts) -> PlanItem:
        return self.ok(self.explains or _("is tested in every run and changes nothing"))

    def script(self, payloads: Payloads) -> str:
        hint = shell.token(self.hint)
        return f"fl_probe {shell.quote(self.expected)} {hint} {shell.quote(self.run)}"


@dataclass(frozen=True)
class Note(Resource):
    """Something that the plan says and that nothing is done for."""

    name: str
    about: str
    text: str

    @property
    def key(self) -> str:
        return f"note:{self.name}"

    @property
    def title(self) -> str:
        return self.about

    def evaluate(self, facts: Facts) -> PlanItem:
        return self.ok(self.text)

    def script(self, payloads: Payloads) -> str:
        return "fl_ok"
