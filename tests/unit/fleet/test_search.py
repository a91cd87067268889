"""Search: operators, groups, rights, cost, and what no query may do."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from clusters.models import Cluster, Object
from console.accounts.models import User
from console.ui.search import LIMIT, OPERATORS, Query, parse, search
from provisioning.models import HostState, TaskStatus, TaskStep
from tests.factories import ClusterFactory, HostFactory, TaskFactory
from tests.unit.fleet.rows import make, many_pods


@pytest.mark.parametrize(
    ("text", "words", "operators"),
    [
        ("", (), ()),
        ("web  cart", ("web", "cart"), ()),
        ("web kind:pod ns:shop", ("web",), (("kind", "pod"), ("ns", "shop"))),
        ('"a b" label:"app=web"', ("a b",), (("label", "app=web"),)),
        ("nginx:1.27 image:nginx:1.27", ("nginx:1.27",), (("image", "nginx:1.27"),)),
        ("ip:fd00::1", (), (("ip", "fd00::1"),)),
        ("kind: ns", ("ns",), ()),
        ("foo:bar", ("foo:bar",), ()),
    ],
)
def test_operators(text: str, words: tuple[str, ...], operators: tuple[object, ...]) -> None:
    assert parse(text) == Query(words, operators)  # type: ignore[arg-type]


@given(text=st.text(max_size=600))
def test_any_text_is_a_query(text: str) -> None:
    query = parse(text)
    assert all(word and "\0" not in word for word in query.words)
    assert all(name in OPERATORS and value for name, value in query.operators)


@given(
    words=st.lists(st.from_regex(r"[a-z0-9-]{1,9}", fullmatch=True), max_size=3),
    operators=st.lists(
        st.tuples(st.sampled_from(OPERATORS), st.from_regex(r"[a-z0-9=.:-]{1,9}", fullmatch=True)),
        max_size=4,
    ),
)
def test_what_is_written_is_read(words: list[str], operators: list[tuple[str, str]]) -> None:
    text = " ".join([*words, *(f"{name}:{value}" for name, value in operators)])
    assert parse(text) == Query(tuple(words), tuple(operators))
    quoted = " ".join([*words, *(f'{name}:"{value}"' for name, value in operators)])
    assert parse(quoted) == Query(tuple(words), tuple(operators))


@pytest.fixture
def fleet(db: None) -> tuple[Cluster, Cluster]:
    one, two = ClusterFactory(name="north"), ClusterFactory(name="south")
    make(one, "pods", "web-1", "shop", status="Running", health="good", address="10.1.2.3",
         node="n1", images="docker.io/nginx:1.27", labels={"app": "web"})  # fmt: skip
    make(one, "pods", "web-2", "core", status="CrashLoopBackOff", health="bad",
         images="redis:7", labels={"app": "cache"})  # fmt: skip
    make(one, "deployments.apps", "web", "shop")
    make(two, "services", "web", "shop")
    Object.objects.create(
        cluster=two,
        resource="databases.example.com",
        api_version="example.com/v1",
        kind="Database",
        namespace="shop",
        name="web-db",
    )
    return one, two


def titles(user: User, text: str) -> dict[str, list[str]]:
    # What is found is the question here, however busy the machine is.
    found = search(user, parse(text), seconds=60)
    return {group.id: [hit.title for hit in group.hits] for group in found.groups}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web", {"exact": ["web", "web"], "pods": ["web-1", "web-2"],
                 "databases.example.com": ["web-db"]}),
        ("WEB-1", {"exact": ["web-1"]}),
        ("eb kind:po", {"pods": ["web-1", "web-2"]}),
        ("kind:deployment", {"deployments.apps": ["web"]}),
        ("kind:databases", {"databases.example.com": ["web-db"]}),
        ("ns:core", {"pods": ["web-2"]}),
        ("label:app=web", {"pods": ["web-1"]}),
        ("label:app=", {}),
        ("label:((", {}),
        ("image:nginx", {"pods": ["web-1"]}),
        ("ip:10.1.2.3", {"pods": ["web-1"]}),
        ("status:crashloopbackoff", {"pods": ["web-2"]}),
        ("node:n1", {"pods": ["web-1"]}),
        ("we cluster:sou", {"services": ["web"], "databases.example.com": ["web-db"]}),
        ("cluster:nor", {"clusters": ["north"]}),
        ("sout", {"clusters": ["south"]}),
        ("100%", {}),
    ],
)  # fmt: skip
def test_words_and_operators_find(
    admin: User, fleet: tuple[Cluster, Cluster], text: str, found: dict[str, list[str]]
) -> None:
    groups = titles(admin, text)
    if text == "cluster:nor":
        groups = {"clusters": groups["clusters"]}
    assert groups == found


def test_pages_and_hosts_are_found_too(admin: User) -> None:
    HostFactory(name="rack7", address="10.9.9.7", state=HostState.READY)
    assert titles(admin, "rack") == {"hosts": ["rack7"]}
    assert titles(admin, "ip:10.9.9.7") == {"hosts": ["rack7"]}
    assert titles(admin, "credential")["pages"] == ["Credentials"]


@pytest.fixture
def tasks(db: None) -> None:
    rack = HostFactory(name="rack7")
    upgrade = TaskFactory(
        pk=41, operation="upgrade", title="Upgrade north to v1.20.2",
        cluster_name="north", status=TaskStatus.FAILED,
    )  # fmt: skip
    drain = TaskFactory(
        pk=7, operation="drain_node", title="Drain <b>", cluster_name="south",
        status=TaskStatus.SUCCEEDED,
    )  # fmt: skip
    for position in range(3):
        TaskStep.objects.create(
            task=drain, position=position, phase="p", phase_title="P", step="s", title="S",
            host=rack, host_name="rack7",
        )  # fmt: skip
    assert upgrade.pk == 41


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("41", ["Upgrade north to v1.20.2"]),
        ("#7", ["Drain <b>"]),
        ("kind:task", ["Upgrade north to v1.20.2", "Drain <b>"]),
        ("kind:upgrade", ["Upgrade north to v1.20.2"]),
        ("drain_node", ["Drain <b>"]),
        ("NORTH upgrade", ["Upgrade north to v1.20.2"]),
        ("rack", ["Drain <b>"]),
        ("rack north", []),
        ("failed", ["Upgrade north to v1.20.2"]),
        ("status:succeeded", ["Drain <b>"]),
        ("kind:task status:failed cluster:sou", []),
        ("cluster:sou kind:task", ["Drain <b>"]),
        ("41 node:rack7", []),
        ("99999999999999999999", []),
        ("٤١", []),
        ("%", []),
    ],
)
def test_tasks_are_found(admin: User, tasks: None, text: str, found: list[str]) -> None:
    assert titles(admin, text).get("tasks", []) == found


def test_titles_of_tasks_are_text_and_nobody_finds_them_without_the_right(
    auditor_client: Client, nobody_client: Client, tasks: None
) -> None:
    page = auditor_client.get("/search/?q=kind:task").content.decode()
    assert "Drain &lt;b&gt;" in page and "/tasks/7/" in page
    assert "/tasks/7/" not in nobody_client.get("/search/?q=kind:task").content.decode()


def test_without_a_role_nothing_of_clusters_is_found(
    nobody_client: Client, nobody_api: APIClient, fleet: tuple[Cluster, Cluster]
) -> None:
    page = nobody_client.get("/search/?q=web").content.decode()
    assert "web-1" not in page
    assert "Nothing was found" in page
    assert nobody_api.get("/api/v1/search/?q=web").json() == {"complete": True, "groups": []}


def test_a_group_ends_at_its_limit_and_says_so(admin: User) -> None:
    many_pods(ClusterFactory(), LIMIT + 10)
    (group,) = search(admin, parse("pod-")).groups
    assert len(group.hits) == LIMIT
    assert group.more


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan")
def test_names_are_looked_for_in_an_index_kind_by_kind(admin: User) -> None:
    many_pods(ClusterFactory(), 3000)
    with CaptureQueriesContext(connection) as captured:
        search(admin, parse("od-0 kind:pod"))
    said = [q["sql"] for q in captured.captured_queries if "LIKE" in q["sql"]]
    assert said
    for sql in said:
        if "inventory" in sql or "clusters_object" in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
                plan = " / ".join(str(line[3]) for line in cursor.fetchall())
            assert "object_by_name_anywhere" in plan, plan


def test_the_number_of_queries_does_not_grow(admin: User) -> None:
    counts = []
    for pods in (10, 3000):
        many_pods(ClusterFactory(), pods)
        with CaptureQueriesContext(connection) as captured:
            search(admin, parse("pod"))
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_a_search_that_takes_too_long_ends_and_says_so(
    admin: User, fleet: tuple[Cluster, Cluster]
) -> None:
    found = search(admin, parse("web"), seconds=-1)
    assert not found.complete


def test_hits_are_text(admin_client: Client) -> None:
    make(
        ClusterFactory(name="north"), "pods", "<script>alert(1)", "<b>", status="<i>", health="bad"
    )
    page = admin_client.get("/search/?q=script").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert admin_client.get('/search/?q="><script>x').content.decode().count("<script>x") == 0


def test_htmx_gets_the_results_alone(admin_client: Client, fleet: tuple[Cluster, Cluster]) -> None:
    part = admin_client.get("/search/?q=web", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "web-1" in part


def test_the_api_searches_lists_and_pages(
    admin_api: APIClient, fleet: tuple[Cluster, Cluster]
) -> None:
    one, _two = fleet
    groups = admin_api.get("/api/v1/search/?q=web-1").json()["groups"]
    assert [(hit["title"], hit["cluster"]) for hit in groups[0]["hits"]] == [("web-1", "north")]
    base = f"/api/v1/clusters/{one.pk}/objects/"
    first = admin_api.get(f"{base}?resource=pods&limit=1").json()
    assert [row["name"] for row in first["results"]] == ["web-1"]
    second = admin_api.get(first["next"]).json()
    assert [row["name"] for row in second["results"]] == ["web-2"]
    bad = admin_api.get(f"{base}?resource=pods&health=look").json()
    assert [row["name"] for row in bad["results"]] == ["web-2"]
    assert "resource" in admin_api.get(base).json()["errors"]
    assert "labels" in admin_api.get(f"{base}?resource=pods&labels=((").json()["errors"]
    assert admin_api.get(f"/api/v1/clusters/{one.pk}/events/").json()["results"] == []


def test_the_api_shows_nothing_without_a_role(
    nobody_api: APIClient, fleet: tuple[Cluster, Cluster]
) -> None:
    for rest in ("objects/?resource=pods", "events/"):
        assert nobody_api.get(f"/api/v1/clusters/{fleet[0].pk}/{rest}").status_code == 404
