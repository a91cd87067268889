"""The form of an upgrade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from provisioning.action_nodes import DRAIN_SECONDS
from provisioning.forms_operations import OperationForm
from provisioning.models import Release

LEAST_DRAIN, MOST_DRAIN = 30, 24 * 3600  # seconds


class UpgradeForm(OperationForm):
    """Which release, and what a person accepts; what may not be is decided by kinds_upgrade."""

    release = forms.ModelChoiceField(
        label=_("Kubernetes version"),
        queryset=Release.objects.none(),
        empty_label=None,
        required=False,
    )
    accept_removed_apis = forms.BooleanField(
        label=_("Go on although API versions are in use that the new version no longer serves"),
        help_text=_("Whoever still uses them stops working with the upgrade."),
        required=False,
    )
    force = forms.BooleanField(
        label=_("Pods without a controller may go, too"),
        help_text=_("Nothing starts them anew on another node."),
        required=False,
    )
    drain_seconds = forms.IntegerField(
        label=_("Wait at most so many seconds for the pods of one node"),
        help_text=_("A PodDisruptionBudget can make a drain wait; the task says which."),
        initial=DRAIN_SECONDS,
        min_value=LEAST_DRAIN,
        max_value=MOST_DRAIN,
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, releases: Sequence[Release]
    ) -> None:
        super().__init__(data)
        field = self.fields["release"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Release.objects.filter(pk__in=[release.pk for release in releases])
        field.initial = releases[-1] if releases else None
