"""What people do inside a cluster, against a real API server with RBAC."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from itertools import count

import pytest

from clusters import access
from clusters.kube import Conflict, Connection, Forbidden, Impersonation, NotFound
from clusters.kube.acting import Acting
from clusters.kube.discovery import resource_of
from clusters.kube.drain import Pace, drain
from clusters.kube.drain_events import Outcome
from clusters.kube.manifests import State, Wish, run
from clusters.kube.nodes_api import Marks, marks, set_marks, set_unschedulable
from clusters.kube.rollouts import history, rollback
from clusters.kube.workloads_api import delete, pause, restart, run_now, scale, suspend
from clusters.manifest_text import difference, read
from clusters.models import Cluster, Origin
from tests.integration import api_server
from tests.integration.api_server import Kubelet, RealApiServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

APPS = "/apis/apps/v1/namespaces/shop"
NAMES = count(1)
ORDINARY = Cluster(name="harbour", origin=Origin.IMPORTED)


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer() as running:
        running.connection().post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
        yield running


@pytest.fixture(scope="module")
def conn(server) -> Connection:
    return server.connection()


@pytest.fixture(scope="module")
def roles(conn) -> access.Ensured:
    return access.ensure(conn, ORDINARY)


def person(conn: Connection, role: str, number: int = 7) -> Acting:
    who = Impersonation(f"flotilla:user:{number}", (f"flotilla:platform:{role}",))
    return Acting(conn, who)


@pytest.fixture
def operator(conn, roles) -> Acting:
    return person(conn, "operator")


@pytest.fixture
def auditor(conn, roles) -> Acting:
    return person(conn, "auditor")


@pytest.fixture
def admin(conn, roles) -> Acting:
    return person(conn, "admin")


def template(image: str = "web:1", **env: str) -> dict:
    container = {"name": "c", "image": image}
    if env:
        container["env"] = [{"name": k, "value": v} for k, v in env.items()]
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}


def deployment(conn: Connection, replicas: int = 2, image: str = "web:1") -> str:
    name = f"web{next(NAMES)}"
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": template(image),
    }
    conn.post(f"{APPS}/deployments", {"metadata": {"name": name}, "spec": spec})
    return f"{APPS}/deployments/{name}"


def replica_set(conn: Connection, owner: dict, revision: int, image: str) -> None:
    """What the deployment controller writes for a revision."""
    pods = template(image)
    pods["metadata"]["labels"]["pod-template-hash"] = f"h{revision}"
    metadata = {
        "name": f"{owner['metadata']['name']}-h{revision}",
        "annotations": {"deployment.kubernetes.io/revision": str(revision)},
        "labels": {"app": "web"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ],
    }
    labels = {"app": "web", "pod-template-hash": f"h{revision}"}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods}
    conn.post(f"{APPS}/replicasets", {"metadata": metadata, "spec": spec})


# The roles.


def test_the_roles_are_made_once_and_work_at_once(conn, roles):
    again = access.ensure(conn, ORDINARY)
    assert roles.error is None and roles.works
    assert again == access.Ensured((), True, None)
    assert access.judged(again) == {"state": "ok", "reason": ""}


def test_what_somebody_widened_by_hand_is_put_right(conn, roles):
    path = f"{access.ROLES}/flotilla%3Aplatform%3Aauditor"
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    conn.merge_patch(path, {"rules": [everything]})
    binding = f"{access.BINDINGS}/flotilla%3Aplatform%3Aoperator"
    body = conn.get_json(binding)
    conn.delete(binding)
    del body["metadata"]["resourceVersion"], body["metadata"]["uid"]
    body["roleRef"]["name"] = "cluster-admin"
    conn.post(access.BINDINGS, body)
    assert set(access.ensure(conn, ORDINARY).changed) == {
        "clusterroles/flotilla:platform:auditor",
        "clusterrolebindings/flotilla:platform:operator",
    }
    assert conn.get_json(binding)["roleRef"]["name"] == "flotilla:platform:operator"
    assert everything not in conn.get_json(path)["rules"]
    eventually_forbidden(lambda: person(conn, "operator").listing("/api/v1/secrets"))


def eventually_forbidden(call) -> None:
    """The authorizer hears of a change a moment later."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        try:
            call()
        except Forbidden:
            return
        time.sleep(0.1)
    raise AssertionError("it is still allowed")


