"""Create lightweight, one control plane and one worker, against a script written by hand."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import machines
from bench.console import Console, register_hosts, wait_for
from bench.machines import fresh_lab, known_hosts, on_host
from bench.others import HERE, timed
from bench.report import Result, median_ratio, seconds, skipped
from lab import Host, Lab
from lab import kubernetes as binaries
from lab.kubernetes import Bundle

if TYPE_CHECKING:
    from clusters.models import Cluster

NAME = "create"
TITLE = "Create lightweight: 1 control plane and 1 worker, programs on the console already"
MOST = 1.25
AIM = f"at most {MOST} times the hand-written parallel OpenSSH script"
UNITS = {
    "control plane": ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    "node": ("kubelet", "kube-proxy"),
}
CLUSTER = "bench"


def measure(console: Console, rounds: int) -> Result:
    """In each round new hosts, a pair for each side; pairs and order change from round to round."""
    if why := machines.why_not():
        return skipped(NAME, TITLE, AIM, why)
    bundles = binaries.cached()
    if not bundles:
        return skipped(NAME, TITLE, AIM, "needs Kubernetes programs: manage.py lab kubernetes")
    bundle = bundles[-1]
    import_bundle(bundle)
    console.worker()
    ours: list[float] = []
    theirs: list[float] = []
    steps: dict[str, list[float]] = {}
    different: set[str] = set()
    # The first round fills caches and does not count.
    for number in range(rounds + 1):
        with fresh_lab(4) as lab:
            known = known_hosts(lab, console.data)
            pairs = [lab.hosts[:2], lab.hosts[2:]]
            first, second = pairs if number % 4 < 2 else reversed(pairs)
            sides = [("flotilla", first), ("script", second)]
            flags: dict[str, dict[str, set[str]]] = {}
            for side, pair in sides if number % 2 else reversed(sides):
                if side == "flotilla":
                    _cluster, took, parts = by_flotilla(lab, pair[:1], pair[1:])
                else:
                    took, parts = _by_hand(lab, pair, known, bundle), {}
                flags[side] = _flags(lab, pair, known)
                for host in pair:  # a cluster that idles would slow the other side down
                    host.power_cut()
                if number:
                    (ours if side == "flotilla" else theirs).append(took)
                    for name, value in parts.items():
                        steps.setdefault(name, []).append(value)
            different |= _differences(flags["flotilla"], flags["script"])
    return _result(ours, theirs, steps, different, bundle)


def import_bundle(bundle: Bundle) -> None:
    """The bundle as a release of the console, unless it is one already."""
    from provisioning.models import Release, ReleaseState
    from provisioning.releases_sources import DISTRIBUTION, import_folder

    known = Release.objects.filter(version=bundle.version, state=ReleaseState.READY)
    if not known.exists():
        import_folder(bundle.folder, source=DISTRIBUTION, origin=bundle.source)


def by_flotilla(
    lab: Lab, control_plane: list[Host], workers: list[Host], **asked: Any
) -> tuple[Cluster, float, dict[str, float]]:
    """A cluster on hosts that were just checked; what else is asked for goes into the request.

    Out: its row, the seconds from launch to verified, and of each step those of its slowest host.
    """
    from clusters.models import Cluster
    from provisioning import operations
    from provisioning.cluster_request import ClusterRequest
    from provisioning.clusters import create_cluster
    from provisioning.models import Host as Row
    from provisioning.models import Release, TaskStep

    Row.objects.all().update(cluster=None)
    Cluster.objects.all().delete()
    Row.objects.all().delete()
    rows = register_hosts([*control_plane, *workers], lab.key_path.read_text())
    checked = operations.launch(
        "check_hosts", title="Check", user=None, parameters={"hosts": [r.pk for r in rows]}
    )
    wait_for(checked)
    rows = [Row.objects.get(pk=row.pk) for row in rows]
    split = len(control_plane)
    request = ClusterRequest(
        name=CLUSTER,
        release=Release.objects.latest("pk"),
        control_plane=tuple(rows[:split]),
        workers=tuple(rows[split:]),
        **{"profile": "lightweight", **asked},
    )
    begin = time.perf_counter()
    cluster, task = create_cluster(request, None)
    wait_for(task, every=0.05)
    took = time.perf_counter() - begin
    parts: dict[str, float] = {}
    for row in TaskStep.objects.filter(task=task):
        assert row.started and row.ended
        parts[row.step] = max(parts.get(row.step, 0), (row.ended - row.started).total_seconds())
    return cluster, took, parts


def _by_hand(lab: Lab, pair: list[Host], known: Path, bundle: Bundle) -> float:
    from lab.images import BUSYBOX_REF, PAUSE_REF

    spent = timed(
        ["bash", str(HERE / "create_cluster.sh")],
        KEY=str(lab.key_path),
        KNOWN_HOSTS=str(known),
        BUNDLE=str(bundle.folder),
        VERSION=bundle.version,
        CP=f"{pair[0].name}:{pair[0].address}",
        WORKER=f"{pair[1].name}:{pair[1].address}",
        PAUSE_IMAGE=PAUSE_REF,
        VERIFY_IMAGE=BUSYBOX_REF,
        CLUSTER=CLUSTER,
        CONTAINER="1",
    )
    return spent.wall


def _flags(lab: Lab, pair: list[Host], known: Path) -> dict[str, set[str]]:
    """What each program of a cluster runs with; the hosts' own names and addresses masked."""
    own = [(pair[0].name, "CP"), (pair[0].address, "CP-IP"), (pair[1].name, "W"),
           (pair[1].address, "W-IP")]  # fmt: skip
    found: dict[str, set[str]] = {}
    for host, units in (
        (pair[0], UNITS["control plane"] + UNITS["node"]),
        (pair[1], UNITS["node"]),
    ):
        for unit in units:
            path = f"/proc/$(systemctl show -p MainPID --value {unit})/cmdline"
            text = on_host(lab, host, f"tr '\\0' '\\n' <{path}", known)
            for word, mask in own:
                text = re.sub(rf"\b{re.escape(word)}\b", mask, text)
            found[f"{unit} on {'worker' if host is pair[1] else 'control plane'}"] = set(
                text.splitlines()
            )
    return found


def _differences(ours: Mapping[str, set[str]], theirs: Mapping[str, set[str]]) -> set[str]:
    return {
        f"{unit}: {word}"
        for unit in ours
        for word in ours[unit] ^ theirs[unit]
        # Where a token names the cluster by its number and the script by its name.
        if not word.startswith("--initial-cluster-token")
    }


def _result(
    ours: list[float],
    theirs: list[float],
    steps: Mapping[str, list[float]],
    different: set[str],
    bundle: Bundle,
) -> Result:
    result = Result(NAME, TITLE, AIM)
    ratio = median_ratio(ours, theirs)
    result.add("Flotilla, launch to a pod on each node that answered", seconds(ours))
    result.add("hand-written script, the same", seconds(theirs))
    for name, values in steps.items():
        result.add(f"of Flotilla's, {name} (slowest host)", f"{statistics.median(values):.2f} s")
    result.figure = f"{ratio:.2f} times the script's time"
    result.met = ratio <= MOST
    result.notes = [
        f"Kubernetes {bundle.version}; the script (others/create_cluster.sh) sends the programs "
        "unpacked by tar over ssh, makes the certificates meanwhile and polls every 0.2 s",
        "flags that differ between the two clusters: " + ("; ".join(sorted(different)) or "none"),
    ]
    result.data = {"ratio": ratio, "flotilla": ours, "script": theirs}
    result.data |= {"different": sorted(different), "steps": dict(steps)}
    return result
