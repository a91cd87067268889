"""A cluster's certificates: what, where, whose, until when, and how soon somebody must act."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, Max
from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.models import Cluster, ClusterSecret, Origin
from provisioning import pki
from provisioning.cluster_spec import facts_of
from provisioning.models import Host
from provisioning.models_hosts import ClusterRole

KUBELET_CLIENT = "kubelet-client"


class Level(StrEnum):
    """How soon a certificate ends."""

    OK = "ok"
    SOON = "soon"  # within 30 days
    WEEK = "week"  # within 7 days
    DAY = "day"  # within a day
    EXPIRED = "expired"


LEVELS = (
    (timedelta(0), Level.EXPIRED),
    (timedelta(days=1), Level.DAY),
    (timedelta(days=7), Level.WEEK),
    (timedelta(days=30), Level.SOON),
)
# The badge of each level on pages.
BADGES = {
    Level.OK: "ok",
    Level.SOON: "warning",
    Level.WEEK: "warning",
    Level.DAY: "error",
    Level.EXPIRED: "down",
}


@dataclass(frozen=True)
class CertificateRow:
    """One certificate.

    name: in the console's material, or "hosts/<id>/kubelet-client" of what a
    kubelet got itself; title, place: for people; subject, issuer: RFC 4514;
    seen: when the host was looked at, for what lies there alone; renews_itself:
    the kubelet renews it long before its end.
    """

    name: str
    title: str
    place: str
    subject: str
    issuer: str
    ends: datetime
    level: Level
    authority: bool = False
    renews_itself: bool = False
    seen: datetime | None = None

    @property
    def badge(self) -> str:
        """The status word of its badge."""
        return BADGES[self.level]

    @property
    def word(self) -> str:
        """What its badge says."""
        return {
            Level.OK: _("Valid"),
            Level.SOON: _("Ends within 30 days"),
            Level.WEEK: _("Ends within 7 days"),
            Level.DAY: _("Ends within a day"),
            Level.EXPIRED: _("Expired"),
        }[self.level]

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "place": self.place,
            "subject": self.subject,
            "issuer": self.issuer,
            "ends": self.ends,
            "level": self.level.value,
            "authority": self.authority,
            "renews_itself": self.renews_itself,
            "seen": self.seen,
        }


@dataclass(frozen=True)
class Warning:
    """What a cluster's certificates ask of people: the worst level, how many, and the first end."""

    level: Level
    count: int
    first: datetime

    @property
    def text(self) -> str:
        """One sentence."""
        facts = {"count": self.count, "date": self.first.strftime("%Y-%m-%d %H:%M UTC")}
        return {
            Level.SOON: _("Certificates end within 30 days: %(count)d, the first at %(date)s."),
            Level.WEEK: _("Certificates end within 7 days: %(count)d, the first at %(date)s."),
            Level.DAY: _("Certificates end within a day: %(count)d, the first at %(date)s."),
            Level.EXPIRED: _("Certificates have expired or do so soon: %(count)d, since %(date)s."),
        }[self.level] % facts


def level_of(ends: datetime, now: datetime) -> Level:
    """How soon a certificate ends."""
    return next((level for span, level in LEVELS if ends - now <= span), Level.OK)


def certificates_of(cluster: Cluster, now: datetime | None = None) -> list[CertificateRow]:
    """Every certificate of a cluster, the one that ends first at the top. No key is read."""
    hosts = list(Host.objects.filter(cluster=cluster))
    return _certificates(hosts, _expiries([cluster])[cluster.pk], now or timezone.now())


def _certificates(
    hosts: list[Host], expiries: Iterable[pki.Expiry], now: datetime
) -> list[CertificateRow]:
    names = {host.pk: host.name for host in hosts}
    rows = []
    for expiry in expiries:
        title, place = _title_and_place(expiry.name, names)
        rows.append(
            CertificateRow(
                expiry.name.removesuffix(".crt"),
                title,
                place,
                expiry.subject,
                expiry.issuer,
                expiry.ends,
                level_of(expiry.ends, now),
                expiry.authority,
            )
        )
    rows += _kubelets(hosts, now)
    return sorted(rows, key=lambda row: row.ends)


