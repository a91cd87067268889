"""Hosts that cannot be reached or not be trusted: said at the host, and nothing is touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from secrets import token_hex
from typing import Any

import pytest

from lab import Lab
from lab.base import OPS_PASSWORD
from tests.e2e.console import Console
from tests.e2e.faults import (
    body_of,
    check,
    conflict_of,
    create_refused,
    delete_all,
    failure,
    named,
    says,
    untouched,
)

pytestmark = [pytest.mark.e2e, pytest.mark.lab, pytest.mark.timeout(600)]

NEW_KEY = "rm -f /etc/ssh/ssh_host_*; ssh-keygen -A >/dev/null; systemctl restart ssh"
KEEP_KEY = "mkdir -p /root/keys && cp -p /etc/ssh/ssh_host_* /root/keys/"
OLD_KEY = (
    "rm -f /etc/ssh/ssh_host_*; cp -p /root/keys/* /etc/ssh/; rm -r /root/keys; "
    "systemctl restart ssh"
)


@pytest.fixture
def reached(console: Console, hosts: dict[str, int]) -> Iterator[dict[str, int]]:
    """The hosts; afterwards they are reached as before and checked."""
    before = {name: console.get(f"hosts/{number}/") for name, number in hosts.items()}
    yield hosts
    for name, number in hosts.items():
        now, row = console.get(f"hosts/{number}/"), before[name]
        changed = {k: row[k] for k in ("username", "credential", "jump") if now[k] != row[k]}
        if now["has_sudo_password"]:
            changed["forget_sudo_password"] = True
        if changed:
            answer = console.call("PATCH", f"hosts/{number}/", changed)
            console.wait(answer["task"]["id"])
        elif now["state"] != "ready":
            check(console, number)
        assert console.get(f"hosts/{number}/")["state"] == "ready"
    delete_all(console)


def change(console: Console, host: int, status: str = "succeeded", **fields: Any) -> Any:
    """Change how a host is reached; the task that checks it, with the host's row in `host`."""
    answer = console.call("PATCH", f"hosts/{host}/", fields)
    task = console.wait(answer["task"]["id"], 120, status)
    return task | {"host": console.get(f"hosts/{host}/")}


def launched_and_failed(
    console: Console, lab: Lab, control_plane: int, worker: int, code: str
) -> Any:
    """A creation that was launched before the fault was known fails before anything is touched.

    The cluster says why, and is deleted once `lab.host("node4")` can be reached again.
    """
    with untouched(lab, "node3"):
        made = console.post("clusters/", body_of("unlucky", [control_plane], [worker]))
        task = console.wait(made["task"]["id"], 120, "failed")
        assert failure(task)["code"] == code and failure(task)["host"] == "node4"
        cluster = console.get(f"clusters/{made['cluster']['id']}/")
        assert cluster["status"] == "failed"
        says(cluster, "node4", failure(task)["found"])
        ran = {s["phase"] for s in task["steps"] if s["status"] not in ("pending", "canceled")}
        assert ran == {"preflight"}
    return made


def test_a_host_without_power(console: Console, lab: Lab, reached: dict[str, int]) -> None:
    three, four = reached["node3"], reached["node4"]
    with untouched(lab, "node3", "node4"):
        lab.host("node4").partition()
        try:
            made = launched_and_failed(console, lab, three, four, "unreachable")
            says(failure(console.task(made["task"]["id"])), lab.host("node4").address)
            # The launch noted it: the next one is refused at once, at the right list.
            row = console.get(f"hosts/{four}/")
            assert row["state"] == "unreachable"
            says(row["state_reason"], lab.host("node4").address, "22", "firewall")
            task = check(console, three)
            assert task["host"]["cluster_name"] == "unlucky"
            failed = check(console, four, "failed")
            assert failure(failed)["code"] == "unreachable"
            # Nothing was changed on it, so the cluster can be deleted without it.
            console.delete_cluster(made["cluster"]["id"])
        finally:
            lab.host("node4").heal()
    assert named(console, "unlucky") == []
    assert console.get(f"hosts/{three}/")["cluster"] is None
    # Nothing listens on the port: another cause, in other words.
    lab.host("node4").run("systemctl stop ssh.socket ssh 2>/dev/null; true")
    try:
        failed = check(console, four, "failed")
        says(failure(failed)["found"], "node4", "refused")
        errors = create_refused(console, [three], [four])
        assert set(errors) == {"workers"}
        says(errors["workers"], "node4", "Unreachable")
    finally:
        lab.host("node4").run("systemctl start ssh")
    assert check(console, four)["host"]["state"] == "ready"


