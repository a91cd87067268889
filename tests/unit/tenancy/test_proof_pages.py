"""The card "Isolation proof" and its REST actions: who may what, and what is never shown green."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from console.accounts.models import User
from console.audit.models import AuditEvent
from tenancy import enforced, proof_actions
from tenancy.models import IsolationProof, Namespace
from tests.conftest import signed_in, with_token
from tests.factories import ClusterFactory
from tests.unit.tenancy.namespace_rows import member, tenant_of
from tests.unit.tenancy.proof_server import applied
from tests.unit.tenancy.test_proof_plan import rows as attempts

GOOD = "fl-status fl-good"


@pytest.fixture
def cluster(db):
    return ClusterFactory(name="east", origin="provisioned")


@pytest.fixture
def shop(cluster):
    return tenant_of(cluster)


@pytest.fixture
def row(shop, cluster):
    return applied(shop, cluster, isolation="strict")


@pytest.fixture
def owner(shop, admin) -> User:
    return member(shop, "owner", admin)


def ended(row: Namespace, verdict: str, reason: str = "enforced", **fields) -> IsolationProof:
    kept = [
        {
            **one, "tries": [{"code": 1, "seconds": 2.0, "output": "nc: <b>timed out</b>"}] * 3,
            "command": f"nc -w 2 {one['address']} {one['port']}", "cause": "",
            "where": {"node": "node1", "address": "10.244.0.7"},
        }
        for one in attempts("strict")
    ]  # fmt: skip
    given = {
        "namespace": row, "cluster": row.cluster, "namespace_name": row.name, "state": "ended",
        "isolation": row.isolation, "wanted": proof_actions.wanted(row), "token": "t",
        "verdict": verdict, "reason": reason, "attempts": kept, "by_name": "olga",
        "ended": timezone.now(), "gone": True,
    }  # fmt: skip
    return IsolationProof.objects.create(**(given | fields))


def card(client, row) -> str:
    page = client.get(f"/namespaces/{row.pk}/").content.decode()
    return page.partition('id="isolation-proof"')[2].partition("</section>")[0]


def test_what_was_not_proved_says_so_and_how(row, owner) -> None:
    shown = card(signed_in(owner), row)
    assert "Not proved yet." in shown and "Prove now" in shown
    assert GOOD not in shown


def test_the_matrix_has_words_and_evidence(row, owner) -> None:
    ended(row, "enforced")
    shown = card(signed_in(owner), row)
    assert GOOD in shown and "what must be denied was denied" in shown
    assert "must be denied" in shown and "Nothing lets it in." in shown
    assert "denied: right" in shown and "passed: right" in shown
    assert "nc -w 2 10.244.1.1 8080" in shown
    assert "10.244.0.7 on node1" in shown and "3 tries" in shown
    assert "&lt;b&gt;timed out" in shown and "<b>timed" not in shown
    assert "olga" in shown
    found = {one.what: one.state for one in enforced.of(row, proof_actions.latest(row))}
    assert found["isolation"] == enforced.YES


@pytest.mark.parametrize(
    ("verdict", "reason", "said"),
    [
        ("not_enforced", "leak", "Not enforced: connections that must be denied went through"),
        ("too_strict", "blocked", "Too strict: connections that must pass were denied"),
        ("not_proved", "untried", "Some of it could not be tried"),
    ],
)
def test_nothing_but_enforced_is_green(row, owner, verdict, reason, said) -> None:
    ended(row, verdict, reason)
    shown = card(signed_in(owner), row)
    assert said in shown
    assert GOOD not in shown


def test_what_was_seen_counts_for_more_than_what_the_plug_in_is_said_to_do(row, owner) -> None:
    row.cluster.enforces_network_policy = True
    row.cluster.save()
    ended(row, "not_enforced", "leak")
    page = signed_in(owner).get(f"/namespaces/{row.pk}/").content.decode()
    assert "Not enforced." in page
    assert "The network plug-in enforces NetworkPolicy" not in page
    assert "Probe pods went through where the policies say that nothing may." in page


def test_a_stale_proof_is_not_green_and_says_why(row, owner, settings) -> None:
    proof = ended(row, "enforced")
    Namespace.objects.update(isolation="namespace")
    shown = card(signed_in(owner), row)
    assert "It no longer counts." in shown and "The policies were changed since." in shown
    assert GOOD not in shown
    Namespace.objects.update(isolation="strict")
    assert GOOD in card(signed_in(owner), row)
    proof.ended = timezone.now() - timedelta(days=settings.PROOF_DAYS + 1)
    proof.save()
    shown = card(signed_in(owner), row)
    assert "older than 30 days" in shown and GOOD not in shown
    assert enforced.of(row, proof)[-1].state != enforced.YES


def test_an_open_namespace_has_nothing_to_prove(row, owner) -> None:
    Namespace.objects.update(isolation="open")
    client = signed_in(owner)
    assert "nothing to prove" in card(client, row)
    assert "Prove now" not in card(client, row)
    assert with_token(owner).post(f"/api/v1/namespaces/{row.pk}/proofs/").status_code == 409


def test_while_it_runs_the_page_is_live_and_it_can_be_canceled(row, owner, shop, admin) -> None:
    client = signed_in(owner)
    assert client.post(f"/namespaces/{row.pk}/prove/").status_code == 302
    shown = card(client, row)
    assert 'hx-trigger="every 2s"' in shown and "Cancel the proof" in shown
    assert "The watcher begins within seconds" in shown
    proof = IsolationProof.objects.get()
    proof.log = [[timezone.now().isoformat(), "Starting <pods>"]]
    proof.save()
    viewer = signed_in(member(shop, "viewer", admin))
    shown = card(viewer, row)
    assert "Starting &lt;pods&gt;" in shown and "Cancel the proof" not in shown
    again = client.post(f"/namespaces/{row.pk}/prove/", follow=True).content.decode()
    assert "is being proved already" in again
    client.post(f"/namespaces/{row.pk}/prove/cancel/")
    proof.refresh_from_db()
    assert proof.canceled
    actions = AuditEvent.objects.filter(action__startswith="namespace.proof")
    assert {event.action for event in actions} == {
        "namespace.proof_started", "namespace.proof_canceled",
    }  # fmt: skip
    assert {event.actor for event in actions} == {owner}


def test_who_may(row, shop, cluster, admin, auditor, nobody) -> None:
    bank = tenant_of(cluster, "bank")
    may = {"owner": 202, "admin": 202, "developer": 403, "viewer": 403}
    people = {role: (member(shop, role, admin), code) for role, code in may.items()}
    people |= {
        "foreign": (member(bank, "owner", admin), 404), "nobody": (nobody, 404),
        "auditor": (auditor, 403), "platform": (admin, 202),
    }  # fmt: skip
    for name, (user, code) in people.items():
        api = with_token(user)
        path = f"/api/v1/namespaces/{row.pk}/proofs/"
        assert api.post(path).status_code == code, name
        assert api.get(path).status_code == (404 if code == 404 else 200), name
        assert api.post(f"{path}cancel/").status_code == code, name
        page = signed_in(user).post(f"/namespaces/{row.pk}/prove/")
        assert page.status_code == (302 if code == 202 else code), name
        IsolationProof.objects.all().delete()


def test_a_frozen_tenant_proves_nothing(row, shop, owner) -> None:
    shop.frozen = True
    shop.save()
    assert with_token(owner).post(f"/api/v1/namespaces/{row.pk}/proofs/").status_code == 403


def test_rest_answers_the_matrix_with_evidence(row, owner) -> None:
    ended(row, "enforced")
    (told,) = with_token(owner).get(f"/api/v1/namespaces/{row.pk}/proofs/").json()
    assert (told["verdict"], told["reason"], told["stale"]) == ("enforced", "enforced", "")
    one = next(one for one in told["attempts"] if one["id"] == "stranger-own-8080")
    assert (one["expected"], one["outcome"], len(one["tries"])) == ("deny", "denied", 3)
    assert one["where"]["node"] == "node1"
    Namespace.objects.update(exceptions=[{"kind": "monitoring", "direction": "in", "ports": []}])
    (told,) = with_token(owner).get(f"/api/v1/namespaces/{row.pk}/proofs/").json()
    assert told["stale"] == "The policies were changed since."
