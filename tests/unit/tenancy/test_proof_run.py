"""Proofs of isolation as the watcher carries them out, against the scripted API server."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.kube import ClusterUnreachable, connect
from console.accounts.models import Role
from console.audit.models import AuditEvent
from console.notices.models import Notice
from console.notices.reading import visible_notices
from tenancy import proof_actions, proof_run
from tenancy.models import IsolationProof, Namespace, ProofState, Tenant, Verdict
from tenancy.proof_actions import ProofRefusedError
from tests.factories import UserFactory
from tests.unit.clusters.rows import cluster_of
from tests.unit.tenancy.people import member
from tests.unit.tenancy.proof_server import ProofServer, applied

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with ProofServer() as running:
        running.paths["/api/v1/namespaces/default/endpoints/kubernetes"] = {
            "subsets": [{"addresses": [{"ip": "192.0.2.9"}], "ports": [{"port": 6443}]}]
        }
        yield running


@pytest.fixture
def cluster(server):
    proof_run._swept.clear()
    return cluster_of(server, version="v1.31.0", service_cidr="10.96.0.0/16")


@pytest.fixture
def tenant():
    return Tenant.objects.create(name="Shop", slug="shop")


@pytest.fixture
def row(tenant, cluster):
    return applied(tenant, cluster)


@pytest.fixture
def admin():
    return UserFactory(username="root", role=Role.ADMIN)


def keep(cluster, held=lambda: None) -> None:
    proof_run.keep(cluster, connect(cluster), held)


def everybody(_source, _address) -> bool:
    return True


def enforcing(server):
    """As a plug-in that acts on the policies of isolation `namespace` of web alone."""

    def reach(source: str, address: str) -> bool:
        return source == "web" or address != server.addresses["web"]

    return reach


def run(server, cluster, proof, reach) -> IsolationProof:
    """Round after round until it has ended and is gone."""
    for _round in range(6):
        keep(cluster)
        server.work(reach)
    proof.refresh_from_db()
    return proof


def backwards(proof, minutes=2) -> None:
    """The phase began long ago."""
    since = timezone.now() - timedelta(minutes=minutes)
    IsolationProof.objects.filter(pk=proof.pk).update(state_since=since)


def seen(proof) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in proof.attempts}


def test_a_cluster_on_which_nothing_was_proved_is_not_asked(server, cluster, row) -> None:
    keep(cluster)
    assert server.requests == []


def test_a_plug_in_that_does_nothing_is_told_with_evidence(server, cluster, row, admin) -> None:
    proof = proof_actions.start(row, by=admin)
    run(server, cluster, proof, everybody)
    assert (proof.state, proof.verdict, proof.reason) == ("ended", "not_enforced", "leak")
    leak = next(one for one in proof.attempts if one["id"] == "stranger-own-8080")
    assert (leak["expected"], leak["outcome"]) == ("deny", "passed")
    assert leak["command"].endswith(f"nc -w 2 {server.addresses['web']} 8080")
    assert [(one["code"], one["seconds"]) for one in leak["tries"]] == [(0, 0.01)] * 3
    assert leak["where"]["address"] == "10.244.0.99"
    assert proof.ended and proof.by_name == "root" and proof.log
    events = AuditEvent.objects.filter(action__startswith="namespace.proof").order_by("pk")
    assert [event.action for event in events] == [
        "namespace.proof_started", "namespace.proof_ended",
    ]  # fmt: skip
    assert events[1].after["verdict"] == "not_enforced"


def test_a_plug_in_that_acts_is_enforced_and_nothing_is_left(
    server, cluster, tenant, row, admin
) -> None:
    applied(tenant, cluster, "peer", isolation="tenant")
    proof = run(server, cluster, proof_actions.start(row, by=admin), enforcing(server))
    assert (proof.verdict, proof.reason) == ("enforced", "enforced"), proof.attempts
    assert seen(proof)["peer-own-8080"] == seen(proof)["stranger-own-8080"] == "denied"
    assert seen(proof)["own-outside-6443"] == seen(proof)["node-own"] == "passed"
    assert proof.gone
    assert not server.probes and not server.objects["namespaces"]
    before = len(server.requests)
    keep(cluster)
    assert len(server.requests) == before, "nothing more is asked"


def test_what_was_enforced_and_is_no_more_is_told(server, cluster, tenant, row, admin) -> None:
    boss, viewer = member(tenant, "admin", "boss"), member(tenant, "viewer", "vera")
    lost = Notice.objects.filter(kind="isolation.lost", resolved=None)
    for reach, told in ((everybody, 0), (enforcing(server), 0), (everybody, 1)):
        run(server, cluster, proof_actions.start(row, by=admin), reach)
        assert lost.count() == told
    assert visible_notices(boss).filter(pk__in=lost).exists(), "who can mend it"
    assert not visible_notices(viewer).filter(pk__in=lost).exists()
    run(server, cluster, proof_actions.start(row, by=admin), enforcing(server))
    assert not lost.exists()
    assert Notice.objects.filter(kind="isolation.lost").count() == 1


def test_the_pods_are_harmless_and_found_by_label(server, cluster, tenant, row, admin) -> None:
    proof = proof_actions.start(row, by=admin)
    keep(cluster)
    server.work(everybody)
    keep(cluster)
    assert {key.partition("/")[0] for key in server.probes} == {
        "web", f"flotilla-probe-{proof.token}",
    }  # fmt: skip
    home = server.objects["namespaces"][f"flotilla-probe-{proof.token}"]["metadata"]["labels"]
    assert home["pod-security.kubernetes.io/enforce"] == "restricted"
    assert "flotilla.dev/tenant" not in home
    assert len(server.probes) == 4
    for pod in server.probes.values():
        spec = pod["spec"]
        (container,) = spec["containers"]
        assert pod["metadata"]["labels"]["flotilla.dev/proof"] == proof.token
        assert spec["automountServiceAccountToken"] is False
        assert spec["activeDeadlineSeconds"] == 600
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["resources"]["limits"] and container["resources"]["requests"]


def test_the_probe_pods_follow_the_namespaces_pool(server, cluster, tenant, admin) -> None:
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    pool = cluster.pools.create(name="gpu", taints=[taint])
    proof_actions.start(applied(tenant, cluster, pool=pool), by=admin)
    keep(cluster)
    (pod,) = (pod for key, pod in server.probes.items() if key.startswith("web/"))
    assert pod["spec"]["nodeSelector"]["flotilla.dev/pool"] == "gpu"
    assert pod["spec"]["tolerations"][0]["key"] == "gpu"


def test_a_full_quota_is_no_denial(server, cluster, row, admin) -> None:
    server.refuses["namespaces/web/pods"] = (403, "exceeded quota: flotilla, used: pods=3")
    proof = proof_actions.start(row, by=admin)
    keep(cluster)
    proof.refresh_from_db()
    assert proof.state == ProofState.STARTING
    backwards(proof)
    run(server, cluster, proof, everybody)
    assert (proof.verdict, proof.reason) == ("not_proved", "untried")
    attempt = next(one for one in proof.attempts if one["id"] == "stranger-own-8080")
    assert attempt["outcome"] == "untried"
    assert "exceeded quota" in attempt["cause"]
    assert proof.gone and not server.probes


def test_an_image_that_is_not_pulled_is_named(server, cluster, row, admin) -> None:
    proof = proof_actions.start(row, by=admin)
    server.stays["web"] = "registry away"
    keep(cluster)
    server.work(everybody)
    keep(cluster)
    backwards(proof)
    run(server, cluster, proof, everybody)
    assert proof.verdict == Verdict.NOT_PROVED
    causes = {one["cause"] for one in proof.attempts if one["outcome"] == "untried"}
    assert any("ImagePullBackOff: registry away" in cause for cause in causes), causes


def test_a_prober_that_was_cut_short_has_denied_nothing(server, cluster, row, admin) -> None:
    proof = proof_actions.start(row, by=admin)
    for _round in range(2):
        keep(cluster)
        server.work(enforcing(server))
    for key, text in server.logs.items():
        server.logs[key] = "\n".join(one for one in text.splitlines() if "|3|" not in one)
    run(server, cluster, proof, everybody)
    assert proof.verdict == Verdict.NOT_PROVED
    assert seen(proof)["stranger-own-8080"] != "denied"


@pytest.mark.parametrize("code", [126, 127, 139])
def test_a_program_that_did_not_run_has_denied_nothing(server, cluster, row, admin, code) -> None:
    proof = proof_actions.start(row, by=admin)
    for _round in range(2):
        keep(cluster)
        server.work(enforcing(server))
    for key, text in server.logs.items():
        server.logs[key] = text.replace("|1|7.00|9.00|", f"|{code}|7.00|7.00|")
    run(server, cluster, proof, everybody)
    assert proof.verdict == Verdict.NOT_PROVED
    silent = next(one for one in proof.attempts if one["id"] == "stranger-own-8080")
    assert silent["outcome"] == "untried"
    assert f"exit code {code}" in silent["cause"]


def test_a_pod_that_the_kubelet_cannot_probe_is_too_strict(server, cluster, row, admin) -> None:
    proof = proof_actions.start(row, by=admin)
    keep(cluster)

    def deaf() -> None:
        server.work(enforcing(server))
        for key, pod in server.probes.items():
            if key.startswith("web/") and "listen" in key:
                pod["status"]["conditions"] = [{"type": "Ready", "status": "False"}]

    deaf()
    keep(cluster)
    backwards(proof, minutes=1)
    for _round in range(4):
        keep(cluster)
        deaf()
    proof.refresh_from_db()
    assert (proof.verdict, seen(proof)["node-own"]) == ("too_strict", "denied")


def test_killed_in_the_middle_it_goes_on_and_leftovers_go(server, cluster, row, admin) -> None:
    """A round that dies between two writes, in every place; the next one goes on from there."""
    proof = proof_actions.start(row, by=admin)
    for dies_after in range(8):
        writes = iter(range(dies_after))

        def held(writes=writes) -> None:
            if next(writes, None) is None:
                raise SystemExit

        with contextlib.suppress(SystemExit):
            keep(cluster, held)
        server.work(enforcing(server))
    proof.refresh_from_db()
    assert proof.verdict == Verdict.ENFORCED
    run(server, cluster, proof, everybody)
    assert not server.probes and not server.objects["namespaces"]


def test_what_an_earlier_life_left_is_found_by_its_label(server, cluster, row, admin) -> None:
    proof = proof_actions.start(row, by=admin)
    keep(cluster)
    foreign = {"metadata": {"name": "flotilla-probe-listen-x", "namespace": "web", "labels": {
        "flotilla.dev/proof": "x", "flotilla.dev/console": "another"}}}  # fmt: skip
    server.objects["pods"]["web/flotilla-probe-listen-x"] = foreign
    # The row says that all is over, the cluster still has the pods and the namespace.
    IsolationProof.objects.update(ended=timezone.now(), state="ended", gone=True)
    proof_run._swept.clear()
    keep(cluster)
    keep(cluster)
    assert list(server.probes) == ["web/flotilla-probe-listen-x"], "another console's stays"
    assert not server.objects["namespaces"]
    assert proof.token not in str(server.objects["namespaces"])


def test_canceled_it_ends_at_once_without_a_verdict_that_counts(
    server, cluster, row, admin
) -> None:
    proof = proof_actions.start(row, by=admin)
    keep(cluster)
    proof_actions.cancel(proof, by=admin)
    keep(cluster)
    keep(cluster)
    proof.refresh_from_db()
    assert (proof.verdict, proof.reason, proof.gone) == ("not_proved", "canceled", True)
    assert not server.probes
    assert proof_actions.latest(row) is None
    with pytest.raises(ProofRefusedError):
        proof_actions.cancel(proof, by=admin)


def test_a_cluster_that_is_away_ends_it_in_time(server, cluster, row, admin) -> None:
    proof = proof_actions.start(row, by=admin)
    server.override = (503, {}, b"")
    with pytest.raises((ClusterUnreachable, Exception)):
        keep(cluster)
    proof.refresh_from_db()
    assert proof.running
    IsolationProof.objects.update(created=timezone.now() - timedelta(hours=1))
    with pytest.raises((ClusterUnreachable, Exception)):
        keep(cluster)
    proof.refresh_from_db()
    assert (proof.verdict, proof.reason, proof.gone) == ("not_proved", "away", False)
    server.override = None
    keep(cluster)
    keep(cluster)
    proof.refresh_from_db()
    assert proof.gone


def test_changed_meanwhile_it_proves_nothing(server, cluster, row, admin) -> None:
    proof = proof_actions.start(row, by=admin)
    keep(cluster)
    Namespace.objects.update(isolation="strict")
    run(server, cluster, proof, everybody)
    assert (proof.verdict, proof.reason) == ("not_proved", "changed")


def test_a_namespace_that_goes_takes_the_proof_with_it(server, cluster, row, admin) -> None:
    proof_actions.start(row, by=admin)
    keep(cluster)
    row.delete()
    for _round in range(3):
        keep(cluster)
    assert not IsolationProof.objects.exists()
    assert not server.probes


def test_one_at_a_time_and_a_short_history(server, cluster, row, admin, monkeypatch) -> None:
    first = proof_actions.start(row, by=admin)
    with pytest.raises(ProofRefusedError, match="already"):
        proof_actions.start(row, by=admin)
    run(server, cluster, first, everybody)
    monkeypatch.setattr(proof_actions, "KEPT", 1)
    for _proof in range(3):
        proof_actions.cancel(proof_actions.start(row, by=admin), by=admin)
        keep(cluster)
    assert row.proofs.count() <= 2, "the last one may not be gone from the cluster yet"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"isolation": "open"}, "nothing to prove"),
        ({"state": "pending"}, "has not followed"),
        ({"state": "deleting"}, "has not followed"),
        ({"revision": 2}, "has not followed"),
        ({"name": "kube-system"}, "belongs to Kubernetes"),
    ],
)
def test_where_none_is_made(server, cluster, tenant, admin, fields, said) -> None:
    row = applied(tenant, cluster, **fields)
    with pytest.raises(ProofRefusedError, match=said):
        proof_actions.start(row, by=admin)
    assert not IsolationProof.objects.exists()


def test_never_beside_the_console_itself_nor_where_admins_guard(
    server, cluster, row, admin, settings
) -> None:
    settings.GUARDED_NAMESPACES = ("web",)
    with pytest.raises(ProofRefusedError, match="belongs to"):
        proof_actions.start(row, by=admin)
    settings.GUARDED_NAMESPACES = ()
    cluster.origin = "system"
    cluster.save()
    with pytest.raises(ProofRefusedError, match="The console itself runs on"):
        proof_actions.start(row, by=admin)


def test_a_proof_grows_stale(server, cluster, row, admin, settings) -> None:
    proof = run(server, cluster, proof_actions.start(row, by=admin), enforcing(server))
    assert proof_actions.stale(proof, row) == ""
    row.quota = {"pods": "3"}
    assert proof_actions.stale(proof, row) == "", "a quota has nothing to do with it"
    row.drift = [{"kind": "NetworkPolicy", "name": "theirs", "live": "1", "accepted": False}]
    assert "changed" in proof_actions.stale(proof, row)
    row.drift = []
    row.exceptions = [{"kind": "monitoring", "direction": "in", "ports": []}]
    assert "changed" in proof_actions.stale(proof, row)
    row.exceptions = []
    proof.ended -= timedelta(days=settings.PROOF_DAYS + 1)
    assert "older" in proof_actions.stale(proof, row)
