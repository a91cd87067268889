"""Kubeconfigs for people: a client certificate of a few hours that carries the person's name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import yaml
from cryptography import x509
from django.http import HttpRequest
from django.utils.translation import gettext as _

from clusters.models import Cluster, ClusterSecret, Origin
from console.accounts.models import User
from console.audit.record import record
from provisioning import pki
from provisioning.operations import Refused
from provisioning.steps.base import Problem
from provisioning.steps.objects import ADMIN_GROUP

DEFAULT_HOURS = 8
LEAST_HOURS = 1
MOST_HOURS = 7 * 24
_CA = ("ca/kubernetes.crt", "ca/kubernetes.key")


@dataclass(frozen=True)
class Issued:
    """A kubeconfig as text, its file name and the end of its certificate."""

    text: str
    filename: str
    expires: datetime

    def as_data(self) -> dict[str, object]:
        """The kubeconfig as an object, for JSON."""
        data: dict[str, object] = yaml.safe_load(self.text)
        return data


def issue(
    cluster: Cluster, user: User, hours: int = DEFAULT_HOURS, http: HttpRequest | None = None
) -> Issued:
    """A kubeconfig for this person, named after them, and the audit event that says so.

    Raises Refused when the hours are out of range or the cluster has no
    authority that the console could sign with.
    """
    if not LEAST_HOURS <= hours <= MOST_HOURS:
        raise Refused(
            [
                Problem(
                    "hours",
                    _("%(hours)d hours are not possible.") % {"hours": hours},
                    _("Choose from %(least)d to %(most)d hours.")
                    % {"least": LEAST_HOURS, "most": MOST_HOURS},
                    field="hours",
                )
            ]
        )
    authority = _authority(cluster)
    pair = pki.client_certificate(authority, user.get_username(), [ADMIN_GROUP], hours=hours)
    context = pki.kubeconfig(
        cluster.endpoint,
        authority.certificate,
        cluster=cluster.name,
        user=f"{user.get_username()}@{cluster.name}",
        pair=pair,
    )
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    expires = certificate.not_valid_after_utc
    record(
        "cluster.kubeconfig_issued",
        cluster,
        request=http,
        actor=user,
        after={
            "user": user.get_username(),
            "group": ADMIN_GROUP,
            "expires": expires,
            "serial": f"{certificate.serial_number:x}",
        },
    )
    text = yaml.safe_dump(json.loads(context), sort_keys=False)
    return Issued(text, f"{cluster.name}.kubeconfig.yaml", expires)


def has_authority(cluster: Cluster) -> bool:
    """Whether the console can sign for this cluster."""
    mine = cluster.origin == Origin.PROVISIONED and bool(cluster.endpoint)
    return mine and ClusterSecret.objects.filter(cluster=cluster, name__in=_CA).count() == len(_CA)


def _authority(cluster: Cluster) -> pki.Pair:
    if not has_authority(cluster):
        raise Refused(
            [
                Problem(
                    "no_authority",
                    _("The console has no certificate authority of %(cluster)s.")
                    % {"cluster": cluster.name},
                    _("It is made when the creation comes to the certificates."),
                )
            ]
        )
    rows = {
        row.name: row.value for row in ClusterSecret.objects.filter(cluster=cluster, name__in=_CA)
    }
    return pki.Pair(rows[_CA[0]], rows[_CA[1]])
