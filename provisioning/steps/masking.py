"""What may be shown of a file: diffs with secrets masked, and the texts to mask in output."""

from __future__ import annotations

import difflib
import re

from provisioning.texts import gettext as _

MASK = "••••"
_PRIVATE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL
)
_FIELD = re.compile(
    r"(?:client-key-data|token|token-secret|token-id|secret|password)\"?\s*[:=]\s*\"?([^\s\"]{6,})"
)
_DIFF_LINES = 400


def secret_parts(text: str) -> frozenset[str]:
    """The texts in a secret file that must be masked wherever they turn up.

    Lines of private keys and the values of key, token, secret and password
    fields; not the harmless lines around them, which would make logs unreadable.
    """
    found = set(_FIELD.findall(text))
    for body in _PRIVATE.findall(text):
        found.update(line for line in body.split() if len(line) >= 8)
    return frozenset(found)


def diff(path: str, old: str, new: str, secret: bool) -> list[str]:
    """A unified diff of a file, or one masked line for a secret one. At most 400 lines."""
    if secret:
        size = _("(secret, %(size)d bytes)") % {"size": len(new.encode())}
        return [f"{path}: {MASK} {size}"]
    lines = list(
        difflib.unified_diff(
            old.splitlines(), new.splitlines(), path if old else "/dev/null", path, lineterm=""
        )
    )
    if len(lines) > _DIFF_LINES:
        more = _("… %(count)d more lines") % {"count": len(lines) - _DIFF_LINES}
        lines = [*lines[:_DIFF_LINES], more]
    return lines