def warning_of(cluster: Cluster, now: datetime | None = None) -> Warning | None:
    """What is to be said of a cluster's certificates; None while all last longer than 30 days."""
    return _warning(certificates_of(cluster, now))


def _warning(certificates: Iterable[CertificateRow]) -> Warning | None:
    rows = [row for row in certificates if row.level is not Level.OK]
    if not rows:
        return None
    return Warning(rows[0].level, len(rows), rows[0].ends)


def warnings(clusters: Iterable[Cluster]) -> list[tuple[Cluster, Warning]]:
    """The clusters of ours whose certificates end within 30 days, the worst first.

    Two queries for all of them, and one where certificates have changed.
    """
    ours = [cluster for cluster in clusters if cluster.origin == Origin.PROVISIONED]
    hosts: dict[int | None, list[Host]] = {}
    for host in Host.objects.filter(cluster__in=ours):
        hosts.setdefault(host.cluster_id, []).append(host)
    expiries, now = _expiries(ours), timezone.now()
    found = []
    for cluster in ours:
        rows = _certificates(hosts.get(cluster.pk, []), expiries[cluster.pk], now)
        if (warning := _warning(rows)) is not None:
            found.append((cluster, warning))
    return sorted(found, key=lambda pair: pair[1].first)


def _kubelets(hosts: Iterable[Host], now: datetime) -> Iterator[CertificateRow]:
    """What kubelets sign in with, as it was when the host was last looked at.

    A kubelet renews its own when a fifth or so of its time is left: one that was
    seen with more than 30 days to go is not warned of, however long ago that was.
    """
    for host in hosts:
        facts = facts_of(host)
        fact = facts.kubelet_certificate if facts else None
        if fact is None or host.cluster_role == ClusterRole.NONE:
            continue
        ends = datetime.fromtimestamp(fact.ends, UTC)
        long_then = host.facts_at is None or level_of(ends, host.facts_at) is Level.OK
        yield CertificateRow(
            f"hosts/{host.pk}/{KUBELET_CLIENT}",
            KUBELET_CLIENT,
            host.name,
            fact.subject,
            fact.issuer,
            ends,
            Level.OK if long_then else level_of(ends, now),
            renews_itself=long_then,
            seen=host.facts_at,
        )


# Certificates are kept encrypted; what was read of them is good until a row of theirs changes.
NO_STAMP: tuple[int, datetime | None] = (0, None)
_known: dict[int, tuple[tuple[int, datetime | None], list[pki.Expiry]]] = {}


def _expiries(clusters: list[Cluster]) -> dict[int, list[pki.Expiry]]:
    """By cluster: what its certificates say of themselves."""
    rows = ClusterSecret.objects.filter(cluster__in=clusters, name__endswith=".crt")
    counted = rows.order_by().values("cluster_id").annotate(count=Count("pk"), last=Max("updated"))
    stamps = {row["cluster_id"]: (int(row["count"]), row["last"]) for row in counted}
    stale = [
        cluster.pk
        for cluster in clusters
        if _known.get(cluster.pk, (None,))[0] != stamps.get(cluster.pk, NO_STAMP)
    ]
    texts: dict[int, dict[str, str]] = {pk: {} for pk in stale}
    if stale:
        for row in rows.filter(cluster__in=stale):
            texts[row.cluster_id][row.name] = str(row.value)
    for pk, found in texts.items():
        _known[pk] = (stamps.get(pk, NO_STAMP), pki.expiries(found))
    return {cluster.pk: _known[cluster.pk][1] for cluster in clusters}


def _title_and_place(name: str, names: dict[int, str]) -> tuple[str, str]:
    parts = name.removesuffix(".crt").split("/")
    if parts[0] == "hosts" and len(parts) == 3 and parts[1].isdigit():
        return parts[2], names.get(int(parts[1]), _("host %(id)s") % {"id": parts[1]})
    if parts[0] == "ca":
        return _("Authority %(name)s") % {"name": parts[-1]}, _("Console and control plane")
    return "/".join(parts), _("Console")
