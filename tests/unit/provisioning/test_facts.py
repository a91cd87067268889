"""Reading facts: a real host's answer, and answers that no honest host would give."""

from __future__ import annotations

import base64
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.facts import (
    CLASSES,
    FACTS_SCRIPT,
    Facts,
    FactsError,
    Listener,
    parse_facts,
    time_skew,
)

UNIT = base64.b64encode(b"[Unit]\nDescription=x\n").decode()
KEY = base64.b64encode(b"-----BEGIN PRIVATE KEY-----\nAAAA\n").decode()
ANSWER = f"""==flotilla== clock
1795392302.250000000
==flotilla== os
ID=debian
VERSION_ID="12"
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
==flotilla== machine
kernel 6.1.0
arch x86_64
cpus 2
hostname node1
machine-id 3d1219c7c4c5404aaa1f6d2a48adfda4
uid 0
init systemd
virtualisation kvm
container none
cgroup 2
capabilities\t000001fffeffffff
==flotilla== memory
MemTotal:        2048000 kB
MemAvailable:    1024000 kB
Swaps:
/dev/sda2 partition 1 0 -2
==flotilla== disks
/var /dev/sda1 40000000 10000000 30000000 25% /
==flotilla== kernel
module overlay
sysctl net/ipv4/ip_forward:1
sysctl net/ipv4/ip_local_port_range:32768\t60999
==flotilla== packages
installed containerd 1.6.20~ds1-1
config-files etcd-server 3.4
==flotilla== network
address eth0 10.80.0.11/24
address eth0 fe80::1/64
address eth0 nonsense
route default via 10.80.0.1 dev eth0
link lo
link eth0@if4
==flotilla== listeners
tcp LISTEN 0 128 0.0.0.0:6443 0.0.0.0:* users:(("nginx",pid=1,fd=3))
tcp LISTEN 0 128 [::]:22 [::]:*
proc tcp 0: 0100007F:1F90 00000000:0000 0A 0
udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*
==flotilla== units
Id=etcd.service
LoadState=loaded
UnitFileState=enabled
ActiveState=active
SubState=running

Id=haproxy.service
LoadState=not-found
==flotilla== paths
d|755|root:root|4096|1.0|11|/etc/kubernetes|
f|644|root:root|21|1.0|12|/etc/systemd/system/kubelet.service|
f|600|root:root|99|1.0|13|/etc/kubernetes/kubelet.conf|
l|777|root:root|24|1.0|14|/opt/kubernetes/current|/opt/kubernetes/v1.20.2
f|755|root:root|105226240|1.0|15|/opt/kubernetes/v1.20.2/kubelet|
sha256 {"a" * 64}  /etc/systemd/system/kubelet.service
content /etc/systemd/system/kubelet.service {UNIT}
content /etc/kubernetes/kubelet.conf {KEY}
==flotilla== clusters
cluster 7
mark unit:kubelet.service abc
mark unit:kubelet.service -
mark command:rights def
upload {"b" * 64} /opt/kubernetes/v1.20.2/kubelet
hosts 10.80.0.12 node2 # flotilla:7
==flotilla== traces
unit kubelet.service (/etc/systemd/system)
==flotilla== end
"""


def test_a_hosts_answer_is_understood() -> None:
    facts = parse_facts(ANSWER)
    assert (facts.os_id, facts.os_version, facts.arch, facts.cpus) == ("debian", "12", "amd64", 2)
    assert facts.memory == 2048000 * 1024
    assert facts.swap == ("/dev/sda2",)
    assert facts.container == ""
    assert facts.virtualisation == "kvm"
    assert facts.root
    assert not facts.cap_sys_resource
    assert facts.sysctls["net.ipv4.ip_local_port_range"] == "32768 60999"
    assert facts.packages == {"containerd": "1.6.20~ds1-1"}
    assert [a.address for a in facts.addresses] == ["10.80.0.11", "fe80::1"]
    assert facts.links == ("lo", "eth0")
    assert facts.default_interface == "eth0"
    assert facts.clusters == (7,)


def test_who_listens_is_named() -> None:
    listeners = parse_facts(ANSWER).listeners
    assert Listener("tcp", "0.0.0.0", 6443, "nginx") in listeners
    assert Listener("tcp", "127.0.0.1", 8080, "") in listeners
    assert Listener("udp", "127.0.0.53", 53, "") in listeners
    assert Listener("tcp", "::", 22, "") in listeners


