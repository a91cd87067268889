"""Every recipe by its id."""

from __future__ import annotations

from provisioning.recipes import lightweight, standard
from provisioning.recipes.delete import DELETE
from provisioning.recipes.membership import ADD, REMOVE, REPLACE
from provisioning.recipes.repair import REPAIR
from provisioning.steps.base import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.id: recipe
    for recipe in (lightweight.CREATE, standard.CREATE, REPAIR, DELETE, ADD, REMOVE, REPLACE)
}
