"""The button that drains a node, on the page of the node's object."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from clusters.object_actions import NODES, possible
from clusters.object_tabs import ObjectAction, object_registry


def register() -> None:
    """Add it."""
    object_registry.add_action(
        ObjectAction(
            "drain", _("Drain"), "provisioning:object-drain", "clusters.operate", icon="droplet",
            shown=lambda row: row.resource == NODES and possible(row), order=35,
        )
    )  # fmt: skip
