"""Log pages, downloads and the REST log: what is shown without a script, refused, and recorded."""

from __future__ import annotations

import gc
from urllib.parse import quote

import pytest
from django.test import Client

from clusters import consumers_logs
from clusters.log_options import BadOption, options_of
from clusters.models import Object
from clusters.object_tabs import object_registry
from console.audit.models import AuditEvent
from tests.unit.clusters.apiserver import ApiServer
from tests.unit.clusters.pod_server import LogEndpoint, pod_row
from tests.unit.clusters.rows import cluster_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with ApiServer() as server:
        yield server


@pytest.fixture
def log(server) -> LogEndpoint:
    return LogEndpoint(server)


@pytest.fixture
def row(server, db) -> Object:
    return pod_row(cluster_of(server))


def address(row: Object, last: str = "log/") -> str:
    return f"/clusters/{row.cluster_id}/objects/{row.resource}/default/{row.name}/{last}"


def rest(row: Object, query: str = "") -> str:
    return f"/api/v1/clusters/{row.cluster_id}/pods/default/{row.name}/log/?{query}"


def text_of(response) -> str:
    return b"".join(response).decode()


def events() -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(action="pod.logs_read")
    return [(event.outcome, event.object_name) for event in rows]


def test_the_page_shows_the_last_lines_without_a_script(row, log, operator_client: Client) -> None:
    log.write(*(f"line {n}" for n in range(600)), "\x1b[31m<script>alert(1)</script>")
    page = operator_client.get(address(row)).content.decode()
    assert f'href="{address(row, "")}"' in page, "the way back to the pod"
    assert "line 101<" in page and "line 100<" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "\x1b" not in page
    assert log.queries[0]["tailLines"] == "500"
    assert dict(log.headers[0])["Impersonate-User"].startswith("flotilla:user:")
    assert events() == [("success", f"{row.cluster.name}: default/web")]


def test_a_page_that_looks_for_its_own_changes_reads_nothing(row, log, operator_client) -> None:
    operator_client.get(address(row), {"live": "x"})
    operator_client.get(address(row), headers={"HX-Request": "true"})
    assert log.queries == [] and events() == []


def test_a_cluster_that_is_away_is_said(row, server, log, operator_client) -> None:
    server.down()
    page = operator_client.get(address(row)).content.decode()
    assert "refuses connections: no API server listens there" in page
    server.up()


def test_a_cluster_that_hangs_holds_up_the_page_for_five_seconds(
    row, log, operator_client, monkeypatch
) -> None:
    from clusters import log_backlog, views_logs

    assert log_backlog.SECONDS == 5
    gather = views_logs.gather
    monkeypatch.setattr(views_logs, "gather", lambda *a: gather(*a, seconds=0.5))
    log.silent = True
    page = operator_client.get(address(row))
    assert page.status_code == 200
    assert "did not answer" in page.content.decode()


def test_the_clusters_refusal_is_shown(row, log, operator_client) -> None:
    log.refuses = (403, "pods/log is forbidden")
    assert "pods/log is forbidden" in operator_client.get(address(row)).content.decode()


def test_a_wrong_option_is_said_and_asks_nothing(row, log, operator_client) -> None:
    page = operator_client.get(address(row), {"show": "everything"}).content.decode()
    assert "show: One of 500, 5000" in page
    assert log.queries == []


@pytest.mark.parametrize("last", ["log/", "log.txt", "terminal/"])
def test_auditors_see_clusters_and_no_logs(row, log, auditor_client, nobody_client, last) -> None:
    assert auditor_client.get(address(row, last)).status_code == 403
    assert nobody_client.get(address(row, last)).status_code == 404
    assert log.queries == []


def test_only_what_has_pods_has_a_log(row, log, operator_client) -> None:
    secret = Object.objects.create(
        cluster=row.cluster, resource="secrets", kind="Secret", namespace="default", name="s"
    )
    assert operator_client.get(address(secret)).status_code == 404
    assert "logs" not in [tab.id for tab in object_registry.tabs if tab.shown(secret)]
    assert "logs" in [tab.id for tab in object_registry.tabs if tab.shown(row)]


def test_a_workloads_page_names_each_pod(server, log, operator_client) -> None:
    cluster = cluster_of(server)
    owner = Object.objects.create(
        cluster=cluster, resource="statefulsets.apps", kind="StatefulSet", namespace="default",
        name="db", uid="s",
    )  # fmt: skip
    pod_row(cluster, owner_uid="s", containers=("main", "side"))
    log.write("one")
    log.write("two", container="side")
    page = operator_client.get(address(owner)).content.decode()
    assert page.index("web/main") < page.index("web/side")
    assert page.index(">one<") < page.index(">two<")


def test_the_download_is_text_with_times(row, log, operator_client) -> None:
    log.write("one", "zwei 鯨")
    response = operator_client.get(address(row, "log.txt"), {"show": "all"})
    assert response["Content-Disposition"] == (
        f'attachment; filename="{row.cluster.name}-default-web.log"'
    )
    assert text_of(response) == (
        "2026-01-02T03:04:05.010000000Z one\n2026-01-02T03:04:05.020000000Z zwei 鯨\n"
    )
    assert len(events()) == 1


