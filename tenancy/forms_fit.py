"""The form of “Will it fit?”: YAML that is pasted or uploaded, and nothing else."""

from __future__ import annotations

from typing import Any

from clusters.forms_manifests import ManifestsForm


class FitForm(ManifestsForm):
    """Manifests as they would be applied to one namespace."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["namespace"], self.fields["force"]
