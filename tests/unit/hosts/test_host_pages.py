"""The pages of hosts: adding, listing, trusting, editing, removing."""

from __future__ import annotations

import pytest
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from console.audit.models import AuditEvent
from provisioning import host_actions
from provisioning.keys import fingerprint
from provisioning.models import Host, HostState, Task, TaskStatus, TaskStep
from tests.factories import ClusterFactory, HostFactory, SSHCredentialFactory, TaskFactory
from tests.unit.hosts.conftest import facts, snapshot

pytestmark = pytest.mark.django_db
SECRET = "s3cret-pa55word"


def url(name: str, *args: object) -> str:
    return reverse(f"provisioning:{name}", args=args)


def add(client, **changes):
    data = {"address": "10.0.0.7", "port": "22", "name": "node-1", "username": ""} | changes
    return client.post(url("host-add"), data)


def errors(response) -> dict[str, list[str]]:
    return {
        name: [str(e) for e in found] for name, found in response.context["form"].errors.items()
    }


# -- adding -------------------------------------------------------------------------------


def test_a_host_is_added_and_its_check_launched(admin_client, admin):
    credential = SSHCredentialFactory()
    response = add(admin_client, credential=credential.pk, sudo_password=SECRET)
    host = Host.objects.get()
    assert response.url == url("host", host.pk)
    assert (host.name, host.address, host.port) == ("node-1", "10.0.0.7", 22)
    assert (host.credential, host.sudo_password, host.state) == (credential, SECRET, "new")
    task = Task.objects.get()
    assert (task.operation, task.parameters) == ("check_hosts", {"hosts": [host.pk]})
    assert task.created_by == admin
    event = AuditEvent.objects.get(action="host.added")
    assert event.after["address"] == "10.0.0.7"
    assert SECRET not in str(AuditEvent.objects.values())


def test_the_name_is_made_from_the_address_when_left_out(admin_client):
    add(admin_client, name="", address="DB1.example.org.")
    host = Host.objects.get()
    assert (host.name, host.address) == ("db1", "db1.example.org")


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("name", "Node_1", "lower-case"),
        ("name", "-node", "lower-case"),
        ("name", "n" * 64, "63"),
        ("name", "node.example", "lower-case"),
        ("address", "10.0.0.256", "four numbers"),
        ("address", "-oProxyCommand=sh", "neither"),
        ("address", "a b", "neither"),
        ("address", "", "required"),
        ("port", "0", "greater than or equal"),
        ("port", "65536", "less than or equal"),
        ("port", "ssh", "whole number"),
        ("username", "-root", "no user name"),
        ("username", "a;reboot", "no user name"),
        ("sudo_password", "two\nlines", "line ends"),
        ("jump", "4711", "valid choice"),
        ("credential", "4711", "valid choice"),
    ],
)
def test_bad_input_is_said_at_its_field_and_nothing_is_added(admin_client, field, value, part):
    response = add(admin_client, **{field: value})
    assert response.status_code == 200
    assert any(part in text for text in errors(response)[field])
    assert not Host.objects.exists()
    assert not Task.objects.exists()


def test_a_name_and_an_address_that_are_taken_are_said_at_their_fields(admin_client):
    HostFactory(name="node-1", address="10.0.0.7")
    found = errors(add(admin_client))
    assert "node-1" in found["name"][0]
    assert "node-1" in found["address"][0]


def test_the_same_address_in_another_spelling_is_taken_too(admin_client):
    HostFactory(name="six", address="fd00::7")
    assert "six" in errors(add(admin_client, address="FD00:0::7"))["address"][0]


def test_a_derived_name_that_is_taken_asks_for_a_name(admin_client):
    HostFactory(name="host-10-0-0-7", address="10.9.9.9")
    assert "host-10-0-0-7" in errors(add(admin_client, name=""))["name"][0]


def test_a_password_for_the_first_contact_needs_a_credential(admin_client):
    response = add(admin_client, first_password=SECRET)
    assert "credential" in errors(response)


def test_passwords_are_not_sent_back_and_it_says_to_type_them_again(admin_client):
    response = add(admin_client, name="Bad_Name", sudo_password=SECRET)
    assert SECRET not in response.content.decode()
    assert "Type it again" in errors(response)["sudo_password"][0]


