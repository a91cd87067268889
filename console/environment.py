"""Small readers of environment variables that fail loudly and name the mend."""

from __future__ import annotations

import os
import re
import secrets
import time
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123
FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """The variable's text, or the default where it is unset."""
    return os.environ.get(name, default)


def flag(name: str, default: bool) -> bool:
    """A yes or no. Raises ImproperlyConfigured for any other word."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    word = raw.strip().lower()
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={raw!r} is neither yes nor no: use 1 or 0.")


def number(name: str, default: int, least: int = 0) -> int:
    """A whole number of at least `least`. Raises ImproperlyConfigured otherwise."""
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a whole number.") from None
    if value < least:
        raise ImproperlyConfigured(f"{name}={value} is too small: at least {least}.")
    return value


def words(name: str, default: str = "") -> list[str]:
    """A list separated by commas, blanks dropped."""
    return [w.strip() for w in os.environ.get(name, default).split(",") if w.strip()]


def names(name: str) -> tuple[str, ...]:
    """Names of Kubernetes separated by commas. Raises ImproperlyConfigured for others."""
    found = tuple(words(name))
    for word in found:
        if not LABEL.fullmatch(word):
            raise ImproperlyConfigured(
                f"{name}: {word!r} is no name of a namespace. Write names such as kube-flannel."
            )
    return found


def networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks separated by commas (192.0.2.0/24). Raises ImproperlyConfigured for others."""
    try:
        return tuple(ip_network(word) for word in words(name))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}. Write networks as 192.0.2.0/24.") from None


def path(name: str, default: Path) -> Path:
    """A path, with ~ understood."""
    raw = os.environ.get(name)
    return Path(raw).expanduser() if raw else default


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of the words. Raises ImproperlyConfigured for any other."""
    word = os.environ.get(name, default)
    if word not in choices:
        raise ImproperlyConfigured(f"{name}={word!r} is none of {', '.join(choices)}.")
    return word


def text_of_file(name: str) -> str:
    """The text of the file that the variable names, without the line's end; empty when unset.

    Raises ImproperlyConfigured when it cannot be read.
    """
    raw = os.environ.get(name)
    if not raw:
        return ""
    try:
        return Path(raw).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}={raw!r} cannot be read: {error}.") from None


def minutes(name: str, default: int) -> timedelta:
    """A length of time given in whole minutes, at least one."""
    return timedelta(minutes=number(name, default, least=1))


def secret_from_file(file: Path) -> str:
    """The random text kept in a file that only its owner reads, made at first use.

    Created with O_EXCL, so that two processes that start together agree on one.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _existing_secret(file)
    with os.fdopen(descriptor, "w") as out:
        value = secrets.token_urlsafe(50)
        out.write(value)
    return value


def _existing_secret(file: Path) -> str:
    if file.stat().st_mode & 0o077:
        raise ImproperlyConfigured(f"{file} is readable by others: run chmod 600 {file}.")
    for _attempt in range(50):
        # The other process has made the file and not yet written it.
        if value := file.read_text().strip():
            return value
        time.sleep(0.02)
    raise ImproperlyConfigured(f"{file} is empty: remove it and start again.")
