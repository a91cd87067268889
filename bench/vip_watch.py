"""Who holds an address, as the kernels of the lab's hosts tell: each move and each overlap."""

from __future__ import annotations

import ctypes
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab import Host

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22  # rtnetlink(7)
RTMGRP_IPV4_IFADDR, IFA_LOCAL = 0x10, 2
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
CLONE_NEWNET = 0x40000000
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix, flags, scope, interface
_ATTRIBUTE = struct.Struct("=HH")  # rtattr: length, type


@dataclass(frozen=True)
class Move:
    """From `at` (time.monotonic) on a host has the address or has it no longer."""

    at: float
    host: str
    has: bool


def _link_to(host: Host) -> socket.socket:
    """A socket that hears of the addresses of a host. Raises OSError when it is off."""
    libc = ctypes.CDLL(None, use_errno=True)
    result: list[socket.socket | OSError] = []

    def enter() -> None:
        # In a thread of its own, which ends there: a thread's namespace is nobody else's.
        with host.netns.open("rb") as space:
            if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                result.append(OSError(number, os.strerror(number)))
                return
        link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        link.bind((0, RTMGRP_IPV4_IFADDR))
        ask = _HEADER.pack(24, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
        link.send(ask + _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0))
        link.setblocking(False)
        result.append(link)

    def guarded() -> None:
        try:
            enter()
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


def addresses(data: bytes) -> Iterator[tuple[str, bool]]:
    """(IPv4 address, whether it is there) of each address message in what a netlink socket read."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        end = min(at + length, len(data))
        where = at + _HEADER.size + _ADDRESS.size
        while kind in (RTM_NEWADDR, RTM_DELADDR) and where + _ATTRIBUTE.size <= end:
            size, attribute = _ATTRIBUTE.unpack_from(data, where)
            if size < _ATTRIBUTE.size:
                break
            if attribute == IFA_LOCAL and size == _ATTRIBUTE.size + 4 <= end - where:
                packed = data[where + _ATTRIBUTE.size : where + size]
                yield socket.inet_ntop(socket.AF_INET, packed), kind == RTM_NEWADDR
            where += (size + 3) & ~3
        at += (length + 3) & ~3


class Watch:
    """Notes every move of the address between hosts until it is left."""

    def __init__(self, address: str, hosts: Iterable[Host]) -> None:
        self.address = address
        self.moves: list[Move] = []
        self._links: dict[str, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        for host in hosts:
            self.add(host)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        for name in list(self._links):
            self.drop(name)
        self._selector.close()

    def add(self, host: Host) -> None:
        """Listen to a host that has just been switched on."""
        link = _link_to(host)
        with self._lock:
            self._links[host.name] = link
            self._selector.register(link, selectors.EVENT_READ, host.name)

    def drop(self, name: str) -> None:
        """Listen to a host no longer: its power is cut now, and what it held is gone."""
        with self._lock:
            link = self._links.pop(name)
            self._selector.unregister(link)
            link.close()
        if name in self.holders():
            self.moves.append(Move(time.monotonic(), name, False))

    def holders(self) -> list[str]:
        """The hosts that have the address now."""
        last = {move.host: move.has for move in list(self.moves)}
        return [name for name, has in last.items() if has]

    def takeovers(self, begin: float, end: float) -> list[Move]:
        """The times at which a host took the address."""
        return [m for m in list(self.moves) if m.has and begin <= m.at <= end]

    def shared(self, begin: float, end: float) -> float:
        """The longest time in which two hosts had the address, in seconds."""
        having: set[str] = set()
        since, longest = 0.0, 0.0
        for move in [m for m in list(self.moves) if m.at <= end] + [Move(end, "", False)]:
            if len(having) > 1:
                longest = max(longest, move.at - max(since, begin))
            before = len(having)
            (having.add if move.has else having.discard)(move.host)
            if len(having) > 1 and before <= 1:
                since = move.at
        return longest

    def _listen(self) -> None:
        while not self._over.is_set():
            for key, _events in self._selector.select(0.1):
                with self._lock:
                    link = self._links.get(key.data)
                    if link is None or link is not key.fileobj:
                        continue
                    data = link.recv(65536)
                now = time.monotonic()
                for address, there in addresses(data):
                    if address == self.address and (key.data in self.holders()) != there:
                        self.moves.append(Move(now, key.data, there))