def test_somebody_elses_host_between_check_and_save_is_an_error_not_a_crash(
    admin_client, monkeypatch
):
    def taken(*_args):
        raise IntegrityError("UNIQUE")

    monkeypatch.setattr(host_actions, "add", taken)
    response = add(admin_client)
    assert response.status_code == 200
    assert "just now" in str(errors(response))


def test_many_hosts_are_added_together_with_one_check(admin_client):
    credential = SSHCredentialFactory()
    jump = HostFactory(name="gate", address="10.9.0.1")
    lines = "# rack 1\nroot@10.0.0.1 a\n10.0.0.2:2222 b\n[fd00::3] c\n"
    data = {"hosts": lines, "credential": credential.pk, "jump": jump.pk, "username": "ops"}
    response = admin_client.post(url("host-add-many"), data)
    assert response.url == url("hosts")
    rows = Host.objects.exclude(pk=jump.pk)
    assert [(h.name, h.address, h.port, h.username) for h in rows] == [
        ("a", "10.0.0.1", 22, "root"),
        ("b", "10.0.0.2", 2222, "ops"),
        ("c", "fd00::3", 22, "ops"),
    ]
    assert {h.jump for h in rows} == {jump}
    assert Task.objects.get().parameters == {"hosts": [h.pk for h in rows]}
    assert AuditEvent.objects.filter(action="host.added").count() == 3


def test_one_bad_line_and_none_is_added_and_every_bad_line_is_named(admin_client):
    HostFactory(name="taken", address="10.0.0.9")
    lines = "10.0.0.1 a\n10.0.0.999 b\n10.0.0.3 taken\n10.0.0.9 d\n10.0.0.5 E_E\n"
    before = snapshot()
    response = admin_client.post(url("host-add-many"), {"hosts": lines})
    found = errors(response)["hosts"]
    assert [text.split(",")[0] for text in found] == ["Line 2", "Line 3", "Line 4", "Line 5"]
    assert "four numbers" in found[0]
    assert "of this name" in found[1]
    assert "taken has this address" in found[2]
    assert snapshot() == before
    assert not Task.objects.exists()
    # What was pasted is still there to be mended.
    assert "10.0.0.999 b" in response.content.decode()


@pytest.mark.parametrize("lines", ["", "   ", "# nothing\n\n"])
def test_no_hosts_at_all_is_an_error(admin_client, lines):
    assert "hosts" in errors(admin_client.post(url("host-add-many"), {"hosts": lines}))


def test_markup_in_a_line_is_shown_as_text(admin_client):
    response = admin_client.post(url("host-add-many"), {"hosts": "<script>alert(1)</script> a"})
    assert "<script>alert(1)" not in response.content.decode()


# -- listing ------------------------------------------------------------------------------


def test_the_list_shows_state_facts_and_cluster(auditor_client):
    cluster = ClusterFactory(name="prod")
    HostFactory(
        name="node-1", facts=facts(), clock_skew=0.01, cluster=cluster, cluster_role="worker"
    )
    HostFactory(name="node-2", state=HostState.UNREACHABLE, state_reason="no route", facts={})
    page = auditor_client.get(url("hosts")).content.decode()
    for text in (
        "node-1",
        "Debian GNU/Linux 12",
        "2 CPU",
        "4 GiB",
        "30 GiB of 40 GiB free",
        "prod",
    ):
        assert text in page
    assert "Unreachable" in page


def test_the_list_is_narrowed_down(auditor_client):
    cluster = ClusterFactory(name="prod")
    HostFactory(name="busy", cluster=cluster)
    HostFactory(name="idle", facts=facts(os_pretty="Rocky Linux 9"))
    HostFactory(name="gone", state=HostState.UNREACHABLE)

    def names(**query) -> list[str]:
        page = auditor_client.get(url("hosts"), query).context["page"]
        return [host.name for host in page]

    assert names() == ["busy", "gone", "idle"]
    assert names(free="on") == ["idle"]
    assert names(state="unreachable") == ["gone"]
    assert names(cluster=cluster.pk) == ["busy"]
    assert names(q="IDL") == ["idle"]
    assert names(q="rocky") == ["idle"]
    assert names(q="nothing") == []


