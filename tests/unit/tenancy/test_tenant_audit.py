"""A tenant's owners read their tenant's events, and by no trick anybody else's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from console.accounts.models import User
from console.audit import sealing, verifier
from console.audit.models import AuditEvent
from console.audit.record import record
from tenancy import tenant_actions
from tenancy.models import Tenant
from tests.conftest import signed_in, with_token
from tests.unit.audit.test_exporting import run
from tests.unit.tenancy.people import make_tenant, member

pytestmark = pytest.mark.django_db
ADMINS_ADDRESS, OWNERS_ADDRESS = "198.51.100.66", "192.0.2.10"
SHARED = "11111111-2222-3333-4444-555555555555"


def by(user: User, address: str) -> SimpleNamespace:
    meta = {"REMOTE_ADDR": address, "HTTP_USER_AGENT": f"Browser of {user.username}"}
    return SimpleNamespace(META=meta, user=user, request_id=SHARED)


@pytest.fixture
def shop() -> Tenant:
    return make_tenant()


@pytest.fixture
def bank() -> Tenant:
    return make_tenant("bank")


@pytest.fixture
def owner(shop: Tenant) -> User:
    return member(shop, "owner")


@pytest.fixture
def rival(bank: Tenant) -> User:
    return member(bank, "owner")


@pytest.fixture
def happened(shop: Tenant, bank: Tenant, owner: User, admin: User) -> dict[str, AuditEvent]:
    """One click of an admin in both tenants and elsewhere, and one of shop's owner."""
    click = by(admin, ADMINS_ADDRESS)
    moved = {"before": {"tenant": "shop", "name": "web"}, "after": {"tenant": "bank"}}
    return {
        "shop": record("tenant.changed", shop, request=click, after={"name": "Shop!"}),
        "bank": record("tenant.changed", bank, request=click, object_name="bank-only"),
        "user": record("user.changed", owner, request=click, object_name="platform-only"),
        "policy": record("approval_policy.changed", request=click, tenant=shop),
        "failed": record(
            "object.scaled", request=click, tenant=shop, outcome="failure",
            reason="https://10.9.8.7:6443 does not answer",
        ),
        "moved": record("namespace.moved", request=click, tenant=shop, **moved),
        "own": record("tenant.changed", shop, request=by(owner, OWNERS_ADDRESS)),
    }  # fmt: skip


def test_who_reads_it(shop: Tenant, rival: User, owner: User, admin: User, nobody: User) -> None:
    pages = ("/tenants/shop/audit/", "/tenants/shop/audit/export/")
    expected = {
        owner: 200, admin: 200, rival: 404, nobody: 404,
        **{member(shop, role): 403 for role in ("admin", "developer", "viewer")},
    }  # fmt: skip
    for who, code in expected.items():
        for page in pages:
            assert signed_in(who).get(page).status_code == code, (who, page)
        api = with_token(who).get("/api/v1/tenants/shop/audit-events/")
        assert api.status_code == code, who
        tab = 'href="/tenants/shop/audit/"'
        if code != 404:
            shown = tab in signed_in(who).get("/tenants/shop/").content.decode()
            assert shown == (code == 200), who


def test_an_operator_sees_the_tenant_and_not_its_record(shop, operator, auditor) -> None:
    assert signed_in(operator).get("/tenants/shop/audit/").status_code == 403
    assert signed_in(auditor).get("/tenants/shop/audit/").status_code == 200


def test_owners_of_a_frozen_tenant_still_read_it(shop: Tenant, owner: User, admin: User) -> None:
    tenant_actions.freeze(shop, reason="unpaid", by=admin)
    page = signed_in(owner).get("/tenants/shop/audit/")
    assert page.status_code == 200 and "tenant.frozen" in page.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?tenant=bank",
        "?tenant=",
        f"?request={SHARED}",
        "?object=bank-only",
        "?object=platform-only",
        "?who=ada",
        "?action=user.changed",
        "?action=approval_policy.changed",
    ],
)
def test_no_filter_leads_out_of_the_tenant(happened, owner: User, query: str) -> None:
    found = with_token(owner).get(f"/api/v1/tenants/shop/audit-events/{query}")
    page = signed_in(owner).get(f"/tenants/shop/audit/{query}")
    file = signed_in(owner).get(f"/tenants/shop/audit/export/{query}", follow=True)
    text = b"".join(file).decode() if file.streaming else ""
    said = found.content.decode() + page.content.decode() + text
    for secret in ("bank-only", "platform-only", ADMINS_ADDRESS, "Browser of ada", "10.9.8.7"):
        assert secret not in said.replace(f'value="{secret}"', "").replace(
            f"object={secret}", ""
        ), secret
    if found.status_code == 200:
        ids = {row["id"] for row in found.json()["results"]}
        outside = {happened[name].pk for name in ("bank", "user", "policy")}
        assert not ids & outside


