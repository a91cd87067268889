"""How long new connections through the VIP fail when its holder's HAProxy or power goes.

On one real standard cluster, in turns: Flotilla's settings and those of kubeadm's page on high
availability. Then whether the VIP stays where it is while every core is busy.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path

from bench import machines
from bench.console import Console
from bench.create import by_flotilla, import_bundle
from bench.machines import fresh_lab
from bench.others import kubeadm_ha
from bench.report import Result, skipped
from bench.vip_probe import PATIENCE, Prober, outage
from bench.vip_watch import Watch
from lab import Host, Lab
from lab import kubernetes as binaries

NAME = "failover"
TITLE = "VIP failover: new connections through the VIP when its holder fails"
MOST, ADVERTISEMENT = 0.3, 0.2
AIM = (
    f"median at most {MOST} of kubeadm's page, for kills and for power cuts; no move under load; "
    f"never two holders for over {ADVERTISEMENT} s"
)
LAB, SUBNET, PLANES = "ha", "10.91.0.0/24", 3
PORT, PATH, API_PORT = 8443, "/version", 6443
SIDES = ("flotilla", "kubeadm")
KILLS, CUTS = 4, 2  # in each round
DROP_INS = "/etc/systemd/system"
SAVE = f"""
mkdir -p /root/ours && cd /root/ours
cp -a /etc/haproxy/haproxy.cfg /etc/keepalived/keepalived.conf .
cp -aT {DROP_INS}/haproxy.service.d haproxy.service.d
cp -aT {DROP_INS}/keepalived.service.d keepalived.service.d
"""
STOP = f"""
systemctl stop keepalived haproxy
rm -rf {DROP_INS}/haproxy.service.d {DROP_INS}/keepalived.service.d
"""
START = "systemctl daemon-reload; systemctl reset-failed; systemctl start haproxy keepalived"
OURS = f"""
cp -a /root/ours/haproxy.cfg /etc/haproxy/
cp -a /root/ours/keepalived.conf /etc/keepalived/
cp -aT /root/ours/haproxy.service.d {DROP_INS}/haproxy.service.d
cp -aT /root/ours/keepalived.service.d {DROP_INS}/keepalived.service.d
"""


@dataclass
class Found:
    """Seconds of each outage by side and fault, and what else was seen."""

    gaps: dict[str, list[float]] = field(default_factory=dict)
    spans: dict[str, list[float]] = field(default_factory=dict)
    shared: dict[str, float] = field(default_factory=dict)
    moves: int = 0
    minutes: float = 0.0
    busy: float = 0.0
    loads: list[float] = field(default_factory=list)


@dataclass
class Ground:
    """The cluster's hosts with what looks at them."""

    lab: Lab
    vip: str
    router_id: int
    context: ssl.SSLContext
    watch: Watch
    prober: Prober

    @property
    def planes(self) -> list[Host]:
        """The control planes."""
        return self.lab.hosts[:PLANES]


def measure(console: Console, rounds: int, minutes: float = 10.0) -> Result:
    """In each round KILLS kills and CUTS power cuts for each side, the sides' order changing."""
    if why := machines.why_not():
        return skipped(NAME, TITLE, AIM, why)
    bundles = binaries.cached()
    if not bundles:
        return skipped(NAME, TITLE, AIM, "needs Kubernetes programs: manage.py lab kubernetes")
    import_bundle(bundles[-1])
    console.worker()
    found = Found(minutes=minutes)
    with fresh_lab(PLANES + 1, LAB, SUBNET) as lab, _ground(lab, console) as ground:
        for host in ground.planes:
            host.run(SAVE)
        for number in range(rounds):
            for side in SIDES if number % 2 else SIDES[::-1]:
                _settle(ground, side)
                _faults(ground, side, found)
        _settle(ground, "flotilla")
        _busy(ground, found)
    return _result(found)