def test_the_rest_log_is_the_containers_bytes(row, log, operator_api) -> None:
    log.write("one", "zwei 鯨")
    response = operator_api.get(rest(row, "container=main&tail=1"))
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert text_of(response) == "zwei 鯨\n"
    assert log.queries[0] == {"container": "main", "tailLines": "1"}
    assert operator_api.get(rest(row), headers={"accept": "text/plain"}).status_code == 200


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        ((403, "no"), 403),
        ((404, "gone"), 404),
        ((400, "waiting to start"), 400),
        ((500, "etcd"), 502),
    ],
)
def test_refusals_over_rest_are_problems(row, log, operator_api, refusal, status) -> None:
    log.refuses = refusal
    response = operator_api.get(rest(row))
    assert (response.status_code, response.json()["status"]) == (status, status)
    assert refusal[1] in str(response.json())
    assert [outcome for outcome, _name in events()] == ["failure"]


def test_rest_refuses_nonsense_roles_and_what_is_not_there(
    row, log, operator_api, auditor_api, nobody_api
) -> None:
    assert "tail" in operator_api.get(rest(row, "tail=x")).json()["errors"]
    assert auditor_api.get(rest(row)).status_code == 403
    assert nobody_api.get(rest(row)).status_code == 404
    row.delete()
    assert operator_api.get(rest(row)).status_code == 404
    assert log.queries == []


def test_a_full_process_answers_429(row, log, operator_api, operator_client, settings) -> None:
    settings.LOG_STREAMS = 0
    assert operator_api.get(rest(row)).status_code == 429
    assert operator_client.get(address(row, "log.txt")).status_code == 429
    assert "FLOTILLA_LOG_STREAMS" in operator_client.get(address(row)).content.decode()


@pytest.mark.parametrize("most", ["LOG_STREAMS", "LOG_STREAMS_PER_USER"])
def test_a_log_that_nobody_has_ended_reading_keeps_its_place(
    row, log, operator_api, operator_client, settings, most
) -> None:
    setattr(settings, most, 1)
    log.write("one")
    for first, second in (
        (lambda: operator_api.get(rest(row)), lambda: operator_client.get(address(row, "log.txt"))),
        (lambda: operator_client.get(address(row, "log.txt")), lambda: operator_api.get(rest(row))),
    ):
        reading = first()
        assert reading.status_code == 200
        refused = second()
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) > 0
        assert "1 containers" in refused.content.decode()
        assert operator_api.get(rest(row)).status_code == 429
        assert "one" in text_of(reading)
        again = second()
        assert again.status_code == 200
        assert "one" in text_of(again)
        assert consumers_logs.streams.used == 0


def test_answers_that_nobody_reads_leave_their_place(
    row, log, operator_api, operator_client
) -> None:
    log.write("one")
    for ask in (
        lambda: operator_api.head(rest(row)),
        lambda: operator_client.head(address(row, "log.txt")),
        lambda: operator_api.get(rest(row)),
        lambda: operator_client.get(address(row, "log.txt")),
    ):
        response = ask()
        response.close()
        del response
        gc.collect()
        assert consumers_logs.streams.used == 0


def test_one_person_leaves_places_to_others(
    row, log, operator_api, admin_api, admin_client, operator_client, settings
) -> None:
    settings.LOG_STREAMS_PER_USER = 1
    log.write("one")
    reading = operator_api.get(rest(row))
    said = operator_client.get(address(row)).content.decode()
    assert "One person may follow 1 containers" in said
    assert "One person may follow" not in admin_client.get(address(row)).content.decode()
    assert text_of(admin_api.get(rest(row))) == text_of(reading)


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "a\x00\x07b", 'a";b', "鯨", "a" * 253])
def test_a_name_that_is_no_files_name_does_not_break_the_download(
    row, log, operator_client, name
) -> None:
    Object.objects.filter(pk=row.pk).update(name=name.replace("\x00", ""))
    row.refresh_from_db()
    last = quote(row.name, safe="")
    response = operator_client.get(
        f"/clusters/{row.cluster_id}/objects/pods/default/{last}/log.txt"
    )
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment; filename")
    assert "Set-Cookie" not in response.headers
    assert len(response["Content-Disposition"]) < 2500
    response.close()


def test_the_terminal_page_offers_the_running_containers(row, operator_client) -> None:
    row.summary["containers"].append({"name": "setup", "init": True, "state": "terminated"})
    row.save()
    page = operator_client.get(address(row, "terminal/"), {"shell": "ash"}).content.decode()
    assert '<option value="main" selected>' in page and '"setup"' not in page
    assert '<option value="ash" selected>' in page
    policy = operator_client.get(address(row, "terminal/"))["Content-Security-Policy"]
    assert "unsafe-inline" not in policy and "'nonce-" in policy


def test_a_terminal_is_offered_for_running_pods_alone(row, operator, auditor) -> None:
    def offered(user) -> bool:
        return "terminal" in [a.id for a in object_registry.actions_for(user, row)]

    assert offered(operator) and not offered(auditor)
    row.summary["phase"] = "Succeeded"
    assert not offered(operator)


@pytest.mark.parametrize(
    "wrong",
    [{"tail": "0"}, {"tail": "20001"}, {"since": "-5"}, {"since": "٣"}, {"previous": "maybe"},
     {"container": "../x"}, {"container": "a" * 64}, {"show": "x"}],
)  # fmt: skip
def test_options_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(BadOption) as caught:
        options_of(wrong)
    assert caught.value.name in wrong
