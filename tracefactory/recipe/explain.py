"""Say in a recipe's own words what pydantic found wrong with it.

pydantic's locations are those of its model: they carry tags of union branches, and they name what
is missing. Here each becomes a place in the recipe, and each message says what was asked and what
was found.

Not here: finding the errors, or the line of a place (source.py).
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import ErrorDetails

from tracefactory.recipe.errors import Keys, Plain, did_you_mean, found, listed

Finding: TypeAlias = tuple[Keys, str]
JsonSchema: TypeAlias = dict[str, Any]  # a foreign border: pydantic's own type for it

_ASKED = {
    "string_type": "text",
    "path_type": "a path",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "none_required": "null",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "dataclass_type": "a mapping (key: value)",
}
_NOISE = {*_ASKED, "too_short"}
_MAX_READINGS = 64


def explain(
    error: ValidationError, value: Plain, model: type[BaseModel], at: Keys = ()
) -> list[Finding]:
    """Return one finding for each wrong place of `value`, which stands at `at` in its recipe."""
    groups: dict[Keys, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        groups.setdefault(_keys(detail, value), []).append(detail)
    reader = _SchemaReader(model, value)
    # Where one branch of a union got further in, what type the others wanted is noise; and a list
    # is too short only since an item of it is wrong.
    outer = {keys[:end] for keys in groups for end in range(len(keys))}
    return [
        ((*at, *keys), _text(details, keys, reader))
        for keys, details in groups.items()
        if not (keys in outer and all(detail["type"] in _NOISE for detail in details))
    ]


def _keys(detail: ErrorDetails, value: Plain) -> Keys:
    """Return the place in the recipe: pydantic's location without the tags of union branches."""
    loc = detail["loc"]
    tail: Keys = ()
    match detail["type"]:
        case "missing":
            loc, tail = loc[:-1], loc[-1:]
        case "union_tag_invalid":
            tail = tuple(_quoted(detail, "discriminator")[:1])  # none when a function decides
        case _:
            pass
    # A tag can look like a key, so the reading that leads to what pydantic saw is preferred.
    readings = list(itertools.islice(_readings(value, loc), _MAX_READINGS))
    best = next((keys for keys, there in readings if there == detail["input"]), readings[0][0])
    return (*best, *tail)


def _readings(value: Plain, loc: Sequence[str | int]) -> Iterator[tuple[Keys, Plain]]:
    if not loc:
        yield (), value
        return
    head, rest = loc[0], loc[1:]
    if isinstance(value, dict) and head in value:
        yield from (((head, *keys), there) for keys, there in _readings(value[str(head)], rest))
    if isinstance(value, list) and isinstance(head, int) and 0 <= head < len(value):
        yield from (((head, *keys), there) for keys, there in _readings(value[head], rest))
    yield from _readings(value, rest)


def _text(details: list[ErrorDetails], keys: Keys, reader: "_SchemaReader") -> str:
    details = [detail for detail in details if detail["type"] != "too_short"] or details
    first = _given(details[0])
    asked = dict.fromkeys(_asked(detail) for detail in details)
    if None not in asked:
        wanted = " or ".join(str(words) for words in asked)
        return f"asked for {wanted}, found {found(first)}{_hint(asked, first)}{_near(details)}"
    return "; or ".join(dict.fromkeys(_other(detail, keys, reader) for detail in details))


def _asked(detail: ErrorDetails) -> str | None:
    if detail["type"] in ("literal_error", "enum"):
        return f"one of {_context(detail, 'expected')}"
    if detail["type"] == "union_tag_invalid":
        return f"one of {_context(detail, 'expected_tags')}"
    return _ASKED.get(detail["type"])


def _near(details: list[ErrorDetails]) -> str:
    known = [
        name
        for detail in details
        for key in ("expected", "expected_tags")
        if key in detail.get("ctx", {})
        for name in _quoted(detail, key)
    ]
    given = _given(details[0])
    return did_you_mean(given, known) if isinstance(given, str) else ""


def _given(detail: ErrorDetails) -> object:
    """Return what stands there; for an unknown tag pydantic gives the mapping around it."""
    return detail.get("ctx", {}).get("tag", detail["input"])


