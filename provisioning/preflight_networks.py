"""The part of the preflight that is about networks. Pure, like the rest of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from provisioning.facts import Facts
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Problem
from provisioning.steps.layout import pod_range
from provisioning.texts import gettext as _


def networks(spec: ClusterSpec, facts: Mapping[int, Facts]) -> Iterator[Problem]:
    """What speaks against the pod and service networks, and against where the hosts are."""
    parsed: dict[str, ipaddress.IPv4Network] = {}
    for name, text in (("pod_cidr", spec.pod_cidr), ("service_cidr", spec.service_cidr)):
        try:
            parsed[name] = ipaddress.IPv4Network(text)
        except ValueError:
            yield Problem(
                "network", _("%(text)r is not an IPv4 network.") % {"text": text},
                _("Write it as 10.244.0.0/16."), field=name,
            )  # fmt: skip
    if len(parsed) < 2:
        return
    if parsed["pod_cidr"].overlaps(parsed["service_cidr"]):
        yield Problem(
            "overlap",
            _("The service network %(services)s overlaps the pods' %(pods)s.")
            % {"services": spec.service_cidr, "pods": spec.pod_cidr},
            _("Choose two networks that have nothing in common."), field="service_cidr",
        )  # fmt: skip
    if not 12 <= parsed["service_cidr"].prefixlen <= 28:
        yield Problem(
            "network",
            _("The service network %(services)s has no usable size.")
            % {"services": spec.service_cidr},
            _("Choose one from /12 to /28."), field="service_cidr",
        )  # fmt: skip
    try:
        for host in spec.hosts:
            pod_range(spec, host)
    except ValueError:
        yield Problem(
            "network",
            _("The pod network %(pods)s is too small for %(count)d hosts.")
            % {"pods": spec.pod_cidr, "count": len(spec.hosts)},
            _("Choose a larger one: each host takes a /24."), field="pod_cidr",
        )  # fmt: skip
    yield from _host_networks(spec, facts, parsed)


def _host_networks(
    spec: ClusterSpec,
    facts: Mapping[int, Facts],
    parsed: Mapping[str, ipaddress.IPv4Network],
) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    subnets: dict[str, ipaddress.IPv4Network] = {}
    for host in spec.hosts:
        known = facts.get(host.id, Facts())
        for item in known.addresses:
            if ":" in item.address or item.interface in ("lo", "cni0"):
                continue
            network = ipaddress.IPv4Network(f"{item.address}/{item.prefix}", strict=False)
            if item.address == host.address:
                subnets[host.name] = network
            for field, cidr in parsed.items():
                if cidr.overlaps(network) and (field, str(network)) not in seen:
                    seen.add((field, str(network)))
                    pods = _(
                        "The pods' network %(cidr)s overlaps %(network)s, in which %(host)s is."
                    )
                    services = _(
                        "The services' network %(cidr)s overlaps %(network)s, in which %(host)s is."
                    )
                    yield Problem(
                        "overlap",
                        (pods if field == "pod_cidr" else services)
                        % {"cidr": cidr, "network": network, "host": host.name},
                        _("Choose another network."), host.id, field,
                    )  # fmt: skip
    if str(spec.options.get("network", "routed")) == "routed" and len(set(subnets.values())) > 1:
        place = _("%(host)s in %(network)s")
        shown = ", ".join(place % {"host": h, "network": n} for h, n in subnets.items())
        yield Problem(
            "subnets",
            _("The routed network needs all hosts in one subnet; they are not: %(hosts)s.")
            % {"hosts": shown},
            _("Choose hosts of one subnet, or a network plug-in with an overlay."), field="network",
        )  # fmt: skip
