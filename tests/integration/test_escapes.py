"""Attempts of a tenant's people to get out of their namespace, on a real kube-apiserver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from clusters.kube import Connection, Forbidden, Impersonation, KubeError
from clusters.kube.skew import minor_of
from clusters.models import ResourcePool
from tenancy import dry_runs, enforced, pod_security_policies, reconcile
from tenancy.models import Namespace, NamespaceState, Tenant
from tests.factories import ClusterFactory
from tests.integration.api_server import RealApiServer, missing

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
JSON = dict[str, Any]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
NET = "/apis/networking.k8s.io/v1/namespaces/shop-web/networkpolicies"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
OWN, OTHER, SYSTEM = (
    f"/api/v1/namespaces/{name}" for name in ("shop-web", "bank-pay", "kube-system")
)
ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
ME = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "flotilla:user:7"}]
POOL = "flotilla.dev/pool"


def named(name: str, **more: Any) -> JSON:
    return {"metadata": {"name": name}, **more}


def pod(name: str, **spec: Any) -> JSON:
    container = {"name": "c", "image": "registry.example/a:1", **spec.pop("container", {})}
    return named(name, spec={"containers": [container], **spec})


@dataclass(frozen=True)
class Attempt:
    what: str
    call: Callable[[Connection], object]
    # The first minor of Kubernetes for which the console has it refused; enforced.py says so.
    since: int = 0
    # Of a refusal that the API server answers with 500.
    words: str = "-"


def anonymous(**spec: Any) -> JSON:
    return {**pod("", **spec), "metadata": {"generateName": "pod-"}}


def post(path: str, body: JSON) -> Callable[[Connection], object]:
    return lambda conn: conn.post(path, body)


def patch(path: str, body: JSON) -> Callable[[Connection], object]:
    return lambda conn: conn.merge_patch(path, body)


def get(path: str) -> Callable[[Connection], object]:
    return lambda conn: conn.get_json(path)


def delete(path: str) -> Callable[[Connection], object]:
    return lambda conn: conn.delete(path)


def acting_as(user: str, *groups: str) -> Callable[[Connection], object]:
    who = Impersonation(user, groups)
    return lambda conn: conn.get_json("/api/v1/nodes", impersonation=who)


OWN_BINDING = f"{RBAC}/namespaces/shop-web/rolebindings"
PRIVILEGED = {"container": {"securityContext": {"privileged": True}}}
HOST_PATH = {"volumes": [{"name": "h", "hostPath": {"path": "/"}}]}
HOST_PORT = {"container": {"ports": [{"containerPort": 80, "hostPort": 80}]}}
CAPABLE = {"container": {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}}
SYSCTL = {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}
PROC = {"container": {"securityContext": {"procMount": "Unmasked"}}}
GOLD = {"key": "pool", "value": "gold", "effect": "NoSchedule"}
SILVER = {"key": "pool", "operator": "Equal", "value": "silver", "effect": "NoSchedule"}
LABELS = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}

ATTEMPTS = (
    Attempt(
        "escalate: a Role with every right",
        post(f"{RBAC}/namespaces/shop-web/roles", named("r", rules=ALL)),
    ),
    Attempt(
        "escalate: a ClusterRole with every right",
        post(f"{RBAC}/clusterroles", named("r", rules=ALL)),
    ),
    Attempt(
        "escalate: add rights to the tenants' own ClusterRole",
        patch(f"{RBAC}/clusterroles/flotilla:tenant:developer", {"rules": ALL}),
    ),
    Attempt(
        "aggregation: a ClusterRole that adds itself to admin",
        post(
            f"{RBAC}/clusterroles",
            {
                "metadata": {
                    "name": "r",
                    "labels": {"rbac.authorization.k8s.io/aggregate-to-admin": "true"},
                },
                "rules": ALL,
            },
        ),
    ),
    Attempt(
        "aggregation: let the tenants' ClusterRole collect others",
        patch(
            f"{RBAC}/clusterroles/flotilla:tenant:developer",
            {"aggregationRule": {"clusterRoleSelectors": [{}]}},
        ),
    ),
    Attempt(
        "bind: cluster-admin in the own namespace",
        post(OWN_BINDING, named("b", roleRef=ADMIN, subjects=ME)),
    ),
    Attempt(
        "bind: cluster-admin in the whole cluster",
        post(f"{RBAC}/clusterrolebindings", named("b", roleRef=ADMIN, subjects=ME)),
    ),
    Attempt(
        "bind: the own role in another tenant's namespace",
        post(
            f"{RBAC}/namespaces/bank-pay/rolebindings",
            named("b", roleRef={**ADMIN, "name": "flotilla:tenant:developer"}, subjects=ME),
        ),
    ),
    Attempt(
        "bind: themselves into the owners' RoleBinding",
        patch(f"{OWN_BINDING}/flotilla:tenant:owner", {"subjects": ME}),
    ),
    Attempt("bind: delete a RoleBinding", delete(f"{OWN_BINDING}/flotilla:tenant:owner")),
    Attempt("impersonate: system:masters", acting_as("root", "system:masters")),
    Attempt(
        "impersonate: a platform admin of the console",
        acting_as("flotilla:user:1", "flotilla:platform:admin"),
    ),
    Attempt(
        "impersonate: a service account of kube-system",
        acting_as("system:serviceaccount:kube-system:generic-garbage-collector"),
    ),
    Attempt(
        "impersonate: another tenant's owner",
        acting_as("flotilla:user:9", "flotilla:tenant:bank:owner"),
    ),
    Attempt("Pod Security: loosen the namespace's label", patch(OWN, LABELS)),
    Attempt(
        "Pod Security: by server-side apply as flotilla",
        lambda conn: conn.apply(
            OWN,
            {"apiVersion": "v1", "kind": "Namespace", **named("shop-web"), **LABELS},
            force=True,
        ),
    ),
    Attempt(
        "namespace: take on another tenant's label",
        patch(OWN, {"metadata": {"labels": {"flotilla.dev/tenant": "bank"}}}),
    ),
    Attempt(
        "namespace: drop the pool's node selector",
        patch(
            OWN,
            {"metadata": {"annotations": {"scheduler.alpha.kubernetes.io/node-selector": None}}},
        ),
    ),
    Attempt(
        "namespace: make one outside of the console", post("/api/v1/namespaces", named("mine"))
    ),
    Attempt("namespace: delete the own one", delete(OWN)),
    Attempt(
        "namespace: skip its finalizers",
        lambda conn: conn.post(f"{OWN}/finalize", named("shop-web", spec={"finalizers": []})),
    ),
    Attempt("namespace: list those of everybody", get("/api/v1/namespaces")),
    Attempt("namespace: read another tenant's", get(OTHER)),
    Attempt("node proxy: the kubelet's pods", get("/api/v1/nodes/n1/proxy/pods")),
    Attempt(
        "node proxy: run a command by the kubelet",
        lambda conn: conn.post("/api/v1/nodes/n1/proxy/run/kube-system/p/c", {}),
    ),
    Attempt(
        "nodes: label one into their pool",
        patch("/api/v1/nodes/n1", {"metadata": {"labels": {POOL: "gold"}}}),
    ),
    Attempt("nodes: list them", get("/api/v1/nodes")),
    Attempt(
        "volumes: a PersistentVolume of hostPath",
        post(
            "/api/v1/persistentvolumes",
            named(
                "pv",
                spec={
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "hostPath": {"path": "/"},
                },
            ),
        ),
    ),
    Attempt(
        "volumes: a StorageClass",
        post("/apis/storage.k8s.io/v1/storageclasses", named("sc", provisioner="any.example")),
    ),
    Attempt(
        "quota: raise it",
        patch(f"{OWN}/resourcequotas/flotilla", {"spec": {"hard": {"pods": "999"}}}),
    ),
    Attempt("quota: delete it", delete(f"{OWN}/resourcequotas/flotilla")),
    Attempt(
        "quota: say that nothing is used",
        patch(f"{OWN}/resourcequotas/flotilla/status", {"status": {"used": {"pods": "0"}}}),
    ),
    Attempt("quota: one pod more than it allows", post(f"{OWN}/pods", pod("one-too-many"))),
    Attempt(
        "quota: the guard of priorities deleted", delete(f"{OWN}/resourcequotas/flotilla-priority")
    ),
    Attempt(
        "priority: a pod that pushes others from the nodes",
        post(f"{OWN}/pods", pod("pushy", priorityClassName="system-node-critical")),
    ),
    Attempt(
        "priority: a PriorityClass",
        post("/apis/scheduling.k8s.io/v1/priorityclasses", named("mine", value=1000000)),
    ),
    Attempt(
        "defaults: change the LimitRange",
        patch(f"{OWN}/limitranges/flotilla", {"spec": {"limits": []}}),
    ),
    Attempt(
        "pool: a pod for the nodes of another pool",
        post(f"{OWN}/pods", pod("elsewhere", nodeSelector={POOL: "silver"})),
    ),
    Attempt("secrets: read another tenant's", get(f"{OTHER}/secrets/card")),
    Attempt("secrets: list those of kube-system", get(f"{SYSTEM}/secrets")),
    Attempt("secrets: list all of the cluster", get("/api/v1/secrets")),
    Attempt("secrets: list all config maps of the cluster", get("/api/v1/configmaps")),
    Attempt("pods: list those of another tenant", get(f"{OTHER}/pods")),
    Attempt(
        "pods: a command in another tenant's pod",
        lambda conn: conn.post(f"{OTHER}/pods/p/exec?command=id&stdout=1", {}),
    ),
    Attempt("pods: the log of another tenant's pod", get(f"{OTHER}/pods/p/log")),
    Attempt("pods: one in another tenant's namespace", post(f"{OTHER}/pods", pod("spy"))),
    Attempt(
        "pods: an ephemeral container in a running pod",
        patch(f"{OWN}/pods/web/ephemeralcontainers", {"spec": {}}),
    ),
    Attempt(
        "pods: past the scheduler by a Binding",
        post(f"{OWN}/pods/web/binding", named("web", target={"kind": "Node", "name": "n1"})),
    ),
    Attempt("pods: through the API server's proxy", get(f"{OWN}/pods/web/proxy/")),
    Attempt("services: through the API server's proxy", get(f"{OWN}/services/web/proxy/")),
    Attempt(
        "endpoints: point a service at another tenant (CVE-2021-25740)",
        post(f"{OWN}/endpoints", named("web", subsets=[])),
    ),
    Attempt(
        "endpoints: the same by an EndpointSlice",
        post(
            "/apis/discovery.k8s.io/v1beta1/namespaces/shop-web/endpointslices",
            named("web", addressType="IPv4", endpoints=[]),
        ),
    ),
    Attempt(
        "tokens: of the namespace's service account",
        post(f"{OWN}/serviceaccounts/default/token", {"spec": {}}),
    ),
    Attempt(
        "tokens: of one in kube-system",
        post(f"{SYSTEM}/serviceaccounts/default/token", {"spec": {}}),
    ),
    Attempt(
        "certificates: a CertificateSigningRequest",
        post(
            "/apis/certificates.k8s.io/v1/certificatesigningrequests",
            named(
                "c",
                spec={
                    "request": "",
                    "signerName": "kubernetes.io/kube-apiserver-client",
                    "usages": ["client auth"],
                },
            ),
        ),
    ),
    Attempt(
        "webhooks: a validating one that sees every secret",
        post(f"{HOOKS}/validatingwebhookconfigurations", named("w")),
    ),
    Attempt(
        "webhooks: a mutating one that changes every pod",
        post(f"{HOOKS}/mutatingwebhookconfigurations", named("w")),
    ),
    Attempt(
        "APIs: an APIService in the place of another",
        post("/apis/apiregistration.k8s.io/v1/apiservices", named("v1.apps.example")),
    ),
    Attempt(
        "APIs: a CustomResourceDefinition",
        post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", named("a.b.example")),
    ),
    Attempt(
        "NetworkPolicy: one that lets everybody in",
        post(NET, named("all", spec={"podSelector": {}, "ingress": [{}]})),
    ),
    Attempt(
        "NetworkPolicy: loosen the console's",
        patch(f"{NET}/flotilla-ingress", {"spec": {"ingress": [{}]}}),
    ),
    Attempt("NetworkPolicy: delete the console's", delete(f"{NET}/flotilla-ingress")),
    Attempt(
        "PodSecurityPolicy: make one", post("/apis/policy/v1beta1/podsecuritypolicies", named("p"))
    ),
    Attempt("server: its metrics", get("/metrics")),
    Attempt(
        "server: a lease of kube-system",
        patch(
            "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler",
            {"spec": {"holderIdentity": "me"}},
        ),
    ),
    Attempt("pods: privileged", post(f"{OWN}/pods", anonymous(**PRIVILEGED))),
    Attempt("pods: the host's files", post(f"{OWN}/pods", anonymous(**HOST_PATH))),
    Attempt("pods: the host's network", post(f"{OWN}/pods", anonymous(hostNetwork=True))),
    Attempt("pods: the host's processes", post(f"{OWN}/pods", anonymous(hostPID=True))),
    Attempt("pods: the host's shared memory", post(f"{OWN}/pods", anonymous(hostIPC=True))),
    Attempt("pods: a port of the host", post(f"{OWN}/pods", anonymous(**HOST_PORT))),
    Attempt("pods: a capability of root", post(f"{OWN}/pods", anonymous(**CAPABLE))),
    Attempt("pods: a setting of the host's kernel", post(f"{OWN}/pods", anonymous(**SYSCTL))),
    Attempt("pods: the whole of /proc", post(f"{OWN}/pods", anonymous(**PROC))),
    Attempt(
        "pods: privileged, by a service account of the namespace",
        post(f"{OWN}/pods", anonymous(**PRIVILEGED, serviceAccountName="default")),
    ),
    Attempt(
        "PodSecurityPolicy: bind the one that allows everything",
        post(
            OWN_BINDING,
            named("b", roleRef={**ADMIN, "name": "flotilla:pod-security:privileged"}, subjects=ME),
        ),
    ),
    Attempt(
        "PodSecurityPolicy: change the namespace's binding",
        delete(f"{OWN_BINDING}/flotilla:pod-security"),
    ),
    Attempt(
        "pool: tolerate the taints of every node",
        post(f"{OWN}/pods", anonymous(tolerations=[{"operator": "Exists"}])),
        words="conflict with its namespace whitelist",
    ),
    Attempt(
        "pool: tolerate the taint of another pool",
        post(f"{OWN}/pods", anonymous(tolerations=[SILVER])),
        words="conflict with its namespace whitelist",
    ),
    Attempt(
        "services: another's address (CVE-2020-8554)",
        post(
            f"{OWN}/services",
            {
                "metadata": {"generateName": "svc-"},
                "spec": {"ports": [{"port": 443}], "externalIPs": ["192.0.2.9"]},
            },
        ),
        since=22,
    ),
)


@pytest.fixture(scope="module")
def server() -> Iterator[RealApiServer]:
    with RealApiServer(provisioned=True) as server:
        yield server


def tenant_with(slug: str, name: str, cluster: Any, **fields: Any) -> Namespace:
    tenant = Tenant.objects.create(name=slug, slug=slug)
    return Namespace.objects.create(
        tenant=tenant, cluster=cluster, name=name, isolation="tenant", pod_security="baseline",
        limits={"cpu": {"request": "10m", "limit": "1"}}, **fields,
    )  # fmt: skip


def count_like_the_controller(conn: Connection, **used: str) -> None:
    """What the quota controller does, which does not run here."""
    for quota in conn.listing(f"{OWN}/resourcequotas").items:
        hard = quota["spec"]["hard"]
        status = {"hard": hard, "used": {key: used.get(key, "0") for key in hard}}
        name = quota["metadata"]["name"]
        conn.merge_patch(f"{OWN}/resourcequotas/{name}/status", {"status": status})


def allowed_in_time(call: Callable[[], object]) -> None:
    """The authorizer hears of new roles by a watch, the quota's admission of a new status too."""
    ends = time.monotonic() + 60
    while True:
        try:
            call()
            return
        except Forbidden:
            if time.monotonic() > ends:
                raise
            time.sleep(0.3)


