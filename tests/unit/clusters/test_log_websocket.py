"""The websocket of a pod's log: each line once, merged, over restarts; ends with the right."""

from __future__ import annotations

import asyncio
import json

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator

from clusters import consumers_logs
from clusters.models import Object
from console.accounts.models import Role, User
from console.audit.models import AuditEvent
from tests.conftest import signed_in
from tests.factories import UserFactory
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.pod_server import LogEndpoint, pod, pod_path, pod_row
from tests.unit.clusters.rows import cluster_of
from tests.unit.test_websockets import connect

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with ApiServer() as server:
        server.paths[pod_path("web")] = pod()
        yield server


@pytest.fixture
def log(server) -> LogEndpoint:
    return LogEndpoint(server)


@pytest.fixture
def row(server, transactional_db) -> Object:
    return pod_row(cluster_of(server))


@pytest.fixture
def person(transactional_db) -> User:
    return UserFactory(role=Role.OPERATOR)


class Viewer:
    """A browser that shows a log: takes frames, says that it has, keeps the lines."""

    def __init__(self, socket: WebsocketCommunicator, acks: bool = True) -> None:
        self.socket, self.acks = socket, acks
        self.lines: list[dict] = []
        self.messages: list[dict] = []
        self.code = 0

    async def until(self, done, seconds: float = 8) -> Viewer:
        """Take messages until done(self) or the socket is closed."""
        async with asyncio.timeout(seconds):
            while not done(self) and not self.code:
                message = await self.socket.receive_output(timeout=seconds)
                if message["type"] == "websocket.close":
                    self.code = message.get("code", 1000)
                    break
                body = json.loads(message["text"])
                self.messages.append(body)
                self.lines += body.get("lines", [])
                if self.acks and "frame" in body:
                    await self.socket.send_to(text_data=json.dumps({"ack": body["frame"]}))
        return self

    @property
    def texts(self) -> list[str]:
        return [line["text"] for line in self.lines if "text" in line]

    @property
    def notes(self) -> list[str]:
        return [line["note"] for line in self.lines if "note" in line]


async def opened(row: Object, person: User, query: str = "", path: str = "", **options) -> Viewer:
    client = await database_sync_to_async(signed_in)(person)
    path = path or f"/ws/clusters/{row.cluster_id}/pods/default/{row.name}/log/"
    socket = connect(f"{path}?{query}", client)
    accepted, _ = await socket.connect()
    assert accepted
    return Viewer(socket, **options)


async def test_what_was_printed_comes_first_then_what_is_printed(row, log, person) -> None:
    log.write(*(f"old {n}" for n in range(30)))
    viewer = await opened(row, person, "tail=10")
    await viewer.until(lambda v: any("caught_up" in m for m in v.messages))
    log.write("new 鯨", "<b>markup</b>")
    await viewer.until(lambda v: len(v.texts) >= 12)
    assert viewer.texts == [f"old {n}" for n in range(20, 30)] + ["new 鯨", "<b>markup</b>"]
    assert {line["source"] for line in viewer.lines} == {"web/main"}
    await viewer.socket.disconnect()


async def test_containers_are_merged_by_time(server, log, person) -> None:
    def make() -> Object:
        return pod_row(cluster_of(server), containers=("main", "side"))

    row = await database_sync_to_async(make)()
    for number in range(6):
        log.write(f"line {number}", container=("main", "side")[number % 2])
    viewer = await opened(row, person)
    await viewer.until(lambda v: len(v.texts) >= 6)
    assert viewer.texts == [f"line {n}" for n in range(6)]
    assert [line["source"] for line in viewer.lines][:2] == ["web/main", "web/side"]
    await viewer.socket.disconnect()


def deployment(server: ApiServer) -> Object:
    """shop, with the pod web; another pod is nobody's."""
    cluster = cluster_of(server)
    common = {"cluster": cluster, "namespace": "default", "api_version": "apps/v1"}
    owner = Object.objects.create(
        resource="deployments.apps", kind="Deployment", name="shop", uid="d", **common
    )
    Object.objects.create(
        resource="replicasets.apps", kind="ReplicaSet", name="shop-1", uid="r", owner_uid="d",
        **common,
    )  # fmt: skip
    pod_row(cluster, "web", owner_uid="r")
    pod_row(cluster, "stranger")
    return owner


async def test_a_workload_shows_all_its_pods_and_those_that_come(server, log, person, monkeypatch):
    monkeypatch.setattr(consumers_logs, "LOOK_SECONDS", 0.3)

    owner = await database_sync_to_async(deployment)(server)
    log.write("from the first")
    other = LogEndpoint(server, "web2")
    server.paths[pod_path("web2")] = pod("web2")
    other.write("from the second")
    path = f"/ws/clusters/{owner.cluster_id}/workloads/deployments.apps/default/shop/log/"
    viewer = await opened(owner, person, path=path)
    await viewer.until(lambda v: v.texts == ["from the first"])
    await database_sync_to_async(pod_row)(owner.cluster, "web2", owner_uid="r")
    await viewer.until(lambda v: len(v.texts) == 2)
    assert viewer.lines[-1]["source"] == "web2/main"
    await viewer.socket.disconnect()