def test_a_console_without_rights_is_told_so_and_works_once_somebody_applied_the_yaml(server, conn):
    groups = ("some:console",)
    stranger = server.connection("some:console", *groups)
    refused = access.ensure(stranger, ORDINARY)
    assert isinstance(refused.error, Forbidden) and not refused.works
    state = access.judged(refused)
    assert state["state"] == "refused" and "some:console" in state["reason"]
    # Only the verb impersonate: the roles themselves were applied by somebody else.
    rules = [{"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]}]
    conn.post(access.ROLES, {"metadata": {"name": "acts"}, "rules": rules})
    conn.post(
        access.BINDINGS,
        {
            "metadata": {"name": "acts"},
            "roleRef": {"apiGroup": access.RBAC, "kind": "ClusterRole", "name": "acts"},
            "subjects": [{"apiGroup": access.RBAC, "kind": "Group", "name": "some:console"}],
        },
    )
    ends = time.monotonic() + 10
    while not (found := access.ensure(stranger, ORDINARY)).works and time.monotonic() < ends:
        time.sleep(0.2)
    assert found.works and access.judged(found) == {"state": "ok", "reason": ""}


SECRET = {"metadata": {"name": "s"}, "stringData": {"p": "x"}}
ROLE = {"metadata": {"name": "r"}, "rules": []}
BOUND = {
    "metadata": {"name": "b"},
    "roleRef": {"apiGroup": access.RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"apiGroup": access.RBAC, "kind": "User", "name": "flotilla:user:7"}],
}
OWN_ROLE = f"{access.ROLES}/flotilla%3Aplatform%3Aoperator"
RBAC_IN_SHOP = f"/apis/{access.RBAC}/v1/namespaces/shop"


@pytest.mark.parametrize(
    "attempt",
    [
        lambda c: c.listing("/api/v1/secrets"),
        lambda c: c.get_json("/api/v1/namespaces/shop/secrets/any"),
        lambda c: c.post("/api/v1/namespaces/shop/secrets", SECRET),
        lambda c: c.delete("/api/v1/namespaces/shop/secrets/any"),
        lambda c: c.post(access.ROLES, ROLE),
        lambda c: c.post(access.BINDINGS, BOUND),
        lambda c: c.post(f"{RBAC_IN_SHOP}/rolebindings", BOUND),
        lambda c: c.post(f"{RBAC_IN_SHOP}/roles", ROLE),
        lambda c: c.merge_patch(OWN_ROLE, {"rules": []}),
        lambda c: c.post("/api/v1/namespaces/shop/serviceaccounts/default/token", {}),
        lambda c: c.post("/api/v1/namespaces/shop/serviceaccounts", {"metadata": {"name": "x"}}),
        lambda c: c.get_json("/api/v1/nodes/n/proxy/pods"),
        lambda c: c.get_json("/api/v1/namespaces/shop/services/web/proxy/"),
        lambda c: c.merge_patch("/api/v1/namespaces/shop", {"metadata": {"labels": {"a": "b"}}}),
        lambda c: c.delete("/api/v1/namespaces/shop"),
        lambda c: c.delete("/api/v1/nodes/n"),
        lambda c: c.merge_patch("/api/v1/nodes/n/status", {"status": {}}),
        lambda c: c.post("/apis/certificates.k8s.io/v1/certificatesigningrequests", {}),
    ],
    ids=lambda _call: "",
)
@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_nobody_below_the_admin_reaches_secrets_rights_or_proxies(conn, roles, role, attempt):
    with pytest.raises(Forbidden, match="flotilla:user:7"):
        attempt(person(conn, role))


@pytest.mark.parametrize(
    "attempt",
    [
        lambda c: c.post("/api/v1/namespaces/shop/pods", {"metadata": {"name": "x"}}),
        lambda c: c.post("/api/v1/namespaces/shop/configmaps", {"metadata": {"name": "x"}}),
        lambda c: scale(c, f"{APPS}/deployments/fixed", 3),
        lambda c: restart(c, f"{APPS}/deployments/fixed"),
        lambda c: c.delete(f"{APPS}/deployments/fixed"),
        lambda c: set_unschedulable(c, "n", True),
        lambda c: c.get_json("/api/v1/namespaces/shop/pods/any/log"),
        lambda c: c.post("/api/v1/namespaces/shop/pods/any/exec", {}),
        lambda c: c.post("/api/v1/namespaces/shop/pods/any/eviction", {}),
    ],
    ids=lambda _call: "",
)
def test_an_auditor_changes_nothing_and_reads_no_logs(conn, auditor, attempt):
    fixed = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    conn.apply("/api/v1/nodes/n", fixed)
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template()}
    fixed = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "fixed"}}
    conn.apply(f"{APPS}/deployments/fixed", {**fixed, "spec": spec})
    with pytest.raises(Forbidden):
        attempt(auditor)


