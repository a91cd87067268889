"""What stands in a cell of a list of objects. Everything that a cluster sent is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from clusters.kube.metrics_api import Use
from clusters.links import (
    breakable,
    kind_address,
    link,
    object_address,
    object_url,
    owner_link,
    tab_address,
)
from clusters.models import Health, Object
from clusters.words import cause_text
from console.ui.quantities import bytes_text, cpus_text
from console.ui.templatetags.ui import ago, icon

NOTHING = SafeString("–")
# Tone and icon of each health; the word beside it is the status of Kubernetes.
LOOKS = {
    Health.GOOD.value: ("good", "circle-check", ""),
    Health.MOVING.value: ("busy", "loader-2", "fl-spin"),
    Health.WARN.value: ("warn", "alert-triangle", ""),
    Health.BAD.value: ("bad", "circle-x", ""),
    Health.NONE.value: ("idle", "circle-minus", ""),
}


def health_badge(status: str, health: str, reason: str = "") -> SafeString:
    """A status of Kubernetes as word, icon and colour, the reason on hover."""
    tone, name, extra = LOOKS.get(health, LOOKS[""])
    word = status or str(dict(Health.choices).get(health, ""))
    return format_html(
        '<span class="fl-status fl-{}" title="{}">{}<span>{}</span></span>',
        tone,
        reason,
        icon(name, extra),
        word,
    )


def name(row: Object) -> SafeString:
    """The name, leading to the object's page."""
    return link(object_url(row), row.name, "fw-medium fl-wrap")


def kind(row: Object) -> str:
    """Deployment, StatefulSet…"""
    return row.kind


def namespace(row: Object) -> SafeString:
    """The namespace, leading to its page; a dash for what is in none."""
    if not row.namespace:
        return NOTHING
    return link(object_address(row.cluster_id, "namespaces", "", row.namespace), row.namespace)


def status(row: Object) -> SafeString:
    """The status, and below it why it is not well."""
    if not row.status and not row.health:
        return NOTHING
    reason = cause_text(row)
    badge = health_badge(row.status, row.health)
    if not reason:
        return badge
    return format_html(
        '<span>{}<span class="d-block small fl-cause fl-cause-{}">{}</span></span>',
        badge,
        LOOKS.get(row.health, LOOKS[""])[0],
        reason[:300],
    )


def ready(row: Object) -> str:
    """2/3 containers, 3/5 replicas, 1/1 completions, or a schedule."""
    if row.resource == "pods":
        pair = row.summary.get("ready")
        return f"{pair[0]}/{pair[1]}" if isinstance(pair, list) and len(pair) == 2 else NOTHING
    if row.resource == "jobs.batch":
        return f"{figure(row, 'succeeded') or 0}/{figure(row, 'completions') or 1}"
    if row.resource == "cronjobs.batch":
        return str(row.summary.get("schedule") or NOTHING)
    return f"{figure(row, 'ready') or 0}/{figure(row, 'desired') or 0}"


def restarts(row: Object) -> SafeString:
    """How often containers started again, and when last."""
    count = figure(row, "restarts") or 0
    last = moment(row.summary.get("last_restart"))
    if not count or last is None:
        return format_html("{}", count)
    return format_html(
        '{} <span class="text-secondary small fl-nowrap">{}</span>', count, ago(last)
    )


def node(row: Object) -> SafeString:
    """The node, leading to its page."""
    if not row.node:
        return NOTHING
    return link(object_address(row.cluster_id, "nodes", "", row.node), breakable(row.node))


def owner(row: Object) -> SafeString:
    """The controller, leading to its page."""
    return owner_link(row) or NOTHING


def address(row: Object) -> SafeString:
    """The IP address."""
    return format_html("<code>{}</code>", row.address) if row.address else NOTHING


def images(row: Object) -> SafeString:
    """The images, one below the other."""
    names = row.images.split()
    if not names:
        return NOTHING
    parts = format_html_join(
        "", '<code class="d-block fl-wrap">{}</code>', ((n,) for n in names[:4])
    )
    return parts if len(names) <= 4 else format_html("{}+{}", parts, len(names) - 4)


def cpu(row: Object) -> str:
    """What the pod asks for, and its limit."""
    return _pair(row, "cpu", cpus_text)


def memory(row: Object) -> str:
    """What the pod asks for, and its limit."""
    return _pair(row, "memory", bytes_text)


def used_cpu(row: Object, use: Use | None) -> SafeString:
    """What the pod uses, of its limit or else of what it asks for."""
    return _used(row, "cpu", use.cpu if use else None, _("CPU used"))