def test_what_is_withheld_cannot_be_found_out_by_filters(happened, owner: User) -> None:
    everything = with_token(owner).get("/api/v1/tenants/shop/audit-events/").json()["results"]
    for query in (f"address={ADMINS_ADDRESS}", "address=203.0.113.1", "session=abc"):
        found = with_token(owner).get(f"/api/v1/tenants/shop/audit-events/?{query}")
        assert [row["id"] for row in found.json()["results"]] == [row["id"] for row in everything]


def test_events_of_others_and_their_proofs_are_not_there(happened, owner: User) -> None:
    sealing.seal()
    sealing.checkpoint(force=True)
    api = with_token(owner)
    for name in ("bank", "user", "policy"):
        for tenant in ("shop", "bank"):
            path = f"/api/v1/tenants/{tenant}/audit-events/{happened[name].pk}/"
            assert api.get(path).status_code == 404
            assert api.get(f"{path}proof/").status_code == 404
        assert api.get(f"/api/v1/audit-events/{happened[name].pk}/proof/").status_code == 404


def test_what_is_withheld_and_from_whom(happened, owner: User, auditor: User) -> None:
    path = "/api/v1/tenants/shop/audit-events"
    rows = {row["id"]: row for row in with_token(owner).get(f"{path}/").json()["results"]}
    own, theirs = rows[happened["own"].pk], rows[happened["shop"].pk]
    assert (own["address"], own["withheld"]) == (OWNERS_ADDRESS, [])
    assert (theirs["actor_name"], theirs["address"], theirs["user_agent"]) == ("ada", None, "")
    assert theirs["withheld"] == ["address", "user_agent"]
    assert rows[happened["failed"].pk]["reason"] == ""
    moved = rows[happened["moved"].pk]
    assert (moved["before"], moved["after"]) == ({"tenant": "shop", "name": "web"}, {})
    assert AuditEvent.objects.get(pk=happened["shop"].pk).address == ADMINS_ADDRESS
    full = with_token(auditor).get(f"{path}/{happened['shop'].pk}/").json()
    assert (full["address"], full["withheld"]) == (ADMINS_ADDRESS, [])


def test_the_export_is_proved_and_says_what_is_not(happened, owner: User, tmp_path: Path) -> None:
    answer = signed_in(owner).get("/tenants/shop/audit/export/")
    lines = b"".join(answer).decode().splitlines(keepends=True)
    rows = {row["event"]["uid"]: row for row in map(json.loads, lines[1:-1])}
    assert "withheld" not in rows[str(happened["own"].uid)]
    hidden = [row for row in map(json.loads, lines[1:-1]) if "withheld" in row]
    # The random number goes with what is withheld: else the hash would tell it to who tries.
    assert hidden and all(row["event"]["uid"] is None and "leaf" in row for row in hidden)
    assert str(happened["shop"].uid) not in "".join(lines)
    file = tmp_path / "shop.jsonl"
    file.write_text("".join(lines))
    good = run(file)
    assert good.returncode == 0, good.stdout
    assert f"{len(hidden)} events are without fields" in good.stdout
    assert f"{len(lines) - 2 - len(hidden)} events are what the checkpoint covers" in good.stdout
    place = next(n for n, line in enumerate(lines) if '"withheld"' in line)
    row = json.loads(lines[place])
    row["leaf"] = "A" * 43 + "="
    file.write_text("".join([*lines[:place], json.dumps(row) + "\n", *lines[place + 1 :]]))
    assert "is not what the checkpoint covers" in run(file).stdout


def test_a_whole_record_with_something_taken_out_is_not_believed(happened) -> None:
    from console.audit import exporting

    lines = list(exporting.lines(exporting.covered()))
    row = json.loads(lines[1]) | {"withheld": ["address"]}
    row["event"]["address"] = None
    _told, wrong = verifier.check_export([lines[0], json.dumps(row), *lines[2:]], [])
    assert any("fields of it were taken out" in text for text in wrong)


def test_exporting_and_looking_are_recorded(shop: Tenant, owner: User) -> None:
    client = signed_in(owner)
    b"".join(client.get("/tenants/shop/audit/export/?action=tenant.changed"))
    client.get("/tenants/shop/audit/")
    event = AuditEvent.objects.get(action="audit.exported")
    assert (event.actor, event.tenant_key) == (owner, shop.pk)
    assert event.after == {"action": "tenant.changed", "tenant": "shop"}
    assert AuditEvent.objects.get(action="audit.viewed").after["filter"]["tenant"] == "shop"
