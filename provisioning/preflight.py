"""Everything that must be right before a host is touched. Pure: facts in, problems out."""

from __future__ import annotations

from collections.abc import Mapping

from provisioning.facts import Facts
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Problem


def preflight(spec: ClusterSpec, facts: Mapping[int, Facts]) -> list[Problem]:
    return []
