"""The JSON Schema of a recipe, for editors to complete and check recipes as they are written.

A first line `# yaml-language-server: $schema=recipe.schema.json` is all an editor needs. The schema
knows less than `load_recipe`: nothing of edges, of stages of one's own, or of validators in Python.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic.json_schema import models_json_schema

from tracefactory.recipe.load import Head
from tracefactory.recipe.model import NAME, StageConfig

JsonSchema: TypeAlias = dict[str, Any]  # a foreign border: pydantic's own type for it

_MODE: Literal["validation"] = "validation"
_ADDRESS: JsonSchema = {
    "title": "A stage of your own",
    "description": "Any stage by its address, module:name; its other keys are its own.",
    "type": "object",
    "properties": {
        "use": {
            "type": "string",
            "pattern": "^[^:]+:[^:]+$",
            "description": "Address of the stage, as in mypkg.stages:shorten.",
        },
        "from": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "description": "The stage, or the list of stages, whose rows come in.",
        },
    },
    "required": ["use"],
}


def recipe_schema(stages: Mapping[str, type[StageConfig]]) -> JsonSchema:
    """Return a JSON Schema (draft 2020-12) of recipes; `stages` are those with a short name.

    Exactly one branch fits a stage, by its `use`: a constant for each of these, a colon for any
    address. An address's other keys are not checked.
    """
    models: list[type[Head | StageConfig]] = [Head, *stages.values()]
    refs, made = models_json_schema([(model, _MODE) for model in set(models)], by_alias=True)
    defs: JsonSchema = made.get("$defs", {})

    def definition(model: type[Head | StageConfig]) -> JsonSchema:
        found: JsonSchema = defs[str(refs[model, _MODE]["$ref"]).rpartition("/")[2]]
        return found

    branches = {f"stage.{use}": _branch(use, definition(config)) for use, config in stages.items()}
    branches["stage.address"] = _ADDRESS
    head = definition(Head)
    head["properties"]["stages"] = {
        "type": "object",
        "description": head["properties"]["stages"]["description"],
        "minProperties": 1,
        "propertyNames": {"pattern": NAME},
        "additionalProperties": {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in branches]},
    }
    used = {name: schema for name, schema in defs.items() if schema is not head}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **head,
        "title": "A tracefactory recipe",
        "description": "Named stages that make a dataset of verified reasoning traces.",
        "$defs": {**used, **branches},
    }


def _branch(use: str, schema: JsonSchema) -> JsonSchema:
    """Return a config's schema for one name: configs may be shared between names."""
    properties: JsonSchema = schema["properties"]
    told = {"const": use, "type": "string", "description": properties["use"].get("description", "")}
    required = dict.fromkeys(["use", *schema.get("required", [])])
    return {
        **schema,
        "title": use,
        "properties": {**properties, "use": told},
        "required": list(required),
    }
