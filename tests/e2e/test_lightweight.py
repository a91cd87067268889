"""A lightweight cluster through the REST API: created, used, repaired, deleted, taken again."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from lab import Lab
from tests.e2e.console import ApiError, Console, wait_for
from tests.e2e.own_log import OwnLog
from tests.e2e.pods import BINDING, CRASHING, Pods, Screen, lines_until, pod
from tests.e2e.proofs import Plugin, Proofs, said_of

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster(console: Console) -> Any:
    """One control plane and one worker, for the tests of this module."""
    hosts = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    made = console.create("first", [hosts["node1"]], [hosts["node2"]])
    console.wait(made["task"]["id"])
    yield made
    if console.get(f"clusters/?name={made['cluster']['name']}")["results"]:
        console.delete_cluster(made["cluster"]["id"])


@pytest.fixture(scope="module")
def kubeconfig(console: Console, cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    answer = console.post(f"clusters/{cluster['cluster']['id']}/kubeconfig/", {"hours": 1})
    text = answer if isinstance(answer, str) else answer["kubeconfig"]
    path = tmp_path_factory.mktemp("kubeconfig") / "config"
    path.write_text(text)
    path.chmod(0o600)
    return path


def kubectl(binaries: Path, kubeconfig: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [binaries / "kubectl", "--kubeconfig", kubeconfig, *arguments, "-o", "json"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_dry_run_shows_the_plan_and_changes_nothing(console: Console) -> None:
    hosts = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    body = {
        "name": "planned", "profile": "lightweight", "release": "v1.20.2",
        "control_plane": [hosts["node3"]], "workers": [hosts["node4"]],
    }  # fmt: skip
    plan = console.post("clusters/?dry_run=true", body)
    text = json.dumps(plan)
    assert "kube-apiserver" in text and "node3" in text and "node4" in text
    assert "PRIVATE KEY" not in text
    assert not [c for c in console.get("clusters/")["results"] if c["name"] == "planned"]
    assert console.get(f"hosts/{hosts['node3']}/")["cluster"] is None


def test_nodes_are_ready_and_kubectl_works_as_the_person(
    console: Console, cluster: Any, binaries: Path, kubeconfig: Path
) -> None:
    nodes = kubectl(binaries, kubeconfig, "get", "nodes")["items"]
    ready = {
        n["metadata"]["name"]: c["status"]
        for n in nodes
        for c in n["status"]["conditions"]
        if c["type"] == "Ready"
    }
    assert ready == {"node1": "True", "node2": "True"}
    import yaml

    user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
    import base64

    leaf = x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))
    name = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    assert name == "admin"
    hours = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds() / 3600
    assert hours <= 2


def test_a_pod_runs_on_the_worker_and_gives_logs_and_takes_exec(
    console: Console, cluster: Any, binaries: Path, kubeconfig: Path, tmp_path: Path
) -> None:
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hello", "namespace": "default"},
        "spec": {
            "nodeName": "node2",
            "containers": [{
                "name": "hello", "image": "flotilla.dev/lab/busybox:1",
                "command": ["sh", "-c", "echo hello from the pod; sleep 600"],
            }],
        },
    }  # fmt: skip
    manifest = tmp_path / "pod.json"
    manifest.write_text(json.dumps(pod))
    kubectl(binaries, kubeconfig, "apply", "-f", str(manifest))
    run = ["-n", "default"]
    wait_for(
        lambda: (
            kubectl(binaries, kubeconfig, "get", "pod", "hello", *run)["status"]["phase"]
            == "Running"
        ),
        60,
        "the pod runs",
    )
    base = [str(binaries / "kubectl"), "--kubeconfig", str(kubeconfig)]
    logs = subprocess.run([*base, "logs", "hello"], capture_output=True, text=True, check=True)
    assert logs.stdout == "hello from the pod\n"
    answer = subprocess.run(
        [*base, "exec", "hello", "--", "hostname"], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "hello\n"
    kubectl_delete = [*base, "delete", "pod", "hello", "--now"]
    subprocess.run(kubectl_delete, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def pods(console: Console, cluster: Any, binaries: Path, kubeconfig: Path) -> Pods:
    """An operator who looks at the cluster's pods."""
    base = [str(binaries / "kubectl"), "--kubeconfig", str(kubeconfig)]
    return Pods(console, cluster["cluster"]["id"], base, "otto")