def test_an_auditor_reads_and_an_admin_may_everything(conn, auditor, admin):
    deployment(conn)
    assert auditor.listing("/apis/apps/v1/deployments").items
    assert auditor.listing("/api/v1/configmaps").items is not None
    admin.post("/api/v1/namespaces/shop/secrets", SECRET)
    assert admin.listing("/api/v1/namespaces/shop/secrets").items


def test_a_person_without_a_role_may_nothing(conn, roles):
    for groups in ((), ("flotilla:platform:",), ("flotilla:platform:none",)):
        with pytest.raises(Forbidden):
            Acting(conn, Impersonation("flotilla:user:9", groups)).listing("/api/v1/pods")


# Workloads.


def test_scale_restart_and_pause_as_an_operator(conn, operator):
    path = deployment(conn)
    assert scale(operator, path, 5).before == {"replicas": 2}
    assert conn.get_json(path)["spec"]["replicas"] == 5
    restart(operator, path)
    first = conn.get_json(path)["spec"]["template"]["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/restartedAt" in first
    pause(operator, path, True)
    with pytest.raises(Exception, match="paused"):
        restart(operator, path)
    assert pause(operator, path, False).before == {"paused": True}
    assert "paused" not in conn.get_json(path)["spec"]


def test_who_acted_stands_in_the_managed_fields_and_in_refusals(conn, operator):
    path = deployment(conn)
    scale(operator, path, 3)
    managers = {m["manager"] for m in conn.get_json(path)["metadata"]["managedFields"]}
    assert "flotilla" in managers
    with pytest.raises(Forbidden, match=r'the user flotilla:user:7.*"flotilla:user:7"'):
        operator.listing("/api/v1/secrets")


def test_history_diff_and_rollback(conn, operator):
    path = deployment(conn, image="web:2")
    live = conn.get_json(path)
    replica_set(conn, live, 1, "web:1")
    replica_set(conn, live, 2, "web:2")
    past = history(operator, "Deployment", path, "shop")
    assert [one.number for one in past.revisions] == [2, 1] and past.current == 2
    diff = difference(past.template, past.revision(1).template)
    assert "-    image: web:2" in diff and "+    image: web:1" in diff
    assert "pod-template-hash" not in diff
    effect = rollback(operator, "Deployment", path, "shop", 1, past.generation)
    assert effect.after == {"revision": 1, "images": ["web:1"]}
    pods = conn.get_json(path)["spec"]["template"]
    assert pods["spec"]["containers"][0]["image"] == "web:1"
    assert "pod-template-hash" not in pods["metadata"]["labels"]


def test_a_rollback_from_a_stale_page_is_refused(conn, operator):
    path = deployment(conn, image="web:2")
    replica_set(conn, conn.get_json(path), 1, "web:1")
    seen = history(operator, "Deployment", path, "shop").generation
    scale(conn, path, 9)
    with pytest.raises(Conflict, match="changed meanwhile"):
        rollback(operator, "Deployment", path, "shop", 1, seen)
    with pytest.raises(NotFound, match="no revision 4"):
        rollback(operator, "Deployment", path, "shop", 4, seen + 1)
    assert conn.get_json(path)["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


def test_a_status_that_moves_keeps_nobody_from_rolling_back(conn, operator):
    path = deployment(conn, image="web:2")
    replica_set(conn, conn.get_json(path), 1, "web:1")
    seen = history(operator, "Deployment", path, "shop").generation
    conn.merge_patch(f"{path}/status", {"status": {"replicas": 1, "observedGeneration": seen}})
    rollback(operator, "Deployment", path, "shop", 1, seen)
    assert conn.get_json(path)["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"


def test_a_stateful_set_goes_back_to_a_controller_revision(conn, operator):
    name = f"db{next(NAMES)}"
    spec = {
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "web"}},
        "template": template("db:2"),
    }
    made = conn.post(f"{APPS}/statefulsets", {"metadata": {"name": name}, "spec": spec})
    owner = {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": name,
        "uid": made["metadata"]["uid"], "controller": True,
    }  # fmt: skip
    for number, image in ((1, "db:1"), (2, "db:2")):
        body = {
            "metadata": {
                "name": f"{name}-{number}", "labels": {"app": "web"}, "ownerReferences": [owner],
            },
            "revision": number,
            "data": {"spec": {"template": {**made["spec"]["template"], "$patch": "replace"}}},
        }  # fmt: skip
        pods = body["data"]["spec"]["template"]
        containers = [{**pods["spec"]["containers"][0], "image": image}]
        pods["spec"] = {**pods["spec"], "containers": containers}
        conn.post(f"{APPS}/controllerrevisions", body)
    path = f"{APPS}/statefulsets/{name}"
    past = history(operator, "StatefulSet", path, "shop")
    assert (past.current, past.revision(1).images) == (2, ["db:1"])
    rollback(operator, "StatefulSet", path, "shop", 1, past.generation)
    assert history(operator, "StatefulSet", path, "shop").current == 1


def cron_api(conn: Connection) -> str:
    """The version that this server serves: v1beta1 until 1.20."""
    try:
        conn.get_json("/apis/batch/v1/namespaces/shop/cronjobs")
    except NotFound:
        return "v1beta1"
    return "v1"


def test_a_cron_job_is_suspended_and_run_now(conn, operator):
    cron = f"/apis/batch/{cron_api(conn)}/namespaces/shop/cronjobs"
    pods = template("job:1")
    pods["spec"]["restartPolicy"] = "Never"
    spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": pods}}}
    name = "nightly-" + "x" * 43
    conn.post(cron, {"metadata": {"name": name}, "spec": spec})
    suspend(operator, f"{cron}/{name}", True)
    assert conn.get_json(f"{cron}/{name}")["spec"]["suspend"] is True
    made = run_now(operator, f"{cron}/{name}").name
    job = conn.get_json(f"/apis/batch/v1/namespaces/shop/jobs/{made}")
    assert job["metadata"]["ownerReferences"][0]["name"] == name
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    again = run_now(operator, f"{cron}/{name}").name
    assert again != made and len(again) <= 63


def test_a_deletion_means_the_object_that_was_looked_at(conn, operator):
    path = deployment(conn)
    old = conn.get_json(path)["metadata"]["uid"]
    delete(operator, path, old, "Background")
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template()}
    name = path.rpartition("/")[2]
    conn.post(f"{APPS}/deployments", {"metadata": {"name": name}, "spec": spec})
    with pytest.raises(Conflict):
        delete(operator, path, old, "Background")
    assert conn.get_json(path)["metadata"]["uid"] != old


