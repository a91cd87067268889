"""From what the HTTP library raises or a server answers to a KubeError that names the mend."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

import orjson
import urllib3.exceptions as http

from clusters.kube import library
from clusters.kube.errors import (
    AccessRefused,
    AddressRefused,
    Cause,
    CertificateRefused,
    ClusterUnreachable,
    Conflict,
    Forbidden,
    Gone,
    KubeError,
    NotFound,
    TooManyRequests,
    UnexpectedAnswer,
)
from clusters.kube.nesting import MOST_LEVELS
from console.outbound import HostUnknown, OutboundRefused

ERRORS = (http.HTTPError, HTTPException, OSError)

CONSOLE = "the console"  # in whose name a call is made when nobody is impersonated
LOOK_AT_HOST = "Check that its hosts are up and that a firewall lets the console reach this port."


@contextmanager
def named(address: str) -> Iterator[None]:
    """Turn what the HTTP library raises inside into a KubeError about this address."""
    library.client()
    from kubernetes.client.exceptions import ApiException

    try:
        yield
    except ApiException as error:
        # The library raises this itself for TLS faults, with the text alone.
        raise _of_tls(address, str(error.reason)) from None
    except HostUnknown as error:
        raise ClusterUnreachable(error.cause, "Check the endpoint.") from None
    except OutboundRefused as error:
        raise AddressRefused(error.cause, error.mend) from None
    except ERRORS as error:
        raise of_exception(address, error) from None


def of_exception(address: str, error: BaseException) -> KubeError:
    """The KubeError of a network, TLS or HTTP protocol exception."""
    cause = innermost(error)
    if isinstance(cause, (ssl.SSLError, http.SSLError)):
        return _of_tls(address, str(cause))
    if isinstance(cause, (http.NameResolutionError, socket.gaierror)):
        return ClusterUnreachable(
            f"The name in {address} is not known to the console's DNS.", "Check the endpoint."
        )
    if isinstance(cause, (http.TimeoutError, TimeoutError)):
        return ClusterUnreachable(f"{address} did not answer in time.", LOOK_AT_HOST)
    if isinstance(cause, ConnectionRefusedError):
        return ClusterUnreachable(
            f"{address} refuses connections: no API server listens there.",
            "Check kube-apiserver on its hosts: systemctl status kube-apiserver.",
        )
    if isinstance(cause, OSError) and cause.strerror:
        return ClusterUnreachable(f"{address}: {cause.strerror}.", LOOK_AT_HOST)
    return ClusterUnreachable(f"The connection to {address} was cut.", LOOK_AT_HOST)


def too_deep(where: str) -> UnexpectedAnswer:
    """The KubeError of an answer that is nested deeper than anything that is read here."""
    return UnexpectedAnswer(
        f"{where} answered something that is nested more than {MOST_LEVELS} levels deep.",
        "Look at it with kubectl.",
    )


def too_slow(address: str, seconds: float) -> ClusterUnreachable:
    """The answer began and did not end within the time limit."""
    return ClusterUnreachable(
        f"{address} did not finish its answer within {seconds:g} s.", LOOK_AT_HOST
    )


def of_status(address: str, path: str, status: int, body: bytes, who: str = CONSOLE) -> KubeError:
    """The KubeError of an HTTP status other than success; who: in whose name the call was made."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    told: dict[str, Any] = answer if isinstance(answer, dict) else {}
    message = told.get("message")
    said = f" It says: {_line(message)}" if message else ""
    error = _of_number(f"{address}{path}", status, said, who)
    error.status = status
    details = told.get("details")
    if isinstance(details, dict):
        causes = details.get("causes")
        error.causes = tuple(
            Cause(*(_line(cause.get(part)) for part in ("reason", "message", "field")))
            for cause in (causes if isinstance(causes, list) else [])[:20]
            if isinstance(cause, dict)
        )
        wait = details.get("retryAfterSeconds")
        error.retry_after = wait if type(wait) is int and 0 < wait < 3600 else 0
    return error


def _of_number(where: str, status: int, said: str, who: str) -> KubeError:
    if status in (401, 403):
        kind = Forbidden if status == 403 else AccessRefused
        rights = (
            "Check the date of the console's certificate or token, and its rights there (of a "
            "cluster made here: those of the group flotilla:admins)."
        )
        if who != CONSOLE:
            rights = "Check the roles that are bound to this user and its groups."
        return kind(f"{where} refuses {who} ({status}).{said}", rights)
    if 300 <= status < 400:
        return UnexpectedAnswer(
            f"{where} answered with a redirect ({status}), which is not followed.",
            "Give the address of the API server itself as the endpoint.",
        )
    meaning, happened, mend = _MEANINGS.get(status, (UnexpectedAnswer, f"answered {status}", ""))
    return meaning(f"{where} {happened}.{said}", mend)


_MEANINGS: dict[int, tuple[type[KubeError], str, str]] = {
    404: (NotFound, "does not exist", ""),
    409: (
        Conflict,
        "is in conflict with what is there (409)",
        "Read the object again: it exists already, or somebody else changed it.",
    ),
    410: (Gone, "no longer has that version", "List again."),
    429: (TooManyRequests, "cannot do this now (429)", "Try again later."),
}


def of_status_object(address: str, status: Mapping[str, Any]) -> KubeError:
    """The KubeError of the Status object that ends a watch."""
    code = status.get("code")
    message = _line(status.get("message"))
    if code == 410 or status.get("reason") in ("Expired", "Gone"):
        return Gone(f"{address} no longer has that version. {message}", "List again.")
    return UnexpectedAnswer(f"{address} ended the watch ({code}): {message}")


def _of_tls(address: str, text: str) -> ClusterUnreachable:
    lower = text.lower()
    if "alert" in lower:
        return CertificateRefused(
            f"{address} refuses the console's client certificate.",
            "Repair the cluster, or replace the credentials of an imported one, and check the "
            "clocks of console and hosts.",
        )
    if "eof occurred" in lower:
        # Also a load balancer whose servers are all away for the moment.
        return ClusterUnreachable(
            f"{address} cut the connection during the TLS handshake.",
            "Check that an API server listens there, and the console's certificate.",
        )
    if "certificate verify failed" in lower:
        why = text.partition("certificate verify failed:")[2].partition("(_ssl")[0].strip()
        return CertificateRefused(
            f"The certificate of {address} is not trusted: {_line(why) or 'unknown reason'}.",
            "Somebody else may answer at this address, or the cluster has a new CA.",
        )
    return CertificateRefused(
        f"{address} does not speak TLS as an API server does.", "Check address and port."
    )


def innermost(error: BaseException) -> BaseException:
    """What lies under the library's wrappers."""
    while True:
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in error.args if isinstance(a, BaseException)), None)
        if inner is None:
            # urllib3 keeps the cause of a refused connection only as the context.
            context = error.__cause__ or error.__context__
            known = (http.HTTPError, OSError)
            if type(error) is http.NewConnectionError and isinstance(context, known):
                inner = context
            else:
                return error
        error = inner


def _line(text: object) -> str:
    """One printable line of at most 200 characters of what a server sent."""
    words = "".join(c if c.isprintable() else " " for c in str(text or ""))
    return " ".join(words.split())[:200]
