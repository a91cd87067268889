"""Who may talk to a namespace's pods, and they to whom: a choice made into NetworkPolicies.

Sources: "Network Policies". Policies only add up: what one allows no other takes back, so
nobody but the console writes them in a tenant's namespace. Traffic between a pod and its own
node is always allowed, and so the kubelet's probes are; DNS is what `strict` lets through.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from clusters.models import dns_label
from tenancy.models_namespaces import Isolation

if TYPE_CHECKING:
    from tenancy.desired import NamespaceSpec

JSON = dict[str, Any]

TENANT_LABEL = "flotilla.dev/tenant"
# Set by API servers from 1.21 on; on older ones tenancy.reconcile puts it on what is named here.
NAME_LABEL = "kubernetes.io/metadata.name"
INGRESS, EGRESS = "flotilla-ingress", "flotilla-egress"

INGRESS_CONTROLLER, MONITORING, NAMESPACE, CIDR = (
    "ingress-controller", "monitoring", "namespace", "cidr",
)  # fmt: skip
KINDS = (INGRESS_CONTROLLER, MONITORING, NAMESPACE, CIDR)
# Where they are usually installed; an exception may name another namespace.
USUAL: Mapping[str, tuple[str, ...]] = {
    INGRESS_CONTROLLER: (
        "ingress-nginx", "nginx-ingress", "traefik", "haproxy-controller", "contour",
        "projectcontour", "istio-system", "kong",
    ),
    MONITORING: ("monitoring", "prometheus", "observability", "kube-prometheus-stack"),
}  # fmt: skip
IN, OUT, BOTH = "in", "out", "both"
DIRECTIONS = (IN, OUT, BOTH)
PROTOCOLS = ("TCP", "UDP", "SCTP")
MOST_EXCEPTIONS, MOST_PORTS = 50, 20

DNS_NAMESPACE = "kube-system"
DNS_PODS = {"k8s-app": "kube-dns"}
NODE_LOCAL_DNS = "169.254.20.10"  # "Using NodeLocal DNSCache in Kubernetes Clusters"
_KEYS = {"kind", "namespace", "cidr", "direction", "ports"}


@dataclass(frozen=True)
class Reach:
    """One row of the picture. direction: "in" or "out"; ports: "" for all; why: a sentence."""

    direction: str
    peer: str
    allowed: bool
    ports: str
    why: str


def checked(exceptions: Iterable[Any]) -> list[JSON]:
    """Exceptions as they are kept: {"kind", "namespace" or "cidr", "direction", "ports"}.

    kind: of KINDS. namespace: of an ingress controller or monitoring it may be left out, which
    means where these usually are. direction: "in" (the default), "out" (tells only with
    `strict`) or "both". ports: [{"port": 8080, "protocol": "TCP"}], [] for all.
    Raises ValidationError with one message for each that is not right.
    """
    given = list(exceptions)
    if len(given) > MOST_EXCEPTIONS:
        raise ValidationError(_("At most %(most)d exceptions.") % {"most": MOST_EXCEPTIONS})
    found, problems = [], []
    for number, item in enumerate(given, 1):
        try:
            one = _checked(item)
        except ValidationError as error:
            problems += [
                _("Exception %(number)d: %(what)s") % {"number": number, "what": message}
                for message in error.messages
            ]
        else:
            if one not in found:
                found.append(one)
    if problems:
        raise ValidationError(problems)
    return found


def policies(spec: NamespaceSpec) -> list[JSON]:
    """The NetworkPolicies of a namespace; none where it is open."""
    if spec.isolation == Isolation.OPEN:
        return []
    within: list[JSON] = [{"podSelector": {}}]
    friends = [{"namespaceSelector": {"matchLabels": {TENANT_LABEL: spec.tenant}}}]
    coming: list[JSON] = [{"from": within}]
    if spec.isolation == Isolation.TENANT:
        coming.append({"from": friends})
    coming += _rules(spec.exceptions, IN)
    found = [_policy(spec, INGRESS, "Ingress", "ingress", coming)]
    if spec.isolation == Isolation.STRICT:
        going = [{"to": within}, _dns(spec.dns), *_rules(spec.exceptions, OUT)]
        found.append(_policy(spec, EGRESS, "Egress", "egress", going))
    return found


def named_namespaces(spec: NamespaceSpec) -> set[str]:
    """Namespaces of others that the policies name, which need the label NAME_LABEL."""
    if spec.isolation == Isolation.OPEN:
        return set()
    found = {name for item in spec.exceptions for name in _names(item)}
    if spec.isolation == Isolation.STRICT:
        found.add(DNS_NAMESPACE)
    return found


def reach(spec: NamespaceSpec) -> list[Reach]:
    """Who may talk to whom by the wanted policies, for the picture.

    It holds where the cluster's network plug-in enforces NetworkPolicy, and nowhere else.
    """
    open_, strict = spec.isolation == Isolation.OPEN, spec.isolation == Isolation.STRICT
    tenant = open_ or spec.isolation == Isolation.TENANT
    closed = _("Nothing lets it through.")
    anybody = _("This namespace is open.")
    rows = [
        Reach(IN, _("its own pods"), True, "", _("Pods of one namespace always talk.")),
        Reach(
            IN, _("other namespaces of the tenant"), tenant, "",
            anybody if open_ else _("The isolation allows the tenant.") if tenant else closed,
        ),
        Reach(IN, _("other tenants and the rest of the cluster"), open_, "",
              anybody if open_ else closed),
        Reach(IN, _("outside the cluster"), open_, "", anybody if open_ else closed),
        Reach(IN, _("probes of its nodes"), True, "",
              _("Kubernetes always lets a node talk to the pods on it.")),
        Reach(OUT, _("its own pods"), True, "", _("Pods of one namespace always talk.")),
        Reach(OUT, _("DNS"), True, "53/UDP, 53/TCP" if strict else "",
              _("Names are always resolved.")),
        Reach(OUT, _("other namespaces and outside the cluster"), not strict, "",
              closed if strict else _("Only “strict” limits where pods connect to; the other "
                                      "side may still refuse.")),
    ]  # fmt: skip
    for direction in (IN, OUT):
        if (direction == OUT and not strict) or open_:
            continue
        rows += [
            Reach(direction, peer_text(item), True, ports_text(item), _("An exception allows it."))
            for item in spec.exceptions
            if _goes(item, direction)
        ]
    return rows


def peer_text(item: Mapping[str, Any]) -> str:
    """Whom an exception lets through, in words."""
    kind, name = item.get("kind"), str(item.get("namespace") or "")
    if kind == CIDR:
        return str(item.get("cidr", ""))
    if kind == INGRESS_CONTROLLER:
        what = _("ingress controllers")
    elif kind == MONITORING:
        what = _("monitoring")
    else:
        return _("namespace %(name)s") % {"name": name}
    return f"{what} ({name})" if name else what


def ports_text(item: Mapping[str, Any]) -> str:
    """ "8080/TCP, 53/UDP", "" for all ports."""
    return ", ".join(f"{p['port']}/{p['protocol']}" for p in item.get("ports") or ())


def _checked(item: Any) -> JSON:
    if not isinstance(item, Mapping) or item.get("kind") not in KINDS:
        raise ValidationError(_("its kind must be one of %(kinds)s.") % {"kinds": ", ".join(KINDS)})
    if unknown := sorted(str(key)[:40] for key in set(item) - _KEYS):
        raise ValidationError(_("“%(key)s” is not known.") % {"key": unknown[0]})
    kind = item["kind"]
    found: JSON = {"kind": kind}
    if kind == CIDR:
        found["cidr"] = _network(item.get("cidr"))
    else:
        name = item.get("namespace") or ""
        if name or kind == NAMESPACE:
            _is_name(name)
            found["namespace"] = name
    direction = item.get("direction") or IN
    if direction not in DIRECTIONS:
        raise ValidationError(_("its direction must be in, out or both."))
    found["direction"] = direction
    found["ports"] = _ports(item.get("ports"))
    return found


def _is_name(name: Any) -> None:
    if not isinstance(name, str):
        raise ValidationError(_("its namespace must be a name."))
    dns_label(name)


def _network(text: Any) -> str:
    try:
        if not isinstance(text, str):
            raise ValueError
        return str(ipaddress.ip_network(text.strip(), strict=True))
    except ValueError:
        raise ValidationError(
            _("“%(text)s” is no network: write one such as 10.20.0.0/16, without host bits.")
            % {"text": str(text)[:60]}
        ) from None


def _ports(given: Any) -> list[JSON]:
    if given in (None, "", []):
        return []
    if not isinstance(given, list) or len(given) > MOST_PORTS:
        raise ValidationError(_("at most %(most)d ports.") % {"most": MOST_PORTS})
    found = []
    for item in given:
        port = item.get("port") if isinstance(item, Mapping) else None
        protocol = (item.get("protocol") or "TCP") if isinstance(item, Mapping) else ""
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
            raise ValidationError(_("a port is a number from 1 to 65535."))
        if protocol not in PROTOCOLS:
            raise ValidationError(_("a protocol is TCP, UDP or SCTP."))
        found.append({"port": port, "protocol": protocol})
    return found


def _goes(item: Mapping[str, Any], direction: str) -> bool:
    return (item.get("direction") or IN) in (direction, BOTH)


def _rules(exceptions: Iterable[Mapping[str, Any]], direction: str) -> Iterator[JSON]:
    for item in exceptions:
        if not _goes(item, direction):
            continue
        rule: JSON = {"from" if direction == IN else "to": [_peer(item)]}
        if ports := item.get("ports"):
            rule["ports"] = [dict(port) for port in ports]
        yield rule


def _names(item: Mapping[str, Any]) -> tuple[str, ...]:
    if item["kind"] == CIDR:
        return ()
    name = str(item.get("namespace") or "")
    return (name,) if name else USUAL.get(item["kind"], ())


def _peer(item: Mapping[str, Any]) -> JSON:
    if item["kind"] == CIDR:
        return {"ipBlock": {"cidr": item["cidr"]}}
    named = [{"key": NAME_LABEL, "operator": "In", "values": sorted(_names(item))}]
    if item["kind"] != NAMESPACE:
        # A tenant may well call a namespace of its own "traefik": it is no ingress controller.
        named.append({"key": TENANT_LABEL, "operator": "DoesNotExist"})
    return {"namespaceSelector": {"matchExpressions": named}}


def _dns(addresses: Iterable[str]) -> JSON:
    system = {"namespaceSelector": {"matchLabels": {NAME_LABEL: DNS_NAMESPACE}}}
    blocks = [
        {"ipBlock": {"cidr": str(ipaddress.ip_network(address))}}
        for address in (*addresses, NODE_LOCAL_DNS)
    ]
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    return {"to": [{**system, "podSelector": {"matchLabels": DNS_PODS}}, *blocks], "ports": ports}


def _policy(spec: NamespaceSpec, name: str, policy_type: str, key: str, rules: list[JSON]) -> JSON:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": spec.name},
        "spec": {"podSelector": {}, "policyTypes": [policy_type], key: rules},
    }