@contextlib.contextmanager
def _ground(lab: Lab, console: Console) -> Iterator[Ground]:
    vip = str(lab.plan.subnet[-6])
    cluster, _took, _steps = by_flotilla(
        lab, lab.hosts[:PLANES], lab.hosts[PLANES:], profile="standard", vip=vip
    )
    context = _client(lab.hosts[0], console.data)
    # What this measures needs the API's entry alone; the console's tasks are done.
    console.stop_all()
    with (
        Watch(vip, lab.hosts[:PLANES]) as watch,
        Prober(vip, PORT, context, PATH) as prober,
    ):
        yield Ground(lab, vip, int(cluster.router_id or 0), context, watch, prober)


def _client(host: Host, folder: Path) -> ssl.SSLContext:
    """What an administrator's kubectl on this host would connect with."""
    config = json.loads(host.run("cat /etc/kubernetes/admin.conf"))
    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]

    def text(values: dict[str, str], name: str) -> str:
        return base64.b64decode(values[name]).decode()

    context = ssl.create_default_context(cadata=text(cluster, "certificate-authority-data"))
    pem = folder / "failover.pem"
    pem.touch(0o600)
    pem.write_text(text(user, "client-certificate-data") + text(user, "client-key-data"))
    context.load_cert_chain(pem)
    pem.unlink()
    return context


def _settle(ground: Ground, side: str) -> None:
    """This side's settings on all control planes, one holder, every connection answered."""
    _each(ground, lambda host: host.run(STOP))
    for place, host in enumerate(ground.planes):
        if side == "flotilla":
            host.run(OURS)
            continue
        files = {
            "/etc/keepalived/keepalived.conf": kubeadm_ha.keepalived(
                place, "eth0", ground.vip, ground.router_id
            ),
            "/etc/keepalived/check_apiserver.sh": kubeadm_ha.check(ground.vip),
            "/etc/haproxy/haproxy.cfg": kubeadm_ha.haproxy(ground.planes),
        }
        for path, text in files.items():
            target = host.root / path.removeprefix("/")
            target.write_text(text)
            target.chmod(0o755 if path.endswith(".sh") else 0o644)
    _each(ground, lambda host: host.run(START))
    _calm(ground)


def _each(ground: Ground, act: Callable[[Host], object]) -> None:
    for host in ground.planes:
        act(host)


def _calm(ground: Ground, seconds: float = 3.0, limit: float = 180.0) -> None:
    """From now on, wait for one holder and some seconds without a failed connection.

    Raises RuntimeError.
    """
    begin = time.monotonic()
    while time.monotonic() < begin + limit:
        time.sleep(0.2)
        last = time.monotonic() - PATIENCE
        if last - seconds < begin:
            continue
        seen = [p for p in ground.prober.probes[-2000:] if last - seconds <= p.start <= last]
        if seen and all(p.good for p in seen) and len(ground.watch.holders()) == 1:
            return
    faults = {p.fault for p in ground.prober.probes[-300:]}
    raise RuntimeError(f"the VIP is on {ground.watch.holders()}; connections: {sorted(faults)}")


def _faults(ground: Ground, side: str, found: Found) -> None:
    for fault, act, count in (("kill", _kill, KILLS), ("cut", _cut, CUTS)):
        for _number in range(count):
            [holder] = [h for h in ground.planes if h.name in ground.watch.holders()]
            found.loads.append(os.getloadavg()[0])
            begin = time.monotonic()
            after = act(ground, holder)
            _calm(ground)
            end = time.monotonic()
            gap, span, failed = outage(ground.prober.probes, begin, end - PATIENCE)
            key = f"{side} {fault}"
            found.gaps.setdefault(key, []).append(gap)
            found.spans.setdefault(key, []).append(span)
            shared = ground.watch.shared(begin, end)
            found.shared[side] = max(found.shared.get(side, 0.0), shared)
            print(
                f"  {key} of {holder.name}: {gap * 1000:.0f} ms without a connection,"
                f" {span * 1000:.0f} ms from first to last of {failed} that failed,"
                f" two holders for {shared * 1000:.0f} ms",
                file=sys.stderr, flush=True,
            )  # fmt: skip
            if after:
                begin = time.monotonic()
                after()
                _calm(ground)
                back = outage(ground.prober.probes, begin, time.monotonic() - PATIENCE)[0]
                found.gaps.setdefault(f"{side} return", []).append(back)


