"""What can go wrong between the console and an API server: what, why, and what to do."""

from __future__ import annotations

from typing import NamedTuple


class Cause(NamedTuple):
    """One cause of a Status, each part one line: "DisruptionBudget", "FieldManagerConflict"."""

    reason: str
    message: str
    field: str = ""


class KubeError(Exception):
    """A call to an API server failed.

    cause: one sentence that names the server and what happened; mend: what a
    person can do about it. Neither ever holds a credential or more than a
    line of what the server answered.

    status: the HTTP status, 0 when there was no answer. causes: those of the
    answer's Status, at most 20. retry_after: seconds that the server asks to
    wait, 0 when it does not.
    """

    status: int = 0
    causes: tuple[Cause, ...] = ()
    retry_after: int = 0

    def __init__(self, cause: str, mend: str = "") -> None:
        super().__init__(f"{cause} {mend}".strip())
        self.cause = cause
        self.mend = mend


class CredentialsMissing(KubeError):
    """The console has no endpoint or no client certificate for this cluster (yet)."""


class ClusterUnreachable(KubeError):
    """No connection, no answer in time, or a connection that was cut."""


class AddressRefused(ClusterUnreachable):
    """The endpoint has an address to which the console does not connect (console.outbound)."""


class CertificateRefused(ClusterUnreachable):
    """One side does not accept the certificate of the other."""


class AccessRefused(KubeError):
    """The API server knows the console and refuses (401 or 403)."""


class Forbidden(AccessRefused):
    """The API server knows who asks and does not allow it (403)."""


class NotFound(KubeError):
    """The API server has no such thing (404)."""


class Conflict(KubeError):
    """It is there already, changed meanwhile, or a field belongs to another manager (409)."""


class Gone(KubeError):
    """The resource version is too old (410): list again."""


class ServerNotReady(KubeError):
    """The API server answers, and says of itself that it is not ready."""


class UnexpectedAnswer(KubeError):
    """Any other answer: an error of the server, a redirect, no JSON, too much of it."""


class TooManyRequests(UnexpectedAnswer):
    """Not now (429): a PodDisruptionBudget forbids it, or the server has too much to do."""
