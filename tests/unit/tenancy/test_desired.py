"""The manifests of a namespace."""

from __future__ import annotations

import json

import pytest

from tenancy import compare, desired, roles
from tenancy.desired import NamespaceSpec, manifests
from tenancy.models import TenantRole


def by_kind(spec: NamespaceSpec) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for body in manifests(spec):
        found.setdefault(body["kind"], []).append(body)
    return found


def full(**fields) -> NamespaceSpec:
    given = {
        "name": "web",
        "tenant": "shop",
        "quota": {"requests.cpu": "2", "pods": "20", "namespaces": "3"},
        "limits": {"cpu": {"request": "100m", "limit": "1"}, "memory": {"limit": "1Gi"}},
        "pod_security": "restricted",
        "pool": "gold",
        "pool_taints": ({"key": "team", "value": "shop", "effect": "NoSchedule"},),
        "labels": {"team": "web"},
    }
    return NamespaceSpec(**(given | fields))


def test_a_namespace_has_everything_it_is_to_have():
    found = by_kind(full())
    (namespace,) = found["Namespace"]
    labels = namespace["metadata"]["labels"]
    assert labels["flotilla.dev/tenant"] == "shop"
    assert labels["flotilla.dev/pool"] == "gold"
    assert labels["app.kubernetes.io/managed-by"] == "flotilla"
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["kubernetes.io/metadata.name"] == "web"
    assert labels["team"] == "web"
    annotations = namespace["metadata"]["annotations"]
    assert annotations[desired.NODE_SELECTOR] == "flotilla.dev/pool=gold"
    assert json.loads(annotations[desired.TOLERATIONS])[0]["key"] == "team"
    quota, guard = found["ResourceQuota"]
    assert quota["spec"]["hard"] == {"pods": "20", "requests.cpu": "2"}
    assert guard["spec"]["hard"] == {"pods": "0"}
    (limits,) = found["LimitRange"]
    assert limits["spec"]["limits"] == [
        {
            "type": "Container",
            "default": {"cpu": "1", "memory": "1Gi"},
            "defaultRequest": {"cpu": "100m", "memory": "1Gi"},
        }
    ]
    assert [p["metadata"]["name"] for p in found["NetworkPolicy"]] == ["flotilla-ingress"]
    assert {b["subjects"][0]["name"]: b["roleRef"]["name"] for b in found["RoleBinding"]} == {
        f"flotilla:tenant:shop:{role}": f"flotilla:tenant:{role}" for role in TenantRole.values
    }
    assert all(b["metadata"].get("namespace") == "web" for b in manifests(full())[1:])


def test_what_nobody_asked_for_is_not_made():
    found = by_kind(NamespaceSpec("web", "shop", isolation="open"))
    assert "LimitRange" not in found
    assert "NetworkPolicy" not in found
    assert [q["metadata"]["name"] for q in found["ResourceQuota"]] == ["flotilla-priority"]
    assert desired.NODE_SELECTOR not in found["Namespace"][0]["metadata"]["annotations"]


def test_an_owners_labels_never_take_the_place_of_the_consoles():
    wicked = {
        "pod-security.kubernetes.io/enforce": "privileged",
        "pod-security.kubernetes.io/enforce-version": "v1.0",
        "flotilla.dev/tenant": "bank",
        "flotilla.dev/pool": "theirs",
        "app.kubernetes.io/managed-by": "me",
        "kubernetes.io/metadata.name": "kube-system",
        "node.k8s.io/x": "1",
        "example.com/fine": "yes",
    }
    labels = by_kind(full(labels=wicked, pool=""))["Namespace"][0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["flotilla.dev/tenant"] == "shop"
    assert labels["app.kubernetes.io/managed-by"] == "flotilla"
    assert labels["kubernetes.io/metadata.name"] == "web"
    assert labels["example.com/fine"] == "yes"
    assert not {"flotilla.dev/pool", "node.k8s.io/x"} & set(labels)
    assert "pod-security.kubernetes.io/enforce-version" not in labels


def test_the_digest_tells_wishes_apart_and_nothing_else():
    def marks(spec):
        return {
            (b["kind"], b["metadata"]["name"]): b["metadata"]["annotations"][desired.WANTED]
            for b in manifests(spec)
        }

    same = full(quota={"pods": "20", "namespaces": "9", "requests.cpu": "2"})
    assert marks(full()) == marks(same)
    other = marks(full(quota={"pods": "21"}))
    assert {key for key, mark in marks(full()).items() if other[key] != mark} == {
        ("ResourceQuota", "flotilla")
    }


@pytest.mark.parametrize(
    ("networks", "addresses"),
    [
        ("10.96.0.0/16", ("10.96.0.10",)),
        ("10.96.0.0/16, fd00::/108", ("10.96.0.10", "fd00::a")),
        ("", ()),
        ("nonsense", ()),
        ("10.96.0.0/30", ()),
    ],
)
def test_where_dns_answers(networks, addresses):
    assert desired.dns_addresses(networks) == addresses


@pytest.mark.parametrize("name", ["kube-system", "kube-anything", "default", "flotilla"])
def test_guarded_names(name):
    assert desired.guarded(name)
    assert not desired.guarded("web")


DANGEROUS_VERBS = {"escalate", "bind", "impersonate", "*"}
NEVER_WRITTEN = {
    "namespaces", "namespaces/finalize", "nodes", "nodes/proxy", "persistentvolumes",
    "resourcequotas", "limitranges", "networkpolicies", "rolebindings", "roles", "clusterroles",
    "clusterrolebindings", "endpoints", "endpointslices", "serviceaccounts/token", "pods/proxy",
    "services/proxy", "pods/ephemeralcontainers", "pods/binding", "bindings",
    "customresourcedefinitions",
    "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "apiservices",
    "certificatesigningrequests", "priorityclasses", "storageclasses", "podsecuritypolicies", "*",
}  # fmt: skip


@pytest.mark.parametrize("role", TenantRole.values)
def test_no_role_carries_what_leads_out_of_its_namespace(role):
    (body,) = [m for m in roles.manifests() if m["metadata"]["name"] == roles.role_name(role)]
    assert "aggregationRule" not in body
    for rule in body["rules"]:
        assert "*" not in rule["apiGroups"]
        assert not DANGEROUS_VERBS & set(rule["verbs"])
        if set(rule["verbs"]) - set(roles.READ):
            assert not NEVER_WRITTEN & set(rule["resources"]), rule
        assert "*" not in rule["resources"]
        assert "proxy" not in " ".join(rule["resources"])


def test_viewers_read_no_secrets_and_write_nothing():
    rules = roles.RULES[TenantRole.VIEWER]
    assert all(set(verbs) <= set(roles.READ) for _group, _resources, verbs in rules)
    assert not any("secrets" in resources for _group, resources, _verbs in rules)
    assert set(roles.RULES) == set(TenantRole.values)


@pytest.mark.parametrize(
    ("theirs", "same"),
    [("2", True), ("2000m", True), ("2.0", True), ("2001m", False), ("1", False)],
)
def test_quantities_are_compared_by_what_they_mean(theirs, same):
    def bodies(cpu: str) -> dict[str, dict]:
        spec = full(quota={"requests.cpu": cpu}, limits={"cpu": {"limit": cpu}})
        return {body["kind"] + body["metadata"]["name"]: body for body in manifests(spec)}

    ours, live = bodies("2"), bodies(theirs)
    for name in ("ResourceQuotaflotilla", "LimitRangeflotilla"):
        assert compare.same(live[name], ours[name]) == same
        assert bool(compare.diff(live[name], ours[name])) != same