async def test_a_pod_that_has_ended_gives_its_place_to_the_next(
    server, log, person, monkeypatch, settings
):
    """Kept until the page was closed, one CronJob's log took every place of the process."""
    monkeypatch.setattr(consumers_logs, "LOOK_SECONDS", 0.3)
    settings.LOG_STREAMS = 1
    owner = await database_sync_to_async(deployment)(server)
    log.write("from the first")
    path = f"/ws/clusters/{owner.cluster_id}/workloads/deployments.apps/default/shop/log/"
    viewer = await opened(owner, person, path=path)
    await viewer.until(lambda v: v.texts == ["from the first"])
    while not any("follow" in query for query in log.queries):
        await asyncio.sleep(0.05)
    log.write("its last")
    await viewer.until(lambda v: len(v.texts) == 2)
    server.paths[pod_path("web")] = pod(terminated={"exitCode": 0}, policy="Never")
    log.end()
    await viewer.until(lambda v: "ended" in v.notes)
    server.paths[pod_path("web2")] = pod("web2")
    LogEndpoint(server, "web2").write("from the second")
    await database_sync_to_async(pod_row)(owner.cluster, "web2", owner_uid="r")
    await viewer.until(lambda v: len(v.texts) == 3)
    assert consumers_logs.streams.used == 1
    await viewer.socket.disconnect()
    assert consumers_logs.streams.used == 0


async def test_going_on_after_a_lost_connection_doubles_and_loses_nothing(row, log, person) -> None:
    log.write("a", "b", "c")
    viewer = await opened(row, person)
    await viewer.until(lambda v: len(v.texts) == 3)
    await viewer.socket.disconnect()
    last = viewer.lines[-1]
    log.write("d", "e")  # within the same second, which is all that Kubernetes can tell apart
    again = await opened(row, person, "resume=1")
    await again.until(lambda v: v.messages and v.messages[-1].get("ready"))
    place = {"resume": {"web/main": [last["time"], 1]}}
    await again.socket.send_to(text_data=json.dumps(place))
    await again.until(lambda v: len(v.texts) >= 2)
    assert again.texts == ["d", "e"]
    await again.socket.disconnect()


async def test_two_lines_of_one_moment_are_two(row, log, person) -> None:
    log.write("a")
    at = log._time
    log.write("b", "c", at=at)
    viewer = await opened(row, person, "resume=1")
    await viewer.until(lambda v: v.messages and v.messages[-1].get("ready"))
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    await viewer.socket.send_to(text_data=json.dumps({"resume": {"web/main": [stamp, 2]}}))
    await viewer.until(lambda v: len(v.texts) >= 1)
    assert viewer.texts == ["c"]
    await viewer.socket.disconnect()


async def test_a_restart_is_said_before_the_new_containers_lines(server, row, log, person) -> None:
    log.write("first life")
    viewer = await opened(row, person)
    await viewer.until(lambda v: len(v.texts) == 1)
    ended = {"reason": "Error", "exitCode": 3}
    server.paths[pod_path("web")] = pod(waiting={"reason": "CrashLoopBackOff"}, last=ended)
    await asyncio.sleep(0.3)  # it follows by now
    log.restart()
    await viewer.until(lambda v: v.notes == ["ended"])
    assert (
        viewer.lines[-1]["values"] | {"again": True, "reason": "Error", "exit_code": 3}
        == (viewer.lines[-1]["values"])
    )
    log.write("second life")
    server.paths[pod_path("web")] = pod(restarts=1, last=ended)
    await viewer.until(lambda v: len(v.texts) == 2)
    shown = [line.get("note") or line["text"] for line in viewer.lines]
    assert shown == ["first life", "ended", "restarted", "second life"]
    await viewer.socket.disconnect()


async def test_the_log_before_the_restart(row, log, person) -> None:
    log.write("first life")
    log.restart()
    log.write("second life")
    viewer = await opened(row, person, "previous=1")
    await viewer.until(lambda v: any("end" in m for m in v.messages))
    assert viewer.texts == ["first life"]


async def test_a_container_that_will_not_come_back_ends_the_stream(server, row, log, person):
    log.write("done")
    done = {"reason": "Completed", "exitCode": 0}
    server.paths[pod_path("web")] = pod(terminated=done, policy="Never")
    viewer = await opened(row, person)
    await viewer.until(lambda v: len(v.texts) == 1)
    await asyncio.sleep(0.3)
    log.end()
    await viewer.until(lambda v: any("end" in m for m in v.messages))
    assert viewer.notes == ["ended"]
    assert not viewer.lines[-1]["values"].get("again")


