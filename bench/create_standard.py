"""Create standard, three control planes and one worker, against a script written by hand.

In the same run: a lightweight cluster, and a second run of the plan on the healthy cluster.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import machines
from bench.console import Console, wait_for
from bench.create import CLUSTER, by_flotilla, import_bundle
from bench.machines import fresh_lab, known_hosts, on_host
from bench.others import HERE, timed
from bench.report import Result, median_ratio, seconds, skipped
from lab import Host, Lab
from lab import kubernetes as binaries
from lab.kubernetes import Bundle

if TYPE_CHECKING:
    from clusters.models import Cluster

NAME = "create-standard"
TITLE = "Create standard: 3 control planes and 1 worker, programs on the console already"
MOST = 1.25
AIM = (
    f"at most {MOST} times the hand-written parallel OpenSSH script; a second run changes and "
    "restarts nothing"
)
PLANES, WORKERS = 3, 1
ENTRY_PORT = 8443
PATIENCE = 900  # seconds; the script waits for what it polls for without an end of its own
SIDES = ("flotilla", "script", "lightweight")
ENTRY = ("haproxy", "keepalived")
MASTERS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE = ("kubelet", "kube-proxy")
# What must not have been touched by a second run.
UNITS = (*ENTRY, *MASTERS, *NODE, "containerd", "kubernetes-network")
SHOWN = "Id,MainPID,ActiveEnterTimestampMonotonic,NRestarts"
# Where the console names the cluster by its number and the script by its name.
OWN = ("--initial-cluster-token", "virtual_router_id")


@dataclass
class Found:
    """Everything that the rounds found."""

    walls: dict[str, list[float]] = field(default_factory=lambda: {side: [] for side in SIDES})
    steps: dict[str, list[float]] = field(default_factory=dict)
    repairs: list[float] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    different: set[str] = field(default_factory=set)
    loads: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Repaired:
    """A second run of the plan: its seconds, the steps that changed, the units touched."""

    wall: float
    changed: frozenset[str]
    restarted: frozenset[str]


def measure(console: Console, rounds: int) -> Result:
    """Each side on new hosts of its own in each round, in changing order; the first is practice."""
    if why := machines.why_not():
        return skipped(NAME, TITLE, AIM, why)
    bundles = binaries.cached()
    if not bundles:
        return skipped(NAME, TITLE, AIM, "needs Kubernetes programs: manage.py lab kubernetes")
    bundle = bundles[-1]
    import_bundle(bundle)
    console.worker()
    found = Found()
    for number in range(rounds + 1):
        first = number % len(SIDES)
        inside: dict[str, dict[str, set[str]]] = {}
        for side in SIDES[first:] + SIDES[:first]:
            load = os.getloadavg()[0]
            with fresh_lab(2 if side == "lightweight" else PLANES + WORKERS) as lab:
                wall = _side(side, lab, console, bundle, found, inside, counts=number > 0)
            print(f"  {side}: {wall:.2f} s, load before {load:.2f}", file=sys.stderr)
            if number:
                found.walls[side].append(wall)
                found.loads.append(load)
        found.different |= _differences(inside["flotilla"], inside["script"])
    return _result(found, bundle)


def _side(
    side: str,
    lab: Lab,
    console: Console,
    bundle: Bundle,
    found: Found,
    inside: dict[str, dict[str, set[str]]],
    *,
    counts: bool,
) -> float:
    known = known_hosts(lab, console.data)
    if side == "lightweight":
        return by_flotilla(lab, lab.hosts[:1], lab.hosts[1:])[1]
    if side == "script":
        wall = _by_hand(lab, known, bundle)
    else:
        cluster, wall, steps = by_flotilla(
            lab,
            lab.hosts[:PLANES],
            lab.hosts[PLANES:],
            profile="standard",
            vip=_vip(lab),
            schedule_on_control_plane=False,  # as the API has it for this type
        )
    _right(lab, known)
    inside[side] = _inside(lab, known)
    if side == "flotilla":
        repaired = _repair(cluster, lab, known)
        found.touched |= repaired.changed | repaired.restarted
        if counts:
            found.repairs.append(repaired.wall)
            for name, value in steps.items():
                found.steps.setdefault(name, []).append(value)
    return wall


def _vip(lab: Lab) -> str:
    """An address that the lab gives to no host: it keeps a few at the end free."""
    return str(lab.plan.subnet[-6])


def _by_hand(lab: Lab, known: Path, bundle: Bundle) -> float:
    from lab.images import BUSYBOX_REF, PAUSE_REF

    named = [f"{host.name}:{host.address}" for host in lab.hosts]
    return timed(
        ["timeout", str(PATIENCE), "bash", str(HERE / "create_standard.sh")],
        KEY=str(lab.key_path),
        KNOWN_HOSTS=str(known),
        BUNDLE=str(bundle.folder),
        VERSION=bundle.version,
        CPS=" ".join(named[:PLANES]),
        WORKERS=" ".join(named[PLANES:]),
        VIP=_vip(lab),
        ROUTER_ID="51",
        PAUSE_IMAGE=PAUSE_REF,
        VERIFY_IMAGE=BUSYBOX_REF,
        CLUSTER=CLUSTER,
        CONTAINER="1",
    ).wall


def _right(lab: Lab, known: Path) -> None:
    """The end that both sides must reach, seen through the VIP. Raises RuntimeError."""
    kubectl = (
        "/opt/kubernetes/current/kubectl --kubeconfig=/etc/kubernetes/admin.conf "
        f"--server=https://{_vip(lab)}:{ENTRY_PORT}"
    )
    nodes = json.loads(on_host(lab, lab.hosts[0], f"{kubectl} get nodes -o json", known))["items"]
    ready = [
        n["metadata"]["name"]
        for n in nodes
        if any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"]["conditions"])
    ]
    tainted = [n["metadata"]["name"] for n in nodes if n["spec"].get("taints")]
    holders = [h.name for h in lab.hosts if _vip(lab) in on_host(lab, h, "ip -4 addr", known)]
    names = [host.name for host in lab.hosts]
    if sorted(ready) != names or sorted(tainted) != names[:PLANES] or len(holders) != 1:
        raise RuntimeError(f"Ready: {ready}; tainted: {tainted}; the VIP is on {holders}")


def _inside(lab: Lab, known: Path) -> dict[str, set[str]]:
    """What each program runs with, what HAProxy and keepalived are told, which API is asked."""
    found: dict[str, set[str]] = {}
    planes = {host.name for host in lab.hosts[:PLANES]}
    for host in lab.hosts:
        for unit in (*ENTRY, *MASTERS, *NODE) if host.name in planes else NODE:
            path = f"/proc/$(systemctl show -p MainPID --value {unit})/cmdline"
            text = on_host(lab, host, f"tr '\\0' '\\n' <{path}", known)
            found[f"{unit} on {host.name}"] = set(text.splitlines())
        found[f"APIs that it asks on {host.name}"] = set(_servers(lab, host, known))
        if host.name in planes:
            for unit, path in (
                ("haproxy.cfg", "/etc/haproxy/haproxy.cfg"),
                ("keepalived.conf", "/etc/keepalived/keepalived.conf"),
            ):
                text = on_host(lab, host, f"cat {path}", known)
                lines = (" ".join(line.split("#")[0].split()) for line in text.splitlines())
                found[f"{unit} on {host.name}"] = {line for line in lines if line}
    return found


def _servers(lab: Lab, host: Host, known: Path) -> list[str]:
    """Of each kubeconfig on a host the API server that it names."""
    find = "grep -Eo 'https://[0-9.]+:[0-9]+' /etc/kubernetes/*.conf"
    return on_host(lab, host, find, known).splitlines()


def _differences(ours: Mapping[str, set[str]], theirs: Mapping[str, set[str]]) -> set[str]:
    """Each line that only one side has, the hosts' numbers taken out so that three are one."""
    return {
        re.sub(r"\bnode\d\b", "node", f"{unit}: {word} ({side})")
        for unit in ours
        for word in ours[unit] ^ theirs[unit]
        if not word.startswith(OWN)
        for side in ("Flotilla" if word in ours[unit] else "script",)
    }


