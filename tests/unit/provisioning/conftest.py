"""A cluster as data, facts of a bare host, and this very machine as a host to run scripts on."""

from __future__ import annotations

import hashlib
import os
import pwd
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import zstandard

from provisioning.facts import Address, Disk, Facts
from provisioning.releases_store import unpacked
from provisioning.spec import ClusterSpec, HostSpec, ReleaseFile, ReleaseSpec
from provisioning.steps.compile import CompiledScript, compile_script, read_event
from provisioning.steps.events import Event
from provisioning.steps.resources import Resource
from provisioning.steps.undo import undo_script

NONCE = "nonce-of-this-run"
CLUSTER = 7
GIB = 1024**3


@dataclass
class Run:
    """How a script went: its events, its log and its exit status."""

    events: list[Event] = field(default_factory=list)
    log: str = ""
    status: int = 0

    def states(self, key: str) -> list[str]:
        return [
            str(e.data["state"])
            for e in self.events
            if e.verb == "resource" and e.data["key"] == key
        ]

    @property
    def priors(self) -> list[dict[str, object]]:
        return [e.data for e in self.events if e.verb == "prior"]

    @property
    def failure(self) -> dict[str, object]:
        return next(e.data for e in self.events if e.verb == "failed")

    @property
    def changed(self) -> int:
        return int(str(next(e.data["changed"] for e in self.events if e.verb == "done")))


class LocalHost:
    """Runs compiled scripts with the real shell of this machine, state and paths under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        self.programs = root / "programs"
        self.programs.mkdir()
        self.tools = "/usr/sbin:/usr/bin:/sbin:/bin"
        self.owner = f"{pwd.getpwuid(os.getuid()).pw_name}:{_group()}"

    def path(self, name: str) -> Path:
        return self.root / name

    def program(self, name: str, text: str) -> None:
        """Put a program in front of the PATH of scripts."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def lacks(self, *names: str) -> None:
        """Let scripts find every program of this machine but these."""
        folder = self.root / "tools"
        folder.mkdir()
        for found in (Path(place).iterdir() for place in ("/usr/sbin", "/usr/bin")):
            for path in found:
                if path.name not in names and not (folder / path.name).exists():
                    (folder / path.name).symlink_to(path)
        self.tools = str(folder)

    def make(self, *resources: Resource, stop_at: Callable[[Event], bool] | None = None) -> Run:
        return self.run(compile_script(resources, NONCE, CLUSTER), stop_at)

    def undo(self, records: Sequence[Mapping[str, object]], cluster: int = CLUSTER) -> Run:
        return self.run(undo_script(records, NONCE, cluster))

    def run(self, script: CompiledScript, stop_at: Callable[[Event], bool] | None = None) -> Run:
        """As the engine does; stop_at: kill the script at the first event for which it is true."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'IFS= read -r n; s=$(head -c "$n"; printf x); eval "${s%x}"'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={
                **os.environ,
                "FLOTILLA_STATE": str(self.state),
                # Undo ends pods and unmounts: never those of the machine that tests run on.
                "FLOTILLA_ROOT": str(self.root / "machine"),
                "FLOTILLA_PATH": f"{self.programs}:{self.tools}",
            },
        )
        assert process.stdin and process.stdout and process.stderr
        log: list[bytes] = []
        reader = threading.Thread(target=lambda: log.append(process.stderr.read()))
        reader.start()
        body = script.text.encode()
        process.stdin.write(f"{len(body)}\n".encode() + body)
        process.stdin.flush()
        run = Run()
        for line in process.stdout:
            event = read_event(line.decode(errors="replace").rstrip("\n"), NONCE)
            if event is None:
                continue
            run.events.append(event)
            if stop_at is not None and stop_at(event):
                os.killpg(process.pid, 9)
                break
            if event.verb == "want":
                payload = script.payloads[int(str(event.data["payload"]))]
                packed = event.data.get("packed") is not False
                data = payload.path.read_bytes() if packed else b"".join(unpacked(payload.path))
                assert len(data) == (payload.size if packed else payload.plain_size)
                process.stdin.write(data)
                process.stdin.flush()
        process.stdin.close()
        run.status = process.wait(20)
        reader.join(20)
        run.log = b"".join(log).decode(errors="replace")
        return run


def _group() -> str:
    import grp

    return grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return LocalHost(tmp_path)


def release_file(
    folder: Path, name: str, kind: str = "binary", content: bytes = b"x"
) -> ReleaseFile:
    """A release's file whose packed copy is really there."""
    packed = folder / (name.replace("/", "_") + ".zst")
    packed.write_bytes(zstandard.compress(content))
    digest = hashlib.sha256(content).hexdigest()
    return ReleaseFile(name, kind, digest, len(content), packed, packed.stat().st_size)


PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "kube-proxy",
)


def make_spec(version: str = "v1.20.2", workers: int = 1, **changes: object) -> ClusterSpec:
    """One control plane and some workers, with a release whose files are nowhere."""

    def file(name: str, kind: str) -> ReleaseFile:
        return ReleaseFile(name, kind, f"{len(name):064x}", 1000, Path("/nowhere"), 400)

    files = [file(name, "binary") for name in PROGRAMS]
    files += [file("etcd", "etcd"), file("bridge", "cni"), file("pause-1.tar", "image")]
    release = ReleaseSpec(
        version, "amd64", tuple(files), "flotilla.dev/lab/pause:1", "flotilla.dev/lab/busybox:1"
    )
    hosts = tuple(
        HostSpec(10 + i, f"node{i + 1}", f"10.80.0.{11 + i}", i) for i in range(workers + 1)
    )
    spec = ClusterSpec(
        CLUSTER,
        "edge",
        "lightweight",
        release,
        hosts[:1],
        hosts[1:],
        endpoint="https://10.80.0.11:6443",
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def bare_facts(number: int = 0, **changes: object) -> Facts:
    """The facts of a bare host that has everything a cluster needs."""
    facts = Facts(
        os_id="debian",
        arch="amd64",
        cpus=2,
        memory=2 * GIB,
        disks=(Disk("/", "/", 40 * GIB, 30 * GIB), Disk("/var", "/", 40 * GIB, 30 * GIB)),
        machine_id=f"{number:032x}",
        hostname=f"node{number + 1}",
        addresses=(Address("eth0", f"10.80.0.{11 + number}", 24),),
        init="systemd",
        root=True,
        cgroup=2,
        modules=("br_netfilter", "overlay"),
        packages={"containerd": "1.6.20"},
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def facts_of(spec: ClusterSpec, **changes: object) -> dict[int, Facts]:
    """Bare facts for each host of a cluster."""
    return {h.id: bare_facts(h.index, hostname=h.name, **changes) for h in spec.hosts}
