"""The only code that opens a connection to an API server."""

from clusters.kube.connection import Connection
from clusters.kube.errors import (
    AccessRefused,
    AddressRefused,
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
from clusters.kube.impersonation import Impersonation
from clusters.kube.listing import Listing, Page
from clusters.kube.pool import connect, disconnect
from clusters.kube.watch import Watch

__all__ = [
    "AccessRefused",
    "AddressRefused",
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
    "Page",
    "ServerNotReady",
    "TooManyRequests",
    "UnexpectedAnswer",
    "Watch",
    "connect",
    "disconnect",
]