def test_a_host_whose_key_has_changed(console: Console, lab: Lab, reached: dict[str, int]) -> None:
    three, four = reached["node3"], reached["node4"]
    trusted = console.get(f"hosts/{four}/")["fingerprint"]
    lab.host("node4").run(KEEP_KEY)
    lab.host("node4").run(NEW_KEY)
    try:
        made = launched_and_failed(console, lab, three, four, "key_changed")
        row = console.get(f"hosts/{four}/")
        assert row["state"] == "key_changed"
        assert row["fingerprint"] == trusted
        offered = row["offered_fingerprint"]
        assert offered and offered != trusted
        says(row["state_reason"], trusted, offered)
        # Trusting the new key takes more than a click, and checking does not help.
        says(
            conflict_of(lambda: console.post(f"hosts/{four}/trust/", {"fingerprint": offered})),
            "name",
        )
        assert failure(check(console, four, "failed"))["code"] == "key_changed"
        assert console.get(f"hosts/{four}/")["fingerprint"] == trusted
    finally:
        lab.host("node4").run(OLD_KEY)
    row = check(console, four)["host"]
    assert (row["state"], row["fingerprint"]) == ("ready", trusted)
    assert row["offered_fingerprint"] == ""
    console.delete_cluster(made["cluster"]["id"])
    # Known by now: refused before a task is made.
    lab.host("node4").run(KEEP_KEY)
    lab.host("node4").run(NEW_KEY)
    try:
        check(console, four, "failed")
        errors = create_refused(console, [four], [three])
        assert set(errors) == {"control_plane"}
        says(errors["control_plane"], "node4", "Host key changed")
    finally:
        lab.host("node4").run(OLD_KEY)


def test_a_user_without_sudo(console: Console, lab: Lab, reached: dict[str, int]) -> None:
    with untouched(lab, "node4"):
        task = change(console, reached["node4"], "failed", username="nosudo")
        assert failure(task)["code"] == "no_sudo"
        says(failure(task)["found"], "sudo", "password is required")
        says(failure(task)["hint"], "sudo")
        row = task["host"]
        assert row["state"] != "ready"
        says(row["state_reason"], "sudo")
        errors = create_refused(console, [reached["node3"]], [reached["node4"]])
        says(errors["workers"], "node4", "sudo")


def test_sudo_with_a_password_right_wrong_and_not_needed(
    console: Console, lab: Lab, reached: dict[str, int]
) -> None:
    four = reached["node4"]
    with untouched(lab, "node4"):
        right = change(console, four, username="ops", sudo_password=OPS_PASSWORD)
        assert right["host"]["state"] == "ready" and right["host"]["facts"]["root"]
        wrong = change(console, four, "failed", username="ops", sudo_password="wrong-password")
        assert failure(wrong)["code"] == "no_sudo"
        says(failure(wrong), "sudo", "password")
        # Given, but sudo does not ask for it.
        needless = change(console, four, username="admin", sudo_password="needless-password")
        assert needless["host"]["state"] == "ready" and needless["host"]["facts"]["root"]
    for task in (right, wrong, needless):
        text = " ".join(line["text"] for line in console.lines(task["id"])) + str(task)
        for password in (OPS_PASSWORD, "wrong-password", "needless-password"):
            assert password not in text


def rows(console: Console, query: str) -> list[Any]:
    with closing(sqlite3.connect(console.data / "flotilla.sqlite3")) as database:
        return database.execute(query).fetchall()