def test_the_list_costs_the_same_for_one_host_and_for_many(
    auditor_client, django_assert_max_num_queries
):
    HostFactory.create_batch(30, facts=facts())
    with django_assert_max_num_queries(8):
        auditor_client.get(url("hosts"))


def test_damaged_facts_do_not_break_the_pages(auditor_client):
    for number, bad in enumerate(([], {"disks": "x"}, {"later": 1}, "text", None)):
        host = HostFactory(name=f"bad-{number}", facts=bad if bad is not None else {})
        assert auditor_client.get(url("host", host.pk)).status_code == 200
    assert auditor_client.get(url("hosts")).status_code == 200


def test_what_a_host_says_is_text_never_markup(auditor_client):
    evil = "<script>alert(1)</script>"
    host = HostFactory(
        facts=facts(os_pretty=evil, kernel=evil, hostname=evil, packages={evil: evil}),
        state=HostState.UNREACHABLE,
        state_reason=evil,
    )
    for page in (url("hosts"), url("host", host.pk)):
        assert evil not in auditor_client.get(page).content.decode()


def test_ticked_hosts_are_checked_by_one_task(operator_client):
    chosen = HostFactory.create_batch(2)
    HostFactory()
    response = operator_client.post(
        url("hosts-check"), {"host": [chosen[0].pk, chosen[1].pk, "x", 99999]}
    )
    task = Task.objects.get()
    assert response.url == url("task", task.pk)
    assert task.parameters == {"hosts": [host.pk for host in chosen]}


def test_checking_nothing_launches_nothing(operator_client):
    assert operator_client.post(url("hosts-check")).url == url("hosts")
    assert not Task.objects.exists()


def test_a_host_that_is_being_checked_says_so_and_the_page_follows(operator_client):
    host = HostFactory()
    task = TaskFactory(status=TaskStatus.RUNNING)
    TaskStep.objects.create(
        task=task, position=0, step="check_host", host=host, status="running", title="Check"
    )
    for page in (url("hosts"), url("host", host.pk)):
        assert "hx-trigger" in operator_client.get(page).content.decode()
    Task.objects.update(status=TaskStatus.SUCCEEDED)
    for page in (url("hosts"), url("host", host.pk)):
        assert 'hx-trigger="every' not in operator_client.get(page).content.decode()


# -- one host -----------------------------------------------------------------------------


def test_the_page_of_a_host_shows_everything_that_was_found(auditor_client):
    host = HostFactory(facts=facts(), clock_skew=-75.0, facts_at=timezone.now())
    page = auditor_client.get(url("host", host.pk)).content.decode()
    for text in (
        "Debian GNU/Linux 12",
        "6.1.0-18-amd64",
        "sshd",
        "containerd",
        "1 min 15 s behind",
    ):
        assert text in page
    assert "too far off" in page


@pytest.mark.parametrize("state", HostState.values)
def test_every_state_says_what_to_do_also_without_a_credential(auditor_client, state):
    host = HostFactory(state=state, credential=None, facts={})
    response = auditor_client.get(url("host", host.pk))
    assert response.status_code == 200
    assert response.context["advice"]
    assert "no SSH credential" in response.content.decode()


def test_no_page_of_a_host_shows_a_password(admin_client):
    host = HostFactory(sudo_password=SECRET, first_password=SECRET)
    for name in ("host", "host-edit", "host-remove"):
        assert SECRET not in admin_client.get(url(name, host.pk)).content.decode()


def test_a_fingerprint_is_shown_and_trusted(operator_client, operator, host_keys):
    host = HostFactory(host_key="", offered_key=host_keys[0], state=HostState.UNTRUSTED)
    shown = fingerprint(host_keys[0])
    assert shown in operator_client.get(url("host", host.pk)).content.decode()
    response = operator_client.post(url("host-trust", host.pk), {"fingerprint": shown})
    assert response.url == url("host", host.pk)
    host.refresh_from_db()
    assert (host.host_key, host.offered_key) == (host_keys[0], "")
    assert Task.objects.get().parameters == {"hosts": [host.pk]}
    event = AuditEvent.objects.get(action="host.trusted")
    assert event.after == {"host_key": shown}
    assert event.actor == operator