def test_a_crashing_pods_log_is_followed_over_its_restart(pods: Pods, tmp_path: Path) -> None:
    pods.apply(
        tmp_path,
        BINDING,
        pod("crashing", "sh", "-c", CRASHING),
        pod("quiet", "sh", "-c", "trap : TERM; sleep 3600 & wait"),
    )
    pods.started("crashing")
    socket = pods.open("crashing", "log/?container=main")
    lines = lines_until(
        socket,
        lambda found: sum(line.get("text", "").startswith("boom") for line in found) >= 2,
    )
    socket.close()
    shown = [line.get("note") or line["text"] for line in lines]
    assert shown.count("boom: 鯨") >= 2
    restart = lines[shown.index("restarted")]["values"]
    assert (restart["reason"], restart["exit_code"]) == ("Error", 3)
    # Each life once and whole, and what is said of its end between them.
    stamps = [line["time"] for line in lines if "text" in line]
    assert stamps == sorted(set(stamps))
    path = f"clusters/{pods.cluster}/pods/default/crashing/log/"
    assert pods.console.get(f"{path}?previous=1").splitlines() == [
        "alive as crashing", "boom: 鯨",
    ]  # fmt: skip


def test_a_terminal_in_a_pod_resizes_tells_its_exit_code_and_is_recorded(pods: Pods) -> None:
    pods.started("quiet")
    screen = Screen(pods.open("quiet", "exec/?container=main&columns=91&rows=33"))
    screen.until(lambda s: {"open": True} in s.told)
    screen.await_size(91, 33)
    screen.resize(132, 43)
    screen.await_size(132, 43)
    screen.type("hostname\r")
    screen.until(lambda s: b"quiet" in s.text)
    screen.type("exit 5\r")
    screen.until(lambda s: False)
    assert screen.told[-1]["exit"] == 5
    opened, closed = wait_for(lambda: (e := pods.events()) and len(e) == 2 and e, 10, "two events")
    assert opened[:2] == ["pod.terminal_opened", "otto"] and "default/quiet" in opened[2]
    assert closed[0] == "pod.terminal_closed" and closed[3]["exit_code"] == 5


def test_the_clusters_own_log_names_the_person_and_no_secret(
    pods: Pods, cluster: Any, lab: Lab, binaries: Path, kubeconfig: Path
) -> None:
    """Of the terminal that was just open, read through the page over SSH."""
    log = OwnLog(pods.console, pods.cluster)
    actor, request, _outcome, _after = log.events("pod.terminal_opened")[-1]
    assert actor == "otto" and request
    found = wait_for(lambda: log.entries(f"request={request}&minutes=60"), 30, "the entry is there")
    assert all("get pods/exec default/quiet" in row for row in found), found
    assert all("otto flotilla:user:" in row and "through the console" in row for row in found)
    assert all("flotilla (otto)" in row and f"Request {request[:8]}" in row for row in found)
    by_name = log.entries("who=otto&minutes=60&resource=pods")
    assert set(found) <= set(by_name), "by the person's name, too"
    secret = ["create", "secret", "generic", "kept", "--from-literal=password=c4n4ry-1n-4-l0g"]
    kubectl(binaries, kubeconfig, *secret)
    own = wait_for(lambda: log.entries("who=admin&verb=create&resource=secrets"), 30, "the secret")
    assert "create secrets default/kept" in own[0] and "c4n4ry" not in own[0], own
    host = lab.host("node1")
    assert host.run("cd /var/log/kubernetes; grep -l c4n4ry-1n-4-l0g * || true").strip() == ""
    modes = host.run("stat -c %a /var/log/kubernetes /var/log/kubernetes/audit.log").split()
    assert modes == ["700", "600"]
    looked = log.events("cluster.audit_log_read")
    assert {who for who, _request, _outcome, _after in looked} == {"audra"}
    assert (
        looked[0][2:]
        == [
            "success",
            {"request": request, "minutes": "60", "hosts": ["node1"], "entries": len(found)},
        ]
        or looked[0][3]["entries"] == 0
    )
    page = log.page(f"/clusters/{pods.cluster}/audit-log/?request={request}")
    assert f"audit-log/entries/?request={request}" in page
    assert f"audit-log/?request={request}" in log.page(f"/audit/?request={request}")


