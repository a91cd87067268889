"""Hosts and how to reach them, releases, and tasks with their journal and log."""

from __future__ import annotations

from provisioning.models_hosts import Cleanup, Host, HostState, KeyKind, SSHCredential
from provisioning.models_releases import Release, ReleaseFile, ReleaseState
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
    "Host",
    "HostChange",
    "HostState",
    "KeyKind",
    "LogChunk",
    "Release",
    "ReleaseFile",
    "ReleaseState",
    "SSHCredential",
    "StepStatus",
    "Task",
    "TaskStatus",
    "TaskStep",
]
