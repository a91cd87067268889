"""Whether a cluster's networks can be what somebody typed. Pure: text in, problems out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

from django.utils.translation import gettext as _

from provisioning.steps.base import Problem

POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
# Each node gets a /24 of the pod network; the API server takes at most a /12 of services,
# and .1 and .10 of it are the API's and the DNS's own.
POD_PREFIXES = range(8, 25)
SERVICE_PREFIXES = range(12, 29)
NODE_PREFIX = 24

Network = ipaddress.IPv4Network


def network_problems(
    pod_cidr: str,
    service_cidr: str,
    host_networks: Mapping[str, Iterable[str]],
    count: int,
) -> list[Problem]:
    """Everything that is wrong with a pod and a service network.

    host_networks: for each host's name the networks that it is in ("10.0.0.7/24"
    or an address alone); count: how many hosts need a part of the pod network.
    """
    problems: list[Problem] = []
    pod = _read("pod_cidr", pod_cidr, POD_PREFIXES, problems)
    service = _read("service_cidr", service_cidr, SERVICE_PREFIXES, problems)
    if pod and service and pod.overlaps(service):
        problems.append(
            Problem(
                "networks_overlap",
                _("The service network %(service)s overlaps the pod network %(pod)s.")
                % {"service": service, "pod": pod},
                _("Choose networks that have no address in common."),
                field="service_cidr",
            )
        )
    if pod and 2 ** max(0, NODE_PREFIX - pod.prefixlen) < count:
        problems.append(
            Problem(
                "pod_network_small",
                _("The pod network %(pod)s has room for %(room)d nodes, and there are %(count)d.")
                % {"pod": pod, "room": 2 ** (NODE_PREFIX - pod.prefixlen), "count": count},
                _("Choose a larger network: each node needs a /24 of its own."),
                field="pod_cidr",
            )
        )
    for field, network in (("pod_cidr", pod), ("service_cidr", service)):
        if network is not None:
            problems += _host_overlaps(field, network, host_networks)
    return problems


def _read(field: str, text: str, prefixes: range, problems: list[Problem]) -> Network | None:
    try:
        if "/" not in text:
            raise ValueError
        network = Network(text.strip(), strict=False)
    except ValueError:
        _add(
            problems, field, "network_unreadable",
            _("“%(text)s” is no IPv4 network.") % {"text": text.strip()[:60]},
            _("Write it as address and prefix length, such as 10.244.0.0/16."),
        )  # fmt: skip
        return None
    if str(network) != text.strip():
        _add(
            problems, field, "network_host_bits",
            _("%(text)s is an address inside of a network.") % {"text": text.strip()},
            _("Write the network itself: %(network)s.") % {"network": network},
        )  # fmt: skip
        return None
    if network.prefixlen not in prefixes:
        _add(
            problems, field, "network_size",
            _("The network %(network)s is too large or too small.") % {"network": network},
            _("Choose a prefix length from /%(first)d to /%(last)d.")
            % {"first": prefixes.start, "last": prefixes.stop - 1},
        )  # fmt: skip
        return None
    if network.is_loopback or network.is_multicast or network.is_link_local or network.is_reserved:
        _add(
            problems, field, "network_special",
            _("%(network)s is set aside for other things.") % {"network": network},
            _("Choose a private network, such as 10.244.0.0/16."),
        )  # fmt: skip
        return None
    return network


def _add(problems: list[Problem], field: str, code: str, what: str, mend: str) -> None:
    problems.append(Problem(code, what, mend, field=field))


def _host_overlaps(
    field: str, network: Network, host_networks: Mapping[str, Iterable[str]]
) -> list[Problem]:
    clashes: dict[Network, list[str]] = {}
    for name, texts in host_networks.items():
        for text in texts:
            try:
                own = ipaddress.IPv4Interface(text).network
            except ValueError:
                continue  # an IPv6 address or a host name
            if own.overlaps(network) and name not in clashes.setdefault(own, []):
                clashes[own].append(name)
    return [
        Problem(
            "network_of_hosts",
            _("%(network)s overlaps %(own)s, the network of %(hosts)s.")
            % {"network": network, "own": own, "hosts": ", ".join(names[:5])},
            _("Choose a network that the hosts are not in."),
            field=field,
        )
        for own, names in clashes.items()
    ]
