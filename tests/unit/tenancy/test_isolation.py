"""Isolation made into NetworkPolicies: judged by a small model of what policies mean."""

from __future__ import annotations

import ipaddress

import pytest
from django.core.exceptions import ValidationError

from tenancy import isolation
from tenancy.desired import NamespaceSpec

METADATA_ADDRESS = "169.254.169.254"


def labels_match(selector: dict, labels: dict[str, str]) -> bool:
    if any(labels.get(k) != v for k, v in selector.get("matchLabels", {}).items()):
        return False
    for term in selector.get("matchExpressions", ()):
        value = labels.get(term["key"])
        if term["operator"] == "In" and value not in term["values"]:
            return False
        if term["operator"] == "DoesNotExist" and value is not None:
            return False
    return True


def peer_matches(peer: dict, of: str, other: dict) -> bool:
    """other: {"ns": labels of its namespace, "pod": its labels} or {"ip": address}."""
    if "ipBlock" in peer:
        return "ip" in other and ipaddress.ip_address(other["ip"]) in ipaddress.ip_network(
            peer["ipBlock"]["cidr"]
        )
    if "ip" in other:
        return False
    if "namespaceSelector" in peer:
        if not labels_match(peer["namespaceSelector"], other["ns"]):
            return False
    elif other["ns"][isolation.NAME_LABEL] != of:
        return False
    return labels_match(peer.get("podSelector", {}), other.get("pod", {}))


def passes(spec: NamespaceSpec, direction: str, other: dict, port: int = 8080) -> bool:
    """As a network plug-in decides ("The two sorts of pod isolation")."""
    kind, rules, peers = (
        ("Ingress", "ingress", "from") if direction == "in" else ("Egress", "egress", "to")
    )
    found = [p["spec"] for p in isolation.policies(spec) if kind in p["spec"]["policyTypes"]]
    if not found:
        return True
    for policy in found:
        for rule in policy.get(rules, ()):
            ports = rule.get("ports")
            if ports and not any(p["port"] == port and p["protocol"] == "TCP" for p in ports):
                continue
            if peers not in rule or any(peer_matches(p, spec.name, other) for p in rule[peers]):
                return True
    return False


def namespace(name: str, tenant: str = "", **pod: str) -> dict:
    labels = {isolation.NAME_LABEL: name}
    if tenant:
        labels[isolation.TENANT_LABEL] = tenant
    return {"ns": labels, "pod": {k.replace("_", "-"): v for k, v in pod.items()}}


ITSELF = namespace("web", "shop")
SIBLING = namespace("db", "shop")
OTHERS = namespace("pay", "bank")
INGRESS = namespace("ingress-nginx")
OUTSIDE = {"ip": "203.0.113.7"}
DNS = namespace("kube-system", k8s_app="kube-dns")


def spec(kind: str, *exceptions: dict, **fields) -> NamespaceSpec:
    kept = tuple(isolation.checked(exceptions))
    return NamespaceSpec("web", "shop", isolation=kind, exceptions=kept, **fields)


@pytest.mark.parametrize(
    ("kind", "itself", "sibling", "others", "outside"),
    [
        ("open", True, True, True, True),
        ("tenant", True, True, False, False),
        ("namespace", True, False, False, False),
        ("strict", True, False, False, False),
    ],
)
def test_who_may_come_in(kind, itself, sibling, others, outside):
    found = [passes(spec(kind), "in", peer) for peer in (ITSELF, SIBLING, OTHERS, OUTSIDE)]
    assert found == [itself, sibling, others, outside]


@pytest.mark.parametrize("kind", ["open", "tenant", "namespace"])
def test_only_strict_limits_where_pods_connect_to(kind):
    assert all(passes(spec(kind), "out", peer) for peer in (ITSELF, SIBLING, OTHERS, OUTSIDE))


def test_strict_lets_out_nothing_but_itself_and_dns():
    strict = spec("strict", dns=("10.96.0.10",))
    assert passes(strict, "out", ITSELF)
    for peer in (SIBLING, OTHERS, OUTSIDE, {"ip": METADATA_ADDRESS}):
        assert not passes(strict, "out", peer)
        assert not passes(strict, "out", peer, 53), peer
    for peer in (DNS, {"ip": "10.96.0.10"}, {"ip": isolation.NODE_LOCAL_DNS}):
        assert passes(strict, "out", peer, 53)
        assert not passes(strict, "out", peer, 443)


