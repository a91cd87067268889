"""Addresses of objects' pages, and links to them. Names come from clusters: they are escaped."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils.html import conditional_escape, format_html, format_html_join, strip_tags
from django.utils.safestring import SafeString

from clusters.inventory.kinds import KINDS
from clusters.models import Object

# Behind a hyphen or a dot; not at the end, nor in a short name, which stays whole.
_JOINT = re.compile(r"(?<=.{6}[-.])(?=.{3})")
RESOURCES = {kind.kind: kind.resource for kind in KINDS}
CLUSTER_WIDE = frozenset(kind.resource for kind in KINDS if not kind.namespaced)


def object_address(cluster: int, resource: str, namespace: str, name: str) -> str:
    """The page of an object; "" where its name is none that Kubernetes would take."""
    try:
        return reverse("clusters:object", args=[cluster, resource, namespace or "-", name])
    except NoReverseMatch:
        return ""


def object_url(row: Object) -> str:
    """The page of an object that is in the inventory."""
    return object_address(row.cluster_id, row.resource, row.namespace, row.name)


def kind_address(cluster: int, kind: str, namespace: str, name: str) -> str:
    """The page of an object that others name by its kind; "" for a kind that is not watched."""
    resource = RESOURCES.get(kind, "")
    if not resource or not name:
        return ""
    return object_address(cluster, resource, "" if resource in CLUSTER_WIDE else namespace, name)


def link(href: str, text: str, css: str = "") -> SafeString:
    """A link, or the text alone where there is no address."""
    if not href:
        return SafeString(conditional_escape(text))
    return format_html('<a href="{}" class="{}">{}</a>', href, css or "fl-name", text)


def unlinked(content: str) -> SafeString:
    """Safe text without its links and other tags: what was escaped in it stays so."""
    return SafeString(strip_tags(conditional_escape(content)))


def breakable(name: str) -> SafeString:
    """A name that may go on in the next line behind its hyphens and dots, and nowhere else."""
    return format_html_join(SafeString("<wbr>"), "{}", ((part,) for part in _JOINT.split(name)))


def owner_link(row: Object) -> SafeString:
    """The controller of an object: "ReplicaSet web-5d4c"; nothing where it has none."""
    if not row.owner_name:
        return SafeString("")
    href = kind_address(row.cluster_id, row.owner_kind, row.namespace, row.owner_name)
    return format_html(
        '<span class="fl-kind">{}</span> {}', row.owner_kind, link(href, row.owner_name)
    )


def tab_address(cluster: int, tab: str, **query: str) -> str:
    """A tab of a cluster's page, with filters."""
    address = reverse("clusters:tab", args=[cluster, tab])
    return f"{address}?{urlencode(query)}" if query else address