def used_memory(row: Object, use: Use | None) -> SafeString:
    """What the pod uses, of its limit or else of what it asks for."""
    return _used(row, "memory", use.memory if use else None, _("Memory used"))


def qos(row: Object) -> str:
    """Guaranteed, Burstable or BestEffort."""
    return texts(row, "qos")


def labels(row: Object) -> SafeString:
    """The labels, each leading to the list of what has it too."""
    pairs = list(row.labels.items())[:6] if isinstance(row.labels, Mapping) else []
    return format_html_join(" ", '<code class="fl-label-chip">{}={}</code>', pairs) or NOTHING


def created(row: Object) -> str:
    """How old it is."""
    return ago(row.created)


def network_type(row: Object) -> str:
    """The type of a service, the class of an ingress."""
    return texts(row, "type") if row.resource == "services" else texts(row, "class")


def network_addresses(row: Object) -> SafeString:
    """Where it is reached: inside and outside."""
    found = [*words(row, "cluster_ips"), *words(row, "external"), *words(row, "addresses")]
    found = [one for one in found if one and one != "None"]
    if "None" in words(row, "cluster_ips") and not found:
        return SafeString(_("headless"))
    return (
        format_html_join("", '<code class="d-block">{}</code>', ((a,) for a in found[:4]))
        or NOTHING
    )


def network_ports(row: Object) -> SafeString:
    """The ports of a service, the hosts of an ingress."""
    found = words(row, "ports") or words(row, "hosts")
    lines = format_html_join("", '<span class="d-block">{}</span>', ((p,) for p in found[:5]))
    return lines or NOTHING


def capacity(row: Object) -> str:
    """How large a volume is, or how large it is wanted; who makes volumes of a class."""
    if row.resource == "storageclasses.storage.k8s.io":
        return texts(row, "provisioner")
    return texts(row, "capacity") if row.summary.get("capacity") else texts(row, "requested")


def storage_class(row: Object) -> SafeString:
    """The class, leading to its page; of a class itself: whether it is the default."""
    if row.resource == "storageclasses.storage.k8s.io":
        return SafeString(_("default class")) if row.summary.get("default") else NOTHING
    wanted = row.summary.get("class")
    if not isinstance(wanted, str) or not wanted:
        return NOTHING
    return link(kind_address(row.cluster_id, "StorageClass", "", wanted), wanted)


def bound(row: Object) -> SafeString:
    """The volume of a claim, the claim of a volume."""
    volume, claim = row.summary.get("volume"), row.summary.get("claim")
    if isinstance(volume, str) and volume:
        return link(kind_address(row.cluster_id, "PersistentVolume", "", volume), volume)
    if isinstance(claim, str) and claim:
        place, _slash, claimed = claim.rpartition("/")
        kind_name = "PersistentVolumeClaim"
        return link(kind_address(row.cluster_id, kind_name, place, claimed or claim), claim)
    return NOTHING


def modes(row: Object) -> str:
    """ReadWriteOnce and the like."""
    return ", ".join(words(row, "modes")) or NOTHING


def secret_type(row: Object) -> str:
    """The type of a secret; a config map has none."""
    return texts(row, "type")


def pods_of_namespace(row: Object) -> SafeString:
    """A way to the namespace's pods."""
    return link(tab_address(row.cluster_id, "pods", namespace=row.name), _("Pods"), "fl-nowrap")


def figure(row: Object, key: str) -> int | float | None:
    """A number of the summary; None for anything else."""
    value = row.summary.get(key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def texts(row: Object, key: str) -> str:
    """A text of the summary, or a dash."""
    value = row.summary.get(key)
    return value if isinstance(value, str) and value else NOTHING


def words(row: Object, key: str) -> list[str]:
    """A list of texts of the summary; what is none is left out."""
    value = row.summary.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def moment(value: object) -> Any:
    """A time of a summary (ISO 8601) as datetime; None for anything else."""
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else None


def _pair(row: Object, what: str, worded: Any) -> str:
    request, limit = figure(row, f"{what}_request"), figure(row, f"{what}_limit")
    if request is None and limit is None:
        return NOTHING
    low = worded(request) if request is not None else "–"
    return f"{low} / {worded(limit) if limit is not None else '∞'}"


def _used(row: Object, what: str, used: float | None, label: str) -> SafeString:
    if used is None:
        return NOTHING
    most = figure(row, f"{what}_limit") or figure(row, f"{what}_request")
    bar = {"used": used, "most": most, "what": what, "label": f"{row.name}: {label}"}
    return render_to_string("clusters/metrics/usage_bar.html", bar)
