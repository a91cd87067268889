"""The only code that opens a connection to an API server."""

from clusters.kube.connection import Connection, Listing
from clusters.kube.errors import (
    AccessRefused,
    CertificateRefused,
    ClusterUnreachable,
    CredentialsMissing,
    Gone,
    KubeError,
    NotFound,
    ServerNotReady,
    UnexpectedAnswer,
)
from clusters.kube.pool import connect, disconnect
from clusters.kube.watch import Watch

__all__ = [
    "AccessRefused",
    "CertificateRefused",
    "ClusterUnreachable",
    "Connection",
    "CredentialsMissing",
    "Gone",
    "KubeError",
    "Listing",
    "NotFound",
    "ServerNotReady",
    "UnexpectedAnswer",
    "Watch",
    "connect",
    "disconnect",
]