def _kill(ground: Ground, holder: Host) -> Callable[[], None] | None:
    """All processes of its HAProxy at once, as a crash or the kernel's lack of memory does."""
    holder.run("systemctl kill --signal=KILL haproxy.service")
    return None


def _cut(ground: Ground, holder: Host) -> Callable[[], None] | None:
    ground.watch.drop(holder.name)
    holder.power_cut()

    def back() -> None:
        holder.boot()
        ground.watch.add(holder)
        _ready(ground, holder)
        # Until every HAProxy has seen it twice.
        time.sleep(5)

    return back


def _ready(ground: Ground, host: Host, limit: float = 120.0) -> None:
    """Wait until the host's own API server is ready. Raises RuntimeError."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        link = HTTPSConnection(host.address, API_PORT, timeout=3, context=ground.context)
        with contextlib.suppress(OSError), contextlib.closing(link):
            link.request("GET", "/readyz")
            if link.getresponse().status == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"the API server of {host.name} is not ready after {limit:.0f} s")


def _busy(ground: Ground, found: Found) -> None:
    """Every core of this machine, which is every core of the hosts, computes for some minutes."""
    before, begin = _ticks(), time.monotonic()
    command = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(command) for _core in range(os.cpu_count() or 1)]
    try:
        time.sleep(found.minutes * 60)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    after, end = _ticks(), time.monotonic()
    found.busy = (after[1] - before[1]) / (after[0] - before[0])
    found.moves = len(ground.watch.takeovers(begin, end))
    found.shared["flotilla"] = max(found.shared["flotilla"], ground.watch.shared(begin, end))


def _ticks() -> tuple[int, int]:
    """(all, not idle) of the machine's cores since its boot."""
    values = [int(v) for v in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(values), sum(values) - values[3] - values[4]


def _milliseconds(values: list[float]) -> str:
    middle, worst = statistics.median(values) * 1000, max(values) * 1000
    return f"median {middle:.0f} ms, worst {worst:.0f} ms ({len(values)} times)"


def _result(found: Found) -> Result:
    result = Result(NAME, TITLE, AIM)
    titles = {"kill": "SIGKILL of the holder's HAProxy", "cut": "power cut of the holder"}
    ratios = {}
    for fault, title in titles.items():
        ours, theirs = (found.gaps[f"{side} {fault}"] for side in SIDES)
        ratios[fault] = statistics.median(ours) / max(statistics.median(theirs), 1e-3)
        for side in SIDES:
            key = f"{side} {fault}"
            result.add(f"{title}, {side}: no connection", _milliseconds(found.gaps[key]))
            result.add(f"{title}, {side}: first to last failed", _milliseconds(found.spans[key]))
    for side in SIDES:
        result.add(f"power returns, {side}", _milliseconds(found.gaps[f"{side} return"]))
        result.add(f"two holders at once, {side}, longest", f"{found.shared[side] * 1000:.0f} ms")
    result.add(
        f"moves in {found.minutes:g} min, cores {found.busy:.0%} busy, flotilla", str(found.moves)
    )
    result.add("load before each fault", f"{min(found.loads):.2f} to {max(found.loads):.2f}")
    result.figure = (
        f"{ratios['kill']:.2f} (kills) and {ratios['cut']:.2f} (power cuts) of kubeadm's median; "
        f"{found.moves} moves under load"
    )
    result.met = (
        max(ratios.values()) <= MOST
        and found.moves == 0
        and found.shared["flotilla"] <= ADVERTISEMENT
    )
    result.notes = [
        f"a connection every 10 ms from this machine: TCP, TLS, GET {PATH} of a real API server, "
        f"given up after {PATIENCE} s; no connection: the longest time without one that was "
        "answered",
        "kubeadm: others/kubeadm_ha.py, run by the distribution's units; a static pod would wait "
        "for the kubelet as well",
    ]
    result.data = {"gaps": found.gaps, "spans": found.spans, "shared": found.shared}
    result.data |= {"ratios": ratios, "moves": found.moves, "busy": found.busy}
    return result
