"""The writer of a cluster: changes that come together, and what happens without room or lease."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters.inventory.collections import Collection, Nodes
from clusters.inventory.kinds import BY_RESOURCE
from clusters.inventory.lease import claim
from clusters.inventory.writer import Writer
from clusters.inventory.writing import Change, write
from clusters.models import Cluster, Object
from tests.factories import ClusterFactory, ClusterSecretFactory
from tests.unit.clusters.apiserver import node
from tests.unit.clusters.objects import pod

pytestmark = pytest.mark.django_db(transaction=True)
CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lease():
    cluster = ClusterFactory()
    ClusterSecretFactory(cluster=cluster, name="console/client.crt", value="x")
    [taken] = claim("test", 1, seconds=60)
    return taken


def source(collection: Collection | None = None):
    collection = collection or Collection(BY_RESOURCE["pods"])
    relisted: list[int] = []
    return SourceOf(collection=collection, relisted=relisted, relist=lambda: relisted.append(1))


class SourceOf(SimpleNamespace):
    __hash__ = object.__hash__


def change(of, *items: dict, gone: tuple = (), **more: object) -> Change:
    entries = [of.collection.entry(1, item) for item in items]
    for entry in entries:
        for row in entry.rows:
            row.cluster_id = Cluster.objects.get().pk
    return Change(of, 1, entries, [("default", name) for name in gone], **more)


def keys(*names: str) -> frozenset:
    return frozenset(("default", name) for name in names)


def known() -> dict[str, str]:
    return dict(Object.objects.values_list("name", "status"))


def test_the_last_word_of_an_object_counts(lease):
    pods = source()
    write(lease, [
        change(pods, pod("a", word="Error"), pod("b")),
        change(pods, gone=("b", "never-there")),
        change(pods, pod("a")),
        change(pods, gone=("c",)),
        change(pods, pod("c")),
    ])  # fmt: skip
    assert known() == {"a": "Running", "c": "Running"}
    assert Cluster.objects.get().changes == 1, "one batch, one change"


def test_a_list_takes_what_it_does_not_name_and_what_came_after_it_stays(lease):
    pods = source()
    write(lease, [change(pods, pod("old"), pod("kept"))])
    write(lease, [
        change(pods, pod("before-the-list-began")),
        change(pods, pod("kept"), pod("new")),
        change(pods, complete=keys("kept", "new")),
        change(pods, pod("later")),
        change(pods, gone=("new",)),
    ])  # fmt: skip
    assert sorted(known()) == ["kept", "later"]


def test_other_kinds_of_the_same_name_are_left_alone(lease):
    pods, maps = source(), source(Collection(BY_RESOURCE["configmaps"]))
    same = {"metadata": {"name": "a", "namespace": "default"}}
    write(lease, [change(pods, pod("a")), change(maps, same)])
    write(lease, [change(pods, complete=keys())])
    assert Object.objects.get().resource == "configmaps"


def test_a_node_has_both_rows_and_loses_both(lease):
    nodes = source(Nodes(BY_RESOURCE["nodes"]))
    write(lease, [change(nodes, node("n1"), node("n2"))])
    cluster = Cluster.objects.get()
    assert cluster.nodes.count() == cluster.inventory.count() == 2
    write(lease, [Change(nodes, 1, gone=[("", "n1")])])
    assert [n.name for n in cluster.nodes.all()] == [o.name for o in cluster.inventory.all()]
    assert cluster.nodes.count() == 1


def test_five_hundred_changes_are_few_statements(lease):
    pods = source()
    changes = [change(pods, pod(f"p{n}")) for n in range(500)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        write(lease, changes)
    assert len(queries) < 30
    assert Object.objects.count() == 500


def test_what_comes_together_is_written_together_and_in_the_end_all_is(lease):
    pods, writer = source(), Writer(lease, gather=0.2)
    changes = [change(pods, pod(f"p{n}")) for n in range(50)]
    writer.start()
    for one in changes:
        assert writer.put(one)
    writer.stop()
    writer.join(10)
    assert Object.objects.count() == 50
    assert Cluster.objects.get().changes <= 2
    assert not writer.put(changes[0]), "nobody writes any more"


def test_who_brings_too_much_waits_and_loses_nothing(lease):
    pods, writer = source(), Writer(lease, gather=0.01, most=5, room=10)
    changes = [change(pods, pod(f"p{n}")) for n in range(60)]
    put: list[int] = []

    def bring() -> None:
        for number, one in enumerate(changes):
            writer.put(one)
            put.append(number)

    bringing = threading.Thread(target=bring)
    bringing.start()
    time.sleep(0.3)
    assert len(put) == 10, "there is no room for more, and nobody writes yet"
    writer.start()
    bringing.join(20)
    writer.stop()
    writer.join(20)
    assert Object.objects.count() == 60


def test_a_writer_without_its_lease_ends_and_writes_nothing(lease):
    pods, writer = source(), Writer(lease, gather=0.01)
    one = change(pods, pod("a"))
    Cluster.objects.update(watcher="another")
    writer.start()
    writer.put(one)
    writer.join(10)
    assert not writer.is_alive()
    assert not writer.put(one)
    assert known() == {}


SMALL_STACK = """
import json, ssl, threading
import django
django.setup()
from clusters.inventory.watcher import STACK_BYTES, be_frugal
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
be_frugal()
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(hard, 65536)
assert threading.stack_size() == STACK_BYTES
found = []
def work():
    import orjson
    from clusters.inventory.kinds import BY_RESOURCE
    from clusters.inventory.rows import row_of
    from clusters.models import Object
    from clusters.kube import library
    library.client()
    context = ssl.create_default_context()
    deep = "[" * 900 + "]" * 900
    item = {"metadata": {"name": "a"}, "spec": orjson.loads(deep), "status": json.loads(deep)}
    row = row_of(1, BY_RESOURCE["pods"], "v1", item)
    str(Object.objects.filter(name__in=[str(n) for n in range(500)]).query)
    found.append(row.name)
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert found == ["a"], found
"""


def test_the_watchers_small_stacks_are_large_enough():
    done = subprocess.run(
        [sys.executable, "-c", SMALL_STACK], cwd=CHECKOUT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
