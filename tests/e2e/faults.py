"""What the tests of faults have in common: how a refusal looks, and that nothing was touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from lab import Host, Lab
from tests.e2e.console import ApiError, Console

# Everything that making a cluster would write: files with size and time, and running units.
TRACES = r"""
find /etc /opt /usr/local /var/lib/flotilla /var/lib/etcd /var/lib/kubelet -xdev \
  ! -type d -printf '%p %s %T@ %l\n' 2>/dev/null | sort
systemctl list-units --all --plain --no-legend 'kube*' 'etcd*' 'containerd*' | tr -s ' '
"""


def traces(host: Host) -> list[str]:
    return host.run(TRACES).splitlines()


@contextmanager
def untouched(lab: Lab, *names: str) -> Iterator[None]:
    """What happens inside changes nothing on these hosts."""
    before = {name: traces(lab.host(name)) for name in names}
    yield
    for name in names:
        assert traces(lab.host(name)) == before[name], name


def check(console: Console, host: int, status: str = "succeeded") -> Any:
    """Check a host; the task, which ended as it should, with the host's row in `host`."""
    task = console.wait(console.post(f"hosts/{host}/check/")["id"], 120, status)
    return task | {"host": console.get(f"hosts/{host}/")}


def errors_of(call: Callable[[], object]) -> dict[str, str]:
    """The messages by field of a call that is refused with 400."""
    with pytest.raises(ApiError) as refused:
        call()
    assert refused.value.status == 400, refused.value
    body = refused.value.body
    assert body["type"] == "about:blank" and body["instance"].startswith("urn:uuid:")
    return {field: " ".join(map(str, texts)) for field, texts in body["errors"].items()}


def conflict_of(call: Callable[[], object]) -> str:
    """The words of a call that is refused with 409."""
    with pytest.raises(ApiError) as refused:
        call()
    assert refused.value.status == 409, refused.value
    return str(refused.value.body["detail"])


def named(console: Console, name: str) -> list[dict[str, Any]]:
    """The cluster of this name, if there is one."""
    return [row for row in console.get("clusters/")["results"] if row["name"] == name]


def delete_all(console: Console) -> None:
    """Delete what a test that failed has left, so that the next ones can use the hosts."""
    for row in console.get("clusters/")["results"]:
        console.delete_cluster(row["id"])


def body_of(name: str, control_plane: list[int], workers: list[int], **more: Any) -> dict[str, Any]:
    return {
        "name": name, "profile": "lightweight", "release": "v1.20.2",
        "control_plane": control_plane, "workers": workers, **more,
    }  # fmt: skip


def create_refused(
    console: Console, control_plane: list[int], workers: list[int], **more: Any
) -> dict[str, str]:
    """The messages by field of a cluster that may not be made, the same for plan and launch.

    Afterwards there is no cluster of that name, no task, and the hosts are free.
    """
    body = body_of("never", control_plane, workers) | more
    tasks = [t["id"] for t in console.get("tasks/")["results"]]
    errors = errors_of(lambda: console.post("clusters/", body))
    assert errors_of(lambda: console.post("clusters/?dry_run=true", body)) == errors
    assert [t["id"] for t in console.get("tasks/")["results"]] == tasks
    assert named(console, "never") == []
    for host in {h for h in [*control_plane, *workers] if isinstance(h, int)}:
        assert console.get(f"hosts/{host}/")["cluster_name"] != "never"
    return errors


def says(text: str | Mapping[str, Any], *words: str) -> None:
    """The text names all of these."""
    text = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in: {text}"


def failure(task: Any) -> dict[str, Any]:
    """A task's failure, which has a host, a cause and a mend."""
    found: dict[str, Any] = task["failure"]
    assert found["found"] and found["hint"], found
    return found
