"""How a container ended: out of memory, with an exit code, by a signal."""

from __future__ import annotations

from datetime import datetime

from clusters.diagnosis.reading import Cause, Container, Ending, last_line, make, seconds_since

# A container that has run so long since its last bad end, and is ready, is well.
SETTLED_SECONDS = 600.0


def of_container(container: Container, now: datetime) -> Cause:
    """Why a container ended or ends again and again; {} for one that runs or ended well."""
    loops = container.state == "waiting" and container.reason == "CrashLoopBackOff"
    if loops:
        return _cause(container, container.last, loops=True)
    if container.state == "terminated" and container.ended.bad:
        # A message that the container left is its own; of a kill there is none.
        return _cause(container, container.ended, loops=container.restarts > 0)
    if container.state != "running" or not container.restarts or not container.last.bad:
        return {}
    age = seconds_since(container.last.finished, now)
    recent = age is not None and age < SETTLED_SECONDS
    if recent or not container.ready:
        return _cause(container, container.last, loops=True)
    return {}


def _cause(container: Container, ended: Ending, loops: bool) -> Cause:
    values = {
        **container.who,
        "restarts": container.restarts or None,
        "exit_code": ended.exit_code,
        "signal": ended.signal or None,
        "said": last_line(ended.message),
    }
    if ended.reason == "OOMKilled":
        del values["said"]
        code = "oom_killed" if container.memory_limit else "oom_node"
        return make(code, container.evidence, **values, limit=container.memory_limit)
    if loops and ended.exit_code == 0 and not ended.signal:
        return make("ends_by_itself", container.evidence, **values)
    if ended.reason == "ContainerStatusUnknown":
        return make("end_unknown", container.evidence, **values)
    if ended.exit_code is None and not ended.signal:
        return make("crash_unknown", container.evidence, **values)
    return make("crash" if loops else "ended_badly", container.evidence, **values)
