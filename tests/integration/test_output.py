"""What a step prints on a real host, however bad, reads the same on all four ways out."""

from __future__ import annotations

import hashlib
import re
import resource
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field

import orjson
import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connection
from django.test import AsyncClient, Client
from rest_framework.test import APIClient

from console.accounts.models import User
from lab import Lab
from provisioning import operations
from provisioning.engine import run_task
from provisioning.journal import PlannedStep
from provisioning.lease import Lease, claim
from provisioning.lines import LINE_CHARACTERS
from provisioning.models import Host, Task
from provisioning.recipe_rows import planned_steps
from provisioning.recipe_run import RecipeRun
from provisioning.run import TaskRun
from provisioning.spec import ClusterSpec, HostSpec, ReleaseSpec
from provisioning.steps.base import Context, Phase, Placed, Recipe, Step
from provisioning.steps.resources import Command, Resource
from tests.conftest import signed_in
from tests.factories import ClusterFactory

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

STEP = "torture"
MOST_MIB = 400  # what this process may grow by, whatever is printed


@dataclass
class Torture(Step):
    """Prints what the test wants."""

    run: str = ":"
    id: str = STEP
    title: str = "Print"
    timeout: int = 600

    def resources(self, ctx: Context) -> list[Resource]:
        return [Command("print", "Print", self.run)]


STEPS: dict[int, Torture] = {}


def _recipe(task: Task) -> tuple[Recipe, ClusterSpec]:
    row = Host.objects.get(name="node1")
    host = HostSpec(row.pk, row.name, row.address, 0)
    assert task.cluster is not None
    spec = ClusterSpec(
        task.cluster.pk, task.cluster.name, "lightweight",
        ReleaseSpec("v1.20.2", "amd64", (), "", ""), (host,), (),
    )  # fmt: skip
    phase = Phase("print", "Print", (Placed(STEPS[0], (host,)),))
    return Recipe(STEP, "Print", lambda _spec: (phase,)), spec


def _rows(task: Task) -> list[PlannedStep]:
    return planned_steps(*_recipe(task))


def _run(run: TaskRun) -> None:
    RecipeRun(run, *_recipe(run.task)).execute()


@pytest.fixture(scope="module", autouse=True)
def _operation() -> Iterator[None]:
    operations.register(operations.Operation(STEP, "Print", _run, _rows))
    yield
    del operations.OPERATIONS[STEP]


@dataclass
class Digest:
    """What came out of one of the ways, without keeping it: how much, in order, its hash."""

    lines: int = 0
    broken: list[str] = field(default_factory=list)
    text: object = field(default_factory=hashlib.sha256)

    def add(self, lines: Iterable[dict[str, str]]) -> None:
        for line in lines:
            self.lines += 1
            if line["seq"] != self.lines and len(self.broken) < 5:
                self.broken.append(f"{line['seq']} where {self.lines} was due")
            self.add_text(line["time"], line["host"], line["step"], line["text"])

    def add_text(self, time: str, host: str, step: str, text: str) -> None:
        row = f"{time} {host or 'console'} {step or '-'} {text}\n"
        self.text.update(row.encode())  # type: ignore[attr-defined]

    def result(self) -> tuple[int, list[str], str]:
        return self.lines, self.broken, self.text.hexdigest()  # type: ignore[attr-defined]


def launch(script: str) -> Task:
    STEPS[0] = Torture(script)
    cluster = ClusterFactory(name="printing")
    return operations.launch(STEP, title="Print", user=None, cluster=cluster)


def work() -> None:
    task = claim("default", "here:1:1")
    assert task is not None
    run_task(task, Lease(task))


def polled(task: Task, user: User, page: int = 5000) -> Digest:
    """As a browser without websockets does it, while the task runs and to its end."""
    client, digest = APIClient(), Digest()
    client.force_authenticate(user)
    while True:
        answer = client.get(f"/api/v1/tasks/{task.pk}/log/?after={digest.lines}&limit={page}")
        body = orjson.loads(answer.content)
        digest.add(body["lines"])
        if body["ended"] and digest.lines >= body["last_seq"]:
            return digest
        if not body["lines"]:
            time.sleep(0.2)


async def over_websocket(task: Task, client: Client) -> Digest:
    from console.asgi import application

    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookie = f"{settings.SESSION_COOKIE_NAME}={key}".encode()
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie)]
    path = f"/ws/tasks/{task.pk}/log/?after=0"
    socket = WebsocketCommunicator(application, path, headers=headers)
    assert (await socket.connect(timeout=30))[0]
    digest = Digest()
    while True:
        frame = orjson.loads(await socket.receive_from(timeout=60))
        if frame.get("end"):
            assert frame["last"] == digest.lines and frame["status"] == "succeeded"
            return digest
        digest.add(frame["lines"])


async def downloaded(task: Task, client: Client) -> str:
    browser = AsyncClient()
    browser.cookies = client.cookies
    answer = await browser.get(f"/tasks/{task.pk}/log.txt", secure=False)
    assert answer.status_code == 200
    digest = hashlib.sha256()
    stream: AsyncIterator[bytes] = answer.streaming_content
    async for part in stream:
        digest.update(part)
    return digest.hexdigest()