def test_files_marks_and_units() -> None:
    facts = parse_facts(ANSWER)
    unit = facts.paths["/etc/systemd/system/kubelet.service"]
    assert (unit.mode, unit.sha256, unit.content) == (
        0o644,
        "a" * 64,
        "[Unit]\nDescription=x\n",
    )
    assert facts.paths["/opt/kubernetes/current"].target == "/opt/kubernetes/v1.20.2"
    assert facts.paths["/opt/kubernetes/v1.20.2/kubelet"].sha256 == "b" * 64
    assert facts.mark("unit:kubelet.service") == "", "a unit that is owed a restart"
    assert facts.mark("command:rights") == "def"
    assert facts.units["etcd.service"].active
    assert "haproxy.service" not in facts.units


def test_a_private_key_never_gets_into_the_facts() -> None:
    assert parse_facts(ANSWER).paths["/etc/kubernetes/kubelet.conf"].content == ""


def test_facts_survive_storage() -> None:
    facts = parse_facts(ANSWER, sent=1795392300.0, received=1795392300.5)
    assert facts.skew == pytest.approx(2.0)
    assert Facts.from_json(facts.to_json()) == facts


def test_facts_of_an_older_flotilla_can_still_be_read() -> None:
    assert Facts.from_json('{"os_id": "debian", "from_the_future": 1}').os_id == "debian"
    for text in ("", "[]", "null", '{"disks": [1]}', '{"units": {"x": 3}}'):
        with pytest.raises(FactsError):
            Facts.from_json(text)


def test_skew_is_measured_from_the_middle_of_the_question() -> None:
    assert time_skew(Facts(epoch=1000.0), 999.0, 1000.0) == pytest.approx(0.5)
    assert time_skew(Facts(), 999.0, 1000.0) == 0


def test_half_an_answer_is_no_answer() -> None:
    for text in ("", "bash: command not found", ANSWER[: len(ANSWER) // 2]):
        with pytest.raises(FactsError, match="not complete"):
            parse_facts(text)


def test_an_endless_answer_is_refused() -> None:
    with pytest.raises(FactsError, match="too long"):
        parse_facts("x" * (9 * 1024 * 1024))


def test_a_section_that_a_process_name_forges_does_not_replace_the_real_one() -> None:
    forged = ANSWER.replace(
        "==flotilla== end", "==flotilla== machine\nuid 0\narch s390x\n==flotilla== end"
    )
    assert parse_facts(forged).arch == "amd64"


def plain(value: object) -> bool:
    if isinstance(value, str):
        return all(c.isprintable() or c in "\n\t" for c in value)
    if isinstance(value, dict):
        return all(plain(k) and plain(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(plain(v) for v in value)
    if value is None or isinstance(value, bool | int | float):
        return True
    return plain(vars(value)) if hasattr(value, "__dict__") else False


def checked(text: str) -> None:
    try:
        facts = parse_facts(text)
    except FactsError:
        return
    assert plain(vars(facts))
    assert Facts.from_json(facts.to_json()) == facts


@given(st.text(max_size=500))
def test_no_text_makes_the_parser_fall(text: str) -> None:
    checked(text)


@settings(max_examples=150)
@given(st.data())
def test_nor_does_any_text_inside_a_section(data: st.DataObject) -> None:
    lines = ANSWER.splitlines()
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 2))
        line = data.draw(
            st.one_of(
                st.text(max_size=60),
                st.sampled_from(lines).flatmap(lambda x: st.text(max_size=8).map(lambda t: x + t)),
                st.binary(max_size=40).map(lambda b: b.decode("utf-8", "replace")),
            )
        )
        lines[at] = line
    checked("\n".join(lines))


def test_the_script_is_plain_sh_and_reads_this_very_machine() -> None:
    assert subprocess.run(["sh", "-n"], input=FACTS_SCRIPT, text=True, check=False).returncode == 0
    out = subprocess.run(
        ["sh", "-c", FACTS_SCRIPT],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    )
    facts = parse_facts(out.stdout)
    assert facts.cpus > 0
    assert facts.memory > 0
    assert facts.arch
    assert facts.epoch > 1_700_000_000


def test_every_class_has_a_name_of_its_own() -> None:
    names = [c.name for c in CLASSES]
    assert len(names) == len(set(names))
