"""System checks of settings that can be wrong, each with an id and a mend.

`manage.py check` runs the plain ones, `manage.py check --deploy` also those that only
matter where others reach the console. docs/configuration.md lists the ids.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.db import DatabaseError

from console.secrets.keyring import RING_VARIABLE, SecretError, parse

Messages = list[checks.CheckMessage]
Apps = Sequence[AppConfig] | None


@checks.register(checks.Tags.security)
def key_ring(app_configs: Apps, **_kwargs: Any) -> Messages:
    """E001 unusable ring, E002 readable by others."""
    if text := os.environ.get(RING_VARIABLE):
        try:
            parse(text)
        except SecretError as error:
            hint = f"{RING_VARIABLE} holds Fernet keys separated by commas, the primary one first."
            return [checks.Error(str(error), hint=hint, id="flotilla.E001")]
        return []
    file = Path(settings.KEY_RING_FILE)
    if not file.exists():
        return []  # made at first use
    if found := _open_to_others(file, "flotilla.E002"):
        return [found]
    try:
        parse(file.read_text())
    except (SecretError, OSError) as error:
        hint = "Restore the file from a backup: without it the stored secrets cannot be opened."
        return [checks.Error(f"{file}: {error}", hint=hint, id="flotilla.E001")]
    return []


@checks.register(checks.Tags.security)
def private_files(app_configs: Apps, **_kwargs: Any) -> Messages:
    """E003 secret key open to others, W003 data directory open to others."""
    found: Messages = []
    secret_key, data = Path(settings.SECRET_KEY_FILE), Path(settings.DATA_DIR)
    if secret_key.exists() and (message := _open_to_others(secret_key, "flotilla.E003")):
        found.append(message)
    if data.exists() and (message := _open_to_others(data, "flotilla.W003")):
        found.append(message)
    return found


@checks.register(checks.Tags.security)
def session_times(app_configs: Apps, **_kwargs: Any) -> Messages:
    """E004 a session whose absolute time is shorter than its idle time."""
    if settings.SESSION_MAX_SECONDS >= settings.SESSION_COOKIE_AGE:
        return []
    return [
        checks.Error(
            "FLOTILLA_SESSION_MAX_SECONDS is less than FLOTILLA_SESSION_IDLE_SECONDS.",
            hint="Raise the first or lower the second.",
            id="flotilla.E004",
        )
    ]


@checks.register(checks.Tags.security)
def mirror(app_configs: Apps, **_kwargs: Any) -> Messages:
    """E005 a mirror that is no web address, W005 one without TLS."""
    parts = urlsplit(settings.RELEASE_MIRROR)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        hint = "Give an address such as https://mirror.example/kubernetes."
        message = f"FLOTILLA_RELEASE_MIRROR={settings.RELEASE_MIRROR!r} is no web address."
        return [checks.Error(message, hint=hint, id="flotilla.E005")]
    if parts.scheme == "http" and not _is_local(parts.hostname):
        return [
            checks.Warning(
                "Releases and their checksums come from the mirror without TLS.",
                hint="Set FLOTILLA_RELEASE_MIRROR to an https address.",
                id="flotilla.W005",
            )
        ]
    return []


@checks.register(checks.Tags.security, deploy=True)
def reached_by_others(app_configs: Apps, **_kwargs: Any) -> Messages:
    """E006 DEBUG, E007 no TLS, and W008 any host name, where others reach the console."""
    names = [name for name in settings.ALLOWED_HOSTS if not _is_local(name)]
    if not names:
        return []
    found: Messages = []
    shown = ", ".join(names)
    if settings.DEBUG:
        found.append(
            checks.Error(
                f"FLOTILLA_DEBUG is on and the console answers to {shown}: "
                "error pages show settings and local variables to everybody.",
                hint="Unset FLOTILLA_DEBUG.",
                id="flotilla.E006",
            )
        )
    if not settings.HTTPS:
        found.append(
            checks.Error(
                f"FLOTILLA_HTTPS is off and the console answers to {shown}: "
                "passwords and sessions cross the network readable.",
                hint="Put TLS in front (a proxy that sets X-Forwarded-Proto) and set "
                "FLOTILLA_HTTPS=1.",
                id="flotilla.E007",
            )
        )
    if "*" in names:
        found.append(
            checks.Warning(
                "FLOTILLA_ALLOWED_HOSTS holds *: any host name is believed.",
                hint="Name the hosts that people type.",
                id="flotilla.W008",
            )
        )
    return found


@checks.register(checks.Tags.security)
def public_address(app_configs: Apps, **_kwargs: Any) -> Messages:
    """E010 an own address that is no web address."""
    parts = urlsplit(settings.PUBLIC_URL)
    if not settings.PUBLIC_URL or (parts.scheme in ("http", "https") and parts.hostname):
        return []
    return [
        checks.Error(
            f"FLOTILLA_PUBLIC_URL={settings.PUBLIC_URL!r} is no web address.",
            hint="Give the address that people type, such as https://console.example.",
            id="flotilla.E010",
        )
    ]


@checks.register(checks.Tags.security, deploy=True)
def email_server(app_configs: Apps, **_kwargs: Any) -> Messages:
    """W009 a channel of type e-mail, and no server to send through."""
    # Checks are read before the apps' models are there.
    from console.notices.models import Channel, ChannelType

    try:
        names = list(
            Channel.objects.filter(type=ChannelType.EMAIL, enabled=True).values_list(
                "name", flat=True
            )
        )
    except DatabaseError:
        return []  # no database yet, or one that migrate has still to be run on
    if settings.EMAIL_HOST or not names:
        return []
    return [
        checks.Warning(
            f"Notices are to go out by e-mail ({', '.join(names)}) and no server is set.",
            hint="Set FLOTILLA_EMAIL_HOST, or remove the channels.",
            id="flotilla.W009",
        )
    ]


def _open_to_others(path: Path, check_id: str) -> checks.CheckMessage | None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return None
    kind = checks.Warning if ".W" in check_id else checks.Error
    return kind(
        f"{path} is open to others (mode {mode:o}).",
        hint=f"Run: chmod {'700' if path.is_dir() else '600'} {path}",
        id=check_id,
    )


def _is_local(name: str) -> bool:
    bare = name.strip("[]").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