def same_on_all_ways(task: Task, user: User, while_running: Digest) -> None:
    """REST pages, websocket and download give exactly what polling gave while it ran."""
    client = signed_in(user)
    want = while_running.result()
    assert want[1] == []
    if want[0] < 50_000:
        # Of a huge log every page was already asked for while it ran.
        assert polled(task, user, 100).result() == want
    assert async_to_sync(over_websocket)(task, client).result() == want
    assert async_to_sync(downloaded)(task, client) == want[2]


def run_watched(script: str, user: User) -> tuple[Task, Digest]:
    """Launch, work, and poll meanwhile."""
    task = launch(script)
    found: list[Digest] = []

    def watch() -> None:
        try:
            found.append(polled(task, user))
        finally:
            connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    task.refresh_from_db()
    assert task.status == "succeeded", task.failure
    watcher.join(300)
    return task, found[0]


def printed(task: Task, user: User) -> list[str]:
    """The lines that the step's commands printed."""
    client = APIClient()
    client.force_authenticate(user)
    answer = client.get(f"/api/v1/tasks/{task.pk}/log/?step={STEP}&limit=5000")
    return [x["text"] for x in orjson.loads(answer.content)["lines"] if x["stream"] == "stderr"]


TORTURE = [
    b"plain",
    b"broken \xff\xfe utf-8 \xe4\xb8 and \xc3\x28 here",
    b"\xed\xa0\x80 a surrogate, \xf8\x88\x80\x80\x80 too long, \xc0\xaf overlong",
    "容器运行时已安装 ✓ 🚢".encode(),
    b"\x1b[31;1mred\x1b[0m \x1b[38;5;196mbright\x1b[m \x1b]0;title\x07",
    b"<script>alert(document.cookie)</script><img src=x onerror=alert(1)>",
    b"progress 10%\rprogress 100%",
    b"nul \x00 bell \x07 backspace \x08",
    b"windows\r",
    b"",
    b"  blanks before and behind  ",
    b"\xe2\x80\xa8line separator\xe2\x80\xa8\x0b\x0c\x1c\x85",
    b'"quotes" \\ {"end": true, "status": "failed"} ]}',
    b'0123456789abcdef failed {"key":"x","hint_code":"disk_full"}',
    b"the last one has no line end",
]


def expected(lines: Iterable[bytes]) -> list[str]:
    """The contract, said in another way than the engine's code does."""
    found: list[str] = []
    for line in lines:
        text = line.decode("utf-8", "replace").replace("\0", "\u2400")
        text = text[:-1] if text.endswith("\r") else text
        found += re.findall(rf"(?s).{{1,{LINE_CHARACTERS}}}", text) or [""]
    return found


def test_bad_output_is_kept_as_text(host: Host, one_host_lab: Lab, admin: User) -> None:
    (one_host_lab.host("node1").root / "root/torture").write_bytes(b"\n".join(TORTURE))
    task, seen = run_watched("cat /root/torture", admin)
    assert printed(task, admin) == expected(TORTURE)
    same_on_all_ways(task, admin, seen)


def test_characters_split_over_chunks_stay_whole(
    host: Host, one_host_lab: Lab, admin: User
) -> None:
    text = "安装容器运行时🚢" * 3
    (one_host_lab.host("node1").root / "root/split").write_text(text + "\n")
    slowly = (
        "n=0; while [ $n -lt {size} ]; do tail -c +$((n + 1)) /root/split | head -c 1; "
        "n=$((n + 1)); sleep 0.02; done"
    )
    task, seen = run_watched(slowly.format(size=len(text.encode()) + 1), admin)
    assert printed(task, admin) == [text]
    same_on_all_ways(task, admin, seen)


def test_a_line_of_ten_megabytes(host: Host, admin: User) -> None:
    size = 10 * 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    task, seen = run_watched(f"head -c {size} /dev/zero | tr '\\0' x; echo; echo behind", admin)
    lines = printed(task, admin)
    assert lines[-1] == "behind"
    assert sum(map(len, lines[:-1])) == size
    assert {len(line) for line in lines[:-2]} == {LINE_CHARACTERS}
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"10 MiB in one line: memory grew by {grown:.0f} MiB")
    assert grown < MOST_MIB
    same_on_all_ways(task, admin, seen)


def test_a_million_lines(host: Host, admin: User) -> None:
    count = 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.monotonic()
    task, seen = run_watched(f"seq {count}", admin)
    assert task.started is not None and task.ended is not None
    took = (task.ended - task.started).total_seconds()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{count} lines: {took:.1f} s ({count / took:,.0f} lines/s) while watched, "
        f"{time.monotonic() - begin:.1f} s in all; memory grew by {grown:.0f} MiB"
    )
    assert grown < MOST_MIB
    assert seen.lines >= count
    # In order and once: the numbers that were printed are their own witnesses.
    client = APIClient()
    client.force_authenticate(admin)
    for after in (0, 123_456, count - 3000):
        answer = client.get(f"/api/v1/tasks/{task.pk}/log/?after={after}&limit=2000")
        own = [int(x["text"]) for x in orjson.loads(answer.content)["lines"] if x["text"].isdigit()]
        assert own == list(range(own[0], own[0] + len(own))) and len(own) > 1500
    same_on_all_ways(task, admin, seen)
