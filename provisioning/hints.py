"""What to do about a failure: one text for each code that a step's script may report."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

HINTS = {
    "disk_full": gettext_noop(
        "Free space on the named file system of the host (look at logs and images), then retry."
    ),
    "not_writable": gettext_noop(
        "The file system is read-only or the path is protected: mend it on the host, then retry."
    ),
}
UNKNOWN = gettext_noop("Look at what was found and at the last lines of output, mend it and retry.")


def hint(code: str) -> str:
    """The hint for a code in the reader's language; a general one for a code without its own."""
    return _(HINTS.get(code, UNKNOWN))
