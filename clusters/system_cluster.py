"""The cluster that the console itself runs on, found by itself when it runs in a pod."""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from clusters.given import Entry
from clusters.import_check import identity, printable
from clusters.importing import put_secrets, suggested
from clusters.kube import Connection, KubeError
from clusters.kube.credentials import CA, TOKEN, Credentials
from clusters.kube.given_secrets import certificates_pem, plain_token, token_expiry
from clusters.kube.strict_yaml import Refused
from clusters.models import Cluster, ClusterSecret, ClusterStatus, Origin, dns_label
from console.audit.record import record

logger = logging.getLogger(__name__)

NAME = "system"


def find() -> Cluster | None:
    """Add the cluster around this pod, or take its rotated token over; None outside of a pod.

    The kubelet writes a new token into the mounted file before the old one
    ends (Kubernetes, "Bound service account tokens").
    """
    if not settings.SYSTEM_CLUSTER:
        return None
    entry = mounted()
    if entry is None:
        return None
    cluster = Cluster.objects.filter(origin=Origin.SYSTEM).first()
    if cluster is None:
        return _add(entry)
    _take_over(cluster, entry)
    _remember(cluster)
    return cluster


def namespace() -> str:
    """The namespace of this pod, as Kubernetes mounts it; "" where it says none."""
    try:
        found = (Path(settings.SYSTEM_ACCOUNT_DIR) / "namespace").read_text().strip()
        dns_label(found)
    except (OSError, UnicodeDecodeError, ValidationError):
        return ""
    return found


def mounted() -> Entry | None:
    """What Kubernetes gives every pod: server, CA and token; None when there is none."""
    host, folder = settings.KUBERNETES_SERVICE_HOST, Path(settings.SYSTEM_ACCOUNT_DIR)
    if not host:
        return None
    try:
        token = plain_token((folder / "token").read_text().strip(), "token")
        ca = certificates_pem((folder / "ca.crt").read_text(), "ca.crt")
    except OSError:
        return None  # a pod without its account mounted
    except Refused as refused:
        logger.warning("system cluster: %s in %s", refused, folder)
        return None
    shown = f"[{host}]" if ":" in host else host
    server = f"https://{shown}:{settings.KUBERNETES_SERVICE_PORT}"
    return Entry(server, ca, token=token, expires=token_expiry(token))


def _add(entry: Entry) -> Cluster | None:
    connection = None
    try:
        connection = Connection(Credentials(entry.server, entry.ca, token=entry.token))
        version, uid = connection.version(), identity(connection)
    except KubeError as error:
        logger.warning("system cluster: %s", error)
        return None
    finally:
        if connection is not None:
            connection.close()
    known = Cluster.objects.filter(uid=uid).first()
    if known is not None:
        _remember(known)  # somebody imported it before
        return None
    taken = set(Cluster.objects.values_list("name", flat=True))
    cluster = Cluster(
        name=suggested(NAME, taken),
        origin=Origin.SYSTEM,
        status=ClusterStatus.ACTIVE,
        endpoint=entry.server,
        version=printable(version),
        uid=uid,
        console_namespace=namespace(),
    )
    try:
        with transaction.atomic():
            cluster.save()
            put_secrets(cluster, entry)
            after = {"endpoint": entry.server, "console_namespace": cluster.console_namespace}
            record("cluster.imported", cluster, after={**after, "found": "pod"})
    except IntegrityError:
        return None  # another watcher was faster
    return cluster


def _remember(cluster: Cluster) -> None:
    """In which namespace of the cluster this console runs: operators only look beside it.

    Kept where this pod does not know its namespace: a guard does not go by itself.
    """
    here, before = namespace(), cluster.console_namespace
    if not here or here == before:
        return
    with transaction.atomic():
        Cluster.objects.filter(pk=cluster.pk).update(console_namespace=here)
        cluster.console_namespace = here
        record(
            "cluster.console_found", cluster, before={"console_namespace": before},
            after={"console_namespace": here},
        )  # fmt: skip


def _take_over(cluster: Cluster, entry: Entry) -> None:
    kept = {
        row.name: str(row.value)
        for row in ClusterSecret.objects.filter(cluster=cluster, name__in=(CA, TOKEN))
    }
    if cluster.endpoint != entry.server:
        Cluster.objects.filter(pk=cluster.pk).update(endpoint=entry.server)
    if kept != {CA: entry.ca, TOKEN: entry.token}:
        with transaction.atomic():
            put_secrets(cluster, entry)