def keep(cluster: Any, conn: Connection) -> None:
    """A round of the watcher, in the order of tenancy/apps.py."""
    for keeper in (pod_security_policies.keep, reconcile.keep, dry_runs.keep):
        keeper(cluster, conn, lambda: None)


def proved(cluster: Any, conn: Connection) -> dict[str, str]:
    """What the page says of shop-web after it was tried anew, "what": "yes", "no" or "unknown"."""
    Namespace.objects.filter(cluster=cluster).update(proved=None)
    dry_runs.keep(cluster, conn, lambda: None)
    row = Namespace.objects.select_related("cluster", "tenant").get(name="shop-web")
    return {one.what: one.state for one in enforced.of(row)}


def refused_in_time(call: Callable[[], object]) -> None:
    """The authorizer forgets a binding by a watch, too."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            call()
        except Forbidden:
            return
        time.sleep(0.3)
    raise AssertionError("it is still allowed")


@pytest.fixture
def prepared(server: RealApiServer) -> Iterator[tuple[Connection, Any]]:
    conn = server.connection()
    cluster = ClusterFactory(version=conn.version())
    pool = ResourcePool.objects.create(cluster=cluster, name="gold", taints=[GOLD])
    rows = [
        tenant_with("shop", "shop-web", cluster, quota={"pods": "5"}, pool=pool),
        tenant_with("bank", "bank-pay", cluster),
    ]
    keep(cluster, conn)
    for row in rows:
        row.refresh_from_db()
        assert row.state == NamespaceState.APPLIED, row.state_reason
    for path, body in (
        ("/api/v1/nodes", named("n1")),
        (f"{OTHER}/secrets", named("card")),
        (f"{OTHER}/pods", pod("p")),
    ):
        try:
            conn.post(path, body)
        except KubeError as error:
            assert error.status == 409  # there since the role before
    yield conn, cluster


@pytest.mark.parametrize("role", ["developer", "admin", "owner"])
def test_nobody_gets_out_of_their_namespace(server, prepared, role, capsys):
    conn, cluster = prepared
    minor = minor_of(cluster.version)
    count_like_the_controller(conn)
    them = server.connection("flotilla:user:7", f"flotilla:tenant:shop:{role}")
    # They can work there; else a refusal would say nothing.
    name = f"web-{role}"
    allowed_in_time(lambda: them.post(f"{OWN}/pods", pod(name)))
    them.post(f"{OWN}/secrets", named(name))
    them.post(f"{OWN}/pods", anonymous(tolerations=[{**GOLD, "operator": "Equal"}]))
    made = them.get_json(f"{OWN}/pods/{name}")
    assert {**GOLD, "operator": "Equal"} in made["spec"]["tolerations"]
    assert made["spec"]["nodeSelector"] == {POOL: "gold"}
    assert made["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "1"
    got_out, table = [], []
    for attempt in ATTEMPTS:
        needs = "quota: one pod more" in attempt.what
        count_like_the_controller(conn, **({"pods": "5"} if needs else {}))
        if needs:
            time.sleep(1)
        try:
            attempt.call(them)
            result = "NOT REFUSED"
        except Forbidden as error:
            result = "refused (403)"
            if needs:
                assert "exceeded quota" in str(error)
        except KubeError as error:
            result = f"failed otherwise ({error.status}): {error.cause}"
            if attempt.words in result:
                result = f"refused ({error.status}, {attempt.words})"
        if result == "NOT REFUSED" and minor < attempt.since:
            result = f"only Kubernetes 1.{attempt.since} refuses it; tenancy.enforced says so"
        elif not result.startswith("refused"):
            got_out.append(attempt.what)
        table.append(f"| {attempt.what:<66} | {result} |")
    with capsys.disabled():
        print(f"\nAttempts of a tenant's {role} on Kubernetes {cluster.version}:")
        print("\n".join(table))
    assert got_out == [], "\n".join(table)
    assert sum("refused (403)" in line for line in table) >= 30
    told = proved(cluster, conn)
    assert told["pod_security"] == told["pool"] == enforced.YES
    assert (told.get("addresses") == enforced.YES) == (minor >= 22)


def test_a_viewer_reads_and_changes_nothing_and_a_stranger_not_even_that(server, prepared):
    conn, _cluster = prepared
    count_like_the_controller(conn)
    viewer = server.connection("flotilla:user:8", "flotilla:tenant:shop:viewer")
    allowed_in_time(lambda: viewer.get_json(f"{OWN}/pods"))
    for call in (
        get(f"{OWN}/secrets"),
        post(f"{OWN}/pods", pod("x")),
        post(f"{OWN}/configmaps", named("x")),
        lambda c: c.post(f"{OWN}/pods/web-developer/exec?command=id&stdout=1", {}),
        delete(f"{OWN}/pods/web-developer"),
        get(f"{OTHER}/pods"),
    ):
        with pytest.raises(Forbidden):
            call(viewer)
    for groups in (("flotilla:tenant:bank:owner",), ("flotilla:tenant:shop",), ("everybody",)):
        stranger = server.connection("flotilla:user:9", *groups)
        for path in (f"{OWN}/pods", f"{OWN}/secrets", OWN):
            with pytest.raises(Forbidden):
                stranger.get_json(path)


def test_a_full_quota_is_no_proof_and_hides_none(server, prepared):
    conn, cluster = prepared
    count_like_the_controller(conn, pods="5")
    them = server.connection("flotilla:user:7", "flotilla:tenant:shop:developer")
    refused_in_time(lambda: them.post(f"{OWN}/pods", anonymous()))
    assert proved(cluster, conn)["pod_security"] == enforced.YES
    count_like_the_controller(conn)


def test_a_proof_keeps_nothing(server, prepared):
    conn, cluster = prepared

    def there() -> set[str]:
        lists = (conn.listing(f"{OWN}/{plural}").items for plural in ("pods", "services"))
        return {item["metadata"]["uid"] for items in lists for item in items}

    before = there()
    proved(cluster, conn)
    assert there() == before


def test_where_nothing_holds_pods_the_page_says_so():
    with RealApiServer() as bare:
        conn = bare.connection()
        cluster = ClusterFactory(version=conn.version(), origin="imported")
        pool = ResourcePool.objects.create(cluster=cluster, name="gold")
        tenant_with("shop", "shop-web", cluster, quota={"pods": "5"}, pool=pool)
        keep(cluster, conn)
        count_like_the_controller(conn)
        them = bare.connection("flotilla:user:7", "flotilla:tenant:shop:developer")
        allowed_in_time(lambda: them.post(f"{OWN}/pods", anonymous(**PRIVILEGED)))
        told = proved(cluster, conn)
        wanted = enforced.NO if minor_of(cluster.version) < 23 else enforced.YES
        assert told["pod_security"] == wanted
        assert told["pool"] == told["addresses"] == enforced.NO
        row = Namespace.objects.select_related("cluster").get(name="shop-web")
        said = {one.what: one.why for one in enforced.of(row)}
        if wanted == enforced.NO:
            assert "a privileged pod" in said["pod_security"]
            assert "take over the node" in said["pod_security"]


def as_replicasets(server: RealApiServer) -> Connection:
    """As the controller that makes the pods of Deployments, in every namespace."""
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system")
    return server.connection("system:serviceaccount:kube-system:replicaset-controller", *groups)


def of_deployment(**spec: Any) -> JSON:
    return anonymous(serviceAccountName="default", **spec)


def test_a_deployment_is_no_way_around_it(server, prepared):
    conn, _cluster = prepared
    count_like_the_controller(conn)
    controller = as_replicasets(server)
    allowed_in_time(lambda: controller.post(f"{OWN}/pods", of_deployment()))
    for spec in (PRIVILEGED, HOST_PATH, {"hostNetwork": True}, {"hostPID": True}):
        with pytest.raises(Forbidden):
            controller.post(f"{OWN}/pods", of_deployment(**spec))
    # What keeps the cluster running is none of a tenant's, and goes on as before.
    for namespace in ("kube-system", "default"):
        allowed_in_time(
            lambda at=namespace: controller.post(
                f"/api/v1/namespaces/{at}/pods", of_deployment(**PRIVILEGED, **HOST_PATH)
            )
        )


def test_a_new_namespace_of_nobodys_waits_for_the_watcher_and_no_longer(server, prepared):
    conn, cluster = prepared
    controller = as_replicasets(server)
    conn.post("/api/v1/namespaces", named("made-by-kubectl"))
    pods = "/api/v1/namespaces/made-by-kubectl/pods"
    with pytest.raises(Forbidden):
        controller.post(pods, of_deployment(**PRIVILEGED))
    keep(cluster, conn)
    allowed_in_time(lambda: controller.post(pods, of_deployment(**PRIVILEGED)))


def test_a_stricter_level_holds_from_the_next_round_on(server, prepared):
    conn, cluster = prepared
    count_like_the_controller(conn)
    them = server.connection("flotilla:user:7", "flotilla:tenant:shop:developer")
    root = anonymous(container={"securityContext": {"runAsUser": 0}})
    allowed_in_time(lambda: them.post(f"{OWN}/pods", root))
    Namespace.objects.filter(name="shop-web").update(pod_security="restricted", revision=2)
    keep(cluster, conn)
    escalating = {"container": {"securityContext": {"allowPrivilegeEscalation": True}}}
    refused_in_time(lambda: them.post(f"{OWN}/pods", root))
    refused_in_time(lambda: them.post(f"{OWN}/pods", anonymous(**escalating)))
    made = them.post(f"{OWN}/pods", anonymous())
    context = made["spec"]["containers"][0]["securityContext"]
    assert context["capabilities"]["drop"] == ["ALL"]
    assert context["allowPrivilegeEscalation"] is False and context["runAsNonRoot"] is True
    Namespace.objects.filter(name="shop-web").update(pod_security="baseline", revision=3)
    keep(cluster, conn)


def test_who_wishes_for_a_name_that_is_taken_changes_nothing_there(server, prepared):
    conn, cluster = prepared
    conn.post("/api/v1/namespaces", named("monitoring"))
    keep(cluster, conn)
    shop = Tenant.objects.get(slug="shop")
    Namespace.objects.create(
        tenant=shop, cluster=cluster, name="monitoring", pod_security="restricted"
    )
    keep(cluster, conn)
    assert Namespace.objects.get(name="monitoring").state == NamespaceState.FAILED
    controller = as_replicasets(server)
    pods = "/api/v1/namespaces/monitoring/pods"
    allowed_in_time(lambda: controller.post(pods, of_deployment(**PRIVILEGED)))


def test_without_tenants_everybody_goes_on_as_without_policies(server, prepared):
    conn, cluster = prepared
    Namespace.objects.filter(cluster=cluster).delete()
    keep(cluster, conn)
    conn.post("/api/v1/namespaces", named("free"))
    allowed_in_time(
        lambda: as_replicasets(server).post(
            "/api/v1/namespaces/free/pods", of_deployment(**PRIVILEGED)
        )
    )
