"""The one place where values become shell text, and the grammars they must fit.

Everything that reaches a host's shell passes `quote`, or is checked against one
of the grammars below so that it needs no quoting at all (security.md, rule 4).
"""

from __future__ import annotations

import ipaddress
import re

# RFC 1123 label: what Kubernetes takes as the name of a node, and DNS as one part of a host name.
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_TOKEN = re.compile(r"[A-Za-z0-9:/._@+=,%-]+")
_PATH = re.compile(r"/(?:[A-Za-z0-9._@+=:,%-]+/)*[A-Za-z0-9._@+=:,%-]+")
_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]+\.(?:service|socket|timer|target|mount|path)")
_SYSCTL = re.compile(r"[a-z0-9_]+(?:[./][A-Za-z0-9_*-]+)+")
_IMAGE = re.compile(r"[a-z0-9](?:[A-Za-z0-9._:/@-]{0,254}[A-Za-z0-9])?")
_VERSION = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][A-Za-z0-9.+-]+)?")


def quote(value: str) -> str:
    """`value` as exactly one word of a POSIX shell.

    In: any text. Out: the same text in single quotes. Raises ValueError for
    text with a NUL character, which no shell can carry.
    """
    if "\0" in value:
        raise ValueError("text with a NUL character cannot be given to a shell")
    return "'" + value.replace("'", "'\\''") + "'"


def command(*words: str) -> str:
    """A command line from its words, each quoted."""
    return " ".join(quote(word) for word in words)


def _checked(value: str, grammar: re.Pattern[str], what: str) -> str:
    if not grammar.fullmatch(value):
        raise ValueError(f"{value!r} is not {what}")
    return value


def label(value: str) -> str:
    """A DNS label (RFC 1123), as nodes and clusters are named. ValueError if not."""
    return _checked(value, _LABEL, "a DNS label (a-z, 0-9 and '-', at most 63 characters)")


def token(value: str) -> str:
    """Text that needs quoting neither in a shell nor in JSON. ValueError if not."""
    return _checked(value, _TOKEN, "a plain token")


def path(value: str) -> str:
    """An absolute path without blanks, quotes, '.' or '..' parts. ValueError if not."""
    _checked(value, _PATH, "an absolute path of plain characters")
    if {".", ".."} & set(value.split("/")):
        raise ValueError(f"{value!r} leads through '.' or '..'")
    return value


def unit(value: str) -> str:
    """A systemd unit's name with its ending, like "kubelet.service". ValueError if not."""
    return _checked(value, _UNIT, "the name of a systemd unit")


def sysctl(value: str) -> str:
    """The name of a kernel setting, like "net.ipv4.ip_forward". ValueError if not."""
    return _checked(value, _SYSCTL, "the name of a kernel setting")


def image(value: str) -> str:
    """An image reference. ValueError if not."""
    return _checked(value, _IMAGE, "an image reference")


def version(value: str) -> str:
    """A version such as "1.20.2" or "v1.33.1-rc.0". ValueError if not."""
    return _checked(value, _VERSION, "a version")


def address(value: str) -> str:
    """An IP address in its canonical form. ValueError if not."""
    return str(ipaddress.ip_address(value))


def network(value: str) -> str:
    """An IP network in CIDR form without host bits. ValueError if not."""
    return str(ipaddress.ip_network(value))
