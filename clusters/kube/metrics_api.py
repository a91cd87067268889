"""What nodes and pods use, from metrics.k8s.io or from the kubelets themselves.

metrics.k8s.io answers rates; a kubelet's /metrics/resource (KEP-1206, reached
through the API server's node proxy) answers counters that never fall while a
container runs. Every answer is untrusted: its size is bounded, and a line, a
name or a figure that is not as it must be is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from clusters.kube.connection import Connection
from clusters.kube.errors import NotFound
from clusters.kube.nodes_api import node_path

# A kubelet runs 110 pods by default and a few hundred at most: 6 lines for each container.
KUBELET_LIMIT = 8 * 1024 * 1024
MOST_PODS = 1000
# "/metrics/resource" since Kubernetes 1.18; before that the same lines under its trial name.
KUBELET_PATHS = ("metrics/resource", "metrics/resource/v1alpha1")
METRICS_SERVER = "/apis/metrics.k8s.io/v1beta1"

PodKey = tuple[str, str]  # namespace, name


class Counter(NamedTuple):
    """CPU seconds used so far; at: when, in seconds of the kubelet's clock, None: not told."""

    seconds: float
    at: float | None


@dataclass
class PodCounters:
    """One pod: its containers' counters, or the pod's own ("" as the container's name)."""

    cpu: dict[str, Counter] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)

    @property
    def working_set(self) -> float | None:
        """Bytes of all containers; the pod's own figure where the kubelet gives it."""
        if "" in self.memory:
            return self.memory[""]
        return math.fsum(self.memory.values()) if self.memory else None


@dataclass
class NodeCounters:
    """One kubelet's answer. memory: bytes of the working set."""

    cpu: Counter | None = None
    memory: float | None = None
    pods: dict[PodKey, PodCounters] = field(default_factory=dict)


class Use(NamedTuple):
    """What something uses: CPU in cores, memory in bytes (working set); None: not known."""

    cpu: float | None
    memory: float | None


class Line(NamedTuple):
    """One sample of the Prometheus text format; at: seconds since the epoch, or None."""

    name: str
    labels: dict[str, str]
    value: float
    at: float | None


