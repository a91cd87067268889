"""A person's kubeconfig, read as data: nothing is run, opened or connected to.

The libraries' own loaders run `exec` and `cmd-path`, read files of this machine and send them
to the file's own server, and go through its `proxy-url`. Here only what lies inside of the
text counts: server, CA, client certificate and key, token. Everything else is refused by name.
Fields: kubeconfig (v1) of the Kubernetes reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.given import Entry
from clusters.kube.given_secrets import certificates_pem, client_pair, decoded, token_expiry
from clusters.kube.given_secrets import plain_token as token_of
from clusters.kube.strict_yaml import Refused, load, path_of
from console.outbound import Network, OutboundRefused, check_address, plain_host

MOST_CONTEXTS = 200
_SERVER = re.compile(
    r"https://(\[[0-9a-fA-F:.]+\]|[^/:\[\]\s@?#%\\]+)(?::([0-9]{1,5}))?((?:/[A-Za-z0-9._~-]+)*)/?"
)

_FILE = gettext_lazy(
    "It names a file, which would be one of this console's machine. Put the content itself in "
    "(kubectl config view --flatten --minify --raw)."
)
_IMPERSONATION = gettext_lazy(
    "The console acts in the name of its own users and of nobody else's. Leave it out."
)
_BASIC = gettext_lazy(
    "API servers from Kubernetes 1.19 take no user name and password. Use a client certificate "
    "or a token."
)
_COMMAND = gettext_lazy(
    "It is a command, which would run on this console's machine. Use a client certificate or "
    "the token of a service account."
)
REFUSED_OF_CLUSTER: Mapping[str, Any] = {
    "certificate-authority": _FILE,
    "proxy-url": gettext_lazy("The console connects to the API server itself, through no proxy."),
    "insecure-skip-tls-verify": gettext_lazy(
        "Nobody would notice another server in between. Give the cluster's CA in "
        "certificate-authority-data."
    ),
    "tls-server-name": gettext_lazy(
        "The certificate has to name the host of the server's address. Use an address that it "
        "names."
    ),
}
REFUSED_OF_USER: Mapping[str, Any] = {
    "exec": _COMMAND,
    "auth-provider": _COMMAND,
    "client-certificate": _FILE,
    "client-key": _FILE,
    "tokenFile": _FILE,
    "username": _BASIC,
    "password": _BASIC,
    "as": _IMPERSONATION,
    "as-uid": _IMPERSONATION,
    "as-groups": _IMPERSONATION,
    "as-user-extra": _IMPERSONATION,
}
_TOP = {"apiVersion", "kind", "preferences", "current-context", "clusters", "users", "contexts"}
_CLUSTER = {"server", "certificate-authority-data", "disable-compression"}
_USER = {"client-certificate-data", "client-key-data", "token"}


@dataclass(frozen=True)
class Context:
    """A context by name; either an entry, or why there is none."""

    name: str
    entry: Entry | None = None
    refused: Refused | None = None
    current: bool = False


@dataclass(frozen=True)
class Reach:
    """Which addresses are fine for servers (console.outbound)."""

    private: bool = True
    allowed: Sequence[Network] = ()


def parse(given: str | bytes, reach: Reach | None = None) -> list[Context]:
    """The contexts of a kubeconfig (YAML or JSON, at most 256 KiB), at least one of them usable.

    Raises Refused for the text as a whole, and when no context is usable for
    the first one's reason.
    """
    top = _mapping(load(given), "", _TOP)
    if top.get("apiVersion") not in (None, "v1"):
        raise Refused("apiVersion", _("It is not v1."))
    if top.get("kind") not in (None, "Config"):
        raise Refused("kind", _("It is not Config: this is no kubeconfig."))
    clusters = _named(top, "clusters", "cluster")
    users = _named(top, "users", "user")
    contexts = _named(top, "contexts", "context")
    current = top.get("current-context")
    if not contexts:
        raise Refused("contexts", _("There is none."))
    if len(contexts) > MOST_CONTEXTS:
        raise Refused("contexts", _("There are more than %d.") % MOST_CONTEXTS)
    found = [
        _context(name, path, value, clusters, users, reach or Reach(), name == current)
        for name, (path, value) in contexts.items()
    ]
    reasons = [context.refused for context in found if context.refused]
    if len(reasons) == len(found):
        raise reasons[0]
    return found


def given_by_hand(
    server: str, ca: str, token: str, reach: Reach | None = None
) -> tuple[Entry | None, dict[str, str]]:
    """The entry of a server, a CA (PEM, may be empty) and a token; or why not, by field."""
    problems: dict[str, str] = {}

    def read(name: str, reader: Any, *given: Any) -> Any:
        try:
            return reader(*given)
        except Refused as refused:
            problems[name] = refused.why
        return ""

    address = read("server", server_of, server.strip(), "server", reach or Reach())
    pem = read("ca", certificates_pem, ca, "ca") if ca.strip() else ""
    plain = read("token", token_of, token.strip(), "token")
    if problems:
        return None, problems
    return Entry(address, pem, token=plain, expires=token_expiry(plain)), {}


def server_of(value: Any, path: str, reach: Reach) -> str:
    """The address of an API server: https, a host, perhaps a port and a path. Raises Refused.

    Addresses are checked at once; names when they are resolved.
    """
    if not isinstance(value, str) or not value:
        raise Refused(path, _("It is missing."))
    if not value.startswith("https://"):
        raise Refused(path, _("It has to begin with https://."))
    parts = _SERVER.fullmatch(value)
    if parts is None or len(value) > 255 or ".." in value or "/./" in value:
        # Not repeated: it may hold a password.
        raise Refused(
            path,
            _("It has to be https://host:port, perhaps with a path, and nothing else (no user, "
              "query or fragment)."),
        )  # fmt: skip
    try:
        host = plain_host(parts[1])
        port = int(parts[2] or 443)
        if not 0 < port < 65536:
            raise OutboundRefused(_("%d is no port.") % port)
        if ":" in host or host.replace(".", "").isdigit():
            check_address(host, private=reach.private, allowed=reach.allowed)
    except OutboundRefused as refused:
        raise Refused(path, str(refused)) from None
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}" + (f":{port}" if parts[2] else "") + parts[3]


def _context(
    name: str,
    path: str,
    value: dict[str, Any],
    clusters: dict[str, tuple[str, dict[str, Any]]],
    users: dict[str, tuple[str, dict[str, Any]]],
    reach: Reach,
    current: bool,
) -> Context:
    try:
        _known(value, path, {"cluster", "user", "namespace"})
        cluster_path, cluster = _chosen(value, path, "cluster", clusters)
        user_path, user = _chosen(value, path, "user", users)
        server, ca = _cluster(cluster, cluster_path, reach)
        certificate, key, token, expires = _user(user, user_path)
    except Refused as refused:
        return Context(name, refused=refused, current=current)
    return Context(name, Entry(server, ca, certificate, key, token, expires), current=current)


def _cluster(value: dict[str, Any], path: str, reach: Reach) -> tuple[str, str]:
    for name, why in REFUSED_OF_CLUSTER.items():
        harmless = name == "insecure-skip-tls-verify" and value.get(name) is False
        if name in value and not harmless:
            raise Refused(path_of(path, name), str(why))
    _known(value, path, _CLUSTER | {"insecure-skip-tls-verify"})
    server = server_of(value.get("server"), path_of(path, "server"), reach)
    where = path_of(path, "certificate-authority-data")
    data = decoded(value.get("certificate-authority-data"), where)
    return server, certificates_pem(data, where) if data else ""


def _user(value: dict[str, Any], path: str) -> tuple[str, str, str, datetime | None]:
    for name, why in REFUSED_OF_USER.items():
        if name in value:
            raise Refused(path_of(path, name), str(why))
    _known(value, path, _USER)
    at = path_of(path, "client-certificate-data")
    key_at = path_of(path, "client-key-data")
    certificate = decoded(value.get("client-certificate-data"), at)
    key = decoded(value.get("client-key-data"), key_at)
    given = value.get("token")
    token = token_of(given, path_of(path, "token")) if given not in (None, "") else ""
    if bool(certificate) != bool(key):
        missing = key_at if certificate else at
        raise Refused(missing, _("Client certificate and key belong together: it is missing."))
    ends = [token_expiry(token)]
    if certificate:
        certificate, key, end = client_pair(certificate, key, at, key_at)
        ends.append(end)
    elif not token:
        raise Refused(path, _("It has no client certificate and no token."))
    known = [end for end in ends if end is not None]
    return certificate, key, token, min(known, default=None)


def _named(top: dict[str, Any], plural: str, single: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """{name: (path of what it is, what it is)} of one of the three lists."""
    rows = top.get(plural)
    if rows is None:
        return {}
    if not isinstance(rows, list):
        raise Refused(plural, _("It is not a list."))
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for number, given in enumerate(rows):
        path = f"{plural}[{number}]"
        row = _mapping(given, path, {"name", single})
        name = row.get("name")
        at = path_of(path, "name")
        if not isinstance(name, str) or not name:
            raise Refused(at, _("It is missing."))
        if len(name) > 253 or not name.isprintable():
            raise Refused(at, _("It is longer than 253 characters or cannot be printed."))
        if name in found:
            raise Refused(at, _("This name is there twice."))
        below = path_of(path, single)
        value = row.get(single)
        found[name] = below, _mapping({} if value is None else value, below, None)
    return found


def _chosen(
    context: dict[str, Any], path: str, part: str, rows: dict[str, tuple[str, dict[str, Any]]]
) -> tuple[str, dict[str, Any]]:
    name = context.get(part)
    if not isinstance(name, str) or name not in rows:
        raise Refused(path_of(path, part), _("There is nothing of this name in the file."))
    return rows[name]


def _mapping(value: Any, path: str, known: set[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(path or _("file"), _("It is not a mapping of fields."))
    if known is not None:
        _known(value, path, known)
    return value


def _known(value: dict[str, Any], path: str, known: set[str]) -> None:
    for name in value:
        if name not in known and name != "extensions":
            raise Refused(path_of(path, name), _("This field is not known."))
