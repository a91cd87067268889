"""Sending the programs: to every host from here, or to one host that hands them on."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import machines
from bench.console import TICK, Console
from bench.create import import_bundle
from bench.machines import fresh_lab
from bench.report import Result, median_ratio, seconds, skipped
from lab import Lab
from lab import kubernetes as binaries

if TYPE_CHECKING:
    from provisioning.spec import ReleaseFile
    from provisioning.ssh import Link
    from provisioning.ssh_types import Payload

NAME = "distribute"
TITLE = "Programs of a node to 4 hosts: from the console, or from host to host"
AIM = "each byte sent at most 1.2 times by the console, or direct sends no slower here (5 %)"
HOSTS = 4
TIMES = 1.2
SAME = 1.05  # medians of rounds differ by as much from run to run
FOLDER = "/opt/bench-distribute"
PORT = 7070
CLUSTER = 990_000  # of the state folder that a step's script keeps on a host
GIGABIT = 117e6  # bytes of payload in a second over 1 Gbit/s with TCP over Ethernet
ENGINE, DIRECT, STAR, CHAIN, SECURED = "engine", "direct", "star", "chain", "star over TLS"
LABELS = {
    ENGINE: "direct to all, by the engine's own script",
    DIRECT: "direct to all, one stream for each host",
    STAR: "to one host, which hands it on to the other 3",
    CHAIN: "to one host, from there along a chain",
    SECURED: "to one host, which hands it on over TLS that knows both sides",
}
# Both sides of a connection between hosts have one certificate, made for one task.
TLS = "cert=tls.pem,cafile=tls.pem,openssl-min-proto-version=TLS1.3"


@dataclass(frozen=True)
class Cost:
    """One way, once: seconds until all hosts have checked everything, and what it took."""

    wall: float
    cpu: float  # processor seconds of the console's process
    machine: float  # processor seconds of the whole machine, hosts and strangers included
    sent: int  # bytes that left the console over the bridge, SSH and TCP included


def measure(console: Console, rounds: int) -> Result:
    """All ways in every round, another one first each time; the first round does not count."""
    if why := machines.why_not():
        return skipped(NAME, TITLE, AIM, why)
    bundles = binaries.cached()
    if not bundles:
        return skipped(NAME, TITLE, AIM, "needs Kubernetes programs: manage.py lab kubernetes")
    import_bundle(bundles[-1])
    files = _node_files()
    costs: dict[str, list[Cost]] = {way: [] for way in LABELS}
    with fresh_lab(HOSTS) as lab, _links(lab) as links:
        for number in range(rounds + 1):
            ways = list(LABELS)
            first = number % len(ways)
            for way in ways[first:] + ways[:first]:
                cost = _once(lab, links, files, way, number)
                print(f"  {way}: {cost.wall:.2f} s, load {os.getloadavg()[0]:.2f}", file=sys.stderr)
                if number:
                    costs[way].append(cost)
    return _result(costs, files)


def _node_files() -> list[ReleaseFile]:
    """What every node gets, control planes too: programs, plug-ins, images."""
    from provisioning.models import Release
    from provisioning.releases import release_spec
    from provisioning.steps.binaries import NODE_PROGRAMS

    spec = release_spec(Release.objects.latest("pk"))
    return [f for f in spec.files if f.name in NODE_PROGRAMS or f.kind in ("cni", "image")]


@contextmanager
def _links(lab: Lab) -> Iterator[list[Link]]:
    """A kept connection to each host, as a task has it."""
    from provisioning.ssh import connect
    from provisioning.ssh_types import Target

    key = lab.key_path.read_text()
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                connect(Target(h.name, h.address, h.port, "root", h.ssh_host_key, key))
            )
            for h in lab.hosts
        ]


def _once(
    lab: Lab, links: Sequence[Link], files: Sequence[ReleaseFile], way: str, number: int
) -> Cost:
    addresses = [host.address for host in lab.hosts]
    runs: list[Callable[[], None]] = []
    pem = _certificate()
    for place, link in enumerate(links):
        if way == ENGINE:
            runs.append(partial(_by_engine, link, files, CLUSTER + number))
        else:
            from_here, onward = _route(way, place, addresses)
            script = _stream_script(files, from_here, onward, pem if way == SECURED else "")
            runs.append(partial(_by_stream, link, files, script))
    counter = Path(f"/sys/class/net/{lab.plan.bridge}/statistics/tx_bytes")
    sent, cpu, machine = int(counter.read_text()), time.process_time(), _machine_seconds()
    begin = time.perf_counter()
    with ThreadPoolExecutor(len(runs)) as pool:
        for done in [pool.submit(run) for run in runs]:
            done.result()
    wall = time.perf_counter() - begin
    cost = Cost(
        wall,
        time.process_time() - cpu,
        _machine_seconds() - machine,
        int(counter.read_text()) - sent,
    )
    for link in links:
        _say(link, f"rm -rf {FOLDER} /var/lib/flotilla/{CLUSTER + number}")
    return cost


def _route(way: str, place: int, addresses: Sequence[str]) -> tuple[bool, Sequence[str]]:
    """Whether the host at this place gets its bytes from here, and to whom it hands them on."""
    if way == DIRECT:
        return True, ()
    if way in (STAR, SECURED):
        return place == 0, addresses[1:] if place == 0 else ()
    return place == 0, addresses[place + 1 : place + 2]


def _by_engine(link: Link, files: Sequence[ReleaseFile], cluster: int) -> None:
    """The very script of a step with uploads, answered as the engine answers it."""
    from provisioning.host_runner import new_nonce
    from provisioning.ssh_types import Payload
    from provisioning.steps.compile import compile_script, read_event
    from provisioning.steps.resources import Upload

    nonce = new_nonce()
    uploads = [Upload(file, f"{FOLDER}/{_flat(file)}") for file in files]
    compiled = compile_script(uploads, nonce, cluster)

    def on_line(stream: str, text: str) -> Payload | None:
        event = read_event(text, nonce) if stream == "stdout" else None
        if event is None or event.verb != "want":
            return None
        payload = compiled.payloads[int(str(event.data["payload"]))]
        return Payload(str(payload.path), payload.size)

    result = link.run(compiled.text, on_line, seconds=300, nonce=nonce)
    if result.status:
        raise RuntimeError(f"{link.target.name}: the upload failed ({result})")


def _by_stream(link: Link, files: Sequence[ReleaseFile], script: str) -> None:
    """All packed files as one stream, unpacked and checked while it is handed on."""
    from provisioning.ssh_types import Payload

    said: list[str] = []

    def on_line(stream: str, text: str) -> Payload | None:
        if stream == "stdout" and text.startswith("send "):
            file = files[int(text.split()[1])]
            return Payload(str(file.packed), file.packed_size)
        said.append(text)
        return None

    result = link.run(script, on_line, seconds=300)
    if result.status or "complete" not in said:
        raise RuntimeError(f"{link.target.name}: {result}: {' '.join(said[-5:])}")


@cache
def _certificate() -> str:
    """A certificate and its key as PEM, of one that all hosts of a task would be given."""
    return subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "1", "-subj", "/CN=task", "-keyout", "-", "-out", "-"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def _stream_script(
    files: Sequence[ReleaseFile], from_here: bool, onward: Sequence[str], pem: str
) -> str:
    """A host's part: take the stream, hand it on as it comes, unpack it, compare each SHA-256."""
    listen, to = ("TCP-LISTEN:{}", "TCP:{}:{}")
    options, onto = "reuseaddr", "retry=400,interval=0.02"
    if pem:
        listen, to = ("OPENSSL-LISTEN:{}", "OPENSSL:{}:{}")
        options, onto = f"{options},{TLS}", f"{onto},{TLS},commonname=task"
    total = sum(file.packed_size for file in files)
    listing = "\n".join(f"{_flat(f)} {f.packed_size} {f.sha256}" for f in files)
    source = f"head -c {total}"
    if not from_here:
        source = f"socat -u -b 262144 {listen.format(PORT)},{options} STDOUT"
    fifos = [f"next-{number}" for number in range(len(onward))]
    hands = "\n".join(
        f"mkfifo {fifo}; socat -u -b 262144 STDIN {to.format(address, PORT)},{onto} <{fifo} &"
        for fifo, address in zip(fifos, onward, strict=True)
    )
    asks = "".join(f"echo send {number}; " for number in range(len(files))) if from_here else ""
    branch = f" | tee {' '.join(fifos)}" if fifos else ""
    return f"""mkdir -p {FOLDER} && cd {FOLDER} || exit 1
cat >list <<'LIST'
{listing}
LIST
cat >tls.pem <<'PEM'
{pem}
PEM
{hands}
unpack() {{
  while read -r name packed sha <&3; do
    head -c "$packed" | zstd -dcq >"$name"
    sum=$(openssl dgst -sha256 -r <"$name")
    [ "${{sum%% *}}" = "$sha" ] || {{ echo "$name has SHA-256 $sum"; exit 1; }}
  done 3<list
}}
{asks}
{source}{branch} | unpack || exit 1
wait
chmod 755 ./*
echo complete
"""


