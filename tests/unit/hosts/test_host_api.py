"""/api/v1/hosts/: the same rules as on the pages, for scripts."""

from __future__ import annotations

import pytest

from console.audit.models import AuditEvent
from provisioning.keys import fingerprint
from provisioning.models import Host, HostState, Task
from tests.factories import ClusterFactory, HostFactory, SSHCredentialFactory
from tests.unit.hosts.conftest import facts, snapshot

pytestmark = pytest.mark.django_db
URL = "/api/v1/hosts/"
SECRET = "s3cret-pa55word"


def test_one_host_is_added_and_checked(operator_api, operator):
    credential = SSHCredentialFactory()
    body = {
        "name": "node-1",
        "address": "10.0.0.7",
        "credential": credential.pk,
        "sudo_password": SECRET,
    }
    response = operator_api.post(URL, body, format="json")
    assert response.status_code == 201
    host = Host.objects.get()
    assert response.data["host"]["id"] == host.pk
    assert response.data["host"]["has_sudo_password"] is True
    assert response.data["task"]["operation"] == "check_hosts"
    assert host.sudo_password == SECRET
    assert SECRET not in response.content.decode()
    assert AuditEvent.objects.get(action="host.added").actor == operator


def test_many_hosts_are_added_all_or_none(operator_api):
    body = {"hosts": "root@10.0.0.1 a\n10.0.0.2:2222 b"}
    response = operator_api.post(f"{URL}bulk/", body, format="json")
    assert response.status_code == 201
    assert [host["name"] for host in response.data["hosts"]] == ["a", "b"]
    assert Task.objects.get().parameters == {"hosts": [h["id"] for h in response.data["hosts"]]}
    response = operator_api.post(f"{URL}bulk/", {"hosts": "10.0.0.3 c\nbad line here"}, "json")
    assert response.status_code == 400
    assert response.data["errors"]["hosts"][0].startswith("Line 2")
    assert Host.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "address"),
        ({"address": "10.0.0.7", "name": "Bad_Name"}, "name"),
        ({"address": "10.0.0.7", "port": 0}, "port"),
        ({"address": "10.0.0.7", "port": "ssh"}, "port"),
        ({"address": ["10.0.0.7"]}, "address"),
        ({"address": {"a": 1}}, "address"),
        ({"address": "10.0.0.7", "credential": 4711}, "credential"),
        ({"address": "10.0.0.7", "jump": "x"}, "jump"),
        ([], "non_field_errors"),
        ("text", "non_field_errors"),
    ],
)
def test_bad_input_is_a_problem_at_its_field(operator_api, body, field):
    response = operator_api.post(URL, body, format="json")
    assert response.status_code == 400
    assert response["Content-Type"].startswith("application/problem+json")
    assert field in response.data["errors"]
    assert not Host.objects.exists()


def test_the_list_is_paged_filtered_and_without_facts(auditor_api):
    cluster = ClusterFactory()
    HostFactory(name="busy", cluster=cluster, facts=facts())
    HostFactory(name="idle", facts=facts())
    HostFactory(name="gone", state=HostState.UNREACHABLE)

    def names(query: str = "") -> set[str]:
        data = auditor_api.get(f"{URL}{query}").data
        assert set(data) == {"next", "previous", "results"}
        assert all("facts" not in row for row in data["results"])
        return {row["name"] for row in data["results"]}

    assert names() == {"busy", "idle", "gone"}
    assert names("?free=true") == {"idle"}
    assert names("?state=unreachable") == {"gone"}
    assert names(f"?cluster={cluster.pk}") == {"busy"}
    assert names("?q=idl") == {"idle"}


def test_one_host_has_its_facts_and_no_secret(auditor_api, host_keys):
    host = HostFactory(
        facts=facts(), sudo_password=SECRET, first_password=SECRET, offered_key=host_keys[0]
    )
    response = auditor_api.get(f"{URL}{host.pk}/")
    assert response.data["facts"]["os_id"] == "debian"
    assert response.data["offered_fingerprint"] == fingerprint(host_keys[0])
    assert SECRET not in response.content.decode()
    assert not {"sudo_password", "first_password", "host_key"} & set(response.data)


