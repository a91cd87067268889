"""What HAProxy is told before an API server stops: by whichever program can reach its socket."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from provisioning.steps.entry import leave_commands, rejoin_commands, socket_script
from tests.unit.provisioning.standard import standard_spec

TOOLS = ("socat", "perl", "python3")


def told(folder: Path, commands: list[str], tool: str) -> tuple[str, str, int]:
    """What a HAProxy heard, what the script said, and its exit status; only `tool` is there."""
    programs = folder / "bin"
    programs.mkdir()
    for name in (tool, "sh"):
        real = sys.executable if name == "python3" else shutil.which(name)
        (programs / name).symlink_to(str(real))
    path = folder / "haproxy.sock"
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(10)

        def answer() -> None:
            link, _address = listening.accept()
            with link:
                link.settimeout(10)
                heard.append(link.recv(4096))
                link.sendall(b"No such server.\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        script = socket_script(commands).replace("/run/flotilla-vip/haproxy.sock", str(path))
        lines = script.replace("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               str(programs))  # fmt: skip
        done = subprocess.run(
            ["/bin/sh", "-c", lines], capture_output=True, text=True, check=False, timeout=20
        )
        thread.join(10)
    assert done.stdout == ""  # it is a channel for bytes
    return b"".join(heard).decode(), done.stderr, done.returncode


@pytest.mark.parametrize("tool", TOOLS)
def test_haproxy_is_told_by_what_the_host_has(tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not here")
    spec = standard_spec()
    heard, said, status = told(tmp_path, rejoin_commands(spec.control_plane[1]), tool)
    assert heard == "enable health api-servers/node2; set server api-servers/node2 state ready\n"
    assert ("No such server." in said, status) == (True, 0)


def test_a_host_without_haproxy_has_nobody_to_tell() -> None:
    script = socket_script(["show info"]).replace("/run/flotilla-vip", "/nowhere")
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, "does not run" in done.stderr) == (0, True)


def test_whom_an_earlier_run_left_out_comes_back_first() -> None:
    spec = standard_spec()
    commands = leave_commands(spec, spec.control_plane[2])
    assert commands[-1] == "set server api-servers/node3 state drain"
    assert {c.split("/")[1].split()[0] for c in commands if "ready" in c} == {"node1", "node2"}
    # Its check ends first: a server that is marked down has its connections cut.
    assert commands[-2] == "disable health api-servers/node3"
