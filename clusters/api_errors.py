"""A cluster's refusal as an answer of the console's API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework import exceptions, status

from clusters.kube import (
    AccessRefused,
    ClusterUnreachable,
    Conflict,
    CredentialsMissing,
    Forbidden,
    KubeError,
    NotFound,
    ServerNotReady,
    TooManyRequests,
)
from clusters.manifest_text import Refused
from clusters.operate import NotAllowed, NotPossible

# The most particular class first.
_STATUS: tuple[tuple[type[KubeError], int], ...] = (
    (NotAllowed, status.HTTP_403_FORBIDDEN),
    (NotPossible, status.HTTP_409_CONFLICT),
    (CredentialsMissing, status.HTTP_409_CONFLICT),
    (Forbidden, status.HTTP_403_FORBIDDEN),
    (AccessRefused, status.HTTP_502_BAD_GATEWAY),
    (NotFound, status.HTTP_404_NOT_FOUND),
    (Conflict, status.HTTP_409_CONFLICT),
    (TooManyRequests, status.HTTP_429_TOO_MANY_REQUESTS),
    (ServerNotReady, status.HTTP_503_SERVICE_UNAVAILABLE),
    (ClusterUnreachable, status.HTTP_503_SERVICE_UNAVAILABLE),
)


class ClusterRefused(exceptions.APIException):
    """What the cluster said, with the HTTP status that fits."""

    def __init__(self, error: KubeError) -> None:
        super().__init__(str(error))
        self.status_code = status_of(error)


def status_of(error: KubeError) -> int:
    """The HTTP status of the console's answer."""
    for kind, code in _STATUS:
        if isinstance(error, kind):
            return code
    # 400 and 422: what was sent is no good; everything else is the cluster's own trouble.
    return error.status if error.status in (400, 422) else status.HTTP_502_BAD_GATEWAY


@contextmanager
def answered(field: str = "yaml") -> Iterator[None]:
    """Turn a KubeError inside into ClusterRefused, and a text that cannot be used into its field's
    errors.
    """
    try:
        yield
    except Refused as refused:
        raise exceptions.ValidationError({field: [str(p) for p in refused.problems]}) from refused
    except KubeError as error:
        raise ClusterRefused(error) from error