# Nodes.


def node(conn: Connection, **labels: str) -> str:
    name = f"n{next(NAMES)}"
    conn.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
    return name


def test_cordon_labels_and_taints_as_an_operator(conn, operator):
    name = node(conn, disk="ssd", zone="a")
    assert set_unschedulable(operator, name, True) == (False, True)
    seen = marks(operator, name)
    taint = {"key": "gpu", "value": "", "effect": "NoSchedule"}
    labels = {k: v for k, v in seen.labels.items() if k != "disk"} | {"zone": "b", "new": ""}
    set_marks(operator, name, seen, Marks(labels, [*seen.taints, taint]))
    live = conn.get_json(f"/api/v1/nodes/{name}")
    assert (
        live["metadata"]["labels"].get("zone") == "b" and "disk" not in live["metadata"]["labels"]
    )
    assert {"key": "gpu", "effect": "NoSchedule"} in live["spec"]["taints"]


def test_marks_that_others_changed_are_not_overwritten(conn, operator):
    name = node(conn, zone="a", rack="1")
    seen = marks(operator, name)
    conn.merge_patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": {"rack": "2"}}})
    set_marks(operator, name, seen, Marks({**seen.labels, "zone": "b"}, seen.taints))
    assert marks(conn, name).labels == {**seen.labels, "zone": "b", "rack": "2"}
    with pytest.raises(Conflict, match="rack"):
        set_marks(operator, name, seen, Marks({**seen.labels, "rack": "3"}, seen.taints))
    taint = {"key": "k", "value": "v", "effect": "NoExecute"}
    body = {"spec": {"taints": [taint]}}
    conn.merge_patch(f"/api/v1/nodes/{name}", body)
    with pytest.raises(Conflict, match="taints"):
        set_marks(operator, name, seen, Marks(seen.labels, [{**taint, "value": "w"}]))


