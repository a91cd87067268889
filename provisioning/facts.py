"""What is true on a host: one read-only script for all facts, and pure parsers of its output.

`FACTS_SCRIPT` is run with a POSIX sh as root, over one channel; `parse_facts`
reads its output. Hosts are not trusted: output of any kind gives Facts with
"not known" values or a FactsError, and never anything that is not plain text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from provisioning import facts_network, facts_state, facts_system, facts_vip, shell
from provisioning.facts_network import Address, Listener
from provisioning.facts_state import CertificateFact, PathFact, UnitFact
from provisioning.facts_system import Disk, FactClass

__all__ = [
    "FACTS_SCRIPT",
    "Address",
    "CertificateFact",
    "Disk",
    "Facts",
    "FactsError",
    "Listener",
    "PathFact",
    "UnitFact",
    "parse_facts",
    "time_skew",
]

_MARK = "==flotilla=="
_MAX_OUTPUT = 8 * 1024 * 1024  # characters; more than this is no answer to the script


class FactsError(ValueError):
    """The output is not that of FACTS_SCRIPT."""


CLASSES: tuple[FactClass, ...] = (
    facts_system.Clock(),
    facts_system.OsRelease(),
    facts_system.Machine(),
    facts_system.Memory(),
    facts_system.Disks(),
    facts_system.Kernel(),
    facts_system.Packages(),
    facts_network.Network(),
    facts_network.Listeners(),
    facts_state.Units(),
    facts_state.Paths(),
    facts_state.Clusters(),
    facts_state.Traces(),
    facts_state.KubeletCertificate(),
)
_VIP = facts_vip.Vip()

_HEAD = (
    "LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    "export LC_ALL PATH\n"
    "exec </dev/null 2>/dev/null\n"
)
_BODY = "".join(f"echo '{_MARK} {c.name}'\n{c.snippet}\n" for c in CLASSES)
_END = f"echo '{_MARK} end'\n"
FACTS_SCRIPT = _HEAD + _BODY + _END


def facts_script(vip: str = "") -> str:
    """The script to run; vip: a virtual IPv4 address that the network is asked about ("": not).

    The network is asked while the other facts are read: with a VIP the script
    takes at least facts_vip.SECONDS. Raises ValueError for a VIP that is none.
    """
    if not vip:
        return FACTS_SCRIPT
    asked = facts_vip.beside(shell.address(vip), _BODY, f"{_MARK} {_VIP.name}")
    return f"{_HEAD}{asked}{_END}"


@dataclass(frozen=True)
class Facts:
    """What is known of a host. Sizes in bytes; epoch in seconds; "" and 0 mean not known.

    skew: seconds that its clock is ahead of ours, when parse_facts was told our times.
    container: the kind of container that the host is ("systemd-nspawn"), "" on
    a machine; marks: what our steps noted by key; traces: what is left of a
    Kubernetes, in words; clusters: the numbers of our clusters that it is in;
    kubelet_certificate: what its kubelet signs in with.

    Only when the script was asked about a VIP: vip_here, it is on one of the
    host's interfaces; vip_answers, the MAC address that answered for it from
    elsewhere; vrrp_heard, the virtual router ids heard on the VIP's network,
    when the host could listen at all (vrrp_listened).
    """

    os_id: str = ""
    os_version: str = ""
    os_pretty: str = ""
    kernel: str = ""
    arch: str = ""
    cpus: int = 0
    memory: int = 0
    memory_free: int = 0
    disks: tuple[Disk, ...] = ()
    epoch: float = 0.0
    skew: float = 0.0
    virtualisation: str = ""
    container: str = ""
    cgroup: int = 0
    cap_sys_resource: bool = True
    machine_id: str = ""
    hostname: str = ""
    addresses: tuple[Address, ...] = ()
    default_interface: str = ""
    links: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    init: str = ""
    root: bool = False
    swap: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, UnitFact] = field(default_factory=dict)
    paths: Mapping[str, PathFact] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    clusters: tuple[int, ...] = ()
    traces: tuple[str, ...] = ()
    kubelet_certificate: CertificateFact | None = None
    vip_here: bool = False
    vip_answers: str = ""
    vrrp_listened: bool = False
    vrrp_heard: tuple[int, ...] = ()

    def mark(self, key: str) -> str:
        """The note that a step left under `key` ("" for none)."""
        return self.marks.get(key, "")

    def disk(self, path: str) -> Disk | None:
        """The file system that `path` is on, as far as it is known."""
        best = [
            d for d in self.disks if path == d.path or path.startswith(d.path.rstrip("/") + "/")
        ]
        return max(best, key=lambda d: len(d.path), default=None)

    def to_json(self) -> str:
        """As JSON text; `from_json` gives the same facts back."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Facts:
        """From to_json's text, also of an older Flotilla (missing fields are not known).

        Raises FactsError for anything else.
        """
        try:
            raw = json.loads(text)
            return _from_raw(raw)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise FactsError("these are no stored facts") from error


def _from_raw(raw: dict[str, Any]) -> Facts:
    known = {f.name for f in fields(Facts)}
    values = {key: value for key, value in raw.items() if key in known}
    made: dict[str, Any] = {"disks": Disk, "addresses": Address, "listeners": Listener}
    for name, value in values.items():
        if name in made:
            values[name] = tuple(made[name](**item) for item in value)
        elif name == "units":
            values[name] = {key: UnitFact(**item) for key, item in value.items()}
        elif name == "paths":
            values[name] = {key: PathFact(**item) for key, item in value.items()}
        elif name == "kubelet_certificate":
            values[name] = CertificateFact(**value) if value else None
        elif isinstance(value, list):
            values[name] = tuple(value)
    return Facts(**values)


def parse_facts(output: str, sent: float = 0.0, received: float = 0.0) -> Facts:
    """The facts in FACTS_SCRIPT's output (decoded with errors="replace").

    sent, received: our time (seconds since 1970) when the script was sent and
    when its first line came, for `skew`; without them it stays 0. Raises
    FactsError when the output is not complete or far too long.
    """
    if len(output) > _MAX_OUTPUT:
        raise FactsError("the host's answer is too long")
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in output.split("\n"):
        if line.startswith(_MARK + " "):
            # The first section of a name counts: a later one was printed by somebody else.
            current = []
            sections.setdefault(line.removeprefix(_MARK + " ").strip(), current)
        elif current is not None:
            current.append(line.rstrip("\r"))
    if "end" not in sections:
        raise FactsError("the host's answer is not complete")
    values: dict[str, Any] = {}
    for fact_class in (*CLASSES, _VIP):
        values.update(fact_class.parse(sections.get(fact_class.name, [])))
    uploads = values.pop("uploads", {})
    paths = values["paths"]
    for path, sha in uploads.items():
        if path in paths and not paths[path].sha256:
            p = paths[path]
            paths[path] = PathFact(p.kind, p.mode, p.owner, p.size, p.target, sha, p.content)
    values["marks"] = {k: v for k, v in values["marks"].items() if v != "-"}
    facts = Facts(**values)
    return replace(facts, skew=time_skew(facts, sent, received)) if sent else facts


def time_skew(facts: Facts, sent: float, received: float) -> float:
    """How far the host's clock is ahead of ours, in seconds (negative: behind).

    sent, received: our time when the facts script was sent and when its first
    output came. The clock is read first, so half of that span is the error.
    """
    return facts.epoch - (sent + received) / 2 if facts.epoch else 0.0
