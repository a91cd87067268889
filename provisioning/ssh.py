"""The only code that opens an SSH connection.

Fabric makes the connection (keys, jump hosts); the host's key is pinned and
anything else is refused. A script runs over one channel of a connection that
is kept for the whole task; its text and its payloads travel on standard input,
so that no secret is ever a process argument.
"""

from __future__ import annotations

import base64
import io
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import fabric
import paramiko
from paramiko.pkey import PKey

from provisioning.lines import LineSplitter
from provisioning.ssh_bytes import CHUNK, LATE_SECONDS, POLL_SECONDS, close, over, pour, send
from provisioning.ssh_script import command, prologue
from provisioning.ssh_types import (
    JumpFailed,
    KeyChanged,
    KeyUntrusted,
    Payload,
    RunResult,
    SignInRefused,
    SSHError,
    Target,
    Unreachable,
)

WINDOW = 16 * 1024 * 1024


def _key_text(key: PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def _parse_host_key(text: str) -> PKey:
    kind, blob = text.split()[:2]
    return PKey.from_type_string(kind, base64.b64decode(blob))


def _private_key(text: str) -> PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise SignInRefused(
        "The credential's private key cannot be used.",
        "Make or paste the key anew under Settings, Credentials.",
    )


class _Transport(paramiko.Transport):
    """Windows for bulk copies, and first the ciphers that check and encrypt in one pass."""

    _preferred_ciphers = (
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        *(c for c in paramiko.Transport._preferred_ciphers if "gcm" not in c),
    )

    def __init__(self, sock: Any, **kwargs: Any) -> None:
        super().__init__(sock, default_window_size=WINDOW, **kwargs)
        if isinstance(sock, socket.socket):
            # Many small messages that wait for one another: never hold one back (RFC 896).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Link:
    """A kept connection to one host. Close it, or use it as a context manager."""

    def __init__(self, target: Target, connection: fabric.Connection) -> None:
        self.target = target
        self._connection = connection
        self.channels_opened = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and those of its jump hosts."""
        connection: Any = self._connection
        while connection is not None:
            connection.close()
            gateway = connection.gateway
            connection = gateway if isinstance(gateway, fabric.Connection) else None

    @property
    def alive(self) -> bool:
        """Whether the connection still stands as far as this side knows."""
        transport = self._connection.transport
        return transport is not None and transport.is_active()

    def run(
        self,
        script: str,
        on_line: Callable[[str, str], Payload | None],
        *,
        seconds: float,
        nonce: str = "",
        mark: str = "",
        stop: threading.Event | None = None,
        as_root: bool = True,
    ) -> RunResult:
        """Run a shell script over one new channel and hand each line to on_line.

        on_line gets (stream, text) and may answer with a Payload, which is then
        streamed to the script's standard input. Lines that begin with the nonce are
        the script's own events and never cut; the mark (see provisioning.remote)
        goes into the environment of the script. When `seconds` have passed or
        `stop` is set the channel is closed and the result says so; ending what
        still runs on the host is the caller's (see provisioning.remote.stop_script).
        Raises Unreachable when the connection is gone.
        """
        with self._channel() as channel:
            deadline = time.monotonic() + seconds
            channel.exec_command(command(self.target, as_root, mark))
            channel.sendall(prologue(self.target, as_root, script))
            return self._converse(channel, on_line, deadline, nonce, stop)

    def fetch(
        self,
        script: str,
        sink: Callable[[bytes], object],
        on_line: Callable[[str], object],
        *,
        seconds: float,
        mark: str = "",
        stop: threading.Event | None = None,
    ) -> RunResult:
        """Run a shell script as root over one new channel and hand its stdout to sink, as bytes.

        Bytes come as they are and in order, in pieces of any size; the host sends
        no faster than sink takes them. Lines of stderr go to on_line. When `seconds`
        have passed or `stop` is set the channel is closed and the result says so, as
        for run(). An OSError of sink ends the transfer and is raised as it is.
        Raises Unreachable when the connection is gone.
        """
        refused: OSError | None = None
        with self._channel() as channel:
            deadline = time.monotonic() + seconds
            channel.exec_command(command(self.target, True, mark))
            channel.sendall(prologue(self.target, True, script))
            channel.shutdown_write()
            result, refused = pour(channel, sink, on_line, deadline, stop)
        if refused is not None:
            raise refused
        return result

    @contextmanager
    def _channel(self) -> Iterator[paramiko.Channel]:
        """A new channel, closed afterwards. Raises Unreachable for whatever breaks it."""
        channel: paramiko.Channel | None = None
        try:
            transport = self._connection.transport
            if transport is None:
                raise EOFError
            channel = transport.open_session(timeout=30)
            self.channels_opened += 1
            channel.settimeout(60)
            yield channel
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise Unreachable(
                f"The connection to {self.target.name} broke ({_reason(error)}).",
                "Check that the host is up and reachable, then retry.",
            ) from error
        finally:
            if channel is not None:
                close(channel)

    def _converse(
        self,
        channel: paramiko.Channel,
        on_line: Callable[[str, str], Payload | None],
        deadline: float,
        nonce: str,
        stop: threading.Event | None,
    ) -> RunResult:
        splitters = {"stdout": LineSplitter(nonce), "stderr": LineSplitter()}
        waited = 0.0  # seconds without a line since the script's end
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            while True:
                if stop is not None and stop.is_set():
                    return RunResult(-1, stopped=True)
                if time.monotonic() > deadline:
                    return RunResult(-1, timed_out=True)
                ended, begin = channel.exit_status_ready(), time.monotonic()
                selector.select(POLL_SECONDS)
                waited += time.monotonic() - begin if ended else 0.0
                for stream, text in self._received(channel, splitters):
                    payload = on_line(stream, text)
                    if payload is not None and not send(channel, payload, deadline, stop):
                        break
                if over(channel):
                    break
                # What it has left running keeps the channel open, and is not waited for;
                # what it printed may be megabytes, which take their time.
                if waited > LATE_SECONDS:
                    break
                if not self.alive:
                    raise EOFError("the host went away")
        for stream, splitter in splitters.items():
            for text in splitter.end():
                on_line(stream, text)
        return RunResult(channel.recv_exit_status())

    @staticmethod
    def _received(
        channel: paramiko.Channel, splitters: dict[str, LineSplitter]
    ) -> list[tuple[str, str]]:
        lines: list[tuple[str, str]] = []
        if channel.recv_stderr_ready():
            lines += [("stderr", t) for t in splitters["stderr"].feed(channel.recv_stderr(CHUNK))]
        if channel.recv_ready():
            lines += [("stdout", t) for t in splitters["stdout"].feed(channel.recv(CHUNK))]
        return lines


def _reason(error: Exception) -> str:
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        # One for each address of the name; its own text says only that it did not work.
        causes = {cause.strerror or str(cause) for cause in error.errors.values()}
        return ", ".join(sorted(causes))
    return str(error) or type(error).__name__


def _fabric_connection(target: Target, seconds: float, gateway: Link | None) -> fabric.Connection:
    connect_kwargs: dict[str, Any] = {
        "allow_agent": False,
        "look_for_keys": False,
        "banner_timeout": seconds,
        "auth_timeout": seconds,
        "transport_factory": _Transport,
    }
    if target.private_key:
        connect_kwargs["pkey"] = _private_key(target.private_key)
    if target.password:
        connect_kwargs["password"] = target.password
    connection = fabric.Connection(
        host=target.address,
        user=target.username,
        port=target.port,
        gateway=gateway._connection if gateway else None,
        config=fabric.Config(lazy=True),
        connect_timeout=int(seconds),
        connect_kwargs=connect_kwargs,
    )
    client = connection.client
    # Fabric would accept any key it has not seen: only the pinned one will do.
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    pinned = _parse_host_key(target.host_key)
    known = target.address if target.port == 22 else f"[{target.address}]:{target.port}"
    client.get_host_keys().add(known, pinned.get_name(), pinned)
    return connection


def connect(target: Target, seconds: float = 10) -> Link:
    """Open a connection to a host whose key is pinned.

    Raises KeyUntrusted, KeyChanged, SignInRefused or Unreachable; JumpFailed where
    that is so for a host on the way.
    """
    if not target.host_key:
        raise KeyUntrusted(offered_key(target, seconds))
    gateway = _jump(target, seconds)
    try:
        connection = _fabric_connection(target, seconds, gateway)
    except SSHError:
        if gateway is not None:
            gateway.close()
        raise
    link = Link(target, connection)
    try:
        _open(link)
    except SSHError:
        link.close()
        raise
    return link


def _jump(target: Target, seconds: float) -> Link | None:
    """A connection to the host that the way leads through, if any. Raises JumpFailed."""
    if target.jump is None:
        return None
    try:
        return connect(target.jump, seconds)
    except SSHError as error:
        raise JumpFailed(target, target.jump, error) from error


def _open(link: Link) -> None:
    target, connection = link.target, link._connection
    try:
        connection.open()
    except paramiko.BadHostKeyException as error:
        raise KeyChanged(target.host_key, _key_text(error.key)) from error
    except paramiko.AuthenticationException as error:
        raise SignInRefused(
            f"{target.name} refused {target.username} with this key or password.",
            "Check the user, and that the credential's public key stands in the user's "
            "authorized_keys.",
        ) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise _cannot_connect(target, error) from error
    transport = connection.transport
    if transport is not None:
        transport.set_keepalive(5)


def _cannot_connect(target: Target, error: Exception) -> SSHError:
    where = f"{target.name} ({target.address}:{target.port})"
    text = _reason(error)
    if "known_hosts" in text:
        # RejectPolicy: the host has no key of the pinned kind any more.
        return KeyChanged(target.host_key, offered_key(target))
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return Unreachable(
            f"{where} speaks only key exchanges or key types that are no longer safe ({text}).",
            "Upgrade its SSH server: SHA-1 signatures and DSA keys are refused.",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{where} did not answer in time.", "Check that it is up, its address and firewalls."
        )
    if isinstance(error, socket.gaierror):
        return Unreachable(f"The name {target.address} is not known.", "Check the address.")
    return Unreachable(
        f"{where} cannot be reached ({text}).",
        "Check that the host is up, that sshd listens on this port, and the firewall.",
    )


def offered_key(target: Target, seconds: float = 10) -> str:
    """The key that a host shows, without signing in. Raises Unreachable.

    Behind a jump host the connection goes through it, and its key must be pinned.
    """
    link = _jump(target, seconds)
    try:
        if link is not None:
            through: Any = link._connection.transport
            sock: Any = through.open_channel(
                "direct-tcpip", (target.address, target.port), ("", 0), timeout=seconds
            )
        else:
            sock = socket.create_connection((target.address, target.port), timeout=seconds)
        transport = paramiko.Transport(sock)
        try:
            transport.start_client(timeout=seconds)
            return _key_text(transport.get_remote_server_key())
        finally:
            transport.close()
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise _cannot_connect(target, error) from error
    finally:
        if link is not None:
            link.close()