def test_a_terminal_ends_with_the_right_to_it(pods: Pods) -> None:
    screen = Screen(pods.open("quiet", "exec/?container=main"))
    screen.until(lambda s: {"open": True} in s.told)
    screen.type("sleep 1000\r")
    take = "from console.accounts.models import User; User.objects.filter(username='otto')"
    change = ("shell", "-c", f"{take}.update(role='auditor')")
    changing = threading.Thread(target=pods.console.manage, args=change)
    changing.start()
    # Read meanwhile: what is sent to a socket that was closed would reset it.
    screen.until(lambda s: False, 60)
    changing.join()
    assert screen.code == 4403
    pods.delete("crashing", "quiet")


def test_the_isolation_proof_tells_the_truth_with_and_without_enforcement(
    console: Console, cluster: Any, binaries: Path, kubeconfig: Path, lab: Lab
) -> None:
    """The bridge plug-in acts on no policy; with rules on the nodes that do, it is enforced."""
    base = [str(binaries / "kubectl"), "--kubeconfig", str(kubeconfig)]
    proofs = Proofs(console, cluster["cluster"]["id"], "proof", "namespace")
    told = proofs.prove()
    by_id = {one["id"]: one for one in told["attempts"]}
    assert (told["verdict"], told["reason"]) == ("not_enforced", "leak"), said_of(told)
    leak = by_id["stranger-own-8080"]
    assert (leak["expected"], leak["outcome"]) == ("deny", "passed")
    assert leak["tries"][0]["code"] == 0
    assert "flotilla-probe-listen-" in leak["tries"][0]["output"], "the pod's own answer"
    assert leak["where"]["address"] and leak["where"]["node"]
    for name in ("node-own", "own-own-8080", "stranger-stranger-8080", "own-stranger-8080"):
        assert by_id[name]["outcome"] == "passed", by_id[name]
    with Plugin(lab, ["node1", "node2"], base, "proof-web").acting():
        told = proofs.prove()
    by_id = {one["id"]: one for one in told["attempts"]}
    assert (told["verdict"], told["reason"]) == ("enforced", "enforced"), said_of(told)
    denied = by_id["stranger-own-8080"]
    assert denied["outcome"] == "denied"
    assert [one["code"] != 0 for one in denied["tries"]] == [True] * 3
    assert by_id["own-own-8080"]["outcome"] == "passed"

    def left() -> list[str]:
        spaces = kubectl(binaries, kubeconfig, "get", "namespaces")["items"]
        pods = kubectl(binaries, kubeconfig, "get", "pods", "-A", "-l", "flotilla.dev/proof")
        names = [item["metadata"]["name"] for item in (*spaces, *pods["items"])]
        return [name for name in names if name.startswith("flotilla-probe-")]

    wait_for(lambda: not left(), 60, "nothing is left on the cluster", lambda: str(left()))
    proofs.remove()


