"""Facts about a VIP: whether it is here, whether somebody else answers for it, which VRRP routers
are heard. Asked only when a VIP is given, beside the other facts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from provisioning.facts_system import FactClass, Fields

SECONDS = 1.4  # how long a host listens for VRRP, whose routers speak every second by default
_MAC = re.compile(r"\b[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}\b")
_MAX_HEARD = 64 * 1024  # bytes of VRRP that are looked at
_V2_AUTHENTICATION = 8  # bytes at the end of a VRRPv2 packet (RFC 3768, 5.1)

# Read-only but for the kernel's neighbour table, which forgets by itself. $vip is set before.
_ASK = r"""
here=$(ip -o -4 address show to "$vip/32" | awk '{print $2; exit}')
[ -z "$here" ] || echo "here $here"
dev=${here:-$(ip -o route get "$vip" | sed -n 's/.* dev \([^ ]*\).*/\1/p')}
[ -n "$dev" ] || exit 0
if command -v socat >/dev/null; then
  timeout %(seconds)s socat -u "IP4-RECV:112,ip-add-membership=224.0.0.18:$dev" - | head -c 65536 |
    od -An -v -tx1 | sed 's/^/vrrp /' &
  # A host that may not open such a socket ends at once.
  sleep 0.2; if kill -0 $! 2>/dev/null; then echo listened; fi
fi
if command -v arping >/dev/null; then
  timeout %(seconds)s arping -c 2 -w 2 -I "$dev" "$vip" | sed 's/^/arp /'
elif busybox arping --help >/dev/null 2>&1 || [ "$(busybox arping 2>&1 | grep -c Usage)" = 1 ]; then
  timeout %(seconds)s busybox arping -c 2 -w 2 -I "$dev" "$vip" | sed 's/^/arp /'
elif [ -z "$here" ]; then
  # An old entry must not pass for an answer.
  ip neigh del "$vip" dev "$dev"
  if command -v ping >/dev/null; then ping -n -c 1 -W 1 "$vip" >/dev/null
  else bash -c 'echo >"/dev/udp/$1/9"' - "$vip"; sleep 1
  fi
  ip neigh show to "$vip" dev "$dev" | grep -v -e FAILED -e INCOMPLETE | sed 's/^/arp /'
fi
wait
"""


def beside(vip: str, body: str, mark: str) -> str:
    """Shell text that does `body` and asks about the VIP meanwhile, then prints `mark` and answers.

    vip: an address that needs no quoting (provisioning.shell.address). Needs
    no file: the answers wait in a pipe.
    """
    ask = _ASK % {"seconds": SECONDS}
    return (
        f"( vip={vip}\n{ask} ) | {{ exec 5<&0 </dev/null\n{body}echo '{mark}'\n"
        "cat <&5; exec 5<&-; }\n"
    )


class Vip(FactClass):
    """What `beside` prints last."""

    name = "vip"
    snippet = ""

    def parse(self, lines: Sequence[str]) -> Fields:
        """vip_here, vip_answers, vrrp_listened, vrrp_heard; nothing for no lines."""
        if not lines:
            return {}
        answers = ""
        heard = bytearray()
        here = listened = False
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "here":
                here = True
            elif kind == "listened":
                listened = True
            elif kind == "arp" and (mac := _MAC.search(rest)) and not answers:
                answers = mac[0].lower()
            elif kind == "vrrp" and len(heard) < _MAX_HEARD:
                heard += _hex(rest)
        return {
            "vip_here": here,
            "vip_answers": answers,
            "vrrp_listened": listened,
            "vrrp_heard": router_ids(bytes(heard)),
        }


def _hex(text: str) -> bytes:
    words = text.split()
    if not all(re.fullmatch(r"[0-9a-f]{2}", word) for word in words):
        return b""
    return bytes.fromhex("".join(words))


def router_ids(stream: bytes) -> tuple[int, ...]:
    """The virtual router ids in VRRP packets, one after another without their IP headers, sorted.

    RFC 3768 and 5798, 5.1: version and type (1), virtual router id, priority,
    number of addresses; 8 bytes of header, 4 for each address, 8 more in version
    2. What comes after something that is no such packet is not read.
    """
    found: set[int] = set()
    at = 0
    while at + 8 <= len(stream):
        first, router, addresses = stream[at], stream[at + 1], stream[at + 3]
        if first not in (0x21, 0x31) or router == 0:
            break
        found.add(router)
        at += 8 + 4 * addresses + (_V2_AUTHENTICATION if first == 0x21 else 0)
    return tuple(sorted(found))