def test_a_pod_that_calls_itself_dns_elsewhere_is_not_let_through():
    pretender = namespace("pay", "bank", k8s_app="kube-dns")
    assert not passes(spec("strict"), "out", pretender, 53)


def test_an_ingress_controller_comes_in_and_a_tenant_who_takes_its_name_does_not():
    web = spec("namespace", {"kind": "ingress-controller", "ports": [{"port": 8080}]})
    assert passes(web, "in", INGRESS)
    assert not passes(web, "in", INGRESS, 9999)
    assert not passes(web, "in", namespace("ingress-nginx", "bank"))
    own = spec("namespace", {"kind": "ingress-controller", "namespace": "edge"})
    assert passes(own, "in", namespace("edge"))
    assert not passes(own, "in", INGRESS)


def test_exceptions_for_namespaces_networks_and_directions():
    web = spec(
        "strict",
        {"kind": "namespace", "namespace": "pay", "direction": "both"},
        {"kind": "cidr", "cidr": "203.0.113.0/24", "direction": "out", "ports": [{"port": 443}]},
        {"kind": "monitoring"},
    )
    assert passes(web, "in", OTHERS) and passes(web, "out", OTHERS)
    assert passes(web, "out", OUTSIDE, 443) and not passes(web, "out", OUTSIDE, 80)
    assert not passes(web, "in", OUTSIDE, 443)
    assert passes(web, "in", namespace("monitoring"))
    assert not passes(web, "out", namespace("monitoring"))
    assert isolation.named_namespaces(web) >= {"pay", "monitoring", "kube-system"}
    assert isolation.named_namespaces(spec("open", {"kind": "monitoring"})) == set()


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("all", "kind"),
        ({"kind": "everybody"}, "kind"),
        ({"kind": "namespace"}, "lower-case"),
        ({"kind": "namespace", "namespace": "Not A Name"}, "lower-case"),
        ({"kind": "namespace", "namespace": ["a"]}, "name"),
        ({"kind": "cidr", "cidr": "10.0.0.1/8"}, "10.0.0.1/8"),
        ({"kind": "cidr", "cidr": 7}, "network"),
        ({"kind": "cidr", "cidr": "10.0.0.0/8", "podSelector": {}}, "podSelector"),
        ({"kind": "monitoring", "direction": "up"}, "direction"),
        ({"kind": "monitoring", "ports": [{"port": 0}]}, "65535"),
        ({"kind": "monitoring", "ports": [{"port": True}]}, "65535"),
        ({"kind": "monitoring", "ports": [{"port": 80, "protocol": "ICMP"}]}, "TCP"),
        ({"kind": "monitoring", "ports": "80"}, "ports"),
    ],
)
def test_exceptions_that_make_no_sense_are_refused_with_their_number(item, said):
    with pytest.raises(ValidationError) as caught:
        isolation.checked([{"kind": "monitoring"}, item])
    assert len(caught.value.messages) == 1
    assert "Exception 2" in caught.value.messages[0]
    assert said in caught.value.messages[0]


def test_fifty_exceptions_are_enough():
    with pytest.raises(ValidationError):
        isolation.checked([{"kind": "cidr", "cidr": f"10.0.{n}.0/24"} for n in range(51)])


@pytest.mark.parametrize("kind", ["open", "tenant", "namespace", "strict"])
def test_the_picture_says_what_the_policies_do(kind):
    web = spec(kind, {"kind": "namespace", "namespace": "pay", "direction": "both"})
    rows = {(row.direction, row.peer): row for row in isolation.reach(web)}
    assert rows["in", "other namespaces of the tenant"].allowed == passes(web, "in", SIBLING)
    stranger = namespace("any", "any")
    name = "other tenants and the rest of the cluster"
    assert rows["in", name].allowed == passes(web, "in", stranger)
    assert rows["in", "outside the cluster"].allowed == passes(web, "in", OUTSIDE)
    out = rows["out", "other namespaces and outside the cluster"]
    assert out.allowed == passes(web, "out", OUTSIDE)
    assert rows["out", "DNS"].allowed
    assert (("in", "namespace pay") in rows) == (kind != "open")
    assert all(row.why for row in rows.values())
