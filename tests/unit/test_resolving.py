"""DNS that hangs, fails and answers late: nobody waits longer than they said."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from console import outbound
from console.notices import webhook
from console.outbound import HostUnknown, check_host
from console.resolving import Resolver


class Dns:
    """A resolver that waits until it is let go, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most = 0
        self.go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, host: str, port: int) -> list[str]:
        with self._lock:
            self.asked.append(host)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.go.wait(20)
        with self._lock:
            self.at_once -= 1
        if host == "none.example":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return ["192.0.2.7"]


@pytest.fixture
def dns():
    made = Dns()
    yield made
    made.go.set()


def test_the_deadline_holds_and_the_same_name_is_asked_once(dns) -> None:
    resolve = Resolver(3, dns)
    for _time in range(3):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            resolve("slow.example", 443, 0.2)
        assert time.monotonic() - began < 1.5
    assert dns.asked == ["slow.example"]
    dns.go.set()
    assert resolve("slow.example", 443, 5) == ["192.0.2.7"]


def test_however_many_ask_so_many_threads_wait_for_dns(dns) -> None:
    resolve = Resolver(3, dns)
    ended: list[str] = []

    def ask(host: str) -> None:
        with pytest.raises(TimeoutError):
            resolve(host, 443, 0.3)
        ended.append(host)

    asking = [threading.Thread(target=ask, args=(f"h{n}.example",)) for n in range(20)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(10)
    assert len(ended) == 20
    assert dns.most == 3
    dns.go.set()
    assert resolve("later.example", 443, 5) == ["192.0.2.7"], "the places are free again"


def test_what_dns_does_not_know_is_told_to_everybody(dns) -> None:
    resolve = Resolver(3, dns)
    dns.go.set()
    for _time in range(2):
        with pytest.raises(socket.gaierror):
            resolve("none.example", 443, 5)


def test_a_hook_whose_name_hangs_is_given_up_in_time(dns, monkeypatch) -> None:
    monkeypatch.setattr(outbound, "resolver", Resolver(2, dns))
    began = time.monotonic()
    with pytest.raises(webhook.Undelivered, match=r"DNS did not answer for slow\.example"):
        webhook.post("https://slow.example/hook", b"{}", {}, seconds=0.5)
    assert time.monotonic() - began < 3
    with pytest.raises(HostUnknown, match=r"within 0\.2 s"):
        check_host("other.example", 443, private=True, seconds=0.2)
