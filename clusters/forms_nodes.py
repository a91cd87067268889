"""Forms of nodes: labels and taints, a line each."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clusters.grammar import Wrong, label_lines, labels_of, taints_of
from clusters.kube.nodes_api import Marks

_LINES = {"rows": 10, "class": "font-monospace", "spellcheck": "false", "autocapitalize": "off"}


class MarksForm(forms.Form):
    """Labels and taints of a node as lines, and what the person saw when the page was made."""

    labels = forms.CharField(
        label=_("Labels"),
        required=False,
        widget=forms.Textarea(attrs=_LINES),
        help_text=_("One key=value a line. A line that you remove removes its label."),
    )
    taints = forms.CharField(
        label=_("Taints"),
        required=False,
        widget=forms.Textarea(attrs={**_LINES, "rows": 4}),
        help_text=_(
            "One key=value:Effect a line; effects are NoSchedule, PreferNoSchedule and NoExecute. "
            "NoExecute also evicts the pods that do not tolerate it."
        ),
    )
    seen = forms.CharField(widget=forms.HiddenInput)

    @classmethod
    def of(cls, marks: Marks) -> MarksForm:
        """The form with what is there now."""
        taints = "\n".join(
            f"{t['key']}{'=' if t['value'] else ''}{t['value']}:{t['effect']}" for t in marks.taints
        )
        seen = json.dumps([marks.labels, marks.taints])
        return cls(initial={"labels": label_lines(marks.labels), "taints": taints, "seen": seen})

    def clean_labels(self) -> dict[str, str]:
        """The labels. Invalid naming the line."""
        try:
            return labels_of(self.cleaned_data["labels"])
        except Wrong as wrong:
            raise forms.ValidationError(str(wrong)) from None

    def clean_taints(self) -> list[dict[str, str]]:
        """The taints. Invalid naming the line."""
        try:
            return [taint._asdict() for taint in taints_of(self.cleaned_data["taints"])]
        except Wrong as wrong:
            raise forms.ValidationError(str(wrong)) from None

    def clean_seen(self) -> Marks:
        """What the page showed. Invalid for anything that this form did not write."""
        try:
            labels, taints = json.loads(self.cleaned_data["seen"])
            return Marks(
                {str(k): str(v) for k, v in dict(labels).items()},
                [{part: str(t[part]) for part in ("key", "value", "effect")} for t in taints],
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise forms.ValidationError(_("Load the page again.")) from None

    @property
    def wanted(self) -> Marks:
        """What the person wants."""
        data: dict[str, Any] = self.cleaned_data
        return Marks(data["labels"], data["taints"])