def test_without_a_certificate_the_api_server_answers_health_only(
    cluster: Any, console: Console, lab: Lab
) -> None:
    address = lab.host("node1").address
    curl = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}"]
    for path, expected in (("/api/v1/nodes", {"401", "403"}), ("/version", {"401", "403"})):
        done = subprocess.run(
            [*curl, f"https://{address}:6443{path}"], capture_output=True, text=True, check=True
        )
        assert done.stdout in expected


def test_the_console_shows_the_nodes_it_watches(console: Console, cluster: Any) -> None:
    number = cluster["cluster"]["id"]

    def ready() -> bool:
        nodes = console.get(f"clusters/{number}/nodes/")["results"]
        return {(n["name"], n["ready"]) for n in nodes} == {("node1", True), ("node2", True)}

    wait_for(ready, 30, "the watcher has seen both nodes")
    assert console.get(f"clusters/{number}/")["status"] == "active"


def test_the_log_is_numbered_without_holes_and_holds_no_secret(
    console: Console, cluster: Any
) -> None:
    lines = console.lines(cluster["task"]["id"])
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    text = "\n".join(line["text"] for line in lines)
    assert "PRIVATE KEY" not in text
    assert not any(len(word) > 500 for word in text.split())


def test_repair_of_a_sound_cluster_changes_nothing(console: Console, cluster: Any) -> None:
    answer = console.post(f"clusters/{cluster['cluster']['id']}/repair/")
    task = console.wait(answer["task"]["id"])
    changed = [(s["step"], s["host"]) for s in task["steps"] if s["status"] == "changed"]
    assert changed == []


def test_repair_mends_what_somebody_broke(
    console: Console, cluster: Any, lab: Lab, binaries: Path, kubeconfig: Path
) -> None:
    lab.host("node2").run(
        "systemctl disable --now kubelet; rm -f /etc/kubernetes/kubelet.conf; "
        "cd /opt/kubernetes/current && rm kube-proxy && echo garbage >kube-proxy"
    )
    answer = console.post(f"clusters/{cluster['cluster']['id']}/repair/")
    console.wait(answer["task"]["id"])
    nodes = kubectl(binaries, kubeconfig, "get", "nodes")["items"]
    assert len(nodes) == 2
    assert lab.host("node2").run("systemctl is-active kubelet kube-proxy").split() == ["active"] * 2


def test_a_host_of_a_cluster_is_refused_for_another(console: Console, cluster: Any) -> None:
    hosts = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    with pytest.raises(ApiError) as refused:
        console.create("second", [hosts["node1"]], [hosts["node3"]])
    assert refused.value.status in (400, 409)
    assert "node1" in json.dumps(refused.value.body)
    assert console.get(f"hosts/{hosts['node3']}/")["cluster"] is None


def test_delete_leaves_nothing_and_the_hosts_take_a_new_cluster_at_once(
    console: Console, cluster: Any, lab: Lab
) -> None:
    hosts = {h["name"]: h["id"] for h in console.get("hosts/")["results"]}
    console.delete_cluster(cluster["cluster"]["id"])
    for name in ("node1", "node2"):
        host = lab.host(name)
        left = host.run(
            "ls -d /etc/kubernetes /var/lib/etcd/member /opt/kubernetes /etc/cni/net.d "
            "/var/lib/flotilla 2>/dev/null; ls -A /var/lib/kubelet; "
            "ls /etc/systemd/system | grep -E 'kube|etcd|flotilla-routes'; "
            "ip -o link | grep -E 'cni|veth'; iptables-save | grep -E 'KUBE|CNI'; "
            "ps -eo comm | grep -E 'kube|etcd|containerd'; mount | grep kubelet/pods; true"
        )
        assert left.strip() == ""
        assert console.get(f"hosts/{hosts[name]}/")["cluster"] is None
    # The worker becomes the control plane and the other way round.
    made = console.create("again", [hosts["node2"]], [hosts["node1"]])
    console.wait(made["task"]["id"])
    console.delete_cluster(made["cluster"]["id"])
