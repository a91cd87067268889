"""What the pages of hosts show: facts as people read them, and what to do in each state."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from console.ui.quantities import bytes_text, cpus_text, duration_text
from provisioning.facts import Disk, Facts, FactsError
from provisioning.host_actions import fingerprint_of, needs_name
from provisioning.keys import key_type
from provisioning.models import Host, HostState, StepStatus, Task, TaskStatus, TaskStep
from provisioning.preflight import MAX_SKEW

CHECK_STEP = "check_host"
LISTED = {
    "fact_os": "facts__os_pretty",
    "fact_cpus": "facts__cpus",
    "fact_memory": "facts__memory",
    "fact_disks": "facts__disks",
    "fact_arch": "facts__arch",
}


def listed(hosts: QuerySet[Host]) -> QuerySet[Host]:
    """Hosts for a list: a few facts of each, without the whole of them."""
    facts = {name: F(path) for name, path in LISTED.items()}
    return (
        hosts.select_related("cluster")
        .prefetch_related("cleanups")
        .defer("facts", "host_key", "offered_key")
        .annotate(**facts)
    )


def with_checks(hosts: Iterable[Host]) -> bool:
    """Give each host `is_checking`; whether any of them is being checked now."""
    rows = list(hosts)
    busy = set(
        TaskStep.objects.filter(
            step=CHECK_STEP,
            host__in=[host.pk for host in rows],
            status__in=(StepStatus.PENDING, StepStatus.RUNNING),
            task__status__in=(TaskStatus.QUEUED, TaskStatus.RUNNING),
        ).values_list("host_id", flat=True)
    )
    for host in rows:
        host.is_checking = host.pk in busy  # type: ignore[attr-defined]
    return bool(busy)


def with_summary(hosts: Iterable[Host]) -> None:
    """Give each listed host `disk` (its file system for containers) and `skew_text`."""
    for host in hosts:
        disks = getattr(host, "fact_disks", None)
        host.disk = _container_disk(disks)  # type: ignore[attr-defined]
        host.skew_text = skew_text(host.clock_skew)  # type: ignore[attr-defined]
        host.skew_bad = is_skewed(host.clock_skew)  # type: ignore[attr-defined]


def _container_disk(disks: Any) -> dict[str, Any] | None:
    """The file system that images and containers will lie on, as facts list it."""
    rows = [d for d in disks if isinstance(d, dict)] if isinstance(disks, list) else []
    for path in ("/var/lib/containerd", "/var", "/"):
        for row in rows:
            if row.get("path") == path and isinstance(row.get("size"), int):
                return row
    return None


def is_skewed(seconds: float | None) -> bool:
    """Whether a clock is too far off for a cluster."""
    return seconds is not None and abs(seconds) > MAX_SKEW


def skew_text(seconds: float | None) -> str:
    """A clock's difference as people say it; "" where it is not known."""
    if seconds is None:
        return ""
    if abs(seconds) < 1:
        return _("exact")
    how_much = duration_text(abs(seconds))
    return (
        _("%(time)s ahead") % {"time": how_much}
        if seconds > 0
        else _("%(time)s behind") % {"time": how_much}
    )


def facts_of(host: Host) -> Facts:
    """The stored facts; unknown ones where there are none or they are unreadable."""
    try:
        return Facts.from_json(json.dumps(host.facts or {}))
    except FactsError:
        return Facts()


def advice(host: Host) -> str:
    """What a state means and what to do about it. The reason that was found stands beside it."""
    texts = {
        HostState.NEW: _("Nobody has looked at this host since it was changed. Check it."),
        HostState.UNTRUSTED: _(
            "It answers, and nobody has said yet that it is the right machine. Compare its "
            "fingerprint, then trust it."
        ),
        HostState.READY: (
            _("It serves its cluster.")
            if host.cluster
            else _("It can be taken for a cluster once it is cleaned up.")
            if host.cleanups.all()
            else _("It can be taken for a cluster.")
        ),
        HostState.UNREACHABLE: _(
            "Check that the machine is on, that its address and port are right, and that a "
            "firewall lets the console through. Then check it again."
        ),
        HostState.KEY_CHANGED: _(
            "Nothing more is sent to this host until somebody has looked into it."
        ),
    }
    return texts[HostState(host.state)]


@dataclass(frozen=True)
class OfferedKey:
    """A key that a host shows and nobody trusts yet."""

    fingerprint: str
    kind: str
    replaces: bool
    old_fingerprint: str
    old_kind: str


def offered(host: Host) -> OfferedKey | None:
    """The key to be trusted, or None."""
    if not host.offered_key or host.offered_key == host.host_key:
        return None
    return OfferedKey(
        fingerprint=fingerprint_of(host.offered_key),
        kind=key_type(host.offered_key),
        replaces=needs_name(host),
        old_fingerprint=fingerprint_of(host.host_key),
        old_kind=key_type(host.host_key) if host.host_key else "",
    )


def fact_rows(host: Host, facts: Facts) -> list[tuple[str, str]]:
    """(name, value) of the machine, for the page's table."""
    kind = facts.virtualisation or facts.container
    rows = [
        (_("Operating system"), facts.os_pretty),
        (_("Kernel"), facts.kernel),
        (_("Architecture"), facts.arch),
        (_("CPU"), cpus_text(facts.cpus) if facts.cpus else ""),
        (_("Memory"), _memory(facts)),
        (_("Swap"), ", ".join(facts.swap) or _("none")),
        (_("Clock"), skew_text(host.clock_skew)),
        (_("Virtualisation"), kind or _("none: a physical machine")),
        (_("Init system"), facts.init),
        (_("cgroup version"), str(facts.cgroup) if facts.cgroup else ""),
        (_("Host name"), facts.hostname),
        (_("Machine id"), facts.machine_id),
        (_("Root rights"), _("yes") if facts.root else _("no: root or sudo is needed")),
    ]
    return [(name, value or _("not known")) for name, value in rows]


def _memory(facts: Facts) -> str:
    if not facts.memory:
        return ""
    return _("%(all)s, %(free)s of it available") % {
        "all": bytes_text(facts.memory),
        "free": bytes_text(facts.memory_free),
    }


@dataclass(frozen=True)
class DiskRow:
    """A file system with what lies on it: one row for each mount, however many folders."""

    mount: str
    size: int
    free: int
    folders: tuple[str, ...]

    @property
    def used_percent(self) -> int:
        """How full it is, from 0 to 100."""
        return round(100 * (self.size - self.free) / self.size) if self.size else 0


def disk_rows(disks: Iterable[Disk]) -> list[DiskRow]:
    """One row for each mounted file system."""
    rows: dict[str, list[Disk]] = {}
    for disk in disks:
        rows.setdefault(disk.mount, []).append(disk)
    return [
        DiskRow(mount, found[0].size, found[0].free, tuple(d.path for d in found))
        for mount, found in rows.items()
    ]


def recent_tasks(host: Host, limit: int = 8) -> QuerySet[Task]:
    """The last tasks that had a step on this host."""
    ids = TaskStep.objects.filter(host=host).values("task_id")
    return Task.objects.filter(pk__in=ids).order_by("-id")[:limit]
