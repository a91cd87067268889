"""What every way out says when it could not send."""

from __future__ import annotations


class Refused(Exception):
    """The receiver did not confirm; the message says why, in one sentence."""


class Wanted(Exception):
    """The receiver asks for another position next."""

    def __init__(self, position: int) -> None:
        super().__init__(f"The receiver asked for position {position}.")
        self.position = position
