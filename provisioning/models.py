"""Hosts and how to reach them, releases, and tasks with their journal and log."""

from __future__ import annotations

from provisioning.models_drills import Drill, DrillTarget
from provisioning.models_hosts import Cleanup, Host, HostState, KeyKind, SSHCredential
from provisioning.models_releases import Release, ReleaseFile, ReleaseState
from provisioning.models_snapshots import (
    Snapshot,
    SnapshotOrigin,
    SnapshotSchedule,
    SnapshotState,
)
from provisioning.models_tasks import (
    ENDED,
    HostChange,
    LogChunk,
    StepStatus,
    Task,
    TaskStatus,
    TaskStep,
)

__all__ = [
    "ENDED",
    "Cleanup",
    "Drill",
    "DrillTarget",
    "Host",
    "HostChange",
    "HostState",
    "KeyKind",
    "LogChunk",
    "Release",
    "ReleaseFile",
    "ReleaseState",
    "SSHCredential",
    "Snapshot",
    "SnapshotOrigin",
    "SnapshotSchedule",
    "SnapshotState",
    "StepStatus",
    "Task",
    "TaskStatus",
    "TaskStep",
]