def _context(detail: ErrorDetails, key: str) -> str:
    return str(detail.get("ctx", {}).get(key, ""))


def _quoted(detail: ErrorDetails, key: str) -> list[str]:
    return re.findall(r"'([^']*)'", _context(detail, key))


def _hint(asked: dict[str | None, None], value: object) -> str:
    """Say how to write what was probably meant."""
    if "text" in asked and isinstance(value, bool | int | float):
        return "; put it in quotes"
    if "true or false" in asked and value in ("yes", "on", "no", "off"):
        return f"; write {'true' if value in ('yes', 'on') else 'false'}"
    if "a whole number" in asked and isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}"
    if asked.keys() & {"a whole number", "a number"} and _reads_as_number(value):
        return "; remove the quotes"
    if "a list" in asked and isinstance(value, str):
        return "; put it in [ ]"
    return ""


def _reads_as_number(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value))


def _other(detail: ErrorDetails, keys: Keys, reader: "_SchemaReader") -> str:
    """Word the errors that are not about one value's type."""
    match detail["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            known = reader.known(keys[:-1])
            near = did_you_mean(str(keys[-1]), known)
            return f"unknown key{near}; known keys: {listed(known)}".replace("?;", "?")
        case "missing":
            about = reader.about(keys)
            return f"missing: {about}" if about else "missing"
        case "union_tag_not_found":
            return f"needs the key {_context(detail, 'discriminator')} to say which one it is"
        case "value_error" | "assertion_error":
            return detail["msg"].partition(", ")[2]
        case _:
            asked = _asked(detail)
            said = re.sub(
                "^(Input|Value|String|List|Tuple|Dictionary) should", "should", detail["msg"]
            ).partition(" after validation")[0]
            return f"{f'asked for {asked}' if asked else said}, found {found(detail['input'])}"


class _SchemaReader:
    """Looks up in a model's JSON Schema what can stand at a place of a value."""

    def __init__(self, model: type[BaseModel], value: Plain) -> None:
        self.value = value
        try:
            self.root: JsonSchema = model.model_json_schema(by_alias=True)
        except PydanticInvalidForJsonSchema:  # a type of the author's own: then without the lists
            self.root = {}

    def known(self, keys: Keys) -> list[str]:
        """Return the keys that a mapping at this place can have."""
        names = (name for schema in self._at(keys) for name in schema.get("properties", {}))
        return list(dict.fromkeys(names))

    def about(self, keys: Keys) -> str:
        """Return the first sentence of what is documented about a place."""
        for schema in self._at(keys[:-1]):
            said = str(schema.get("properties", {}).get(keys[-1], {}).get("description", ""))
            if said:
                return re.split(r"(?<=[.;:])\s", " ".join(said.split()))[0].rstrip(".;:")
        return ""

    def _at(self, keys: Keys) -> list[JsonSchema]:
        value, schemas = self.value, self._branches(self.root, self.value)
        for key in keys:
            if isinstance(value, dict):
                value = value.get(str(key))
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value = value[key]
            below = [schema for parent in schemas for schema in _below(parent, key)]
            schemas = [branch for schema in below for branch in self._branches(schema, value)]
        return schemas

    def _branches(self, schema: JsonSchema, value: Plain) -> list[JsonSchema]:
        """Return the plain schemas that a schema stands for; a known tag selects one branch."""
        if "$ref" in schema:
            return self._branches(self.root["$defs"][schema["$ref"].rpartition("/")[2]], value)
        choice = schema.get("discriminator", {})
        tag = value.get(choice.get("propertyName", "")) if isinstance(value, dict) else None
        if isinstance(tag, str) and tag in choice.get("mapping", {}):
            return self._branches({"$ref": choice["mapping"][tag]}, value)
        parts = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
        return [branch for part in parts for branch in self._branches(part, value)] or [schema]


def _below(schema: JsonSchema, key: str | int) -> Iterator[JsonSchema]:
    if isinstance(key, str):
        below = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    else:
        first: list[JsonSchema] = schema.get("prefixItems", [])
        below = first[key] if key < len(first) else schema.get("items")
    if isinstance(below, dict):  # it may be `true`, `false` or absent
        yield below
