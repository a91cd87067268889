"""An SSH server of a test's own: it runs what it is told, with some paths put elsewhere."""

from __future__ import annotations

import io
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import paramiko

from provisioning.steps.audit_policy import FOLDER


def audit_folder() -> Path:
    """A new folder whose path is as long as that of a cluster's audit log."""
    made = Path(tempfile.mkdtemp(prefix="klog", dir="/tmp"))
    same = made.with_name(made.name.ljust(len(FOLDER) - len("/tmp/"), "-"))
    made.rename(same)
    return same


class SshHost:
    """`with SshHost({"/var/log/kubernetes": folder}) as host:` listens on host.port.

    moved: paths in scripts to other ones of the same length, for a script's length goes with it.
    host_key: as a Host's row has it; private_key: the one that signs in, in OpenSSH's form.
    """

    def __init__(self, moved: Mapping[str, str]) -> None:
        assert all(len(old) == len(new) for old, new in moved.items())
        self.moved = moved
        self._host = paramiko.ECDSAKey.generate()
        client = paramiko.ECDSAKey.generate()
        text = io.StringIO()
        client.write_private_key(text)
        self.private_key = text.getvalue()
        self.host_key = f"{self._host.get_name()} {self._host.get_base64()}"
        self._allowed = client.get_base64()
        self._transports: list[paramiko.Transport] = []

    def __enter__(self) -> SshHost:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()
        for transport in self._transports:
            transport.close()

    def _accept(self) -> None:
        while True:
            try:
                opened, _address = self._socket.accept()
            except OSError:
                return
            transport = paramiko.Transport(opened)
            transport.add_server_key(self._host)
            self._transports.append(transport)
            transport.start_server(server=_Session(self._allowed, self._run))

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        given = b""
        while part := channel.recv(65536):
            given += part
        for old, new in self.moved.items():
            given = given.replace(old.encode(), new.encode())
        done = subprocess.run(
            ["sh", "-c", command.decode()], input=given, capture_output=True, check=False
        )
        channel.sendall(done.stdout)
        channel.sendall_stderr(done.stderr)
        channel.send_exit_status(done.returncode)
        channel.close()


class _Session(paramiko.ServerInterface):
    def __init__(self, allowed: str, run) -> None:
        self._allowed, self._run = allowed, run

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == "root" and key.get_base64() == self._allowed
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._run, args=(channel, command), daemon=True).start()
        return True