_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,99}")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]{0,99})\s*=\s*"((?:[^"\\\n]|\\.){0,1000})"\s*(,|\})')
_END = re.compile(r"\s*\}")
_NUMBERS = re.compile(r"\s+(\S{1,40})(?:\s+(-?\d{1,16}))?\s*")
_ESCAPE = re.compile(r"\\(.)")
# Names of pods are DNS subdomains, those of namespaces and containers DNS labels.
_KUBERNETES_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
MOST_LABELS = 20


def parse_line(text: str) -> Line | None:
    """One line of the Prometheus text format; None for comments and what is no sample.

    NaN, infinite and negative values count as no sample: nothing here can be negative.
    """
    match = _NAME.match(text)
    if match is None:
        return None
    labels: dict[str, str] = {}
    place = match.end()
    if text[place : place + 1] == "{":
        place += 1
        while (ends := _END.match(text, place)) is None:
            pair = _LABEL.match(text, place)
            if pair is None or pair[1] in labels or len(labels) >= MOST_LABELS:
                return None
            labels[pair[1]] = _ESCAPE.sub(_unescaped, pair[2])
            place = pair.end() - (pair[3] == "}")
        place = ends.end()
    numbers = _NUMBERS.fullmatch(text, place)
    value = _number(numbers[1]) if numbers else None
    if numbers is None or value is None:
        return None
    at = int(numbers[2]) / 1000.0 if numbers[2] else None
    return Line(match[0], labels, value, at)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    # Python reads "1_000", which no exporter writes.
    return value if math.isfinite(value) and value >= 0 and "_" not in text else None


def parse_resource_metrics(lines: Iterable[str]) -> NodeCounters:
    """What a kubelet's /metrics/resource says, read line by line.

    Names by version: container_* since 1.14, pod_* since 1.21; where a pod has its own
    figures they win, since they hold what is outside of its containers too.
    """
    found = NodeCounters()
    for text in lines:
        line = parse_line(text)
        if line is None:
            continue
        counter = Counter(line.value, line.at)
        if line.name == "node_cpu_usage_seconds_total":
            found.cpu = counter
        elif line.name == "node_memory_working_set_bytes":
            found.memory = line.value
        elif line.name in _OF_PODS and (pod := _pod_of(found, line)) is not None:
            whole = line.name.startswith("pod_")
            container = "" if whole else line.labels.get("container", "")
            if not whole and not _is_name(container):
                continue
            if "cpu" in line.name:
                pod.cpu[container] = counter
            else:
                pod.memory[container] = line.value
    return found


_OF_PODS = frozenset(
    f"{of}_{what}"
    for of in ("pod", "container")
    for what in ("cpu_usage_seconds_total", "memory_working_set_bytes")
)
MOST_CONTAINERS = 50


def _pod_of(found: NodeCounters, line: Line) -> PodCounters | None:
    key = line.labels.get("namespace", ""), line.labels.get("pod", "")
    if not (_is_name(key[0]) and len(key[0]) <= 63 and _is_name(key[1])):
        return None
    if key not in found.pods and len(found.pods) >= MOST_PODS:
        return None
    pod = found.pods.setdefault(key, PodCounters())
    return pod if len(pod.cpu) + len(pod.memory) < 2 * MOST_CONTAINERS else None


def _is_name(text: str) -> bool:
    return _KUBERNETES_NAME.fullmatch(text) is not None


def kubelet_counters(
    conn: Connection, node: str, timeout: float, path: str = ""
) -> tuple[NodeCounters, str]:
    """A node's counters by the API server's node proxy, and under which path it serves them.

    path: the one that was found before, "" to find out. timeout: seconds for each
    path. Raises NotFound when the kubelet serves neither path, Forbidden
    when "get" on "nodes/proxy" is missing, KubeError otherwise.
    """
    paths = (path,) if path else KUBELET_PATHS
    for one in paths:
        try:
            lines = conn.lines(f"{node_path(node)}/proxy/{one}", timeout, KUBELET_LIMIT)
            return parse_resource_metrics(lines), one
        except NotFound:
            if one == paths[-1]:
                raise
    raise AssertionError("there is at least one path")


@dataclass(frozen=True)
class ServerUsage:
    """What metrics.k8s.io says of a whole cluster."""

    nodes: dict[str, Use]
    pods: dict[PodKey, Use]


def server_usage(conn: Connection, timeout: float) -> ServerUsage:
    """All nodes and pods from metrics.k8s.io; timeout in seconds for each of the two answers.

    Raises NotFound where the cluster does not serve it, KubeError otherwise (503
    while the metrics server behind it is away).
    """
    # In one piece: these lists know no pages.
    nodes = _items(conn.get_json(f"{METRICS_SERVER}/nodes", timeout=timeout))
    pods = _items(conn.get_json(f"{METRICS_SERVER}/pods", timeout=timeout))
    return ServerUsage(dict(_node_uses(nodes)), dict(_pod_uses(pods)))


def _items(answer: dict[str, Any]) -> list[dict[str, Any]]:
    items = answer.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _node_uses(items: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Use]]:
    for item in items:
        name = _metadata(item, "name")
        if _is_name(name):
            yield name, _use(item.get("usage"))


def _pod_uses(items: Iterable[dict[str, Any]]) -> Iterator[tuple[PodKey, Use]]:
    for item in items:
        key = _metadata(item, "namespace"), _metadata(item, "name")
        containers = item.get("containers")
        if not (_is_name(key[0]) and len(key[0]) <= 63 and _is_name(key[1])):
            continue
        uses = [
            _use(container.get("usage"))
            for container in (containers if isinstance(containers, list) else [])
            if isinstance(container, dict)
        ]
        yield key, Use(_sum(use.cpu for use in uses), _sum(use.memory for use in uses))


def _metadata(item: dict[str, Any], key: str) -> str:
    metadata = item.get("metadata")
    value = metadata.get(key) if isinstance(metadata, dict) else ""
    return value if isinstance(value, str) else ""


def _use(usage: object) -> Use:
    told = usage if isinstance(usage, dict) else {}
    return Use(amount(told.get("cpu")), amount(told.get("memory")))


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


_QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)(?:e(\d{1,2})|([numkMGTP]|[KMGTP]i)?)")
_FACTORS = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


def amount(text: object) -> float | None:
    """A quantity as metrics.k8s.io writes it ("156340n", "20Mi"); None for anything else."""
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    return float(match[1]) * 10.0 ** int(match[2] or 0) * _FACTORS.get(match[3] or "", 1.0)
