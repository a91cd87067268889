"""The one error of the lab, and the type of what receives live output."""

from collections.abc import Callable

Output = Callable[[str], None]


def silent(line: str) -> None:
    """Take a line of output and drop it."""


class LabError(Exception):
    """Something in the lab went wrong: what, why, and what mends it."""

    def __init__(self, what: str, cause: str, mend: str) -> None:
        super().__init__(what, cause, mend)
        self.what = what
        self.cause = cause
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what}: {self.cause}. To mend it: {self.mend}"
