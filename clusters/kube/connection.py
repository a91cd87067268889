"""A connection to one API server: raw JSON in and out, every call with its own time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import orjson

from clusters.kube import faults, library, outbound
from clusters.kube.credentials import Credentials, tls_context
from clusters.kube.errors import KubeError, ServerNotReady, UnexpectedAnswer
from clusters.kube.headers import headers_of
from clusters.kube.impersonation import Impersonation, in_the_name_of
from clusters.kube.listing import PLAIN, Listing, Page, bounded, walk
from clusters.kube.nesting import too_deep
from clusters.kube.watch import Watch

if TYPE_CHECKING:
    import urllib3
    from kubernetes.client import ApiClient

JSON = dict[str, Any]
T = TypeVar("T")

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
# More than any page of 500 objects that a healthy cluster answers.
ANSWER_LIMIT = 64 * 1024 * 1024
# Connections kept for the next call: those of a cluster's lists become its watches.
KEPT = 20
# A line of /metrics with every label of the longest names.
LINE_LIMIT = 64 * 1024

# The name under which the console owns the fields that it sets (Server-Side Apply).
FIELD_MANAGER = "flotilla"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7386
APPLY_PATCH = "application/apply-patch+yaml"


class Connection:
    """One ApiClient of one cluster. Threads may share it."""

    def __init__(self, credentials: Credentials) -> None:
        self.endpoint = credentials.endpoint.rstrip("/")
        self._client = _api_client(credentials)
        # For which request its calls are made; "" for that of the moment.
        self._cause = ""
        self._token = credentials.token

    def close(self) -> None:
        """Close every kept connection; calls that are under way end with an error."""
        self._client.close()

    def get_json(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        timeout: float = READ_SECONDS,
        accept: str = "application/json",
        impersonation: Impersonation | None = None,
    ) -> JSON:
        """GET a path and return the JSON object that it answers.

        timeout limits the whole call in seconds (connecting has its own limit
        of 5 s). Raises KubeError: what happened, why, and what to do.
        """
        return self._shallow(path, self._get(path, params, timeout, accept, impersonation))

    def merge_patch(
        self,
        path: str,
        body: JSON,
        *,
        timeout: float = READ_SECONDS,
        impersonation: Impersonation | None = None,
    ) -> JSON:
        """Change the given fields of an object (JSON merge patch); return the object as it is now.

        A field with None is removed. Raises KubeError; Conflict when the patch
        carries a resourceVersion that is no longer the object's.
        """
        query = {"fieldManager": FIELD_MANAGER}
        return self._send("PATCH", path, query, body, MERGE_PATCH, timeout, impersonation)

    def apply(
        self,
        path: str,
        body: JSON,
        *,
        force: bool = False,
        timeout: float = READ_SECONDS,
        impersonation: Impersonation | None = None,
    ) -> JSON:
        """Create or change an object by server-side apply as the field manager "flotilla".

        path: the object's own; body: it with apiVersion, kind and name, and the
        fields to own. force takes over fields of other managers; without it
        Conflict is raised, whose causes name the manager and the field.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        return self._send("PATCH", path, query, body, APPLY_PATCH, timeout, impersonation)

    def post(
        self,
        path: str,
        body: JSON,
        *,
        timeout: float = READ_SECONDS,
        impersonation: Impersonation | None = None,
    ) -> JSON:
        """Create an object in a collection, or POST to a subresource such as pods/eviction.

        Raises KubeError: Conflict when it exists already, TooManyRequests with
        the causes when an eviction has to wait.
        """
        query = {"fieldManager": FIELD_MANAGER}
        return self._send("POST", path, query, body, "application/json", timeout, impersonation)

    def delete(
        self,
        path: str,
        options: JSON | None = None,
        *,
        timeout: float = READ_SECONDS,
        impersonation: Impersonation | None = None,
    ) -> JSON:
        """Delete an object; options are those of DeleteOptions (gracePeriodSeconds, preconditions).

        Returns the Status, or the object while it is still ending. Raises
        KubeError: NotFound when it is gone already, Conflict when a precondition fails.
        """
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **(options or {})}
        return self._send("DELETE", path, {}, body, "application/json", timeout, impersonation)

    def listing(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        timeout: float = READ_SECONDS,
        accept: str = "application/json",
        impersonation: Impersonation | None = None,
    ) -> Listing:
        """Every object of a collection, page by page; each page has the time limit.

        accept METADATA_ONLY: the objects' metadata alone. Raises KubeError, also
        when all pages take more than four times the limit or 128 MiB: a server
        may always say that there is one more.
        """
        items: list[JSON] = []
        version = ""

        def get(query: Mapping[str, str]) -> bytes:
            return self._get(path, query, timeout, accept, impersonation)

        whole = bounded(get, f"{self.endpoint}{path}", timeout)
        for page in walk(whole, partial(self._shallow, path), _items, params):
            items = page.content if page.first else items + page.content
            version = page.resource_version
        return Listing(items, version)

    def pages(
        self,
        path: str,
        read: Callable[[JSON], T],
        params: Mapping[str, str] | None = None,
        timeout: float = READ_SECONDS,
        accept: str = PLAIN,
    ) -> Iterator[Page[T]]:
        """A list page by page, each turned by read() into what is kept of it; see listing.walk."""

        def get(query: Mapping[str, str]) -> bytes:
            return self._get(path, query, timeout, accept)

        return walk(get, partial(self._object, path), read, params)

    def watch(
        self,
        path: str,
        resource_version: str,
        seconds: int = 240,
        params: Mapping[str, str] | None = None,
        accept: str = PLAIN,
    ) -> Watch:
        """A running watch of a collection after a resource version, ended by the server.

        The server ends it after `seconds`; a server that forgets to is cut off
        soon after. Raises Gone when the version is too old, KubeError otherwise.
        """
        query = {
            **(params or {}),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
        }
        response = self._open(path, query, (CONNECT_SECONDS, seconds + 15.0), accept)
        if response.status != 200:
            raise self._refusal(path, response, READ_SECONDS)
        return Watch(response, f"{self.endpoint}{path}")

    def lines(self, path: str, timeout: float = 30.0, limit: int = ANSWER_LIMIT) -> Iterator[str]:
        """The lines of a text such as /metrics as they come, so that it is never held whole.

        timeout limits the whole answer in seconds, limit its size in bytes.
        Raises KubeError, also for a line of more than 64 KiB.
        """
        limits = (min(CONNECT_SECONDS, timeout), timeout)
        response = self._open(path, {}, limits, "text/plain, */*")  # pods/log: 406 for text alone
        if response.status != 200:
            raise self._refusal(path, response, timeout)
        rest = b""
        for part in self._parts(path, response, timeout, limit):
            *whole, rest = (rest + part).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
            if len(rest) > LINE_LIMIT:
                raise UnexpectedAnswer(f"{self.endpoint}{path} sent a line without an end.")
        if rest:
            yield rest.decode(errors="replace")

    def nodes(self) -> Listing:
        """The cluster's nodes as the API server describes them."""
        return self.listing("/api/v1/nodes")

    def version(self) -> str:
        """The server's version, such as "v1.31.4"."""
        return str(self.get_json("/version", timeout=5.0).get("gitVersion", ""))

    def readyz(self, timeout: float = 5.0) -> None:
        """Return when the server says that it is ready. Raises ServerNotReady or KubeError."""
        try:
            self._get("/readyz", None, timeout, "text/plain")
        except UnexpectedAnswer as error:
            raise ServerNotReady(
                f"{self.endpoint} answers, but says that it is not ready. {error.cause}",
                "Look at etcd and the kube-apiserver's log on its hosts.",
            ) from error

    def _get(
        self,
        path: str,
        params: Mapping[str, str] | None,
        timeout: float,
        accept: str,
        impersonation: Impersonation | None = None,
    ) -> bytes:
        limits = (min(CONNECT_SECONDS, timeout), timeout)
        who, more = in_the_name_of(impersonation)
        response = self._open(path, params or {}, limits, accept, more=more)
        if response.status != 200:
            raise self._refusal(path, response, timeout, who)
        return self._body(path, response, timeout, ANSWER_LIMIT)

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: JSON,
        content_type: str,
        timeout: float,
        impersonation: Impersonation | None,
    ) -> JSON:
        """One call that changes something; it is never repeated behind the caller's back."""
        who, more = in_the_name_of(impersonation)
        headers = [("Content-Type", content_type), *more]
        limits = (min(CONNECT_SECONDS, timeout), timeout)
        response = self._open(path, params, limits, "application/json", method, body, headers)
        if response.status not in (200, 201, 202):
            raise self._refusal(path, response, timeout, who)
        return self._shallow(path, self._body(path, response, timeout, ANSWER_LIMIT))

    def _open(
        self,
        path: str,
        params: Mapping[str, str],
        timeout: tuple[float, float],
        accept: str,
        method: str = "GET",
        body: JSON | None = None,
        more: Iterable[tuple[str, str]] = (),
    ) -> urllib3.HTTPResponse:
        url = f"{self.endpoint}{path}" + (f"?{urlencode(params)}" if params else "")
        headers = headers_of(accept, self._token, self._cause, more)
        with faults.named(self.endpoint):
            answer = self._client.call_api(
                method, url, header_params=headers, body=body, _request_timeout=timeout
            )
        response: urllib3.HTTPResponse = answer.response
        return response

    def _shallow(self, path: str, raw: bytes) -> JSON:
        answer = self._object(path, raw)
        if too_deep(answer):
            raise faults.too_deep(f"{self.endpoint}{path}")
        return answer

    def _object(self, path: str, raw: bytes) -> JSON:
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise UnexpectedAnswer(
                f"{self.endpoint}{path} answered something that is no JSON object.",
                "Check that the endpoint belongs to a Kubernetes API server.",
            )
        return answer

    def _body(self, path: str, response: urllib3.HTTPResponse, timeout: float, limit: int) -> bytes:
        return b"".join(self._parts(path, response, timeout, limit))

    def _parts(
        self, path: str, response: urllib3.HTTPResponse, timeout: float, limit: int
    ) -> Iterator[bytes]:
        """The answer as it comes; the time limit holds even when the server drips it."""
        deadline = time.monotonic() + timeout
        size = 0
        complete = False
        try:
            while True:
                # read1: what has come, without waiting for more, so that the deadline is seen.
                # What is compressed stays compressed: no small answer grows large here.
                with faults.named(self.endpoint):
                    part = response.read1(65536, decode_content=False)
                if not part:
                    break
                size += len(part)
                if size > limit:
                    raise UnexpectedAnswer(
                        f"{self.endpoint}{path} answered more than {limit} bytes.",
                        "Check that the endpoint belongs to a Kubernetes API server.",
                    )
                if time.monotonic() > deadline:
                    raise faults.too_slow(self.endpoint, timeout)
                yield part
            complete = True
        finally:
            # A connection with half an answer in it must not serve the next call.
            response.release_conn() if complete else response.close()

    def _refusal(
        self,
        path: str,
        response: urllib3.HTTPResponse,
        timeout: float,
        who: str = faults.CONSOLE,
    ) -> KubeError:
        """The error of an answer other than success, with the server's own message."""
        try:
            body = self._body(path, response, timeout, 64 * 1024)
        except KubeError as error:
            return error
        refusal = faults.of_status(self.endpoint, path, response.status, body, who)
        # RFC 9110, 10.2.3; the API server's own limits say it in the header alone.
        wait = response.headers.get("Retry-After", "")
        if not refusal.retry_after and wait.isascii() and wait.isdigit() and len(wait) < 5:
            refusal.retry_after = int(wait)
        return refusal


def _items(page: JSON) -> list[JSON]:
    items = page.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _api_client(credentials: Credentials) -> ApiClient:
    library.client()
    import urllib3
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.utils.keepalive import tcp_keepalive_socket_options

    configuration = Configuration(host=credentials.endpoint)
    configuration.proxy = None  # never what the environment says: the endpoint, or nothing
    client = ApiClient(configuration)
    # The library's own pool would read the key from a file on disk, follow redirects
    # and try three times; a peer that vanished is noticed after 10 + 3 x 5 seconds.
    pools = client.rest_client.pool_manager = urllib3.PoolManager(
        maxsize=KEPT,
        ssl_context=tls_context(credentials),
        socket_options=tcp_keepalive_socket_options(idle=10, interval=5, count=3),
        retries=urllib3.Retry(
            connect=0,
            read=0,
            redirect=0,
            status=0,
            other=0,
            raise_on_redirect=False,
            respect_retry_after_header=False,  # it would hide the answer: who calls decides
        ),
    )
    if credentials.outbound is not None:
        pools.pool_classes_by_scheme = outbound.pool_classes(credentials.outbound)
    return client
