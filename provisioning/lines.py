"""Turns the bytes that a host sends into lines of text, whatever the bytes are."""

from __future__ import annotations

import codecs

# A longer line is cut into consecutive lines of this many characters, so that one
# line of ten megabytes neither fills the memory nor is lost.
LINE_CHARACTERS = 8192
# Lines for the engine (they begin with the run's nonce) are kept whole up to this length.
EVENT_CHARACTERS = 4 * 1024 * 1024


class LineSplitter:
    """Bytes in, whole lines out; characters split over chunks stay whole.

    Broken UTF-8 becomes U+FFFD, NUL becomes U+2400 (PostgreSQL keeps no NUL), the
    line end and a carriage return before it are dropped.
    """

    def __init__(self, nonce: str = "") -> None:
        self.nonce = nonce
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete."""
        *lines, rest = (self._rest + self._decoder.decode(data)).split("\n")
        cut: list[str] = []
        if len(rest) > LINE_CHARACTERS and not self._is_event(rest):
            whole = len(rest) - len(rest) % LINE_CHARACTERS
            lines.append(rest[:whole])
            rest = rest[whole:]
        self._rest = rest
        for line in lines:
            cut += self._cut(line)
        return cut

    def end(self) -> list[str]:
        """What is left when the stream ends: the last line without a line end, if any."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        return self._cut(rest) if rest else []

    def _is_event(self, line: str) -> bool:
        return bool(self.nonce) and line.startswith(self.nonce) and len(line) < EVENT_CHARACTERS

    def _cut(self, line: str) -> list[str]:
        line = line.removesuffix("\r").replace("\x00", "\u2400")
        if len(line) <= LINE_CHARACTERS or self._is_event(line):
            return [line]
        return [line[i : i + LINE_CHARACTERS] for i in range(0, len(line), LINE_CHARACTERS)]
