"""Writes, deprecated APIs and outages against a real kube-apiserver."""

from __future__ import annotations

import time

import pytest

from clusters.kube import Conflict, Connection, Forbidden, Impersonation, NotFound, UnexpectedAnswer
from clusters.kube.deprecated import Evidence, in_use, metrics
from clusters.kube.nodes_api import cordon, delete_node, node_ready, uncordon
from clusters.kube.outage import OutageMeter
from tests.integration import api_server
from tests.integration.api_server import RealApiServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAMESPACES = "/api/v1/namespaces"
MAPS = f"{NAMESPACES}/default/configmaps"


@pytest.fixture(scope="module")
def server():
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer() as running:
        yield running


@pytest.fixture(scope="module")
def conn(server) -> Connection:
    return server.connection()


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_objects_are_made_changed_and_deleted(conn):
    made = conn.post(MAPS, config_map("a", one="1", two="2"))
    assert made["metadata"]["managedFields"][0]["manager"] == "flotilla"
    changed = conn.merge_patch(f"{MAPS}/a", {"data": {"one": None, "three": "3"}})
    assert changed["data"] == {"two": "2", "three": "3"}
    with pytest.raises(Conflict, match="already exists") as caught:
        conn.post(MAPS, config_map("a"))
    assert caught.value.mend
    conn.delete(f"{MAPS}/a")
    with pytest.raises(NotFound):
        conn.delete(f"{MAPS}/a")


def test_a_patch_of_an_old_version_is_a_conflict(conn):
    old = conn.post(MAPS, config_map("old"))["metadata"]["resourceVersion"]
    conn.merge_patch(f"{MAPS}/old", {"data": {"a": "1"}})
    with pytest.raises(Conflict, match="409"):
        conn.merge_patch(f"{MAPS}/old", {"metadata": {"resourceVersion": old}, "data": {"a": "2"}})


def test_a_delete_with_another_uid_is_a_conflict(conn):
    conn.post(MAPS, config_map("uid"))
    with pytest.raises(Conflict):
        conn.delete(f"{MAPS}/uid", {"preconditions": {"uid": "no-such-uid"}})


def test_apply_owns_its_fields_and_takes_those_of_others_only_by_force(conn):
    first = conn.apply(f"{MAPS}/applied", config_map("applied", mine="1", more="x"))
    assert first["data"] == {"mine": "1", "more": "x"}
    assert conn.apply(f"{MAPS}/applied", config_map("applied", mine="1"))["data"] == {"mine": "1"}
    conn.merge_patch(f"{MAPS}/applied", {"data": {"other": "theirs"}})
    with pytest.raises(Conflict) as caught:
        conn.apply(f"{MAPS}/applied", config_map("applied", mine="1", other="ours"))
    assert [(c.reason, c.field) for c in caught.value.causes] == [
        ("FieldManagerConflict", ".data.other")
    ]
    taken = conn.apply(f"{MAPS}/applied", config_map("applied", mine="1", other="ours"), force=True)
    assert taken["data"] == {"mine": "1", "other": "ours"}


def test_what_the_server_cannot_take_is_said(conn):
    with pytest.raises(UnexpectedAnswer, match="422") as caught:
        conn.post(MAPS, config_map("Not A Name"))
    assert "Not A Name" in caught.value.cause


def test_impersonation_gives_the_rights_of_the_user_and_no_others(conn):
    who = Impersonation("flotilla:user:7", ("flotilla:tenant:shop:editor", "second"))
    with pytest.raises(Forbidden, match="flotilla:user:7") as caught:
        conn.post(MAPS, config_map("theirs"), impersonation=who)
    assert "roles" in caught.value.mend
    role = {
        "metadata": {"name": "maps"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}],
    }
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    conn.post(f"{rbac}/roles", role)
    binding = {
        "metadata": {"name": "maps"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "maps"},
        # The second group: both have to arrive.
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "second"}],
    }
    conn.post(f"{rbac}/rolebindings", binding)
    ends = time.monotonic() + 5
    while True:
        try:
            conn.post(MAPS, config_map("theirs"), impersonation=who)
            break
        except Forbidden:
            assert time.monotonic() < ends
            time.sleep(0.1)
    with pytest.raises(Forbidden):
        conn.delete(f"{MAPS}/theirs", impersonation=who)
    conn.delete(f"{MAPS}/theirs")


def test_a_node_is_cordoned_uncordoned_read_and_deleted(conn):
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {"kubeletVersion": "v1.20.2"},
    }
    conn.post("/api/v1/nodes", {"metadata": {"name": "n"}, "status": status})
    assert node_ready(conn, "n") == (True, "v1.20.2")
    for _ in range(2):
        cordon(conn, "n")
        assert conn.get_json("/api/v1/nodes/n")["spec"]["unschedulable"] is True
    for _ in range(2):
        uncordon(conn, "n")
        assert "unschedulable" not in conn.get_json("/api/v1/nodes/n")["spec"]
    unknown = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    conn.merge_patch("/api/v1/nodes/n/status", {"status": unknown})
    assert node_ready(conn, "n").ready is False
    assert delete_node(conn, "n") is True
    assert delete_node(conn, "n") is False
    with pytest.raises(NotFound):
        cordon(conn, "n")


def test_deprecated_apis_in_use_are_named_with_who_wrote_them(conn):
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    conn.post(
        "/apis/rbac.authorization.k8s.io/v1beta1/namespaces/default/roles",
        {"metadata": {"name": "ancient"}, "rules": [rule]},
    )
    assert metrics(conn).started is not None
    in_use([conn], "v1.22.0")
    # Twice: looking for them is not using them.
    uses = in_use([conn, conn], "v1.22.0")
    requested = [use for use in uses if use.evidence is Evidence.REQUESTED]
    assert [use.resource for use in requested] == ["roles"]
    (written,) = [use for use in uses if use.evidence is Evidence.WRITTEN]
    assert (written.namespace, written.name, written.by) == ("default", "ancient", "flotilla")
    assert written.last
    assert in_use([conn], "v1.21.0") == []


def test_the_outage_of_a_restart_is_measured(server):
    # A long limit: waiting for a processor is no outage.
    meter = OutageMeter(server.credentials(), limit=10.0)
    meter.start()
    time.sleep(0.5)
    began = time.monotonic()
    server.down()
    server.up()
    took = (time.monotonic() - began) * 1000
    time.sleep(1.2)
    meter.stop()
    result = meter.result()
    assert len(result.outages) == 1, result
    outage = result.outages[0]
    # The first attempt may have been under way when the server was killed.
    cut = ("Connection refused", "Connection reset by peer", "closed without an answer")
    assert outage.error in cut or "TLS" in outage.error
    # It serves a little before up() has noticed.
    assert took / 2 < outage.length_ms < took + outage.margin_ms + result.slowest_ms
