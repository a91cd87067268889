"""One round of metrics of one cluster: from whichever source it has, with totals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from clusters.kube import ClusterUnreachable, Connection, KubeError, NotFound
from clusters.kube.metrics_api import ServerUsage, Use, server_usage
from clusters.metrics.kubelets import Kubelets, Problem
from clusters.metrics.rates import NodeUse
from clusters.metrics.timing import MetricsTiming
from clusters.models_metrics import Of

SERVER, KUBELET = "metrics.k8s.io", "kubelet"
# Rounds for which the totals wait for a node that is ready and does not answer; later they
# go on without it, and the page names it.
PATIENCE = 5

Key = tuple[str, str, str]  # of, namespace, name


@dataclass(frozen=True)
class Round:
    """What one round found. source "" when nothing answered."""

    source: str
    uses: dict[Key, Use] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


class Collector:
    """Keeps what rounds need of each other: counters, sources, who was missing."""

    def __init__(self, timing: MetricsTiming) -> None:
        self._timing = timing
        self._kubelets = Kubelets(timing)
        self._missing: dict[str, int] = {}
        self._rounds_without_server = 0

    def collect(
        self, conn: Connection, nodes: Mapping[str, bool], stopped: Callable[[], bool]
    ) -> Round:
        """Ask for everything. nodes: {name: whether it is ready}. Raises nothing."""
        problems: list[Problem] = []
        try:
            served = self._server(conn, problems)
        except ClusterUnreachable as error:
            return Round("", {}, (Problem("cluster-away", "", error.cause[:500]),))
        if served is not None:
            found = of_server(served)
            source = SERVER
        else:
            answers = self._kubelets.ask(conn, nodes, stopped)
            found, source = answers.nodes, KUBELET
            problems += answers.problems
        if not found:
            return Round("", {}, tuple(problems))
        complete = self._complete(found, nodes)
        if served is not None:
            pods: dict[tuple[str, str], Use] = dict(served.pods)
        else:
            pods = {key: use for node in found.values() for key, use in node.pods.items()}
        uses: dict[Key, Use] = {(Of.NODE, "", name): node.use for name, node in found.items()}
        uses |= {(Of.POD, *key): use for key, use in pods.items()}
        if complete:
            whole = all(node.whole for node in found.values())
            uses |= totals(found, pods, whole=whole)
        return Round(source, uses, tuple(problems))

    def _server(self, conn: Connection, problems: list[Problem]) -> ServerUsage | None:
        """metrics.k8s.io's answer, None where there is none. Raises ClusterUnreachable."""
        if self._rounds_without_server:
            self._rounds_without_server -= 1
            return None
        try:
            served = server_usage(conn, self._timing.answer)
        except NotFound:
            self._rounds_without_server = self._timing.server_every
        except ClusterUnreachable:
            raise
        except KubeError as error:
            problems.append(Problem("server-away", "", error.cause[:500]))
        else:
            if served.nodes:
                return served
        return None

    def _complete(self, found: Mapping[str, NodeUse], nodes: Mapping[str, bool]) -> bool:
        """Whether sums over nodes can be told: a sum without a node would look like a fall."""
        self._missing = {
            name: self._missing.get(name, 0) + 1
            for name, ready in nodes.items()
            if ready and name not in found
        }
        return all(rounds > PATIENCE for rounds in self._missing.values())


def of_server(served: ServerUsage) -> dict[str, NodeUse]:
    """The nodes of metrics.k8s.io in the shape of the kubelets' (their pods come apart)."""
    return {name: NodeUse(use, {}) for name, use in served.nodes.items()}


def totals(
    nodes: Mapping[str, NodeUse], pods: Mapping[tuple[str, str], Use], *, whole: bool
) -> dict[Key, Use]:
    """The cluster (all nodes, the system's own part included) and each namespace (its pods).

    whole: CPU is known of every node; otherwise no sum of CPU is told.
    """
    by_namespace: dict[str, list[Use]] = {}
    for (namespace, _name), use in pods.items():
        by_namespace.setdefault(namespace, []).append(use)
    found: dict[Key, Use] = {(Of.CLUSTER, "", ""): _sum((n.use for n in nodes.values()), whole)}
    for namespace, uses in by_namespace.items():
        found[(Of.NAMESPACE, "", namespace)] = _sum(uses, whole)
    return found


def _sum(uses: Iterable[Use], whole: bool) -> Use:
    listed = list(uses)
    cpu = [use.cpu for use in listed if use.cpu is not None] if whole else []
    memory = [use.memory for use in listed if use.memory is not None]
    return Use(math.fsum(cpu) if cpu else None, math.fsum(memory) if memory else None)
