"""What the cluster itself says against an upgrade: nodes, skew, runtimes, removed APIs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from clusters.kube.deprecated import Evidence, Use
from provisioning.action_upgrade import _nodes, _removed, _skew
from provisioning.spec import ClusterSpec
from tests.unit.provisioning.conftest import make_spec

USE = Use(
    Evidence.WRITTEN, "ingresses", "extensions/v1beta1", "1.22", "networking.k8s.io/v1",
    namespace="shop", name="front", by="helm", last="2026-11-01T00:00:00Z",
)  # fmt: skip


@dataclass
class Asked:
    """What the checks use of an action's context."""

    spec: ClusterSpec
    lines: list[str] = field(default_factory=list)

    def log(self, text: str) -> None:
        self.lines.append(text)


def asked(to: str = "v1.22.0", since: str = "v1.21.0", **request: Any) -> Any:
    spec = make_spec(to)
    return Asked(replace(spec, running=True, request={"from": since, "to": to, **request}))


def node(
    name: str, ready: str = "True", kubelet: str = "v1.21.0", runtime: str = "containerd://1.6.20"
) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "nodeInfo": {"kubeletVersion": kubelet, "containerRuntimeVersion": runtime},
        },
    }


def test_every_host_must_be_a_ready_node() -> None:
    ctx = asked()
    assert list(_nodes(ctx, [node("node1"), node("node2")])) == []
    (problem,) = _nodes(ctx, [node("node1"), node("node2", ready="Unknown")])
    assert (problem.code, "node2" in problem.what) == ("not_ready", True)
    (problem,) = _nodes(ctx, [node("node1")])
    assert "node2" in problem.what


def test_a_runtime_that_is_too_old_is_named_with_what_is_needed() -> None:
    nodes = [node("node1"), node("node2", runtime="containerd://1.5.9")]
    (problem,) = _nodes(asked("v1.26.0", "v1.25.0"), nodes)
    assert "node2" in problem.what
    assert "1.6" in problem.what
    assert (
        list(_nodes(asked("v1.26.0"), [node("node1"), node("node2", runtime="cri-o://1.20")])) == []
    )


@pytest.mark.parametrize(
    ("kubelet", "apiservers", "codes"),
    [
        ("v1.21.0", ["v1.21.0"], []),
        ("v1.20.2", ["v1.21.0"], []),
        ("v1.19.2", ["v1.21.0"], ["kubelet_too_old"]),
        ("v1.23.0", ["v1.21.0"], ["kubelet_newer"]),
        ("v1.22.0", ["v1.21.0", "v1.22.0"], []),
        ("v1.20.2", ["v1.20.2"], ["one_minor"]),
    ],
)
def test_versions_must_fit_together(kubelet: str, apiservers: list[str], codes: list[str]) -> None:
    found = _skew(asked(), [node("node1", kubelet=kubelet)], apiservers)
    assert [problem.code for problem in found] == codes


def test_whoever_uses_what_goes_away_is_named_and_may_be_accepted() -> None:
    ctx = asked()
    (problem,) = _removed(ctx, [USE])
    for word in ("shop/front", "helm", "extensions/v1beta1", "networking.k8s.io/v1"):
        assert word in problem.what
    accepted = asked(accept_removed_apis=True)
    assert _removed(accepted, [USE]) == []
    assert "shop/front" in accepted.lines[0]  # it is still said
