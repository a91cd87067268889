"""Why a node is not well, in the kubelet's own words."""

from __future__ import annotations

from clusters.inventory.nodes import node_of

SILENT = "Kubelet stopped posting node status."


def reason(**statuses: tuple[str, str]) -> str:
    conditions = [
        {"type": kind, "status": status, "message": message}
        for kind, (status, message) in statuses.items()
    ]
    row = node_of(1, {"metadata": {"name": "n"}, "status": {"conditions": conditions}})
    assert row is not None
    return row.reason


def test_a_silent_kubelet_is_one_reason() -> None:
    unknown = ("Unknown", SILENT)
    assert reason(MemoryPressure=unknown, DiskPressure=unknown, Ready=unknown) == f"Ready: {SILENT}"


def test_each_condition_of_a_kubelet_that_reports_counts() -> None:
    said = reason(DiskPressure=("True", "disk is full"), Ready=("False", "no network"))
    assert said == "DiskPressure: disk is full\nReady: no network"
    assert reason(DiskPressure=("False", "enough"), Ready=("True", "fine")) == ""
