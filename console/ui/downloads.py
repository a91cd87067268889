"""The header that makes an answer a file; names come from clusters and people."""

from __future__ import annotations

import re

from django.utils.http import content_disposition_header

LONGEST = 200
# What no file system takes, or what would end the header or turn the text around.
_ODD = re.compile(
    r"[\x00-\x1f\x7f-\x9f/\\:*?\"<>|\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def attachment(name: str) -> str:
    """Content-Disposition for a download of this file name; odd characters become underscores.

    A name that is too long loses its middle, so that the extension stays.
    """
    name = _ODD.sub("_", name)
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 41]}_{name[-40:]}"
    return str(content_disposition_header(True, name))
