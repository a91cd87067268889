"""Renew certificates: new leaves in place, the authorities stay."""

from __future__ import annotations

from provisioning.preflight import preflight
from provisioning.recipes import phases as parts
from provisioning.spec import ClusterSpec
from provisioning.steps.api_ready import ApiReady
from provisioning.steps.base import Phase, Placed, Recipe
from provisioning.steps.control_plane import ControlPlane
from provisioning.steps.etcd import Etcd
from provisioning.steps.renewal import RenewedCertificates
from provisioning.steps.upgrade import OthersCarryOn


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """One control plane after another, so that the API goes on through the virtual IP.

    request["expired"]: certificates of the control plane have ended already.
    Then no peer trusts another one, nothing can be interrupted any more, and
    all of them change together, as when the cluster was made.
    """
    made = Phase("certificates", "Certificates", (Placed(RenewedCertificates()),))
    members = spec.control_plane
    changed = together(spec) if spec.request.get("expired") else one_by_one(spec)
    return (made, *changed, parts.api(spec, members), parts.nodes(spec.hosts), *parts.finish(spec))


def together(spec: ClusterSpec) -> tuple[Phase, ...]:
    """All control planes at once."""
    members = spec.control_plane
    return (
        parts.etcd(members),
        *parts.load_balancer(spec, members),
        parts.control_plane(members),
    )


def one_by_one(spec: ClusterSpec) -> tuple[Phase, ...]:
    """One control plane, and the next when it serves again."""
    members = spec.control_plane
    placed = (
        Placed(OthersCarryOn(), members),
        # A load balancer that reloads forgets who is to be left out: it comes first.
        *parts.balancers(spec, members),
        *parts.out_of_entry(
            spec,
            members,
            Placed(Etcd(), members),
            Placed(ControlPlane(), members),
            Placed(ApiReady(), members),
        ),
    )
    return (Phase("control-plane", "Control plane, one host after another", placed, rolling=True),)


RENEW = Recipe("renew_certificates", "Renew certificates", phases, preflight)
