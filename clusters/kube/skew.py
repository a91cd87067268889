"""Which versions may run together, and which step an upgrade may take.

Source: "Version Skew Policy" (kubernetes.io/releases/version-skew-policy) and,
for one minor at a time, "Upgrading kubeadm clusters".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

_VERSION = re.compile(r"v?1\.(\d{1,3})(?:\.(\d{1,4}))?(?:[-+.][0-9A-Za-z.+-]*)?")
# A kubelet from 1.25 on may be three minors older than the API server, an older one two.
THREE_SINCE = 25


class Rule(StrEnum):
    """The rule that would be broken."""

    DOWNGRADE = "downgrade"
    ONE_MINOR = "one_minor"
    SERVERS = "servers"
    KUBELET_NEWER = "kubelet_newer"
    KUBELET_TOO_OLD = "kubelet_too_old"


@dataclass(frozen=True)
class Violation:
    """A rule that an upgrade to `target` would break; node is empty for the control plane."""

    rule: Rule
    version: str
    target: str
    node: str = ""

    @property
    def text(self) -> str:
        """One sentence with the mend, in the reader's language."""
        sentence = {
            Rule.DOWNGRADE: _(
                "%(target)s is older than %(version)s, and Kubernetes goes back to no older "
                "version. Restore a snapshot instead."
            ),
            Rule.ONE_MINOR: _(
                "From %(version)s to %(target)s is more than one minor version. Upgrade one minor "
                "version at a time."
            ),
            Rule.SERVERS: _(
                "An API server of version %(version)s would run beside %(target)s; they may be "
                "one minor version apart. Upgrade the older one first."
            ),
            Rule.KUBELET_NEWER: _(
                "The kubelet of %(node)s (%(version)s) is newer than %(target)s. Choose a version "
                "that is not older than any kubelet."
            ),
            Rule.KUBELET_TOO_OLD: _(
                "The kubelet of %(node)s (%(version)s) is too old for %(target)s. Upgrade this "
                "node first."
            ),
        }[self.rule]
        return sentence % {"version": self.version, "target": self.target, "node": self.node}


def minor_of(version: str) -> int:
    """The minor of "v1.20.2", "1.25" or "v1.34.0-rc.1". ValueError for what is no 1.x version."""
    return _parse(version)[0]


def kubelet_fits(kubelet: str, apiserver: str) -> Rule | None:
    """None when this kubelet may run with this API server, else the broken rule."""
    own, other = minor_of(kubelet), minor_of(apiserver)
    if own > other:
        return Rule.KUBELET_NEWER
    allowed = 3 if own >= THREE_SINCE else 2
    return Rule.KUBELET_TOO_OLD if other - own > allowed else None


def step(current: str, target: str) -> list[Violation]:
    """What speaks against upgrading one control plane from current to target; the same is fine."""
    now, then = _parse(current), _parse(target)
    if then < now:
        return [Violation(Rule.DOWNGRADE, current, target)]
    if then[0] > now[0] + 1:
        return [Violation(Rule.ONE_MINOR, current, target)]
    return []


def skew(nodes: Mapping[str, str], apiservers: Iterable[str], target: str) -> list[Violation]:
    """What speaks against upgrading a cluster's control plane to the target version.

    nodes: the kubelets' versions by node; apiservers: the versions that run
    now, one for each API server. After an upgrade that stopped half way there
    are two of them, and perhaps kubelets newer than the older one: going on to
    the target mends that, so only the target counts. ValueError for what is no
    version.
    """
    servers = sorted(set(apiservers), key=_parse)
    found: list[Violation] = []
    for server in servers:
        if len(servers) > 1 and minor_of(target) > minor_of(server) + 1:
            found.append(Violation(Rule.SERVERS, server, target))
        else:
            found += step(server, target)
    for node, kubelet in sorted(nodes.items()):
        if (rule := kubelet_fits(kubelet, target)) is not None:
            found.append(Violation(rule, kubelet, target, node))
    return found


def _parse(version: str) -> tuple[int, int]:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is not a version of Kubernetes 1.x")
    return int(match[1]), int(match[2] or 0)