def test_only_what_is_named_is_changed(operator_api):
    host = HostFactory(name="node-1", sudo_password="old", username="ops")
    response = operator_api.patch(f"{URL}{host.pk}/", {"port": 2222}, format="json")
    assert response.status_code == 200
    host.refresh_from_db()
    assert (host.name, host.port, host.username) == ("node-1", 2222, "ops")
    assert host.sudo_password == "old"
    assert response.data["task"]["operation"] == "check_hosts"
    renamed = operator_api.patch(f"{URL}{host.pk}/", {"name": "node-2"}, format="json")
    assert renamed.data["task"] is None


def test_a_credential_is_taken_away_with_null(operator_api):
    host = HostFactory()
    operator_api.patch(f"{URL}{host.pk}/", {"credential": None}, format="json")
    host.refresh_from_db()
    assert host.credential is None


def test_a_key_is_trusted_by_its_fingerprint(operator_api, host_keys):
    host = HostFactory(host_key="", offered_key=host_keys[0], state=HostState.UNTRUSTED)
    wrong = operator_api.post(f"{URL}{host.pk}/trust/", {"fingerprint": "SHA256:no"}, format="json")
    assert wrong.status_code == 409
    assert operator_api.post(f"{URL}{host.pk}/trust/", {}, format="json").status_code == 400
    host.refresh_from_db()
    assert host.host_key == ""
    body = {"fingerprint": fingerprint(host_keys[0])}
    right = operator_api.post(f"{URL}{host.pk}/trust/", body, format="json")
    assert right.status_code == 202
    assert right.data["host"]["fingerprint"] == body["fingerprint"]
    assert right.data["task"]["operation"] == "check_hosts"


def test_a_changed_key_wants_the_name_as_well(operator_api, host_keys):
    host = HostFactory(host_key=host_keys[0], offered_key=host_keys[1], state=HostState.KEY_CHANGED)
    body = {"fingerprint": fingerprint(host_keys[1])}
    assert operator_api.post(f"{URL}{host.pk}/trust/", body, format="json").status_code == 409
    body["confirm_name"] = host.name
    assert operator_api.post(f"{URL}{host.pk}/trust/", body, format="json").status_code == 202


def test_a_check_is_launched(operator_api):
    host = HostFactory()
    response = operator_api.post(f"{URL}{host.pk}/check/")
    assert response.status_code == 202
    assert response.data["id"] == Task.objects.get().pk


def test_a_host_in_a_cluster_is_not_deleted(operator_api):
    used = HostFactory(cluster=ClusterFactory(name="prod"))
    response = operator_api.delete(f"{URL}{used.pk}/")
    assert response.status_code == 409
    assert "prod" in response.data["detail"]
    free = HostFactory()
    assert operator_api.delete(f"{URL}{free.pk}/").status_code == 204
    assert list(Host.objects.all()) == [used]


def test_who_may_do_what(auditor_api, nobody_api, host_keys):
    host = HostFactory(offered_key=host_keys[0], host_key="")
    before = snapshot()
    calls = (
        ("post", URL, {"address": "10.0.0.7"}),
        ("post", f"{URL}bulk/", {"hosts": "10.0.0.7"}),
        ("patch", f"{URL}{host.pk}/", {"name": "x"}),
        ("delete", f"{URL}{host.pk}/", {}),
        ("post", f"{URL}{host.pk}/trust/", {"fingerprint": fingerprint(host_keys[0])}),
        ("post", f"{URL}{host.pk}/check/", {}),
    )
    for method, url, body in calls:
        assert getattr(auditor_api, method)(url, body, format="json").status_code == 403
        assert getattr(nobody_api, method)(url, body, format="json").status_code == 404
    assert nobody_api.get(URL).status_code == 404
    assert nobody_api.get(f"{URL}{host.pk}/").status_code == 404
    assert snapshot() == before


def test_what_is_not_there_answers_404(operator_api):
    for method, url in (("get", f"{URL}4711/"), ("post", f"{URL}4711/trust/")):
        body = {"fingerprint": "x"}
        assert getattr(operator_api, method)(url, body, format="json").status_code == 404
