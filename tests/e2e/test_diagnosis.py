"""Failures that are really made on a cluster of the lab, each named rightly with its figures."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from clusters.diagnosis import evidence_link, refine, words
from clusters.diagnosis.attention import attention
from clusters.diagnosis.neighbours import diagnose
from clusters.diagnosis.network import cause_of_ingress, cause_of_service
from clusters.diagnosis.storage import with_classes
from clusters.inventory.kinds import KINDS
from clusters.inventory.rows import row_of
from clusters.inventory.rows_events import event_of
from clusters.models import Cluster, ClusterEvent, Object
from lab import Lab
from tests.e2e.console import Console
from tests.e2e.failures import everything
from tests.e2e.standard import Kubectl
from tests.factories import ClusterFactory

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.timeout(900)]

PATIENCE = 300.0
RESOURCES = ",".join(
    kind.resource for kind in KINDS if kind.plural not in ("configmaps", "secrets")
)


@pytest.fixture(scope="module")
def cluster(console: Console) -> Iterator[int]:
    """A control plane and two workers, of which node3 is there to be lost."""
    hosts = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    made = console.create("ill", [hosts["node1"]], [hosts["node2"], hosts["node3"]])
    console.wait(made["task"]["id"])
    yield made["cluster"]["id"]
    console.delete_cluster(made["cluster"]["id"])


@pytest.fixture(scope="module")
def failing(cluster: int, lab: Lab, kubectl: Kubectl) -> Kubectl:
    """Everything applied at once, and node3 without its kubelet."""
    kubectl.run("taint", "node", "node3", "broken=yes:NoSchedule")
    kubectl.run("apply", "-f", "-", stdin=json.dumps(everything()))
    lab.host("node3").run("systemctl stop kubelet")
    kubectl.run("delete", "namespace", "stuck", "--wait=false")
    kubectl.run("-n", "ill", "delete", "pod", "held", "--wait=false")
    return kubectl


@dataclass
class World:
    """What the watcher would have made of the cluster, by resource, namespace and name."""

    rows: dict[tuple[str, str, str], Object] = field(default_factory=dict)
    events: dict[str, list[ClusterEvent]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, kubectl: Kubectl) -> World:
        world = cls()
        kinds = {
            (kind.kind, v): kind for kind in KINDS for v in map(kind.api_version, kind.versions)
        }
        for item in kubectl.get(RESOURCES, "-A")["items"]:
            kind = kinds.get((item["kind"], item["apiVersion"]))
            row = kind and row_of(0, kind, item["apiVersion"], item)
            if row:
                world.rows[row.resource, row.namespace, row.name] = row
        for item in kubectl.get("events", "-A")["items"]:
            event = event_of(0, item)
            if event:
                world.events[event.about_uid].append(event)
        return world

    def cause(self, resource: str, name: str, namespace: str = "ill", later: float = 0) -> Any:
        """The cause of one object; a Deployment's or StatefulSet's pods by their label."""
        now = timezone.now() + timedelta(seconds=later)
        row = self.rows.get((resource, namespace, name))
        if row is None:
            return {}
        if resource == "services":
            return cause_of_service(row, self.of_namespace("pods", namespace))
        if resource == "ingresses.networking.k8s.io":
            return cause_of_ingress(row, self.of_namespace("services", namespace))
        found = refine(row, self.events[row.uid], now)
        if resource == "persistentvolumeclaims" and found:
            found = with_classes(row, found, [])
        assert evidence_link(row, found).name
        return found

    def of_namespace(self, resource: str, namespace: str) -> list[Object]:
        return [r for (kind, ns, _), r in self.rows.items() if (kind, ns) == (resource, namespace)]

    def pod_of(self, name: str) -> str:
        pods = [r for r in self.of_namespace("pods", "ill") if r.labels.get("app") == name]
        return pods[0].name if pods else ""


@dataclass(frozen=True)
class Failure:
    """What is to be said of one object: the code, values, and pieces of the sentence."""

    resource: str
    name: str
    code: str
    values: dict[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    namespace: str = "ill"
    later: float = 0

    def problem(self, world: World) -> str:
        """ "" when it is diagnosed rightly."""
        name = world.pod_of(self.name[1:]) if self.name.startswith("*") else self.name
        found = world.cause(self.resource, name, self.namespace, self.later)
        if found.get("code") != self.code:
            return f"{self.resource} {self.name}: {found or 'no cause'}, not {self.code}"
        wrong = {k: found["values"].get(k) for k, v in self.values.items()
                 if found["values"].get(k) != v}  # fmt: skip
        told = words(found)
        unsaid = [piece for piece in self.says if piece not in told.what]
        return f"{self.resource} {self.name}: {wrong} {unsaid} {told}" if wrong or unsaid else ""


PODS = [
    Failure("pods", "image-away", "image_registry_away",
            {"image": "registry.invalid:5000/shop/cart:1", "registry": "registry.invalid:5000"}),
    Failure("pods", "image-missing", "image_not_found", {"registry": "localhost:5998"},
            ("does not exist in the registry localhost:5998",)),
    Failure("pods", "image-denied", "image_denied", {"image": "localhost:5999/shop/cart:1"}),
    Failure("pods", "image-name", "image_name_wrong"),
    Failure("pods", "image-never", "image_never_pulled", {"image": "flotilla.dev/nowhere:1"}),
    Failure("pods", "config-missing", "config_missing",
            {"what": "ConfigMap", "name": "no-config"}),
    Failure("pods", "config-key", "config_key_missing", {"name": "settings", "key": "host"}),
    Failure("pods", "secret-volume", "config_missing", {"what": "Secret", "name": "no-secret"}),
    Failure("pods", "command-missing", "command_not_found", {"command": "nosuch"}),
    Failure("pods", "command-denied", "command_not_allowed", {"command": "/etc/passwd"}),
    Failure("pods", "as-root", "run_as_root"),
    Failure("pods", "*crash", "crash", {"exit_code": 3, "said": "no database"},
            ("exit code 3", "restart")),
    Failure("pods", "memory", "oom_killed", {"limit": "16Mi", "container": "app"},
            ("its limit of 16Mi",)),
    Failure("pods", "by-itself", "ends_by_itself", {"exit_code": 0}),
    Failure("pods", "init-crash", "crash", {"container": "migrate", "exit_code": 4},
            ("Init container migrate",)),
    Failure("pods", "init-waits", "init_slow", {"container": "wait-db", "number": 1, "inits": 1},
            later=600),
    Failure("pods", "evicted", "evicted_over_limit", {"volume": "cache", "limit": "1Mi"},
            ("1Mi (cache)",)),
    Failure("pods", "held", "pod_finalizers", {"finalizers": "example.com/hold"}, later=600),
    Failure("pods", "liveness", "probe_liveness",
            {"probe": "exec cat /tmp/healthy every 1 s"}, ("No such file or directory",)),
    Failure("pods", "readiness", "probe_readiness", {"probe": "GET :8099/ready every 1 s"},
            ("connection refused",)),
    Failure("pods", "startup", "probe_startup", {"probe": "TCP :8098 every 1 s"},
            ("connection refused",)),
    Failure("pods", "cpu", "unschedulable", {"nodes": 3, "asked_cpu": 1000.0},
            ("too little cpu left", "asks for 1000 CPU, 64 MiB")),
    Failure("pods", "selector", "unschedulable", {"nodes": 3, "parts": [[3, "selector", ""]]},
            ("None of 3 nodes takes this pod (3 nodes: labels that do not fit",)),
    Failure("pods", "taint", "unschedulable", {"nodes": 3},
            ("1 node: a taint that the pod does not tolerate (broken: yes)",)),
    Failure("pods", "unbound", "claim_unbound", {"claims": "no-class"}),
    Failure("pods", "no-claim", "claim_missing", {"claim": "no-claim"}),
]  # fmt: skip
OTHERS = [
    Failure("deployments.apps", "crash", "rollout_stuck",
            {"desired": 2, "updated": 2, "ready_pods": 0}),
    Failure("statefulsets.apps", "ordered", "replicas_missing", {"desired": 3}),
    Failure("jobs.batch", "gives-up", "job_backoff", {"failed": 1}),
    Failure("jobs.batch", "too-long", "job_deadline"),
    Failure("cronjobs.batch", "asleep", "cron_suspended"),
    Failure("persistentvolumeclaims", "no-class", "claim_no_class", {"requested": "1Gi"}),
    Failure("persistentvolumeclaims", "wrong-class", "claim_class_missing",
            {"class_name": "no-such-class"}),
    Failure("deployments.apps", "quota", "quota_exceeded",
            {"quota": "little", "resource": "requests.cpu", "requested": "60m", "used": "60m",
             "limited": "100m"}, namespace="small"),
    Failure("statefulsets.apps", "unasked", "quota_unspecified",
            {"quota": "little", "resources": "requests.cpu"}, namespace="small"),
    Failure("deployments.apps", "limit", "limit_range",
            {"resource": "cpu", "per": "Container", "limit": "100m", "requested": "2",
             "bound": "max"}, namespace="limited"),
    Failure("deployments.apps", "account", "service_account_missing", {"name": "nobody"}),
    Failure("deployments.apps", "priority", "priority_class_missing", {"name": "urgent"}),
    Failure("deployments.apps", "hooked", "webhook_away", {"webhook": "hook.example.com"},
            namespace="hooked"),
    Failure("services", "no-pods", "service_no_pod", {"selector": "app=nowhere"}),
    Failure("services", "not-ready", "service_no_ready_pod", {"pods": 2}),
    Failure("ingresses.networking.k8s.io", "in", "ingress_no_service", {"services": "no-service"}),
    Failure("namespaces", "stuck", "namespace_finalizers",
            {"finalizers": "example.com/hold (1)"}, namespace=""),
    Failure("nodes", "node3", "node_away", {}, ("The kubelet has not reported since",),
            namespace=""),
]  # fmt: skip


def all_said(failures: list[Failure]) -> Callable[[World], list[str]]:
    return lambda world: [said for failure in failures if (said := failure.problem(world))]


def until_none(kubectl: Kubectl, problems: Callable[[World], list[str]]) -> World:
    """Look every few seconds until nothing is diagnosed wrongly any more."""
    deadline = time.monotonic() + PATIENCE
    while True:
        world = World.of(kubectl)
        wrong = problems(world)
        if not wrong:
            return world
        assert time.monotonic() < deadline, "\n".join(wrong)
        time.sleep(3)


def test_each_failure_is_named_with_its_figures(failing: Kubectl) -> None:
    """Each is named rightly at some look: what is started again and again runs in between."""
    left = {failure.name + failure.resource: failure for failure in PODS + OTHERS}

    def problems(world: World) -> list[str]:
        wrong = {key: said for key, failure in left.items() if (said := failure.problem(world))}
        for key in left.keys() - wrong.keys():
            del left[key]
        return list(wrong.values())

    until_none(failing, problems)


def test_what_runs_well_has_no_cause(failing: Kubectl) -> None:
    def problems(world: World) -> list[str]:
        rows = [
            world.rows.get(key)
            for key in (
                ("pods", "ill", "fine"), ("deployments.apps", "ill", "well"),
                ("nodes", "", "node1"), ("nodes", "", "node2"), ("namespaces", "", "ill"),
            )
        ]  # fmt: skip
        if None in rows:
            return ["not there yet"]
        found = [(row.name, refine(row, world.events[row.uid])) for row in rows if row]
        return [f"{name}: {cause}" for name, cause in found if cause]

    until_none(failing, problems)


@pytest.mark.django_db
def test_what_needs_attention_comes_worst_first_a_line_for_each_workload(failing: Kubectl) -> None:
    """From SQL, with the rows that the watcher makes of these very objects."""
    needed = ("node3", "crash", "*crash", "quota", "image-missing", "cpu")
    said = all_said([one for one in PODS + OTHERS if one.name in needed])

    def problems(world: World) -> list[str]:
        # Both pods at the same look: each runs for a moment between two of its ends.
        crashing = [pod for pod in world.of_namespace("pods", "ill")
                    if pod.labels.get("app") == "crash"]  # fmt: skip
        ill = [pod.name for pod in crashing
               if world.cause("pods", pod.name).get("code") == "crash"]  # fmt: skip
        return said(world) or ([] if len(ill) == 2 else [f"of the crashing pods only {ill}"])

    world = until_none(failing, problems)
    cluster = ClusterFactory()
    for row in world.rows.values():
        row.cluster = cluster
    Object.objects.bulk_create(world.rows.values())
    told = [event for events in world.events.values() for event in events]
    for event in told:
        event.cluster = cluster
    ClusterEvent.objects.bulk_create(told, ignore_conflicts=True)
    lines = attention(Cluster.objects.all(), 80)
    first = lines[0]
    assert (first.row.resource, first.row.name, first.cause["code"]) == (
        "nodes", "node3", "node_away"
    )  # fmt: skip
    by_name = {line.row.name: line for line in lines}
    assert len(by_name) == len(lines), "one line for each"
    crash = by_name["crash"]
    assert (crash.row.resource, crash.cause["code"], crash.count) == (
        "deployments.apps",
        "crash",
        2,
    )
    assert crash.words.what.startswith("0 of 2 pods are ready. Container app ends again and again")
    assert by_name["quota"].cause["code"] == "quota_exceeded"
    assert by_name["image-missing"].cause["code"] == "image_not_found"
    # Asked for 1000 cores, what is left on the nodes is said on the pod's own page.
    wide = diagnose(Object.objects.get(resource="pods", name="cpu"))
    assert wide is not None and "CPU is left on a node" in wide.what
    assert {"fine", "well", "node1", "node2", "asleep"}.isdisjoint(by_name)
