"""Reading what people type about hosts: addresses, users, names, and whole lists of them.

Pure: nothing here looks into the database or opens a connection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    pass

MAX_LINES = 500
MAX_BYTES = 64 * 1024

# RFC 1123 label, as node names must be; clusters.models.dns_label is the same for models.
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_HOST_PART = re.compile(r"[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?")
# What useradd and directory services make. Never a hyphen first: it would read as an option.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.@\\-]{0,62}\$?")


class InputError(ValueError):
    """Something typed that cannot be meant; the message says why."""


@dataclass(frozen=True)
class HostEntry:
    """One host as typed. line: its number in the list; username: "" for the credential's."""

    line: int
    name: str
    address: str
    port: int = 22
    username: str = ""


@dataclass(frozen=True)
class LineError:
    """One line that cannot be taken: its number from 1, its text and the cause."""

    line: int
    text: str
    cause: str

    def __str__(self) -> str:
        return _("Line %(line)d, “%(text)s”: %(cause)s") % {
            "line": self.line,
            "text": self.text,
            "cause": self.cause,
        }


def clean_name(text: str) -> str:
    """A host's name. Raises InputError unless it is a DNS label."""
    if not _LABEL.fullmatch(text):
        raise InputError(
            _(
                "“%(name)s” is no name for a host: use lower-case letters, digits and hyphens, "
                "starting and ending with a letter or digit, at most 63 characters."
            )
            % {"name": _short(text)}
        )
    return text


def clean_user(text: str) -> str:
    """A user on the host; empty stays empty (the credential's). Raises InputError."""
    if text and not _USER.fullmatch(text):
        raise InputError(_("“%(user)s” is no user name of a Linux host.") % {"user": _short(text)})
    return text


def clean_port(text: str) -> int:
    """A TCP port. Raises InputError."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise InputError(
            _("“%(port)s” is no port: use a number from 1 to 65535.") % {"port": _short(text)}
        )
    return int(text)


def clean_address(text: str) -> str:
    """An IPv4 or IPv6 address or a host name, in its one canonical spelling. Raises InputError.

    Whether a host name resolves is not asked: the check of the host says so.
    """
    bare = text.strip().removeprefix("[").removesuffix("]")
    try:
        ip = ipaddress.ip_address(bare)
    except ValueError:
        return _clean_host_name(text.strip())
    if "%" in bare:
        raise InputError(
            _("%(address)s names an interface of one machine: use an address without %%.")
            % {"address": _short(bare)}
        )
    if ip.is_unspecified or ip.is_multicast or str(ip) == "255.255.255.255":
        raise InputError(_("%(address)s is not the address of one host.") % {"address": ip})
    return str(ip)


def _clean_host_name(text: str) -> str:
    name = text.lower().removesuffix(".")
    parts = name.split(".")
    if re.fullmatch(r"[0-9.]+", name):
        raise InputError(
            _("“%(address)s” is no IPv4 address: it has four numbers from 0 to 255.")
            % {"address": _short(text)}
        )
    if not name or len(name) > 253 or not all(_HOST_PART.fullmatch(part) for part in parts):
        raise InputError(
            _("“%(address)s” is neither an IP address nor a host name.") % {"address": _short(text)}
        )
    return name


def name_from(address: str) -> str:
    """A name for a host of which only the address is known: its first label, or host-10-0-0-7."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        first = re.sub(r"[^a-z0-9]+", "-", address.split(".", maxsplit=1)[0]).strip("-")
        return first[:63].strip("-") or "host"
    flat = re.sub(r"[^a-z0-9]+", "-", str(ip).replace("::", "-0-")).strip("-")
    return f"host-{flat}"


def parse_host_lines(text: str) -> tuple[list[HostEntry], list[LineError]]:
    """`user@address:port name`, one host in a line; user, port and name may be left out.

    Lines that are empty or start with # are passed over, as is what follows " #". IPv6
    addresses stand in brackets where a port follows. Returns every host that could be read
    and an error for every line that could not: names and addresses that appear twice are
    errors of the later line.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        return [], [LineError(1, _short(text), _("the list is longer than 64 KiB."))]
    entries: list[HostEntry] = []
    errors: list[LineError] = []
    # Only the line ends that people type: str.splitlines() also splits at form feeds.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        wanted = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if not wanted:
            continue
        if len(entries) + len(errors) == MAX_LINES:
            cause = _("at most %(limit)d hosts at a time.") % {"limit": MAX_LINES}
            errors.append(LineError(number, _short(wanted), cause))
            break
        try:
            entry = _entry(number, wanted)
            _refuse_twice(entry, entries)
        except InputError as error:
            errors.append(LineError(number, _short(wanted), str(error)))
        else:
            entries.append(entry)
    return entries, errors


def _entry(number: int, line: str) -> HostEntry:
    words = line.split()
    if len(words) > 2:
        raise InputError(
            _("there are %(count)d words, and “user@address:port name” has two.")
            % {"count": len(words)}
        )
    target, name = words[0], words[1] if len(words) == 2 else ""
    user, at, rest = target.rpartition("@")
    if at and not user:
        raise InputError(_("there is no user before the @."))
    host, port = _split_port(rest)
    address = clean_address(host)
    return HostEntry(
        line=number,
        name=clean_name(name or name_from(address)),
        address=address,
        port=clean_port(port) if port is not None else 22,
        username=clean_user(user),
    )


def _split_port(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        inside, closed, after = text[1:].partition("]")
        if not closed:
            raise InputError(_("the bracket of the IPv6 address is not closed."))
        try:
            ipaddress.IPv6Address(inside)
        except ValueError:
            raise InputError(
                _("“%(address)s” is no IPv6 address.") % {"address": _short(inside)}
            ) from None
        if after and not after.startswith(":"):
            raise InputError(_("after the bracket comes :port or nothing."))
        return inside, after[1:] if after else None
    if text.count(":") > 1:
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            raise InputError(
                _("“%(address)s” is no address.") % {"address": _short(text)}
            ) from None
        # Without brackets nobody can tell a port from the address's last group.
        raise InputError(
            _("write an IPv6 address in brackets: [%(address)s]:22.") % {"address": text}
        )
    host, colon, port = text.partition(":")
    if not host:
        raise InputError(_("there is no address."))
    return host, port if colon else None


def _refuse_twice(entry: HostEntry, earlier: Iterable[HostEntry]) -> None:
    for other in earlier:
        if other.name == entry.name:
            raise InputError(
                _("the name %(name)s is already in line %(line)d.")
                % {"name": entry.name, "line": other.line}
            )
        if (other.address, other.port) == (entry.address, entry.port):
            raise InputError(
                _("the address %(address)s, port %(port)d is already in line %(line)d.")
                % {"address": entry.address, "port": entry.port, "line": other.line}
            )


def _short(text: str) -> str:
    """What was typed, fit to be repeated in a message: one line, no control characters."""
    line = "".join(char if char.isprintable() else "�" for char in text)
    return line if len(line) <= 80 else line[:79] + "…"
