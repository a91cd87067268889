"""What pages say about where figures come from and why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from clusters.metrics.timing import FRESH_SECONDS
from clusters.models_metrics import MetricState


@dataclass(frozen=True)
class Told:
    """One reason: what is wrong, what to do, and the cluster's own words."""

    what: str
    mend: str
    detail: str = ""


def source_text(source: str) -> str:
    """Where figures come from, for people."""
    if source == "metrics.k8s.io":
        return _("metrics.k8s.io of the cluster")
    if source == "kubelet":
        return _("the kubelets, through the API server (/metrics/resource)")
    return _("nowhere yet")


def reasons(state: MetricState | None, node: str = "") -> list[Told]:
    """Why figures are missing: of the cluster, and of this node or (node "") of every node."""
    if state is None:
        return [
            Told(
                _("No figures have been collected yet."),
                _("The watcher asks every 30 seconds once it watches this cluster."),
            )
        ]
    told: dict[str, list[Mapping[str, Any]]] = {}
    for problem in state.problems:
        if problem["node"] in ("", node) or not node:
            told.setdefault(problem["code"], []).append(problem)
    return [_worded(code, problems) for code, problems in told.items()]


def is_stale(state: MetricState | None, now: float) -> bool:
    """Whether the newest figures are too old to be called the latest."""
    return state is None or now - state.time > FRESH_SECONDS


def _worded(code: str, problems: list[Mapping[str, Any]]) -> Told:
    nodes = _listed(problem["node"] for problem in problems if problem["node"])
    detail = str(problems[0]["detail"])
    if code == "cluster-away":
        return Told(
            _("The cluster's API server does not answer."),
            _("What was collected before is kept; collecting goes on when it is back."),
            detail,
        )
    if code == "server-away":
        return Told(
            _("The cluster serves metrics.k8s.io, but it does not answer the console."),
            _(
                "The kubelets are asked instead. Look at the metrics server, and at the right "
                "“list” on “nodes” and “pods” of “metrics.k8s.io”."
            ),
            detail,
        )
    what, mend = {
        "forbidden": (
            _("The console may not ask the kubelets of %(nodes)s."),
            _(
                "Give the console's user the right “get” on “nodes/proxy” in this cluster, or "
                "install a metrics server."
            ),
        ),
        "kubelet-forbids": (
            _("The kubelets of %(nodes)s refuse the API server."),
            _(
                "Bind the user of the API server's kubelet client certificate to the cluster "
                "role “system:kubelet-api-admin”: it needs “get” on “nodes/metrics”."
            ),
        ),
        "not-served": (
            _("The kubelets of %(nodes)s do not serve /metrics/resource."),
            _("They are older than Kubernetes 1.14, or it is off: install a metrics server."),
        ),
        "kubelet-away": (
            _("The API server does not reach the kubelets of %(nodes)s."),
            _("Check that the kubelet runs there and that port 10250 is open to the API server."),
        ),
        "slow": (
            _("The kubelets of %(nodes)s did not answer in time."),
            _("They are asked again, less and less often. Look at the kubelet and at its network."),
        ),
    }.get(
        code,
        (_("The kubelets of %(nodes)s gave no figures."), _("They are asked again.")),
    )
    return Told(what % {"nodes": nodes}, mend, detail)


def _listed(nodes: Iterable[str], most: int = 5) -> str:
    names = sorted(set(nodes))
    text = ", ".join(names[:most])
    if len(names) > most:
        text = _("%(nodes)s and %(more)d more") % {"nodes": text, "more": len(names) - most}
    return text
