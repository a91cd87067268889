"""Raw bytes over a channel of an SSH connection: what a host sends, and what it is sent."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko

from provisioning.lines import LineSplitter
from provisioning.ssh_types import Payload, RunResult

CHUNK = 256 * 1024
POLL_SECONDS = 0.5
LATE_SECONDS = 5.0  # how long its last lines are waited for after a script's end


def pour(
    channel: paramiko.Channel,
    sink: Callable[[bytes], object],
    on_line: Callable[[str], object],
    deadline: float,
    stop: threading.Event | None,
) -> tuple[RunResult, OSError | None]:
    """Hand a script's stdout to sink as it comes, its stderr line by line to on_line.

    Returns how it ended, and the OSError of sink that ended it. Raises EOFError
    when the connection breaks.
    """
    splitter = LineSplitter()
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            if stop is not None and stop.is_set():
                return RunResult(-1, stopped=True), None
            if time.monotonic() > deadline:
                return RunResult(-1, timed_out=True), None
            selector.select(POLL_SECONDS)
            if channel.recv_stderr_ready():
                for text in splitter.feed(channel.recv_stderr(CHUNK)):
                    on_line(text)
            if channel.recv_ready():
                try:
                    sink(channel.recv(CHUNK))
                except OSError as error:
                    # Of this machine's disk, not of the connection.
                    return RunResult(-1), error
            elif over(channel):
                break
            elif not (transport := channel.get_transport()) or not transport.is_active():
                raise EOFError("the host went away")
    for text in splitter.end():
        on_line(text)
    return RunResult(channel.recv_exit_status()), None


def close(channel: paramiko.Channel) -> None:
    """Close a channel that may still be receiving, without harm to its connection.

    paramiko's close() takes away the pipe that tells a selector of new bytes while its
    thread may be writing to it: "Bad file descriptor" then ends the whole connection.
    """
    for buffer in (channel.in_buffer, channel.in_stderr_buffer):
        buffer.set_event(threading.Event())  # waits until nobody is feeding the buffer
    channel.close()


def over(channel: paramiko.Channel) -> bool:
    """Whether the script has ended and everything that it printed was received."""
    # sshd tells the exit status when the shell ends, which may be before the last bytes came.
    ended = channel.eof_received and channel.exit_status_ready()
    return ended and not channel.recv_ready() and not channel.recv_stderr_ready()


def send(
    channel: paramiko.Channel, payload: Payload, deadline: float, stop: threading.Event | None
) -> bool:
    """Send a payload's bytes; False when the time was over or `stop` was set before the end.

    Raises OSError when there are fewer bytes than were promised.
    """
    left = payload.size
    for piece in payload.source() if payload.source else _pieces(payload.path):
        if (stop is not None and stop.is_set()) or time.monotonic() > deadline:
            return False
        channel.sendall(piece[:left])
        left -= len(piece[:left])
        if not left:
            return True
    if left:
        raise OSError(f"{payload.path} is shorter than it should be")
    return True


def _pieces(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as source:
        while piece := source.read(CHUNK):
            yield piece
