"""keepalived: who takes the VIP, when it is let go, what the real program says of its settings."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from provisioning.facts import Address, Facts
from provisioning.spec import ClusterSpec
from provisioning.steps.compile import compile_script
from provisioning.steps.haproxy import DOWN
from provisioning.steps.keepalived import (
    ADVERTISEMENT,
    ALIVE,
    Keepalived,
    keepalived_config,
    keepalived_drop_in,
)
from provisioning.steps.resources import File
from tests.unit.provisioning.conftest import CLUSTER, NONCE, LocalHost, bare_facts, make_spec
from tests.unit.provisioning.standard import VIP, context, standard_spec

PROGRAM = shutil.which("keepalived", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@pytest.fixture(scope="module")
def spec() -> ClusterSpec:
    return standard_spec()


def setting(text: str, name: str) -> str:
    found = re.search(rf"^\s*{name} (\S+)$", text, re.MULTILINE)
    assert found, f"{name} is not set"
    return found[1]


def config(spec: ClusterSpec, place: int = 0) -> str:
    text = keepalived_config(context(spec, place))
    assert text is not None
    return text


def test_nobody_takes_the_vip_back_and_no_two_take_it_together() -> None:
    hosts = make_spec(workers=5).hosts
    spec = standard_spec(control_plane=hosts[:5], workers=hosts[5:])
    texts = [config(spec, place) for place in range(5)]
    assert all(setting(t, "state") == "BACKUP" and "\n    nopreempt\n" in t for t in texts)
    priorities = [int(setting(t, "priority")) for t in texts]
    assert priorities == sorted(set(priorities), reverse=True)
    assert all(1 <= p <= 254 for p in priorities)
    # RFC 5798, 6.1: how much later than the one before it each of them acts, in seconds.
    later = [(a - b) / 256 * ADVERTISEMENT for a, b in pairwise(priorities)]
    assert min(later) > 0.005
    assert (256 - priorities[-1]) / 256 * ADVERTISEMENT < 0.05


def test_adverts_go_to_the_other_control_planes_and_to_nobody_else(spec: ClusterSpec) -> None:
    text = config(spec, 1)
    peers = re.search(r"unicast_peer \{(.*?)\}", text, re.DOTALL)
    assert peers and peers[1].split() == ["10.80.0.11", "10.80.0.13"]
    assert setting(text, "unicast_src_ip") == "10.80.0.12"
    assert setting(text, "virtual_router_id") == "77"
    assert setting(text, "vrrp_version") == "3"
    assert "vrrp_check_unicast_src" in text


def test_the_vip_lies_on_the_interface_of_the_hosts_own_address(spec: ClusterSpec) -> None:
    own = Address("ens18", "10.80.0.11", 22)
    facts = {10: bare_facts(0, addresses=(Address("eth9", "192.0.2.4", 24), own))}
    text = keepalived_config(context(spec, 0, facts=facts))
    assert text is not None
    assert f"{VIP}/22 dev ens18" in text
    assert setting(text, "interface") == "ens18"
    drop_in = keepalived_drop_in(context(spec, 0, facts=facts))
    assert drop_in is not None
    assert f"ip address del {VIP}/22 dev ens18" in drop_in


def test_the_end_of_haproxy_and_its_silence_both_take_the_vip_away(spec: ClusterSpec) -> None:
    text = config(spec)
    assert f'file "{DOWN}"\n    weight 0' in text
    assert 'script "/etc/keepalived/haproxy-answers"' in text
    instance = text[text.index("vrrp_instance") :]
    assert re.search(r"track_file \{\s*haproxy_down\s*\}", instance)
    assert re.search(r"track_script \{\s*haproxy_answers\s*\}", instance)
    assert "enable_script_security" in text
    assert setting(text, "script_user") == "nobody"


def test_a_killed_keepalived_leaves_no_vip_behind(spec: ClusterSpec) -> None:
    drop_in = keepalived_drop_in(context(spec))
    assert drop_in is not None
    assert "ExecStopPost=/bin/sh -c 'ip address del 10.80.0.100/24 dev eth0" in drop_in


def test_without_facts_nothing_is_guessed(spec: ClusterSpec) -> None:
    assert keepalived_config(context(spec, 0, facts={})) is None
    found = Keepalived().resources(context(spec, 0, facts={}))
    unknown = [r.path for r in found if isinstance(r, File) and r.content is None]
    assert unknown == [
        "/etc/keepalived/keepalived.conf", "/etc/systemd/system/keepalived.service.d/flotilla.conf"
    ]  # fmt: skip
    assert [r.evaluate(Facts()).title for r in found]


@pytest.mark.parametrize("router_id", [0, 256, -1])
def test_a_router_id_that_is_none_is_refused(spec: ClusterSpec, router_id: int) -> None:
    with pytest.raises(ValueError, match="1 to 255"):
        keepalived_config(context(replace(spec, router_id=router_id)))


@pytest.mark.parametrize("vip", ["", "10.80.0.100/24", "fd00::1", "10.0.0.1 }\nx {"])
def test_a_vip_that_is_none_is_refused(spec: ClusterSpec, vip: str) -> None:
    with pytest.raises(ValueError):
        keepalived_config(context(replace(spec, vip=vip)))


def test_new_settings_are_taken_by_reload(spec: ClusterSpec) -> None:
    text = compile_script(Keepalived().resources(context(spec)), NONCE, CLUSTER).text
    assert "reload-or-restart" in text
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


@pytest.mark.skipif(PROGRAM is None, reason="the program keepalived is not installed")
def test_keepalived_itself_knows_every_word(spec: ClusterSpec, tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(config(spec))
    # In a session of its own: 2.2.7 ends a test of settings with script_user by a signal to its
    # group (acassen/keepalived issue 2587).
    done = subprocess.run(
        [str(PROGRAM), "--config-test", "-f", str(path)],
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    said = done.stdout + done.stderr
    for word in ("nknown keyword", "nvalid", "missing", "deprecated"):
        assert word not in said
    path.write_text(config(spec).replace("nopreempt", "nopreemptt"))
    done = subprocess.run(
        [str(PROGRAM), "--config-test", "-f", str(path)],
        capture_output=True, text=True, check=False, start_new_session=True,
    )  # fmt: skip
    assert "nopreemptt" in done.stdout + done.stderr, "this test would not notice anything"


@pytest.mark.parametrize(("answer", "good"), [("HTTP/1.0 200 OK", True), ("HTTP/1.0 503 x", False)])
def test_the_check_wants_an_answer(tmp_path: Path, answer: str, good: bool) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        script = tmp_path / "check"
        script.write_text(ALIVE.replace("/8445", f"/{server.getsockname()[1]}"))

        def serve() -> None:
            connection, _peer = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer.encode() + b"\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        done = subprocess.run(["bash", str(script)], timeout=5, check=False)
        thread.join(5)
        assert (done.returncode == 0) is good
        # Taken by the kernel, read by nobody: a process that is stopped.
        done = subprocess.run(["bash", str(script)], timeout=5, check=False)
        assert done.returncode != 0
    done = subprocess.run(["bash", str(script)], timeout=5, check=False, capture_output=True)
    assert done.returncode != 0, "nobody listens"


@pytest.mark.parametrize(
    ("version", "good"),
    [("v2.2.7 (01/16,2022)", True), ("v2.1.5 (07/13,2020)", True), ("v2.0.19 (x)", False),
     ("v1.3.5", False), ("v10.0.1", True)],
)  # fmt: skip
def test_a_keepalived_that_is_too_old_is_named(
    host: LocalHost, spec: ClusterSpec, version: str, good: bool
) -> None:
    host.program("keepalived", f"echo 'Keepalived {version}' >&2")
    probe = next(r for r in Keepalived().resources(context(spec)) if r.key.startswith("probe:"))
    run = host.make(probe)
    assert (run.status == 0) is good
    if not good:
        assert run.failure["hint_code"] == "settings_refused"
        assert version.split(maxsplit=1)[0] in str(run.failure["found"])