def _flat(file: ReleaseFile) -> str:
    return file.name.replace("/", "-")


def _say(link: Link, script: str) -> None:
    link.run(script, lambda _stream, _text: None, seconds=60)


def _machine_seconds() -> float:
    user, nice, system, _idle, _wait, irq, soft = (
        int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    )
    return (user + nice + system + irq + soft) / TICK


def _result(costs: dict[str, list[Cost]], files: Sequence[ReleaseFile]) -> Result:
    result = Result(NAME, TITLE, AIM)
    packed = sum(file.packed_size for file in files)
    walls = {way: [c.wall for c in values] for way, values in costs.items()}
    middle = {way: statistics.median(values) for way, values in walls.items()}
    times = {way: statistics.median(c.sent for c in v) / packed for way, v in costs.items()}
    for way, label in LABELS.items():
        cpu = statistics.median(c.cpu for c in costs[way])
        machine = statistics.median(c.machine for c in costs[way])
        result.add(
            label,
            f"{seconds(walls[way])}; each byte sent {times[way]:.2f} times by the console, "
            f"{cpu:.2f} s of its processor time, {machine:.2f} s of the machine's",
        )
    best = min((STAR, CHAIN), key=lambda way: middle[way])
    # Like for like: both as one stream, both encrypted, and both sides know each other.
    ratio = median_ratio(walls[DIRECT], walls[SECURED])
    open_ratio = median_ratio(walls[DIRECT], walls[best])
    engine = median_ratio(walls[ENGINE], walls[DIRECT])
    result.figure = (
        f"direct takes {ratio:.2f} times as long as hosts that hand on over TLS, {open_ratio:.2f} "
        f"times as long as {best} without protection, the engine's script {engine:.2f} times as "
        f"long as one stream; the console sends each byte {times[ENGINE]:.2f} times"
    )
    result.met = times[ENGINE] <= TIMES or ratio <= SAME
    result.notes = [
        f"{len(files)} files, {packed / 1e6:.1f} MB packed, "
        f"{sum(f.size for f in files) / 1e6:.1f} MB unpacked, SHA-256 checked on each host; "
        "connections are there before the clock starts",
        "from host to host: socat, byte by byte as it comes; without TLS nobody is "
        "authenticated and any machine of the network may connect",
        "here console and hosts share one machine's processors and no cable is between them",
        *_calculated(packed, statistics.median(c.cpu for c in costs[ENGINE])),
    ]
    result.data = {
        "packed": packed,
        "ratio": ratio,
        "unprotected_ratio": open_ratio,
        "engine_ratio": engine,
        "costs": {way: [vars(c) for c in values] for way, values in costs.items()},
    }
    return result


def _calculated(packed: int, cpu: float) -> list[str]:
    """What a cable of 1 Gbit/s out of the console would change: arithmetic, not a measurement."""
    each = packed / GIGABIT
    return [
        f"calculated, not measured: over a console's uplink of 1 Gbit/s ({GIGABIT / 1e6:.0f} MB/s) "
        f"one host takes {each:.1f} s; direct to 4: {4 * each:.1f} s, to 30: {30 * each:.1f} s; "
        f"a chain: {each:.1f} s for any number; a star whose first host has the same uplink: "
        f"{3 * each:.1f} s for 4 hosts, {29 * each:.1f} s for 30",
        f"calculated, not measured: the console's processor sends at most "
        f"{HOSTS * packed / cpu / 1e6:.0f} MB/s on one core, by what direct sends took here",
    ]
