"""A cluster's connection in a person's name: every call on it is impersonated.

What is done inside clusters for somebody takes such a connection and no other,
so that no call can forget in whose name it is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from clusters.kube import faults
from clusters.kube.connection import (
    APPLY_PATCH,
    FIELD_MANAGER,
    JSON,
    READ_SECONDS,
    Connection,
)
from clusters.kube.errors import KubeError
from clusters.kube.impersonation import Impersonation, in_the_name_of
from console.audit.cause import AUDIT_ID, cause

if TYPE_CHECKING:
    import urllib3

OWN_IDS = 20


class Acting(Connection):
    """The same kept connection as `shared`, on which the API server sees `who`.

    Groups and user go along as headers, those of a call that names somebody
    else excepted. seconds: all calls on it together may take no longer, as in
    a page that somebody waits for; None leaves each call its own limit.
    guard: gets the method and path of every call before it is made, and raises
    KubeError for one that must not be.
    Closing it closes nothing: the connection is shared.
    """

    def __init__(
        self,
        shared: Connection,
        who: Impersonation,
        seconds: float | None = None,
        guard: Callable[[str, str], None] = lambda _method, _path: None,
    ) -> None:
        self.__dict__.update(shared.__dict__)
        self.who = who
        # Some of its calls are made in threads, which know no request.
        self._cause = cause()
        self._others: list[str] = []
        self._guard = guard
        self._seconds = seconds
        self._ends = None if seconds is None else time.monotonic() + seconds

    def close(self) -> None:
        """Nothing to close: the connection belongs to the pool."""

    def put(self, path: str, body: JSON, *, dry_run: bool = False) -> JSON:
        """Replace an object; its resourceVersion must be the one that the server has.

        dry_run: everything is checked and nothing is kept (API Concepts,
        "Dry-run"). Raises Conflict when somebody changed it meanwhile, or another KubeError.
        """
        query = _query(dry_run)
        return self._send("PUT", path, query, body, "application/json", READ_SECONDS, self.who)

    def try_apply(
        self, path: str, body: JSON, *, force: bool = False, timeout: float = READ_SECONDS
    ) -> JSON:
        """What a server-side apply would make of an object; nothing is kept.

        timeout in seconds. Raises Conflict, whose causes name other managers
        and their fields, or another KubeError.
        """
        query = {**_query(True), "force": "true" if force else "false"}
        return self._send("PATCH", path, query, body, APPLY_PATCH, timeout, self.who)

    def try_create(self, path: str, body: JSON, *, timeout: float = READ_SECONDS) -> JSON:
        """What creating an object in a collection would make; nothing is kept.

        timeout in seconds. Raises KubeError.
        """
        query = _query(True)
        return self._send("POST", path, query, body, "application/json", timeout, self.who)

    def _get(
        self,
        path: str,
        params: Mapping[str, str] | None,
        timeout: float,
        accept: str,
        impersonation: Impersonation | None = None,
    ) -> bytes:
        who = impersonation or self.who
        return super()._get(path, params, self._left(timeout), accept, who)

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
        who, limit = impersonation or self.who, self._left(timeout)
        return super()._send(method, path, params, body, content_type, limit, who)

    def _left(self, timeout: float) -> float:
        """The time limit of the next call. Raises ClusterUnreachable when none is left."""
        if self._ends is None:
            return timeout
        left = self._ends - time.monotonic()
        if left <= 0:
            raise faults.too_slow(self.endpoint, self._seconds or 0)
        return min(timeout, left)

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
        self._guard(method, path)
        given = list(more)
        if not any(name == "Impersonate-User" for name, _value in given):
            given += in_the_name_of(self.who)[1]
        answer = super()._open(path, params, timeout, accept, method, body, given)
        self._note(answer.headers.get(AUDIT_ID, ""))
        return answer

    @property
    def own_audit_ids(self) -> list[str]:
        """Ids that the cluster gave to calls in its audit log in place of the request's.

        Empty where it took ours, as API servers do, or gave none; the last OWN_IDS of them.
        """
        return list(self._others)

    def _note(self, given: str) -> None:
        if given and self._cause and not given.startswith(self._cause):
            self._others = [*self._others, given[:64]][-OWN_IDS:]

    def _refusal(
        self,
        path: str,
        response: urllib3.HTTPResponse,
        timeout: float,
        who: str = faults.CONSOLE,
    ) -> KubeError:
        if who == faults.CONSOLE:
            who = f"the user {self.who.user}"
        return super()._refusal(path, response, timeout, who)


def _query(dry_run: bool) -> dict[str, str]:
    return {"fieldManager": FIELD_MANAGER, **({"dryRun": "All"} if dry_run else {})}
