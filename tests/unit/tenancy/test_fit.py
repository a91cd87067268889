"""Will it fit: what an apply would meet, foretold from the console's own rows."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.manifest_text import Refused, read
from clusters.models import Cluster, ResourcePool
from tenancy import fit
from tenancy.fit import full_image
from tenancy.fit_pods import Container, Pods, pods_of
from tenancy.models import Namespace, TenantCluster
from tests.factories import NodeFactory, ObjectFactory
from tests.unit.tenancy.quota_rows import namespace_of, pod, tenant_of, watched_cluster

pytestmark = pytest.mark.django_db
GIB = 2**30


def ground(quota: dict | None = None, nodes: int = 1, **fields: object) -> Namespace:
    """A namespace "web" on a watched cluster with so many nodes of 4 CPU, 8 GiB and 10 pods."""
    cluster = watched_cluster(name="east", version="v1.30.1")
    for number in range(nodes):
        node(cluster, f"n{number}")
    return namespace_of(tenant_of(cluster), cluster, "web", quota=quota or {}, **fields)


def node(cluster: Cluster, name: str, **fields: object) -> None:
    room = {"cpu": "4", "memory": "8Gi", "pods": "10", "nvidia.com/gpu": "0"}
    NodeFactory(cluster=cluster, name=name, **{"allocatable": room, **fields})


def deployment(replicas: int = 1, resources: str = "{}", more: str = "", name: str = "shop") -> str:
    return textwrap.dedent(f"""\
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: {name}}}
        spec:
          replicas: {replicas}
          template:
            spec:
              {more or "restartPolicy: Always"}
              containers:
              - name: app
                image: nginx
                resources: {resources}
        """)


def texts(report: fit.Report, topic: str) -> list[str]:
    return [one.text for one in report.findings if one.topic == topic]


def figure(report: fit.Report, key: str) -> fit.Figure:
    return next(one for one in report.figures if one.resource.key == key)


class TestQuota:
    def test_what_fits(self, django_assert_max_num_queries):
        namespace = ground({"requests.cpu": "4", "pods": "10", "count/deployments.apps": "1"})
        pod(namespace, cpu_request=1.5)
        with django_assert_max_num_queries(25):
            found = fit.report(namespace, deployment(3, "{requests: {cpu: 250m}}"))
        assert found.fits and found.objects == [("Deployment shop", True)]
        cpu = figure(found, "requests.cpu")
        assert (cpu.limit, cpu.used, cpu.wanted, cpu.left) == (4000, 1500, 750, 1750)
        assert (cpu.used_text, cpu.wanted_text) == ("1.5 CPU", "0.75 CPU")
        assert figure(found, "count/deployments.apps").left == 0

    def test_the_number_that_blocks_and_by_how_much(self):
        namespace = ground({"requests.cpu": "2", "pods": "10"})
        pod(namespace, cpu_request=1.5)
        found = fit.report(namespace, deployment(3, "{requests: {cpu: 250m}}"))
        assert not found.fits
        assert texts(found, "quota") == [
            "requests.cpu: 1.5 CPU of 2 CPU used, 0.75 CPU more wanted: 0.25 CPU short. "
            "The namespace's quota can be raised by that."
        ]

    def test_whether_the_tenant_has_more(self):
        cluster = watched_cluster(name="east", version="v1.30.1")
        tenant = tenant_of(cluster, east={"pods": "5"})
        namespace = namespace_of(tenant, cluster, quota={"pods": "4"})
        node(cluster, "n0")
        (said,) = texts(fit.report(namespace, deployment(6)), "quota")
        assert said.endswith("2 short. The tenant has 1 left: more must be asked for.")

    def test_a_change_counts_by_what_it_changes(self):
        namespace = ground({"requests.cpu": "1", "pods": "4", "count/deployments.apps": "1"})
        there("deployments.apps", namespace, "shop", uid="d")
        there("replicasets.apps", namespace, "shop-1", uid="rs", owner_uid="d")
        for number in range(2):
            there("pods", namespace, f"shop-1-{number}", uid=f"p{number}", owner_uid="rs",
                  node="n0", summary={"phase": "Running", "cpu_request": 0.4})  # fmt: skip
        found = fit.report(namespace, deployment(3, "{requests: {cpu: 300m}}"))
        assert found.fits and found.objects == [("Deployment shop", False)]
        cpu = figure(found, "requests.cpu")
        assert (cpu.used, cpu.wanted, cpu.left) == (800, 100, 100)
        assert (figure(found, "pods").wanted, figure(found, "count/deployments.apps").wanted) == (
            1,
            0,
        )
        # It fits in the end, and would never get there.
        (stuck,) = texts(found, "quota")
        assert stuck.startswith("requests.cpu: a change starts a new pod before an old one goes")
        assert "0.1 CPU are missing" in stuck

    def test_lowering_is_never_short(self):
        namespace = ground({"pods": "1"})
        there("deployments.apps", namespace, "shop", uid="d")
        for number in range(3):
            there("pods", namespace, f"p{number}", uid=f"p{number}", owner_uid="d",
                  summary={"phase": "Running"})  # fmt: skip
        found = fit.report(namespace, deployment(2))
        assert figure(found, "pods").wanted == -1 and found.fits

    def test_what_the_quota_makes_every_container_state(self):
        namespace = ground({"limits.memory": "4Gi", "requests.cpu": "1"})
        found = fit.report(namespace, deployment(1, "{requests: {cpu: 1}}"))
        assert texts(found, "quota") == [
            "app must state limits.memory, which the namespace's quota limits."
        ]

    def test_claims_services_and_volumes_of_stateful_sets(self):
        namespace = ground({"requests.storage": "10Gi", "persistentvolumeclaims": "4",
                            "services": "1", "services.loadbalancers": "0",
                            "services.nodeports": "1", "count/secrets": "1"})  # fmt: skip
        found = fit.report(
            namespace,
            """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {resources: {requests: {storage: 1.5Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, ports: [{port: 80}, {port: 443}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  volumeClaimTemplates:
  - {metadata: {name: data}, spec: {resources: {requests: {storage: 3Gi}}}}
  template: {spec: {containers: [{name: db}]}}
""",
        )
        wanted = {one.resource.key: (one.wanted, one.short_by) for one in found.figures}
        assert wanted == {
            "requests.storage": (21 * GIB // 2, GIB // 2),
            "persistentvolumeclaims": (4, 0),
            "services": (1, 0),
            "services.loadbalancers": (1, 1),
            "services.nodeports": (2, 1),
            "count/secrets": (0, 0),
        }

    def test_unknown_use_is_said(self):
        namespace = ground({"pods": "3"})
        Cluster.objects.update(seen=None)
        namespace.cluster.refresh_from_db()
        found = fit.report(namespace, deployment(1))
        assert texts(found, "quota") == ["pods: what is used already is not known."]
        assert figure(found, "pods").left is None and found.seen is None
        assert not fit.report(namespace, deployment(4)).fits


class TestLimits:
    LIMITS = {"cpu": {"request": "100m", "limit": "1"}, "memory": {"limit": "64Mi"}}

    def pods(self, resources: str, limits: dict | None = None) -> Pods:
        (manifest,) = read(deployment(1, resources))
        found = pods_of(manifest, self.LIMITS if limits is None else limits)
        assert found is not None
        return found

    def test_what_a_limit_range_sets(self):
        found = self.pods("{}")
        assert [(d.container, d.what, d.text) for d in found.defaults] == [
            ("app", "requests.cpu", "0.1 CPU"), ("app", "limits.cpu", "1 CPU"),
            ("app", "requests.memory", "64 MiB"), ("app", "limits.memory", "64 MiB"),
        ]  # fmt: skip
        assert found.requests() == {"cpu": 100, "memory": 2**26}

    def test_a_limit_alone_is_the_request_too(self):
        found = self.pods("{limits: {cpu: 50m, memory: 1Mi}}")
        assert not found.defaults and not found.problems
        assert found.requests() == found.limits() == {"cpu": 50, "memory": 2**20}

    def test_a_request_above_the_default_limit_is_refused(self):
        (said,) = self.pods("{requests: {cpu: 2}}").problems
        assert said.startswith("app asks for 2 CPU (cpu) and says no limit")

    def test_a_limit_below_its_request(self):
        (said,) = self.pods("{requests: {cpu: 2}, limits: {cpu: 1500m}}", {}).problems
        assert said == "app: the limit of cpu (1.5 CPU) is below the request (2 CPU)."

    @pytest.mark.parametrize("value", ["lots", "-1", "[]", "true", "1.5x"])
    def test_nonsense_is_named(self, value):
        (said,) = self.pods(f"{{requests: {{cpu: {value}}}}}", {}).problems
        assert said.startswith("app, requests.cpu: ")

    def test_init_containers_and_sidecars(self):
        found = Pods("", "Pod", "", 1, {})
        found.containers = [
            Container("side", True, True, {"cpu": 100}),
            Container("init", True, False, {"cpu": 700}),
            Container("app", requests={"cpu": 300}),
            Container("two", requests={"cpu": 200}),
        ]
        assert found.requests() == {"cpu": 800}
        found.overhead = {"cpu": 5}
        assert found.requests() == {"cpu": 805}

    @given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 999)), max_size=6))
    def test_a_pod_never_asks_for_less_than_any_of_its_containers(self, drawn):
        found = Pods("", "Pod", "", 1, {})
        found.containers = [
            Container("c", init, init and side, {"cpu": amount}) for init, side, amount in drawn
        ]
        total = found.requests().get("cpu", 0)
        assert total >= max((amount for *_which, amount in drawn), default=0)
        assert total <= sum(amount for *_which, amount in drawn)

    @pytest.mark.parametrize("replicas", ["three", "-1", "1.5", "true", "99999999999"])
    def test_replicas_that_are_none(self, replicas):
        found = fit.report(ground(), deployment().replace("replicas: 1", f"replicas: {replicas}"))
        assert not found.fits and "spec.replicas" in texts(found, "limits")[0]


class TestNodes:
    def test_room_is_counted_over_all_objects(self):
        namespace = ground(nodes=2)
        pod_on(namespace, "n0", cpu_request=3.0)
        text = deployment(4, "{requests: {cpu: 1}}") + "---\n" + deployment(2, name="two")
        found = fit.report(namespace, text)
        assert [(p.about, p.wanted, p.placed) for p in found.placements] == [
            ("Deployment shop", 4, 4), ("Deployment two", 2, 2),
        ]  # fmt: skip
        found = fit.report(namespace, deployment(6, "{requests: {cpu: 1}}"))
        (placement,) = found.placements
        assert (placement.placed, placement.fits, found.fits) == (5, False, False)
        assert (
            "cpu: a pod asks for 1 CPU; the most that is left on a node is 0 CPU"
            in (placement.reasons[0])
        )

    def test_why_no_node_takes_them(self):
        namespace = ground(nodes=0)
        cluster = namespace.cluster
        node(cluster, "away", ready=False)
        node(cluster, "shut", unschedulable=True)
        taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
        node(cluster, "kept", taints=[taint])
        node(cluster, "slow", labels={"disk": "hdd"})
        found = fit.report(namespace, deployment(1, more="nodeSelector: {disk: ssd}"))
        assert sorted(found.placements[0].reasons) == [
            "1 of 4 nodes: cordoned.",
            "1 of 4 nodes: not ready.",
            "2 of 4 nodes: the node selector does not match.",
        ]
        found = fit.report(namespace, deployment(20))
        assert "1 of 4 nodes: a taint that is not tolerated, gpu=yes:NoSchedule." in (
            found.placements[0].reasons
        )
        tolerant = "tolerations: [{key: gpu, operator: Exists}]"
        assert fit.report(namespace, deployment(20, more=tolerant)).fits

    def test_only_the_nodes_of_the_pool(self):
        namespace = ground(nodes=3)
        pool = ResourcePool.objects.create(cluster=namespace.cluster, name="gold", nodes=["n1"])
        text = deployment(5, "{requests: {cpu: 1}}")
        assert fit.report(namespace, text).fits
        namespace.pool = pool
        assert fit.report(namespace, text).placements[0].placed == 4
        namespace.pool = None
        TenantCluster.objects.get().pools.add(pool)
        assert fit.report(namespace, text).placements[0].placed == 4

    def test_devices_that_others_have(self):
        namespace = ground(nodes=0)
        room = {"cpu": "4", "memory": "8Gi", "pods": "10", "nvidia.com/gpu": "2"}
        node(namespace.cluster, "n0", allocatable=room)
        text = deployment(2, "{limits: {nvidia.com/gpu: 1}}")
        assert fit.report(namespace, text).fits
        pod_on(namespace, "n0", containers=[{"requests": {"nvidia.com/gpu": "1"}}])
        assert fit.report(namespace, text).placements[0].placed == 1

    def test_what_is_replaced_makes_room(self):
        namespace = ground()
        there("deployments.apps", namespace, "shop", uid="d")
        there("pods", namespace, "p", uid="p", owner_uid="d", node="n0",
              summary={"phase": "Running", "cpu_request": 3.0})  # fmt: skip
        assert fit.report(namespace, deployment(1, "{requests: {cpu: 4}}")).fits

    def test_node_affinity(self):
        namespace = ground(nodes=0)
        node(namespace.cluster, "n0", labels={"zone": "a", "cores": "8"})
        for expression, fits in (
            ("{key: zone, operator: In, values: [a]}", True),
            ("{key: zone, operator: NotIn, values: [a]}", False),
            ("{key: cores, operator: Gt, values: ['4']}", True),
            ("{key: cores, operator: Lt, values: ['4']}", False),
            ("{key: zone, operator: In, values: 5}", False),
            ("{key: [a], operator: Exists}", False),
        ):
            more = (
                "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
                f"{{nodeSelectorTerms: [{{matchExpressions: [{expression}]}}]}}}}}}"
            )
            assert fit.report(namespace, deployment(1, more=more)).fits is fits, expression

    def test_a_daemon_set_counts_the_nodes(self):
        namespace = ground({"pods": "2"}, nodes=3)
        text = deployment().replace("Deployment", "DaemonSet").replace("  replicas: 1\n", "")
        found = fit.report(namespace, text)
        assert found.placements[0].wanted == 3
        assert figure(found, "pods").short_by == 1


class TestObjects:
    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("v1 Namespace", "whole cluster"),
            ("rbac.authorization.k8s.io/v1 ClusterRoleBinding", "whole cluster"),
            ("admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration", "whole cluster"),
            ("v1 ResourceQuota", "console keeps"),
            ("networking.k8s.io/v1 NetworkPolicy", "console keeps"),
            ("rbac.authorization.k8s.io/v1 RoleBinding", "console keeps"),
        ],
    )
    def test_what_is_not_a_tenants_to_apply(self, kind, said):
        version, name = kind.split()
        text = f"apiVersion: {version}\nkind: {name}\nmetadata: {{name: x}}\n"
        found = fit.report(ground(), text)
        assert not found.fits and said in texts(found, "object")[0]

    def test_another_namespace_is_refused_and_not_counted(self):
        namespace = ground({"pods": "1"})
        text = deployment(5).replace("{name: shop}", "{name: shop, namespace: other}")
        found = fit.report(namespace, text)
        assert "names the namespace other" in texts(found, "object")[0]
        assert figure(found, "pods").wanted == 0

    def test_pod_security_blocks_where_the_cluster_enforces_it(self):
        namespace = ground(pod_security="baseline")
        text = deployment(more="hostNetwork: true")
        found = fit.report(namespace, text)
        assert not found.fits and found.enforced
        assert texts(found, "security") == [
            "Pod security (baseline, Host Namespaces): spec.hostNetwork: it must be false or unset."
        ]
        namespace.cluster.version = "v1.20.2"
        found = fit.report(namespace, text)
        assert found.fits and not found.enforced and texts(found, "security")

    def test_classes_and_registries_that_are_not_the_tenants(self):
        namespace = ground()
        namespace.tenant.storage_classes = ["fast"]
        namespace.tenant.registries = ["docker.io/library/", "ghcr.io/shop"]
        claim = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: slow}
---
"""
        text = (
            claim
            + deployment()
            + "---\n"
            + deployment(name="two").replace("image: nginx", "image: ghcr.io/shopping/web")
        )
        found = fit.report(namespace, text)
        assert found.fits
        first, second = texts(found, "allowed")
        assert "slow" in first and "fast" in first
        assert "ghcr.io/shopping/web" in second

    def test_thousands_of_resources_are_not_reckoned_through(self):
        many = ", ".join(f"example.com/r{number}: 1" for number in range(5000))
        found = fit.report(ground(), deployment(1, f"{{limits: {{{many}}}}}"))
        assert texts(found, "limits") == ["It asks for more than 64 resources."]

    def test_images_by_their_full_names(self):
        assert [full_image(name) for name in ("nginx:1", "a/b", "localhost/x", "r:5000/x")] == [
            "docker.io/library/nginx:1", "docker.io/a/b", "localhost/x", "r:5000/x",
        ]  # fmt: skip

    def test_what_is_no_manifest_is_refused_with_its_line(self):
        with pytest.raises(Refused) as refusal:
            fit.report(ground(), "a: &x 1\nb: *x\n")
        assert refusal.value.problems[0].line == 1

    @pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
    @pytest.mark.parametrize(
        "spec",
        ["5", "[]", "null", "{template: 3}", "{template: {spec: [1]}}",
         "{template: {spec: {containers: {a: 1}}}}"],
    )  # fmt: skip
    def test_specs_of_the_wrong_shape(self, kind, spec):
        text = f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n"
        found = fit.report(ground(), text)
        assert texts(found, "limits") == ["It has no containers."]


def there(resource: str, namespace: Namespace, name: str, **fields: object) -> None:
    ObjectFactory(
        cluster=namespace.cluster, resource=resource, namespace=namespace.name, name=name, **fields
    )


def pod_on(namespace: Namespace, node: str, **summary: object) -> None:
    """A pod of somebody else."""
    ObjectFactory(cluster=namespace.cluster, namespace="other", resource="pods", node=node,
                  summary={"phase": "Running", **summary})  # fmt: skip