@pytest.mark.parametrize("typed", ["", "SHA256:" + "A" * 43, "nonsense"])
def test_another_fingerprint_than_the_offered_one_is_refused(operator_client, host_keys, typed):
    host = HostFactory(host_key="", offered_key=host_keys[0], state=HostState.UNTRUSTED)
    before = snapshot()
    response = operator_client.post(url("host-trust", host.pk), {"fingerprint": typed}, follow=True)
    assert "another key" in response.content.decode()
    assert snapshot() == before
    assert not Task.objects.exists()


def test_a_key_that_came_after_the_page_was_opened_is_not_trusted(operator_client, host_keys):
    host = HostFactory(host_key="", offered_key=host_keys[0], state=HostState.UNTRUSTED)
    shown = fingerprint(host_keys[0])
    Host.objects.update(offered_key=host_keys[1])
    operator_client.post(url("host-trust", host.pk), {"fingerprint": shown})
    host.refresh_from_db()
    assert host.host_key == ""


def test_a_changed_key_is_loud_and_wants_the_name(operator_client, host_keys):
    old, new = host_keys[0], host_keys[1]
    host = HostFactory(name="node-1", host_key=old, offered_key=new, state=HostState.KEY_CHANGED)
    page = operator_client.get(url("host", host.pk)).content.decode()
    assert 'role="alert"' in page
    assert fingerprint(old) in page
    assert fingerprint(new) in page
    data = {"fingerprint": fingerprint(new)}
    for typed in ("", "node-2", "NODE-1"):
        response = operator_client.post(url("host-trust", host.pk), data | {"confirm_name": typed})
        assert response.status_code == 200
        host.refresh_from_db()
        assert host.host_key == old
    operator_client.post(url("host-trust", host.pk), data | {"confirm_name": "node-1"})
    host.refresh_from_db()
    assert (host.host_key, host.state) == (new, HostState.NEW)
    event = AuditEvent.objects.get(action="host.trusted")
    assert event.before == {"host_key": fingerprint(old)}


def test_there_is_nothing_to_trust_where_nothing_is_offered(operator_client, host_keys):
    host = HostFactory(host_key=host_keys[0], offered_key="")
    data = {"fingerprint": fingerprint(host_keys[0]), "confirm_name": host.name}
    operator_client.post(url("host-trust", host.pk), data)
    host.refresh_from_db()
    assert host.host_key == host_keys[0]
    assert not AuditEvent.objects.filter(action="host.trusted").exists()


# -- editing ------------------------------------------------------------------------------


def edit(client, host: Host, **changes):
    data = {"name": host.name, "address": host.address, "port": host.port, "username": ""}
    data["credential"] = host.credential_id or ""
    return client.post(url("host-edit", host.pk), data | changes)


def test_an_edit_is_saved_audited_and_checked_again(operator_client):
    host = HostFactory(sudo_password="old")
    edit(operator_client, host, address="10.0.0.99", sudo_password=SECRET)
    host.refresh_from_db()
    assert (host.address, host.sudo_password, host.state) == ("10.0.0.99", SECRET, HostState.NEW)
    assert Task.objects.get().operation == "check_hosts"
    event = AuditEvent.objects.get(action="host.changed")
    assert event.after["address"] == "10.0.0.99"
    assert SECRET not in str(AuditEvent.objects.values())


def test_an_empty_password_keeps_the_one_that_is_set_and_a_box_forgets_it(operator_client):
    host = HostFactory(sudo_password="old")
    edit(operator_client, host)
    host.refresh_from_db()
    assert host.sudo_password == "old"
    edit(operator_client, host, forget_sudo_password="on")
    host.refresh_from_db()
    assert host.sudo_password == ""


def test_the_trusted_key_survives_an_edit(operator_client, host_keys):
    host = HostFactory(host_key=host_keys[0])
    edit(operator_client, host, address="10.0.0.99")
    host.refresh_from_db()
    assert host.host_key == host_keys[0]