async def test_a_pod_that_is_gone_is_said(server, row, log, person) -> None:
    log.write("last words")
    viewer = await opened(row, person)
    await viewer.until(lambda v: len(v.texts) == 1)
    await asyncio.sleep(0.3)
    del server.paths[pod_path("web")]
    await database_sync_to_async(Object.objects.all().delete)()
    log.end()
    await viewer.until(lambda v: any("end" in m for m in v.messages))
    assert viewer.notes == ["gone"]


async def test_a_cluster_that_is_away_and_back_loses_nothing(server, row, log, person) -> None:
    log.write("before")
    viewer = await opened(row, person)
    await viewer.until(lambda v: len(v.texts) == 1)
    await asyncio.sleep(0.3)
    server.down()
    await viewer.until(lambda v: "away" in v.notes)
    log.write("meanwhile")
    server.up()
    await viewer.until(lambda v: len(v.texts) >= 2, 15)
    assert viewer.texts == ["before", "meanwhile"]
    await viewer.socket.disconnect()


async def test_the_clusters_own_refusal_is_shown(row, log, person) -> None:
    log.refuses = (403, "pods/log is forbidden")
    viewer = await opened(row, person)
    await viewer.until(lambda v: any("end" in m for m in v.messages))
    assert viewer.notes == ["refused"]
    assert "pods/log is forbidden" in viewer.lines[-1]["values"]["cause"]


async def test_a_browser_that_takes_nothing_is_sent_no_more(row, log, person) -> None:
    for _number in range(60):
        log.write("x" * 60_000)
    viewer = await opened(row, person, "tail=60", acks=False)
    with pytest.raises(TimeoutError):
        await viewer.until(lambda v: len(v.texts) >= 60, 3)
    frames = [m for m in viewer.messages if "frame" in m]
    assert len(frames) == consumers_logs.FRAMES


async def test_it_closes_within_a_second_when_the_right_ends(row, log, person) -> None:
    log.write("one")
    viewer = await opened(row, person)
    await viewer.until(lambda v: len(v.texts) == 1)
    update = User.objects.filter(pk=person.pk).update
    await database_sync_to_async(update)(role=Role.AUDITOR)
    await viewer.until(lambda v: False, 3)
    assert viewer.code == 4403
    await viewer.socket.disconnect()
    assert consumers_logs.streams.used == 0


async def test_what_is_not_there_is_4404_and_nonsense_is_refused(row, log, person) -> None:
    other = f"/ws/clusters/{row.cluster_id}/pods/default/nothing/log/"
    assert (await (await opened(row, person, path=other)).until(lambda v: False)).code == 4404
    assert (await (await opened(row, person, "tail=-1")).until(lambda v: False)).code == 4400
    assert log.queries == []


async def test_each_opening_is_one_event_and_a_page_has_told_already(row, log, person) -> None:
    from clusters.pod_audit import opening_of

    def events() -> list:
        return list(AuditEvent.objects.filter(action="pod.logs_read"))

    viewer = await opened(row, person, f"opening={opening_of(person, row)}")
    await viewer.until(lambda v: any("caught_up" in m for m in v.messages))
    await viewer.socket.disconnect()
    assert await database_sync_to_async(events)() == []
    stranger = await database_sync_to_async(UserFactory)(role=Role.ADMIN)
    viewer = await opened(row, person, f"opening={opening_of(stranger, row)}&container=main")
    await viewer.until(lambda v: any("caught_up" in m for m in v.messages))
    await viewer.socket.disconnect()
    (event,) = await database_sync_to_async(events)()
    assert (event.actor_id, event.after) == (person.pk, {"container": "main"})
    assert event.object_name.endswith(": default/web")


async def test_a_full_process_says_so(row, log, person, settings) -> None:
    settings.LOG_STREAMS = 1
    log.write("one")
    first = await opened(row, person)
    await first.until(lambda v: len(v.texts) == 1)
    second = await (await opened(row, person)).until(lambda v: False)
    assert second.code == 4429
    assert "FLOTILLA_LOG_STREAMS" in second.messages[-1]["mend"]
    await first.socket.disconnect()
    third = await (await opened(row, person)).until(lambda v: len(v.texts) == 1)
    await third.socket.disconnect()


async def test_one_person_follows_so_many_logs(row, log, person, settings) -> None:
    settings.LOG_STREAMS_PER_USER = 1
    log.write("one")
    first = await opened(row, person)
    await first.until(lambda v: len(v.texts) == 1)
    second = await (await opened(row, person)).until(lambda v: False)
    assert second.code == 4429
    assert "One person may follow 1 containers" in second.messages[-1]["error"]
    await first.socket.disconnect()
    third = await (await opened(row, person)).until(lambda v: len(v.texts) == 1)
    await third.socket.disconnect()
    assert consumers_logs.streams.used == 0
