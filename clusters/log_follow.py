"""Follows one container's log over restarts, lost connections and a server that is away."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clusters.inventory.kinds import object_path
from clusters.kube import AccessRefused, KubeError, NotFound
from clusters.kube.logs import LogLine, LogQuery, LogStream
from clusters.kube.streams import Doer, json_of
from clusters.log_backlog import Place, Resume
from clusters.log_sources import Source

# The wait before another attempt: doubles up to the second figure.
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0


@dataclass(frozen=True)
class Note:
    """Something about a source that is no line of its log, with values for its words.

    code: "waiting" (not started), "ended", "restarted", "gone", "refused", "away" (the
    cluster does not answer), "back".
    """

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ContainerState:
    """What the API server says of a container after its log has ended."""

    running: bool
    restarts: int
    final: bool  # it will not be started again
    reason: str = ""
    exit_code: int | None = None


Put = Callable[[Source, LogLine | Note], bool]


class Follower:
    """One thread; put() is called with each line and note, and ends it by answering False."""

    def __init__(
        self, doer: Doer, namespace: str, source: Source, query: LogQuery, place: Place, put: Put
    ) -> None:
        self._doer, self._namespace, self._source = doer, namespace, source
        self._query, self._place, self._put = query, place, put
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._stream: LogStream | None = None
        self._restarts = source.restarts
        self._said = ""
        self._thread = threading.Thread(target=self._run, name=f"log {source.name}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End at once, whatever it waits for; the thread is not waited for."""
        self._stopping.set()
        with self._lock:
            if self._stream is not None:
                self._stream.stop()

    @property
    def alive(self) -> bool:
        """Whether it still follows."""
        return self._thread.is_alive()

    def _run(self) -> None:
        self._count_restarts()
        wait = FIRST_WAIT
        while not self._stopping.is_set():
            try:
                if self._said != "ended" and self._read():
                    wait = FIRST_WAIT
                if self._stopping.is_set() or not self._goes_on():
                    return
                if self._said == "restarted":
                    continue
            except NotFound:
                self._say("gone")
                return
            except AccessRefused as error:
                self._say("refused", cause=error.cause, mend=error.mend)
                return
            except KubeError as error:
                # 400: the container has not started. Anything else: the cluster is away.
                code = "waiting" if error.status == 400 else "away"
                self._say(code, cause=error.cause)
            self._stopping.wait(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    def _count_restarts(self) -> None:
        # The inventory's figure may be older than the lines that were sent already.
        path = object_path("v1", "pods", self._namespace, self._source.pod)
        with contextlib.suppress(KubeError):  # the log itself says better what is wrong
            self._restarts = state_of(json_of(self._doer, path), self._source.container).restarts

    def _read(self) -> bool:
        """Read until the log ends; whether a line came. Raises KubeError."""
        query = self._query.after(self._place.time) if self._place.time else self._query
        resume = Resume(self._place)
        with LogStream(self._doer, self._namespace, self._source.pod, query) as stream:
            with self._lock:
                self._stream = stream
            if self._stopping.is_set():
                return False
            came = False
            for line in stream:
                if self._said in ("away", "waiting"):
                    self._said = ""
                if not resume.fresh(line):
                    continue
                came = True
                self._place.move(line)
                if not self._put(self._source, line):
                    self._stopping.set()
                    break
        return came

    def _goes_on(self) -> bool:
        """Say why the log has ended; whether there will be more. Raises KubeError."""
        path = object_path("v1", "pods", self._namespace, self._source.pod)
        pod = json_of(self._doer, path)
        if self._source.uid and (pod.get("metadata") or {}).get("uid") != self._source.uid:
            self._say("gone")
            return False
        state = state_of(pod, self._source.container)
        known, self._restarts = self._restarts, state.restarts
        values = {"reason": state.reason, "exit_code": state.exit_code, "restarts": state.restarts}
        if state.final:
            self._say("ended", **values)
            return False
        if known is not None and state.restarts > known:
            self._said = ""
            self._say("restarted", **values)
        elif not state.running:
            self._say("ended", again=True, **values)
        return True

    def _say(self, code: str, **values: Any) -> None:
        # Once, however often it is found so.
        if code != self._said:
            self._said = code
            if not self._put(self._source, Note(code, values)):
                self._stopping.set()


def state_of(pod: Mapping[str, Any], container: str) -> ContainerState:
    """Read a Pod as the API has it (Pod v1, ContainerStatus); wrong types count as not there."""
    status = _dict(pod.get("status"))
    rows = [*_list(status.get("containerStatuses")), *_list(status.get("initContainerStatuses"))]
    row = next((r for r in map(_dict, rows) if r and container in ("", r.get("name"))), {})
    state, last = _dict(row.get("state")), _dict(_dict(row.get("lastState")).get("terminated"))
    ended = _dict(state.get("terminated"))
    policy = _dict(pod.get("spec")).get("restartPolicy", "Always")
    done = bool(ended) and (
        policy == "Never" or (policy == "OnFailure" and ended.get("exitCode") == 0)
    )
    final = done or status.get("phase") in ("Succeeded", "Failed")
    how = ended or last
    code = how.get("exitCode")
    restarts = row.get("restartCount")
    return ContainerState(
        running="running" in state,
        restarts=restarts if type(restarts) is int else 0,
        final=final,
        reason=str(how.get("reason") or "")[:64],
        exit_code=code if type(code) is int else None,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