def test_an_edit_does_not_quieten_a_changed_key(operator_client, host_keys):
    host = HostFactory(host_key=host_keys[0], offered_key=host_keys[1], state=HostState.KEY_CHANGED)
    edit(operator_client, host, port="2222")
    host.refresh_from_db()
    assert host.state == HostState.KEY_CHANGED


def test_name_and_address_stay_while_the_host_is_in_a_cluster(operator_client):
    host = HostFactory(cluster=ClusterFactory(name="prod"), cluster_role="worker")
    found = errors(edit(operator_client, host, name="other", address="10.0.0.99"))
    assert "prod" in found["name"][0]
    assert "prod" in found["address"][0]


def test_jump_hosts_must_not_form_a_ring(operator_client):
    one = HostFactory(name="one")
    two = HostFactory(name="two", jump=one)
    three = HostFactory(name="three", jump=two)
    assert "ring" in errors(edit(operator_client, one, jump=three.pk))["jump"][0]
    assert "jump" in errors(edit(operator_client, one, jump=one.pk))
    edit(operator_client, three, jump=one.pk)
    three.refresh_from_db()
    assert three.jump == one


def test_the_way_through_jump_hosts_has_an_end(admin_client):
    way = None
    for number in range(6):
        way = HostFactory(name=f"gate-{number}", jump=way)
    assert "more than" in errors(add(admin_client, jump=way.pk))["jump"][0]


# -- removing -----------------------------------------------------------------------------


def test_a_host_is_removed_after_its_name_was_typed(operator_client):
    host = HostFactory(name="node-1")
    operator_client.post(url("host-remove", host.pk), {"confirm_name": "node"})
    assert Host.objects.exists()
    operator_client.post(url("host-remove", host.pk), {"confirm_name": "node-1"})
    assert not Host.objects.exists()
    assert AuditEvent.objects.get(action="host.removed").object_name == "node-1"


def test_a_host_in_a_cluster_or_on_the_way_to_another_stays(operator_client):
    used = HostFactory(cluster=ClusterFactory(name="prod"), cluster_role="worker")
    gate = HostFactory(name="gate")
    HostFactory(name="behind-it", jump=gate)
    for host, why in ((used, "prod"), (gate, "behind-it")):
        page = operator_client.get(url("host-remove", host.pk)).content.decode()
        assert why in page
        operator_client.post(url("host-remove", host.pk), {"confirm_name": host.name})
        assert Host.objects.filter(pk=host.pk).exists()


# -- who may ------------------------------------------------------------------------------


def test_auditors_look_and_do_not_touch(auditor_client, host_keys):
    host = HostFactory(host_key="", offered_key=host_keys[0], state=HostState.UNTRUSTED)
    assert auditor_client.get(url("hosts")).status_code == 200
    page = auditor_client.get(url("host", host.pk)).content.decode()
    assert "trust this key" not in page
    before = snapshot()
    for name, args, data in (
        ("host-add", (), {"address": "10.0.0.7", "port": 22}),
        ("host-add-many", (), {"hosts": "10.0.0.7"}),
        ("hosts-check", (), {"host": host.pk}),
        ("host-check", (host.pk,), {}),
        ("host-trust", (host.pk,), {"fingerprint": fingerprint(host_keys[0])}),
        ("host-edit", (host.pk,), {"name": "x", "address": "10.0.0.1", "port": 22}),
        ("host-remove", (host.pk,), {"confirm_name": host.name}),
    ):
        assert auditor_client.post(url(name, *args), data).status_code == 403
    assert snapshot() == before
    assert not Task.objects.exists()


def test_who_has_no_role_sees_no_host(nobody_client, anonymous_client):
    host = HostFactory()
    for name, args in (("hosts", ()), ("host", (host.pk,)), ("host-add", ())):
        assert nobody_client.get(url(name, *args)).status_code == 404
        assert anonymous_client.get(url(name, *args)).status_code == 302


def test_a_host_that_is_not_there_answers_404(operator_client):
    for name in ("host", "host-edit", "host-remove"):
        assert operator_client.get(url(name, 4711)).status_code == 404
    for name in ("host-trust", "host-check"):
        assert operator_client.post(url(name, 4711)).status_code == 404
