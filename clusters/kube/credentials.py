"""What the console shows to a cluster's API server, and the TLS context made of it."""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clusters.kube.errors import CertificateRefused, CredentialsMissing
from clusters.kube.outbound import Outbound
from clusters.models import Cluster, ClusterSecret, Origin
from console.secrets.keyring import SecretError

CA = "ca/kubernetes.crt"
CERTIFICATE = "console/client.crt"
KEY = "console/client.key"
TOKEN = "console/token"  # noqa: S105 (the name of the row, not the token)
NAMES = (CA, CERTIFICATE, KEY, TOKEN)
# Who the console is to the cluster's etcd: it reads the members' state.
ETCD_NAMES = ("ca/etcd.crt", "console/etcd-client.crt", "console/etcd-client.key")


@dataclass(frozen=True)
class Credentials:
    """One API server and how the console signs in to it; key and token never show in a repr.

    Either certificate and key, or a token; the others are empty. An empty ca
    means the authorities that this machine trusts. outbound: the rules for
    addresses of what people imported; None for what the console itself made.
    """

    endpoint: str
    ca: str
    certificate: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    outbound: Outbound | None = None


# Who reads with a limit of their own says first what they waited for.
GRACE_SECONDS = 0.5
# Changes whenever the endpoint or one of the secrets does.
Stamp = tuple[str, tuple[tuple[str, datetime], ...]]


def stamp(cluster: Cluster, names: tuple[str, ...] = NAMES) -> Stamp:
    """What tells whether a connection made earlier still has the cluster's credentials."""
    rows = ClusterSecret.objects.filter(cluster=cluster, name__in=names)
    return cluster.endpoint, tuple(sorted(rows.values_list("name", "updated")))


def credentials_of(cluster: Cluster) -> Credentials:
    """The cluster's credentials, decrypted. Raises CredentialsMissing naming what is not there."""
    found = _opened(cluster, NAMES)
    # A CA of its own has every cluster that the console made; others may have a public one.
    pair = (CA, CERTIFICATE, KEY) if cluster.origin == Origin.PROVISIONED else (CERTIFICATE, KEY)
    missing = [] if TOKEN in found else [name for name in pair if name not in found]
    if not cluster.endpoint:
        missing.insert(0, "endpoint")
    if missing:
        raise CredentialsMissing(
            f"The console has no {', '.join(missing)} for the cluster {cluster.name}.",
            "They appear when its creation has come as far as the control plane."
            if cluster.origin == Origin.PROVISIONED
            else "Replace its credentials.",
        )
    return Credentials(
        cluster.endpoint,
        found.get(CA, ""),
        found.get(CERTIFICATE, ""),
        found.get(KEY, ""),
        found.get(TOKEN, ""),
        Outbound.of_settings() if cluster.origin == Origin.IMPORTED else None,
    )


def etcd_credentials_of(cluster: Cluster) -> Credentials | None:
    """What the console shows to the cluster's etcd; None until its certificate was made."""
    found = _opened(cluster, ETCD_NAMES)
    if len(found) != len(ETCD_NAMES):
        return None
    ca, certificate, key = (found[name] for name in ETCD_NAMES)
    return Credentials(f"etcd of {cluster.name}", ca, certificate, key)


def _opened(cluster: Cluster, names: tuple[str, ...]) -> dict[str, str]:
    """The cluster's secrets of these names. Raises CredentialsMissing when no key opens them."""
    rows = ClusterSecret.objects.filter(cluster=cluster, name__in=names)
    try:
        return {row.name: str(row.value) for row in rows if row.value}
    except SecretError as error:
        raise CredentialsMissing(
            f"The console cannot open its credentials for the cluster {cluster.name}: {error}",
            "Give it the key ring that they were encrypted with, or new credentials.",
        ) from None


class _Limited(ssl.SSLSocket):
    """A time limit holds for all that is read after it was set, and not for each read anew.

    Else a server that sends the head of its answer byte by byte holds a thread for hours.
    """

    _limit: float | None = None
    _ends = 0.0

    def settimeout(self, value: float | None) -> None:
        """Begin a limit of so many seconds; None is without one."""
        self._limit = value
        self._ends = time.monotonic() + (value or 0) + GRACE_SECONDS
        super().settimeout(value)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """As any socket's. Raises TimeoutError when the limit has passed."""
        if self._limit:
            left = self._ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            super().settimeout(min(left, self._limit))
        return super().recv_into(buffer, nbytes, flags)


def tls_context(credentials: Credentials) -> ssl.SSLContext:
    """TLS 1.2 or newer, the cluster's CA alone, and the console's client certificate if it has one.

    Raises CertificateRefused when one of the PEM texts cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Limited
    try:
        if credentials.ca:
            context.load_verify_locations(cadata=credentials.ca)
        else:
            context.load_default_certs()
        if credentials.certificate:
            _load_client_pair(context, credentials)
    except (ssl.SSLError, ValueError) as error:
        raise CertificateRefused(
            f"The console's certificate or key for {credentials.endpoint} cannot be read: "
            f"{getattr(error, 'reason', None) or type(error).__name__}.",
            "Repair the cluster, or replace the credentials of an imported one.",
        ) from None
    return context


def _load_client_pair(context: ssl.SSLContext, credentials: Credentials) -> None:
    # The ssl module reads a key from a file only. A memory file has a name for this
    # process alone and never touches a disk.
    descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "w") as out:
            out.write(credentials.certificate.rstrip() + "\n" + credentials.key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
