"""The "Metrics" tabs of clusters and objects: figures of now, charts, and a table of the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.inventory.kinds import WORKLOADS
from clusters.metrics.bounds import Bounds, bounds_of
from clusters.metrics.history import WORKLOAD, History, Subject, history
from clusters.metrics.timing import FRESH_SECONDS
from clusters.metrics.words import Told, is_stale, reasons, source_text
from clusters.models import Cluster, MetricState, Object
from clusters.models_metrics import Of
from console.ui.quantities import bytes_text, cpus_text

RANGE_LABELS = {
    "1h": gettext_lazy("1 hour"),
    "6h": gettext_lazy("6 hours"),
    "24h": gettext_lazy("24 hours"),
    "14d": gettext_lazy("14 days"),
}
_OF_RESOURCE = {"pods": Of.POD, "nodes": Of.NODE, "namespaces": Of.NAMESPACE}


@dataclass(frozen=True)
class Row:
    """One line of the table: when, and each figure as text ("–" in a gap)."""

    time: datetime
    cpu: str
    cpu_highest: str
    memory: str
    memory_highest: str

    def as_json(self) -> list[str]:
        """For the table that the chart's module fills."""
        when = self.time.isoformat()
        return [when, self.cpu, self.cpu_highest, self.memory, self.memory_highest]


@dataclass(frozen=True)
class Now:
    """The newest figure of one kind beside what it is compared with; None: not known."""

    what: str
    label: str
    used: float | None
    bounds: Bounds

    @property
    def most(self) -> float | None:
        """What the bar is full at: what there is, or the limit, or what was asked for."""
        return self.bounds.allocatable or self.bounds.limit or self.bounds.request


@dataclass(frozen=True)
class Panel:
    """All that templates/clusters/metrics/panel.html shows."""

    subject: Subject
    reach: str
    history: History
    bounds: dict[str, Bounds]
    state: MetricState | None
    data_url: str

    @property
    def ranges(self) -> list[tuple[str, Any, str]]:
        """(id, label, address) of each range that there are figures for."""
        return [(r, RANGE_LABELS[r], f"?range={r}") for r in self.subject.ranges]

    @property
    def rows(self) -> list[Row]:
        """The table, the newest first."""
        return list(rows_of(self.history))[::-1]

    @property
    def now(self) -> list[Now]:
        """CPU and memory of the newest sample, None while it is too old."""
        fresh = bool(self.history.times) and (
            self.history.end - self.history.times[-1] <= FRESH_SECONDS + self.history.step
        )
        cpu = self.history.cpu[-1] if fresh else None
        memory = self.history.memory[-1] if fresh else None
        return [
            Now("cpu", _("CPU"), cpu, self.bounds["cpu"]),
            Now("memory", _("Memory"), memory, self.bounds["memory"]),
        ]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value is not None for value in self.history.cpu + self.history.memory)

    @property
    def source(self) -> str:
        """Where the figures come from."""
        return source_text(self.state.source if self.state else "")

    @property
    def at(self) -> datetime | None:
        """When the newest figures of the cluster were taken."""
        known = self.state is not None and self.state.time
        return datetime.fromtimestamp(self.state.time, UTC) if self.state and known else None

    @property
    def stale(self) -> bool:
        """Whether the newest figures are too old to be called the latest."""
        return is_stale(self.state, timezone.now().timestamp())

    @property
    def reasons(self) -> list[Told]:
        """Why figures are missing, as far as it concerns the subject."""
        return reasons(self.state, self.subject.name if self.subject.of == Of.NODE else "")

    def as_json(self) -> dict[str, Any]:
        """What static/js/charts.js asks for."""
        return {
            **self.history.as_json(),
            "range": self.reach,
            "lines": {what: bounds._asdict() for what, bounds in self.bounds.items()},
            "rows": [row.as_json() for row in self.rows],
            "html": {
                "source": render_to_string("clusters/metrics/source.html", {"metrics": self}),
                "reasons": render_to_string("clusters/metrics/reasons.html", {"metrics": self}),
                **{
                    now.what: render_to_string(
                        "clusters/metrics/usage_bar.html",
                        {"used": now.used, "most": now.most, "what": now.what, "label": now.label},
                    )
                    for now in self.now
                },
            },
        }


def panel_of(cluster: Cluster, subject: Subject, reach: str) -> Panel:
    """Everything of one subject from SQL; an unknown range counts as the shortest."""
    if reach not in subject.ranges:
        reach = subject.ranges[0]
    query = {"of": subject.of, "namespace": subject.namespace, "name": subject.name}
    if subject.kind:
        query["kind"] = subject.kind
    return Panel(
        subject=subject,
        reach=reach,
        history=history(cluster, subject, reach),
        bounds=bounds_of(cluster, subject),
        state=MetricState.objects.filter(cluster=cluster).first(),
        data_url=f"{reverse('clusters:metrics-data', args=[cluster.pk])}?{urlencode(query)}",
    )


def cluster_tab(request: HttpRequest, cluster: Cluster) -> dict[str, Any]:
    """The cluster's tab: all its nodes together."""
    return {"metrics": panel_of(cluster, Subject(Of.CLUSTER), request.GET.get("range", ""))}


def object_tab(request: HttpRequest, row: Object) -> dict[str, Any]:
    """The tab of a pod, node, namespace or workload."""
    subject = subject_of(row)
    assert subject is not None, "the tab is shown for these objects alone"
    return {"metrics": panel_of(row.cluster, subject, request.GET.get("range", ""))}


def subject_of(row: Object) -> Subject | None:
    """What of an object is measured; None for a kind that uses nothing by itself."""
    if row.resource in WORKLOADS:
        return Subject(WORKLOAD, row.namespace, row.name, row.kind)
    of = _OF_RESOURCE.get(row.resource)
    return Subject(of, row.namespace, row.name) if of else None


def has_metrics(row: Object) -> bool:
    """Whether the object has a tab of metrics."""
    return subject_of(row) is not None


def rows_of(found: History) -> Iterator[Row]:
    """The history as lines of text, the oldest first."""
    for k, time in enumerate(found.times):
        yield Row(
            datetime.fromtimestamp(time, UTC),
            text_of("cpu", found.cpu[k]),
            text_of("cpu", found.cpu_highest[k]),
            text_of("memory", found.memory[k]),
            text_of("memory", found.memory_highest[k]),
        )


def text_of(what: str, value: float | None) -> str:
    """0.0353 with "cpu" -> "0.035 CPU"; bytes with "memory" -> "20 MiB"; None -> "–"."""
    if value is None:
        return "–"
    if what == "memory":
        return bytes_text(value)
    if value >= 1:
        return cpus_text(value)
    # Most pods use a few thousandths of a core.
    return f"{value:.3f}".rstrip("0").rstrip(".") + " CPU"
