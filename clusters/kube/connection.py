"""A connection to one API server: raw JSON in and out, every call with its own time limit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from clusters.kube import faults
from clusters.kube.credentials import Credentials, tls_context
from clusters.kube.errors import Gone, KubeError, ServerNotReady, UnexpectedAnswer
from clusters.kube.watch import Watch

if TYPE_CHECKING:
    import urllib3
    from kubernetes.client import ApiClient

JSON = dict[str, Any]

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
# More than any page of 500 objects that a healthy cluster answers.
ANSWER_LIMIT = 64 * 1024 * 1024
PAGE = 500


@dataclass(frozen=True)
class Listing:
    """All objects of a collection, and the version from which a watch goes on."""

    items: list[JSON]
    resource_version: str


class Connection:
    """One ApiClient of one cluster. Threads may share it."""

    def __init__(self, credentials: Credentials) -> None:
        self.endpoint = credentials.endpoint.rstrip("/")
        self._client = _api_client(credentials)

    def close(self) -> None:
        """Close every kept connection; calls that are under way end with an error."""
        self._client.close()

    def get_json(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        timeout: float = READ_SECONDS,
    ) -> JSON:
        """GET a path and return the JSON object that it answers.

        timeout limits the whole call in seconds (connecting has its own limit
        of 5 s). Raises KubeError: what happened, why, and what to do.
        """
        raw = self._get(path, params, timeout, "application/json")
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

    def listing(
        self, path: str, params: Mapping[str, str] | None = None, timeout: float = READ_SECONDS
    ) -> Listing:
        """Every object of a collection, page by page; each page has the time limit."""
        query = {**(params or {}), "limit": str(PAGE)}
        items: list[JSON] = []
        while True:
            try:
                page = self.get_json(path, query, timeout)
            except Gone:
                # The pages went stale while they were read: once more, from the start.
                if "continue" not in query:
                    raise
                items, query = [], {k: v for k, v in query.items() if k != "continue"}
                continue
            metadata = page.get("metadata") or {}
            items.extend(item for item in page.get("items") or [] if isinstance(item, dict))
            if not metadata.get("continue"):
                return Listing(items, str(metadata.get("resourceVersion", "")))
            query["continue"] = str(metadata["continue"])

    def watch(
        self,
        path: str,
        resource_version: str,
        seconds: int = 240,
        params: Mapping[str, str] | None = None,
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
        response = self._open(path, query, (CONNECT_SECONDS, seconds + 15.0), "application/json")
        if response.status != 200:
            raise self._refusal(path, response, READ_SECONDS)
        return Watch(response, f"{self.endpoint}{path}")

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
        self, path: str, params: Mapping[str, str] | None, timeout: float, accept: str
    ) -> bytes:
        limits = (min(CONNECT_SECONDS, timeout), timeout)
        response = self._open(path, params or {}, limits, accept)
        if response.status != 200:
            raise self._refusal(path, response, timeout)
        return self._body(path, response, timeout, ANSWER_LIMIT)

    def _open(
        self,
        path: str,
        params: Mapping[str, str],
        timeout: tuple[float, float],
        accept: str,
    ) -> urllib3.HTTPResponse:
        url = f"{self.endpoint}{path}" + (f"?{urlencode(params)}" if params else "")
        headers = {"Accept": accept, "User-Agent": "flotilla"}
        with faults.named(self.endpoint):
            answer = self._client.call_api(
                "GET", url, header_params=headers, _request_timeout=timeout
            )
        response: urllib3.HTTPResponse = answer.response
        return response

    def _body(self, path: str, response: urllib3.HTTPResponse, timeout: float, limit: int) -> bytes:
        """The whole answer; the time limit holds even when the server drips it."""
        deadline = time.monotonic() + timeout
        parts: list[bytes] = []
        size = 0
        complete = False
        try:
            with faults.named(self.endpoint):
                # read1: what has come, without waiting for more, so that the deadline is seen.
                # What is compressed stays compressed: no small answer grows large here.
                while part := response.read1(65536, decode_content=False):
                    parts.append(part)
                    size += len(part)
                    if size > limit:
                        raise UnexpectedAnswer(
                            f"{self.endpoint}{path} answered more than {limit} bytes.",
                            "Check that the endpoint belongs to a Kubernetes API server.",
                        )
                    if time.monotonic() > deadline:
                        raise faults.too_slow(self.endpoint, timeout)
            complete = True
        finally:
            # A connection with half an answer in it must not serve the next call.
            response.release_conn() if complete else response.close()
        return b"".join(parts)

    def _refusal(self, path: str, response: urllib3.HTTPResponse, timeout: float) -> KubeError:
        """The error of an answer other than 200, with the server's own message."""
        try:
            body = self._body(path, response, timeout, 64 * 1024)
        except KubeError as error:
            return error
        return faults.of_status(self.endpoint, path, response.status, body)


def _api_client(credentials: Credentials) -> ApiClient:
    # Imported here: 35 MiB that only the processes which talk to clusters should carry.
    import urllib3
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.utils.keepalive import tcp_keepalive_socket_options

    configuration = Configuration(host=credentials.endpoint)
    configuration.proxy = None  # never what the environment says: the endpoint, or nothing
    client = ApiClient(configuration)
    # The library's own pool would read the key from a file on disk, follow redirects
    # and try three times; a peer that vanished is noticed after 10 + 3 x 5 seconds.
    client.rest_client.pool_manager = urllib3.PoolManager(
        maxsize=4,
        ssl_context=tls_context(credentials),
        socket_options=tcp_keepalive_socket_options(idle=10, interval=5, count=3),
        retries=urllib3.Retry(
            connect=0, read=0, redirect=0, status=0, other=0, raise_on_redirect=False
        ),
    )
    return client
