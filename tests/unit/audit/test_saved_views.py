"""Saved views of the record: whose they are, who changes them, and that each change is recorded."""

from __future__ import annotations

import pytest
from django.test import Client

from console.accounts.models import User
from console.audit import kinds, saved
from console.audit.catalogue import ACTIONS
from console.audit.models import AuditEvent, SavedView
from console.audit.record import record
from tests.conftest import signed_in

pytestmark = pytest.mark.django_db
PAGE, VIEWS = "/audit/", "/audit/views/"


def changes() -> list[tuple[str, str]]:
    found = AuditEvent.objects.filter(action__startswith="audit_view.").order_by("pk")
    return list(found.values_list("action", "object_name"))


def keep(client: Client, query: str, name: str, **more: str) -> SavedView:
    answer = client.post(f"{VIEWS}add/?{query}", {"name": name, **more})
    assert answer.status_code == 302, answer.context["form"].errors
    return SavedView.objects.get(name=name)


def names(client: Client) -> list[str]:
    return [view.name for view in client.get(PAGE).context["saved_views"] if view.row]


def test_a_view_is_saved_opened_renamed_and_deleted(auditor_client: Client, admin: User) -> None:
    record("host.added", object_name="alpha", actor=admin)
    row = keep(auditor_client, "action=host.added&who=&after=x&page=3&view=timeline", "New hosts")
    assert row.query == "action=host.added&view=timeline"
    answer = auditor_client.get(f"{PAGE}?{row.query}")
    assert [event.object_name for event in answer.context["events"]] == ["alpha"]
    assert b'aria-current="page">New hosts' in answer.content
    told = auditor_client.get(VIEWS).content.decode()
    assert "Action: Added a host" in told and "Show as: Timeline" in told
    auditor_client.post(f"{VIEWS}{row.pk}/", {"name": "Hosts", "shared": "on"})
    row.refresh_from_db()
    assert (row.name, row.shared) == ("Hosts", True)
    auditor_client.post(f"{VIEWS}{row.pk}/remove/")
    assert names(auditor_client) == []
    assert changes() == [
        ("audit_view.saved", "New hosts"),
        ("audit_view.changed", "Hosts"),
        ("audit_view.removed", "Hosts"),
    ]
    changed = AuditEvent.objects.get(action="audit_view.changed")
    assert (changed.before["name"], changed.after["name"]) == ("New hosts", "Hosts")


def test_others_see_only_what_is_shared_and_change_nothing(
    auditor_client: Client, admin_client: Client, operator_client: Client
) -> None:
    own = keep(auditor_client, "who=ada", "Mine")
    shared = keep(auditor_client, "who=eve", "Ours", shared="on")
    assert names(auditor_client) == ["Mine", "Ours"] and names(admin_client) == ["Ours"]
    assert [admin_client.get(f"{VIEWS}{row.pk}/").status_code for row in (own, shared)] == [
        404,
        403,
    ]
    for row, code in ((own, 404), (shared, 403)):
        assert admin_client.post(f"{VIEWS}{row.pk}/", {"name": "x"}).status_code == code
        assert admin_client.post(f"{VIEWS}{row.pk}/remove/").status_code == code
        assert operator_client.post(f"{VIEWS}{row.pk}/remove/").status_code == 404
    assert SavedView.objects.count() == 2 and len(changes()) == 2


@pytest.mark.parametrize(
    "query", ["", "after=x", "who=", "action=nonsense", "since=yesterday", f"who={'a' * 2500}"]
)
def test_what_is_no_filter_is_not_saved(auditor_client: Client, query: str) -> None:
    auditor_client.post(f"{VIEWS}add/?{query}", {"name": "x"})
    assert not SavedView.objects.exists() and changes() == []


def test_a_name_is_used_once_by_one_person(
    auditor_client: Client, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(auditor_client, "who=ada", "Same")
    again = auditor_client.post(f"{VIEWS}add/?who=eve", {"name": "Same"})
    assert "already" in again.content.decode() and len(changes()) == 1
    admin_client.post(f"{VIEWS}add/?who=eve", {"name": "Same"})
    assert SavedView.objects.count() == 2
    monkeypatch.setattr(saved, "MOST", 1)
    auditor_client.post(f"{VIEWS}add/?who=eve", {"name": "Another"})
    assert SavedView.objects.count() == 2


def test_a_name_is_text(auditor_client: Client) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    keep(auditor_client, "who=%3Cb%3Eada", nasty)
    for address in (PAGE, VIEWS, f"{VIEWS}{SavedView.objects.get().pk}/"):
        text = auditor_client.get(address).content
        assert b"<img src=x" not in text and b"<b>ada" not in text


def test_built_in_views_find_what_they_say(auditor: User, admin: User) -> None:
    client = signed_in(auditor)
    record("auth.sign_in_failed", outcome="failure")
    record("request.denied", outcome="denied", actor=admin)
    for name in ("cluster.kubeconfig_issued", "pod.terminal_opened", "cluster.deleted"):
        record(name, actor=admin, object_name="x")
    event = record("host.added", actor=admin)
    AuditEvent.objects.filter(pk=event.pk).update(token_name="ci")
    found = {
        view.name: [event.action for event in client.get(view.address).context["events"]]
        for view in saved.built_in()
    }
    assert found == {
        "Failed sign-ins": ["auth.sign_in_failed"],
        "Denied": ["request.denied"],
        "Secrets looked at": ["cluster.kubeconfig_issued"],
        "Terminals": ["pod.terminal_opened"],
        "Deleted clusters": ["cluster.deleted"],
        "By tokens": ["host.added"],
    }
    assert set(kinds.SECRETS) <= set(ACTIONS)