def test_first_contact_by_password_installs_the_key_and_forgets_it(
    console: Console, lab: Lab, reached: dict[str, int]
) -> None:
    host = lab.host("node4")
    made = console.post("credentials/", {"name": f"first-{token_hex(4)}", "username": "ops"})
    before = console.get(f"hosts/{reached['node4']}/")
    console.delete(f"hosts/{reached['node4']}/")
    body = {
        "name": "node4", "address": host.address, "credential": made["id"],
        "first_password": "not-the-password", "sudo_password": OPS_PASSWORD,
    }  # fmt: skip
    added = console.post("hosts/", body)
    number = added["host"]["id"]
    try:
        # Nobody trusts the host yet: no password goes there.
        console.wait(added["task"]["id"])
        row = console.get(f"hosts/{number}/")
        assert row["state"] == "untrusted"
        attempts = "journalctl -u ssh --no-pager | grep -c 'Failed password\\|Accepted password'; :"
        tried = int(host.run(attempts))
        trusted = console.post(
            f"hosts/{number}/trust/", {"fingerprint": row["offered_fingerprint"]}
        )
        task = console.wait(trusted["task"]["id"], 60, "failed")
        assert failure(task)["code"] == "sign_in"
        says(failure(task), "node4", "ops", "password")
        assert int(host.run(attempts)) == tried + 1
        assert made["public_key"].split()[1] not in host.run("cat ~ops/.ssh/authorized_keys")
        right = change(console, number, first_password=OPS_PASSWORD)
        assert right["host"]["state"] == "ready" and right["host"]["facts"]["root"]
        assert host.run("cat ~ops/.ssh/authorized_keys").count(made["public_key"].split()[1]) == 1
        # Forgotten: not in the row, in no form.
        assert rows(console, f"select first_password from provisioning_host where id={number}") == [
            ("",)
        ]
        # From now on by key alone.
        host.run("passwd -l ops >/dev/null")
        console.call("PATCH", f"hosts/{number}/", {"sudo_password": OPS_PASSWORD})
        links = rows(console, "select body from provisioning_logchunk")
        assert not [body for (body,) in links if OPS_PASSWORD in body or "not-the-pass" in body]
        dump = "".join(str(r) for r in rows(console, "select * from audit_auditevent"))
        assert OPS_PASSWORD not in dump and "not-the-password" not in dump
    finally:
        host.run("passwd -u ops >/dev/null; true")
        for task in console.get("tasks/?status=running")["results"]:
            console.wait(task["id"], 60, "succeeded")
        console.delete(f"hosts/{number}/")
        again = console.post(
            "hosts/",
            {
                "name": "node4", "address": host.address, "username": before["username"],
                "credential": before["credential"],
            },
        )  # fmt: skip
        console.wait(again["task"]["id"])
        new = again["host"]["id"]
        row = console.get(f"hosts/{new}/")
        answer = console.post(f"hosts/{new}/trust/", {"fingerprint": row["offered_fingerprint"]})
        console.wait(answer["task"]["id"])
        reached["node4"] = new
        console.delete(f"credentials/{made['id']}/")


def test_a_host_behind_another(console: Console, lab: Lab, reached: dict[str, int]) -> None:
    three, four = reached["node3"], reached["node4"]
    wall = (
        f"iptables -{{}} INPUT -p tcp --dport 22 ! -s {lab.host('node4').address} "
        "-j REJECT --reject-with tcp-reset"
    )
    lab.host("node3").run(wall.format("I"))
    try:
        says(failure(check(console, three, "failed"))["found"], "node3")
        through = change(console, three, jump=four)
        assert through["host"]["state"] == "ready"
        says(conflict_of(lambda: console.delete(f"hosts/{four}/")), "node3")
        # The jump host is away: the message names it, and node3 is what cannot be reached.
        lab.host("node4").partition()
        try:
            found = failure(check(console, three, "failed"))
            assert found["code"] == "unreachable"
            says(found["found"], "node4")
        finally:
            lab.host("node4").heal()
        # The jump host shows another key: nothing of that is node3's, and nothing to trust there.
        lab.host("node4").run(KEEP_KEY)
        lab.host("node4").run(NEW_KEY)
        try:
            task = check(console, three, "failed")
            says(failure(task)["found"], "node4")
            row = task["host"]
            assert row["state"] == "unreachable"
            assert row["offered_fingerprint"] == ""
        finally:
            lab.host("node4").run(OLD_KEY)
        check(console, four)
        assert check(console, three)["host"]["state"] == "ready"
    finally:
        lab.host("node3").run(wall.format("D"))
    change(console, three, jump=None)
