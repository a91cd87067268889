"""Forms of snapshots: when they are taken, and the confirmation of a restore."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from console.ui.forms import ConfirmNameForm
from provisioning.models_snapshots import Snapshot, SnapshotSchedule
from provisioning.snapshots import SCHEDULE_FIELDS


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]
    """When snapshots are taken by themselves, and how many are kept."""

    class Meta:
        model = SnapshotSchedule
        fields = SCHEDULE_FIELDS
        help_texts = {
            "keep_count": _("The oldest go first, whoever took them; the newest good one stays."),
            "keep_days": _("Older ones are removed after the next good snapshot."),
        }


class RestoreForm(ConfirmNameForm):
    """Which snapshot, and the cluster's name typed out."""

    snapshot = forms.ModelChoiceField(Snapshot.objects.none(), widget=forms.HiddenInput)

    def __init__(self, *args: Any, choices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["snapshot"].queryset = choices  # type: ignore[attr-defined]
