"""Delete: every host back to what it was, and a look whether anything is left."""

from __future__ import annotations

from provisioning.spec import ClusterSpec
from provisioning.steps.base import Phase, Placed, Recipe
from provisioning.steps.undo import RescanStep, UndoStep


def phases(spec: ClusterSpec) -> tuple[Phase, ...]:
    """All hosts at once, nothing drained: the cluster goes away with everything that runs on it."""
    return (
        Phase("undo", "Clean the hosts", (Placed(UndoStep(), spec.hosts),)),
        Phase("rescan", "Rescan", (Placed(RescanStep(), spec.hosts),)),
    )


DELETE = Recipe("delete", "Delete the cluster", phases)
