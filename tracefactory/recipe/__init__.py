"""Recipes: named stages in YAML or Python, checked as a whole before anything runs.

    recipe = load_recipe("modular-arithmetic", ["stages.problems.families.0.count=50"])
    recipe.order()      # the stages, each after those it reads
    recipe.digest()     # the same for the same resolved recipe, however it was written

A stage's author needs `StageConfig`, and `Settings` for the parts nested in it. Read load.py first.
"""

from tracefactory.errors import RecipeError
from tracefactory.recipe.address import StageNotFoundError, resolve_stage, shipped_stages
from tracefactory.recipe.jsonschema import recipe_schema
from tracefactory.recipe.load import build_recipe, find_recipe, load_recipe, read_recipe, shipped
from tracefactory.recipe.model import Kind, Recipe, Resolve, Settings, Stage, StageConfig
from tracefactory.recipe.overrides import apply_overrides, resolve_paths
from tracefactory.recipe.source import Document, dump, read_file, read_text

__all__ = [
    "Document",
    "Kind",
    "Recipe",
    "RecipeError",
    "Resolve",
    "Settings",
    "Stage",
    "StageConfig",
    "StageNotFoundError",
    "apply_overrides",
    "build_recipe",
    "dump",
    "find_recipe",
    "load_recipe",
    "read_file",
    "read_recipe",
    "read_text",
    "recipe_schema",
    "resolve_paths",
    "resolve_stage",
    "shipped",
    "shipped_stages",
]
