"""What the console needs to be allowed in a cluster, and what each right is needed for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from clusters.inventory.kinds import EVENTS, KINDS

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Right:
    """One verb on one resource; subresource is "proxy" of nodes/proxy."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource}" + (f"/{self.subresource}" if self.subresource else "")


@dataclass(frozen=True)
class Need:
    """Rights that serve one purpose. exchange: needed only to make a service account."""

    id: str
    purpose: Any
    without: Any
    rights: tuple[Right, ...]
    exchange: bool = False


def _read(group: str, resource: str) -> tuple[Right, ...]:
    return tuple(Right(verb, group, resource) for verb in ("list", "watch"))


def _apply(group: str, resource: str, namespace: str = "") -> tuple[Right, ...]:
    """Server-side apply is a patch, and a create where there is nothing yet."""
    verbs = ("create", "patch")
    return tuple(Right(verb, group, resource, namespace=namespace) for verb in verbs)


INVENTORY = tuple(right for kind in (*KINDS, EVENTS) for right in _read(kind.group, kind.plural))
NEEDS = (
    Need(
        "inventory",
        _("Show nodes, workloads, network, storage and events"),
        _("What may not be read is missing from lists and search."),
        INVENTORY,
    ),
    Need(
        "impersonate",
        _("Act in the name of the person who clicks"),
        _("Nobody can change anything in the cluster from here, or open logs and terminals."),
        (Right("impersonate", "", "users"), Right("impersonate", "", "groups")),
    ),
    Need(
        "roles",
        _("Give the roles of this console their rights in the cluster"),
        _("People have only the rights that the cluster's own administrators give them."),
        (
            Right("create", RBAC, "clusterroles"),
            Right("update", RBAC, "clusterroles"),
            Right("create", RBAC, "clusterrolebindings"),
            Right("escalate", RBAC, "clusterroles"),
        ),
    ),
    Need(
        "tenancy",
        _("Make namespaces for tenants, with quota and isolation"),
        _("The cluster cannot be given to tenants."),
        (
            *_apply("", "namespaces"),
            Right("delete", "", "namespaces"),
            *_apply("", "resourcequotas"),
            *_apply("", "limitranges"),
            *_apply("networking.k8s.io", "networkpolicies"),
            *_apply(RBAC, "rolebindings"),
            Right("bind", RBAC, "clusterroles"),
        ),
    ),
    Need(
        "metrics",
        _("Read figures from the kubelets where there is no metrics-server"),
        _("Charts need the metrics-server then."),
        (Right("get", "", "nodes", "proxy"),),
    ),
    Need(
        "custom",
        _("Show custom resources that somebody asks for"),
        _("Custom resources cannot be looked at."),
        _read("apiextensions.k8s.io", "customresourcedefinitions"),
    ),
    Need(
        "exchange",
        _("Make a service account of its own instead of keeping what was given"),
        _("The credentials that were given have to be kept."),
        (
            *_apply("", "namespaces"),
            *_apply("", "serviceaccounts", "flotilla"),
            *_apply("", "secrets", "flotilla"),
            Right("get", "", "secrets", namespace="flotilla"),
            *_apply(RBAC, "clusterroles"),
            *_apply(RBAC, "clusterrolebindings"),
            Right("bind", RBAC, "clusterroles"),
            Right("escalate", RBAC, "clusterroles"),
        ),
        exchange=True,
    ),
)
BY_ID = {need.id: need for need in NEEDS}
