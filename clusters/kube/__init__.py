"""The only code that opens a connection to an API server."""

from clusters.kube.connection import Connection, Impersonation, Listing
from clusters.kube.errors import (
    AccessRefused,
    CertificateRefused,
    ClusterUnreachable,
    Conflict,
    CredentialsMissing,
    Forbidden,
    Gone,
    KubeError,
    NotFound,
    ServerNotReady,
    TooManyRequests,
    UnexpectedAnswer,
)
from clusters.kube.pool import connect, disconnect
from clusters.kube.watch import Watch

__all__ = [
    "AccessRefused",
    "CertificateRefused",
    "ClusterUnreachable",
    "Conflict",
    "Connection",
    "CredentialsMissing",
    "Forbidden",
    "Gone",
    "Impersonation",
    "KubeError",
    "Listing",
    "NotFound",
    "ServerNotReady",
    "TooManyRequests",
    "UnexpectedAnswer",
    "Watch",
    "connect",
    "disconnect",
]