def test_an_operator_drains_and_local_data_is_kept_unless_allowed(conn, operator):
    name = node(conn)
    pods = "/api/v1/namespaces/shop/pods"
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "o", "uid": "1"}
    spec = {
        "nodeName": name,
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    metadata = {"name": f"on-{name}", "ownerReferences": [owner | {"controller": True}]}
    conn.post(pods, {"metadata": metadata, "spec": spec})
    pace = Pace(look=0.1, retry=0.3, stop=0.05)
    refused = drain(operator, name, timeout=20, local_data=False, pace=pace)
    assert refused.outcome is Outcome.LOCAL_DATA and refused.keeping == (f"shop/on-{name}",)
    assert not conn.get_json(f"/api/v1/nodes/{name}")["spec"].get("unschedulable")
    with Kubelet(conn, name):
        result = drain(operator, name, timeout=20, grace=1, pace=pace)
    assert result.done and result.left == (f"shop/on-{name}",)


# Manifests.


def config(name: str, **data: str) -> str:
    lines = "\n".join(f"  {key}: {value!r}" for key, value in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n{lines}\n"


def test_a_dry_run_shows_the_change_and_keeps_nothing_then_the_apply_makes_it(conn, operator):
    name = f"c{next(NAMES)}"
    wish = Wish("shop")
    (tried,) = run(operator, read(config(name, a="1")), wish)
    assert (tried.state, tried.namespace, tried.resource) == (State.CREATED, "shop", "configmaps")
    with pytest.raises(NotFound):
        conn.get_json(f"/api/v1/namespaces/shop/configmaps/{name}")
    apply = Wish("shop", dry_run=False)
    (made,) = run(operator, read(config(name, a="1")), apply)
    assert made.state is State.CREATED
    (same,) = run(operator, read(config(name, a="1")), wish)
    assert (same.state, same.diff) == (State.UNCHANGED, "")
    (changed,) = run(operator, read(config(name, a="2")), wish)
    assert changed.state is State.CHANGED
    assert "-  a: '1'" in changed.diff and "+  a: '2'" in changed.diff
    assert "managedFields" not in changed.diff
    managers = conn.get_json(f"/api/v1/namespaces/shop/configmaps/{name}")["metadata"]
    assert [m["manager"] for m in managers["managedFields"]] == ["flotilla"]


def test_a_field_of_another_manager_is_named_and_taken_only_by_force(conn, operator):
    path = deployment(conn)
    name = path.rpartition("/")[2]
    text = (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\n"
        "spec: {replicas: 7}\n"
    )
    # Somebody else's: created by another manager.
    conn._send(
        "PATCH", path, {"fieldManager": "team-b"}, {"spec": {"replicas": 4}},
        "application/merge-patch+json", 10, None,
    )  # fmt: skip
    (outcome,) = run(operator, read(text), Wish())
    assert outcome.state is State.CONFLICT
    assert [(t.manager, t.field) for t in outcome.conflicts] == [("team-b", ".spec.replicas")]
    assert conn.get_json(path)["spec"]["replicas"] == 4
    (forced,) = run(operator, read(text), Wish(force=True, dry_run=False))
    assert forced.state is State.CHANGED and conn.get_json(path)["spec"]["replicas"] == 7


def test_what_the_console_itself_scaled_is_no_conflict(conn, operator):
    path = deployment(conn)
    scale(operator, path, 5)
    name = path.rpartition("/")[2]
    text = (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\n"
        "spec: {replicas: 7}\n"
    )
    (tried,) = run(operator, read(text), Wish())
    assert tried.state is State.CHANGED and "+  replicas: 7" in tried.diff
    (applied,) = run(operator, read(text), Wish(dry_run=False))
    assert applied.state is State.CHANGED and conn.get_json(path)["spec"]["replicas"] == 7


def test_each_object_has_its_own_result_and_what_others_need_comes_first(conn, admin):
    space = f"space{next(NAMES)}"
    text = "---\n".join(
        [
            config("inside", a="1").replace("name: inside", f"name: inside\n  namespace: {space}"),
            "apiVersion: v1\nkind: Nonsense\nmetadata: {name: x}\n",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_A_Name}\n",
            f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {space}}}\n",
        ]
    )
    tried = {o.manifest.kind + o.manifest.name: o for o in run(admin, read(text), Wish())}
    assert tried[f"Namespace{space}"].state is State.CREATED
    assert tried["ConfigMapinside"].state is State.WAITS
    assert "serves no Nonsense" in tried["Nonsensex"].error
    assert tried["ConfigMapNot_A_Name"].state is State.REFUSED
    made = {o.manifest.name: o.state for o in run(admin, read(text), Wish(dry_run=False))}
    assert made[space] is State.CREATED and made["inside"] is State.CREATED
    assert made["x"] is State.REFUSED