def _repair(cluster: Cluster, lab: Lab, known: Path) -> Repaired:
    """Run the plan once more and compare the units before and after, on every host."""
    from provisioning.clusters import repair_cluster
    from provisioning.models import StepStatus, TaskStep

    cluster.refresh_from_db()
    before = _running(lab, known)
    begin = time.perf_counter()
    task = wait_for(repair_cluster(cluster, None), every=0.05)
    wall = time.perf_counter() - begin
    after = _running(lab, known)
    changed = TaskStep.objects.filter(task=task, status=StepStatus.CHANGED)
    return Repaired(
        wall,
        frozenset(f"{row.step} on {row.host_name or 'the console'}" for row in changed),
        frozenset(
            f"{unit} restarted" for unit in before | after if before.get(unit) != after.get(unit)
        ),
    )


def _running(lab: Lab, known: Path) -> dict[str, str]:
    """Of each unit on each host its main process, since when it is active, how often restarted."""
    found = {}
    for host in lab.hosts:
        units = " ".join(f"{unit}.service" for unit in UNITS)
        text = on_host(lab, host, f"systemctl show -p {SHOWN} {units}", known)
        for block in text.strip().split("\n\n"):
            values = dict(line.partition("=")[::2] for line in block.splitlines())
            found[f"{values['Id']} on {host.name}"] = block
    return found


def _result(found: Found, bundle: Bundle) -> Result:
    result = Result(NAME, TITLE, AIM)
    ours, theirs, light = (found.walls[side] for side in SIDES)
    ratio = median_ratio(ours, theirs)
    result.add("Flotilla, launch to a pod on each node that answered", seconds(ours))
    result.add("hand-written script, the same", seconds(theirs))
    result.add("Flotilla, lightweight on 2 hosts", seconds(light))
    result.add("standard / lightweight", f"{median_ratio(ours, light):.2f}")
    result.add("second run of the plan on the healthy cluster", seconds(found.repairs))
    result.add("changed or restarted by it", "; ".join(sorted(found.touched)) or "nothing")
    for name, values in found.steps.items():
        result.add(f"of Flotilla's, {name} (slowest host)", f"{statistics.median(values):.2f} s")
    result.add("load before each", f"{min(found.loads):.2f} to {max(found.loads):.2f}")
    result.figure = f"{ratio:.2f} times the script's time; a second run touches " + (
        f"{len(found.touched)} things" if found.touched else "nothing"
    )
    result.met = ratio <= MOST and not found.touched
    result.notes = [
        f"Kubernetes {bundle.version}; each side on new hosts of its own, every time; the script "
        "(others/create_standard.sh) sends what starts first first, and polls every 0.2 s",
        "what differs between the two clusters: " + ("; ".join(sorted(found.different)) or "none"),
    ]
    result.data = {"ratio": ratio, "walls": found.walls, "repairs": found.repairs}
    result.data |= {"touched": sorted(found.touched), "different": sorted(found.different)}
    result.data |= {"steps": found.steps, "loads": found.loads}
    return result
