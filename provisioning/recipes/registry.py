"""Every recipe by its id."""

from __future__ import annotations

from provisioning.recipes.delete import DELETE
from provisioning.recipes.lightweight import CREATE, REPAIR
from provisioning.steps.base import Recipe

RECIPES: dict[str, Recipe] = {recipe.id: recipe for recipe in (CREATE, REPAIR, DELETE)}
