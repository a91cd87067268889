"""Facts as a check leaves them, and host keys that are real."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provisioning.facts import Disk, Facts, Listener
from provisioning.keys import generate
from provisioning.models import Host

GIB = 1024**3


def facts(**changes: Any) -> dict[str, Any]:
    """The facts of a good host as they lie in the database."""
    good = {
        "os_id": "debian",
        "os_pretty": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0-18-amd64",
        "arch": "amd64",
        "cpus": 2,
        "memory": 4 * GIB,
        "memory_free": 3 * GIB,
        "disks": (Disk("/", "/", 40 * GIB, 30 * GIB), Disk("/var", "/", 40 * GIB, 30 * GIB)),
        "epoch": 1_700_000_000.0,
        "hostname": "node-1",
        "machine_id": "0123456789abcdef0123456789abcdef",
        "init": "systemd",
        "root": True,
        "cgroup": 2,
        "listeners": (Listener("tcp", "0.0.0.0", 22, "sshd"),),
        "packages": {"containerd": "1.6.20~ds1-1+b1"},
    }
    return json.loads(Facts(**{**good, **changes}).to_json())


@pytest.fixture(scope="session")
def host_keys() -> list[str]:
    """Public keys as hosts show them: type and base64, no comment."""
    return [generate("ed25519").public, generate("ecdsa").public, generate("ed25519").public]


def snapshot() -> list[dict[str, Any]]:
    """Every host's row, to compare before and after something that must change nothing."""
    return list(Host.objects.order_by("pk").values())
