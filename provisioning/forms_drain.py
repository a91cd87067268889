"""The form of a drain: what may go with it, and how long it may take."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class DrainForm(forms.Form):
    """The options of `kubectl drain`; pods of DaemonSets always stay."""

    local_data = forms.BooleanField(
        label=_("Delete the data of emptyDir volumes"),
        required=False,
        help_text=_("Without it the drain is refused while a pod has such a volume."),
    )
    force = forms.BooleanField(
        label=_("Also pods that no controller makes anew"),
        required=False,
        help_text=_("They are lost. Without it the drain is refused while there is one."),
    )
    grace = forms.IntegerField(
        label=_("Grace period in seconds"),
        required=False,
        min_value=0,
        max_value=86_400,
        help_text=_("For every pod; empty: each pod's own."),
    )
    timeout = forms.IntegerField(
        label=_("Give up after so many seconds"),
        initial=900,
        min_value=10,
        max_value=86_400,
        help_text=_("The node stays cordoned then, and the task can be retried."),
    )

    @property
    def options(self) -> dict[str, Any]:
        """The options as the task takes them."""
        return {name: self.cleaned_data[name] for name in self.fields}
