"""Forms of what is done to workloads."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clusters.kube.workloads_api import MOST_REPLICAS
from console.ui.forms import ConfirmNameForm

PROPAGATIONS = (
    ("Background", _("What it made goes too, afterwards (Background)")),
    ("Foreground", _("What it made goes first, then it (Foreground)")),
    ("Orphan", _("What it made stays and belongs to nobody (Orphan)")),
)


class ScaleForm(forms.Form):
    """How many replicas there are to be."""

    replicas = forms.IntegerField(
        label=_("Replicas"),
        min_value=0,
        max_value=MOST_REPLICAS,
        help_text=_("0 ends every pod and keeps the workload."),
    )


class DeleteForm(ConfirmNameForm):
    """What becomes of what the object made, and its name letter by letter."""

    propagation = forms.ChoiceField(
        label=_("What goes with it"),
        choices=PROPAGATIONS,
        initial="Background",
        widget=forms.RadioSelect,
    )
    field_order = ("propagation", "confirm_name")

    def __init__(self, *args: Any, owns: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not owns:
            del self.fields["propagation"]