def test_a_namespace_that_is_not_there_is_named(operator):
    (outcome,) = run(operator, read(config("c", a="1")), Wish("nowhere"))
    assert outcome.state is State.REFUSED and 'namespaces "nowhere" not found' in outcome.error


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.sea.example}
spec:
  group: sea.example
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
BOAT = "apiVersion: sea.example/v1\nkind: Boat\nmetadata: {name: a}\nspec: {sails: 2}\n"


def test_a_custom_kind_is_tried_once_its_definition_is_there(conn, admin):
    # No object of it is made: API servers of 1.20 that a newer Go built end when one is decoded.
    text = f"{BOAT}---{CRD}"
    assert [o.state for o in run(admin, read(text), Wish("shop"))] == [State.CREATED, State.WAITS]
    (applied,) = run(admin, read(CRD), Wish("shop", dry_run=False))
    assert applied.state is State.CREATED
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with contextlib.suppress(NotFound):
            found = resource_of(admin, "sea.example/v1", "Boat")
            break
        time.sleep(0.2)
    assert (found.resource, found.namespaced) == ("boats.sea.example", True)


def test_the_values_of_secrets_are_in_no_diff(admin):
    name = f"s{next(NAMES)}"
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\nstringData: {p: %s}\n"
    (made,) = run(admin, read(text % (name, "hunter2")), Wish("shop", dry_run=False))
    (changed,) = run(admin, read(text % (name, "hunter3")), Wish("shop", dry_run=False))
    assert (made.state, changed.state) == (State.CREATED, State.CHANGED)
    for outcome in (made, changed):
        told = outcome.diff + str(outcome.changed)
        assert "hunter" not in told and "aHVudGVy" not in told
    assert "-  p: ••••" in changed.diff


def test_an_operator_cannot_raise_themselves_by_a_manifest(conn, operator):
    text = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: mine}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "flotilla:user:7"}]
"""
    (outcome,) = run(operator, read(text), Wish(dry_run=False, force=True))
    assert outcome.state is State.REFUSED and "flotilla:user:7" in outcome.error
    with pytest.raises(NotFound):
        conn.get_json(f"{access.BINDINGS}/mine")


def test_ports_need_no_protocol(operator):
    """Server-side apply of 1.20 answers 500 to a Service as everybody writes it."""
    name = f"svc{next(NAMES)}"
    text = f"""
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
"""
    (made,) = run(operator, read(text), Wish("shop", dry_run=False))
    assert (made.state, made.error) == (State.CREATED, "")
    (same,) = run(operator, read(text), Wish("shop"))
    assert same.state == State.UNCHANGED
