"""Lists in pages: a collection is read part by part, so that it never lies in memory whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from clusters.kube import faults
from clusters.kube.errors import Gone, UnexpectedAnswer

JSON = dict[str, Any]
T = TypeVar("T")

PAGE = 500
PLAIN = "application/json"
# Objects without spec and status: the API's "Metadata-only" answers (API Concepts). There is no
# second choice, so that a server that cannot do it refuses (406) and sends no values.
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA_ONLY_OBJECT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"

PAGES_TIMES = 4
WHOLE_LIMIT = 128 * 1024 * 1024
# Pages that are unpacked at a time in this process: 500 pods are 10 MB of JSON and 50 MB of
# Python objects, and a watcher of many clusters lists them all when it starts.
_unpacking = threading.BoundedSemaphore(2)


@dataclass(frozen=True)
class Listing:
    """All objects of a collection, and the version from which a watch goes on."""

    items: list[JSON]
    resource_version: str


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page. first: the list begins, perhaps anew; last: resource_version holds."""

    content: T
    resource_version: str
    first: bool
    last: bool


def bounded(
    get: Callable[[Mapping[str, str]], bytes], where: str, seconds: float
) -> Callable[[Mapping[str, str]], bytes]:
    """The same get() for a list that is held whole: a server may always tell of one more page.

    seconds: the time limit of one page. Raises KubeError when all of them take
    more than four times that, or 128 MiB.
    """
    ends = time.monotonic() + PAGES_TIMES * seconds
    size = 0

    def get_more(query: Mapping[str, str]) -> bytes:
        nonlocal size
        if time.monotonic() > ends:
            raise faults.too_slow(where, PAGES_TIMES * seconds)
        raw = get(query)
        size += len(raw)
        if size > WHOLE_LIMIT:
            raise UnexpectedAnswer(f"{where} lists more than {WHOLE_LIMIT} bytes.")
        return raw

    return get_more


def walk(
    get: Callable[[Mapping[str, str]], bytes],
    parse: Callable[[bytes], JSON],
    read: Callable[[JSON], T],
    params: Mapping[str, str] | None = None,
) -> Iterator[Page[T]]:
    """Page after page of a list, each turned by read() into what the caller keeps of it.

    When the pages go stale while they are read (410), the list begins once more
    with a page that is `first`. Raises what get and parse raise.
    """
    query = {**(params or {}), "limit": str(PAGE)}
    first = True
    while True:
        try:
            raw = get(query)
        except Gone:
            if "continue" not in query:
                raise
            query = {k: v for k, v in query.items() if k != "continue"}
            first = True
            continue
        with _unpacking:
            answer = parse(raw)
            del raw
            content = read(answer)
            metadata = answer.get("metadata")
            del answer
        told = metadata if isinstance(metadata, dict) else {}
        more = str(told.get("continue") or "")
        version = told.get("resourceVersion")
        yield Page(content, version if isinstance(version, str) else "", first, not more)
        if not more:
            return
        first = False
        query["continue"] = more
