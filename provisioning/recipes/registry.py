"""Every recipe by its id."""

from __future__ import annotations

from provisioning.recipes import lightweight, standard
from provisioning.recipes.delete import DELETE
from provisioning.recipes.drill import DRILL
from provisioning.recipes.membership import ADD, REMOVE, REPLACE
from provisioning.recipes.renew import RENEW
from provisioning.recipes.repair import REPAIR
from provisioning.recipes.restore import RESTORE
from provisioning.recipes.snapshot import SNAPSHOT
from provisioning.recipes.upgrade import UPGRADE
from provisioning.steps.base import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.id: recipe
    for recipe in (
        lightweight.CREATE,
        standard.CREATE,
        REPAIR,
        DELETE,
        ADD,
        REMOVE,
        REPLACE,
        SNAPSHOT,
        RESTORE,
        UPGRADE,
        RENEW,
        DRILL,
    )
}
