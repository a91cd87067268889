"""What every form of an operation has: its wish as plain values, and problems beside its fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from provisioning.steps.base import Problem


class OperationForm(forms.Form):
    """A form that is lenient on purpose: what may not be is decided by cluster_operations.

    What that finds comes back to the fields with show().
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.other_problems: list[Problem] = []

    @property
    def has_problems(self) -> bool:
        """Whether anything speaks against what was sent."""
        return bool(self.errors or self.other_problems)

    def show(self, problems: Iterable[Problem]) -> None:
        """Put each problem beside its field; the others are for the top of the page."""
        for problem in problems:
            field = self.field_of(problem)
            if field:
                self.add_error(field, f"{problem.what} {problem.mend}".strip())
            else:
                self.other_problems.append(problem)

    def values(self) -> dict[str, Any]:
        """For cluster_operations; call is_valid() first, and this whatever it says."""
        return dict(self.cleaned_data)

    def confirmed(self) -> bool:
        """Whether a person confirmed the launch, where that is asked for; else says so."""
        return True

    def field_of(self, problem: Problem) -> str:
        """The name of the field that a problem belongs to, "" for none."""
        return problem.field if problem.field in self.fields else ""
