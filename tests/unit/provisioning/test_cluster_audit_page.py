"""The tab "Audit log" of a cluster's page: who gets it, what it asks, and what it writes down.

What it finds on real hosts is in tests/e2e/test_lightweight.py.
"""

from __future__ import annotations

import shutil
import socket
from datetime import UTC, datetime

import pytest

from clusters.models import Origin
from console.accounts.models import Role
from console.audit.models import AuditEvent
from console.audit.record import record
from provisioning import cluster_audit
from provisioning.forms_cluster_audit import AuditLogForm
from provisioning.models import HostState
from provisioning.models_hosts import ClusterRole
from provisioning.steps.audit_policy import FOLDER
from tests.conftest import signed_in
from tests.factories import ClusterFactory, HostFactory, SSHCredentialFactory, UserFactory
from tests.ssh_host import SshHost, audit_folder
from tests.unit.provisioning.test_cluster_audit_lines import CLICK, line

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def cluster():
    """Of one control plane, on which nobody listens."""
    row = ClusterFactory(name="east", origin=Origin.PROVISIONED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    HostFactory(
        name="cp1", address="127.0.0.1", port=port, cluster=row, state=HostState.READY,
        cluster_role=ClusterRole.CONTROL_PLANE, credential=SSHCredentialFactory(),
    )  # fmt: skip
    return row


def tab(cluster, query: str = "") -> str:
    return f"/clusters/{cluster.pk}/audit-log/{query}"


def entries(cluster, query: str = "") -> str:
    return f"/clusters/{cluster.pk}/audit-log/entries/{query}"


@pytest.mark.parametrize(
    ("role", "status"), [(Role.ADMIN, 200), (Role.AUDITOR, 200), (Role.OPERATOR, 404)]
)
def test_only_admins_and_auditors_read_it(cluster, role, status):
    client = signed_in(UserFactory(role=role))
    assert client.get(tab(cluster)).status_code == (200 if status == 200 else 404)
    assert client.get(entries(cluster, "?minutes=15")).status_code == status
    assert ("audit-log/" in client.get(f"/clusters/{cluster.pk}/").content.decode()) == (
        status == 200
    )


def test_the_page_waits_for_no_host_and_asks_only_when_told(auditor_client, cluster):
    page = auditor_client.get(tab(cluster)).content.decode()
    assert "audit-log/entries/" not in page
    asked = auditor_client.get(tab(cluster, "?who=anna&minutes=60&evil=1")).content.decode()
    assert f'hx-get="{entries(cluster)}?who=anna&amp;minutes=60"' in asked
    assert not AuditEvent.objects.filter(action="cluster.audit_log_read").exists()


def test_looking_is_recorded_and_a_host_that_is_away_is_named(auditor_client, cluster):
    answer = auditor_client.get(entries(cluster, "?who=anna&verb=changes"), **HTMX)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "<html" not in text and "The entries of cp1 are missing." in text
    event = AuditEvent.objects.get(action="cluster.audit_log_read")
    assert (event.outcome, event.cluster_name) == ("failure", "east")
    assert event.after == {"who": "anna", "verb": "changes", "hosts": ["cp1"], "entries": 0}
    assert "cp1" in event.reason


def test_without_script_the_entries_are_a_page(auditor_client, cluster):
    page = auditor_client.get(entries(cluster, "?minutes=15")).content.decode()
    assert "<html" in page and "The entries of cp1 are missing." in page


@pytest.mark.parametrize(
    "query", ["?request=short", "?request=%27%3Breboot%3B%27a", "?resource=a%20b", "?verb=sudo",
              "?minutes=7", "?at=yesterday", "?who=" + "x" * 151]
)  # fmt: skip
def test_what_is_not_right_asks_no_host(auditor_client, cluster, query):
    assert "is not right" in auditor_client.get(entries(cluster, query), **HTMX).content.decode()
    assert "audit-log/entries/" not in auditor_client.get(tab(cluster, query)).content.decode()
    assert not AuditEvent.objects.filter(action="cluster.audit_log_read").exists()


def test_a_moment_is_looked_around(auditor_client, cluster):
    form = AuditLogForm({"at": "2026-03-04T10:30", "minutes": "60"})
    assert form.is_valid()
    query = form.query()
    assert (query.since.isoformat()[:16], query.until.isoformat()[:16]) == (
        "2026-03-04T09:30", "2026-03-04T11:30",
    )  # fmt: skip


def test_a_person_is_found_by_name_and_by_number(db):
    anna = UserFactory(username="anna")
    assert cluster_audit.users_called("anna") == ("anna", f"flotilla:user:{anna.pk}")
    assert cluster_audit.users_called("") == ()


def test_an_imported_cluster_says_why_not(auditor_client):
    row = ClusterFactory(origin=Origin.IMPORTED)
    page = auditor_client.get(tab(row)).content.decode()
    assert "cannot read the cluster" in page and "auditID" in page
    assert auditor_client.get(entries(row, "?minutes=15")).status_code == 400
    assert not AuditEvent.objects.filter(action="cluster.audit_log_read").exists()


def test_an_event_leads_to_what_the_cluster_wrote_down(auditor_client, cluster):
    record("cluster.changed", cluster)
    other = ClusterFactory(origin=Origin.IMPORTED)
    auditor_client.get(entries(cluster, "?minutes=15"))  # an event with a request's id
    event = AuditEvent.objects.exclude(request_id="").get(action="cluster.audit_log_read")
    page = auditor_client.get("/audit/").content.decode()
    assert f"{tab(cluster)}?request={event.request_id}&amp;at={event.time:%Y-%m-%dT%H}" in page
    assert tab(other) not in page
    assert page.count("own log</a>") == 1, "an event of no request has no link"


def test_so_many_at_once(auditor_client, auditor, cluster):
    first = cluster_audit.readings.hold(auditor.pk)
    second = cluster_audit.readings.hold(auditor.pk)
    text = auditor_client.get(entries(cluster, "?minutes=15"), **HTMX).content.decode()
    assert "Try again" in text
    assert first and second
    first.give()
    second.give()
    assert cluster_audit.readings.used == 0


def test_the_entries_of_a_control_plane_are_read_by_ssh(auditor_client):
    anna, folder, now = UserFactory(username="anna"), audit_folder(), datetime.now(UTC)
    (folder / "audit.log").write_text(
        line(now, person=f"flotilla:user:{anna.pk}", auditID=f"{CLICK}.aaaaaaaa")
        + line(now, person="flotilla:user:0")
    )
    row = ClusterFactory(origin=Origin.PROVISIONED)
    with SshHost({FOLDER: str(folder)}) as server:
        key = SSHCredentialFactory(username="root", private_key=server.private_key)
        host = HostFactory(
            name="cp1", address="127.0.0.1", port=server.port, host_key=server.host_key,
            credential=key, cluster=row, cluster_role=ClusterRole.CONTROL_PLANE,
        )  # fmt: skip
        text = auditor_client.get(entries(row, "?who=anna"), **HTMX).content.decode()
        assert "anna" in text and "pods shop/web" in text and text.count("<tr>") == 2
        assert f"/audit/?request={CLICK}" in text
        shutil.rmtree(folder)
        gone = auditor_client.get(entries(row, "?who=anna"), **HTMX).content.decode()
        assert "cp1 has no audit log. Repair the cluster" in gone
        host.host_key = SshHost({}).host_key
        host.save()
        other = auditor_client.get(entries(row, "?who=anna"), **HTMX).content.decode()
        assert "somebody stands in between" in other
    read = AuditEvent.objects.filter(action="cluster.audit_log_read").order_by("id")
    assert [(e.outcome, e.after["entries"]) for e in read] == [
        ("success", 1), ("failure", 0), ("failure", 0),
    ]  # fmt: skip
