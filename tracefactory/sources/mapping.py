r"""From a row of a user's file to the fields of a problem or an attempt, by rules from the recipe.

    statement: question                                  # a column
    reference: {column: answer, after: "####"}           # the text after the last marker
    reference: {column: solution, boxed: true}           # what the last \boxed{...} holds
    license: {value: MIT}                                # the same for every row
    text: {python: [prompt, canonical_solution]}         # columns joined as one fenced program

`a.b` is the column of that name or, where there is none, `b` inside the object `a`.

Not here: reading files (rows.py), what makes a good problem, and any guessing of columns.
"""

import difflib
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, Self, TypeAlias, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from tracefactory.verifiers.extract import final_answer

_MAX_PATH_DEPTH = 8
_MAX_NAMES_SHOWN = 20

Text: TypeAlias = Annotated[str, StringConstraints(min_length=1)]


class Rule(BaseModel):
    """Base of all that a map says: strict, and unknown keys are errors."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Column(Rule):
    """A column's text, whole or a part of it."""

    column: Text
    after: Text | None = None
    """Take what follows the last occurrence of this marker, stripped."""
    boxed: Literal[True] | None = None
    r"""Take what the last balanced \boxed{...} holds, by the rule for responses (extract.py)."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.after is not None and self.boxed:
            raise ValueError("`after` and `boxed` are two ways to find the answer; keep one")
        return self


class Constant(Rule):
    """The same text for every row."""

    value: Text


class Program(Rule):
    """Columns of code, joined as they are and given as one fenced Python block."""

    python: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]


def _kind(rule: object) -> str:
    if isinstance(rule, str):
        return "name"
    if isinstance(rule, Program) or (isinstance(rule, Mapping) and "python" in rule):
        return "program"
    constant = isinstance(rule, Constant) or (isinstance(rule, Mapping) and "value" in rule)
    return "constant" if constant else "column"


Extract: TypeAlias = Annotated[
    Annotated[Text, Tag("name")]
    | Annotated[Column, Tag("column")]
    | Annotated[Constant, Tag("constant")]
    | Annotated[Program, Tag("program")],
    Discriminator(_kind),  # so that an error speaks of the kind that was meant, not of all four
]


class ProblemMap(Rule):
    """Where the fields of a problem stand in a row."""

    statement: Extract
    reference: Extract
    id: Extract | None = None
    split: Extract | None = None
    license: Extract | None = None
    domain: Extract | None = None
    task_type: Extract | None = None
    source: Extract | None = None


class AttemptMap(Rule):
    """Where one teacher's attempt stands in a row. What is true of the teacher is said plainly."""

    teacher: Text
    """The teacher's name, not a column."""
    text: Extract
    finish_reason: Extract | None = None
    index: Extract | None = None
    teacher_license: Text | None = None
    """SPDX identifier, not a column."""
    revision: Text | None = None
    """Exact version, not a column."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that a row does not give."""

    reason: str
    """`missing_column:<name>`, `empty:<name>`, `marker_not_found:<marker>`, `no_box:<name>`; or the
    kind of a value that is no text: `boolean:<name>`, `list:`, `object:`, `not_finite:`, `other:`.
    """


def apply_extract(rule: Extract, row: Mapping[str, object]) -> str | Missing:
    """The text that a rule takes from a row.

    A whole column is given as it is, white space and all; a part of one is stripped. Numbers become
    their shortest text (3 is "3", 3.0 is "3.0").
    """
    if isinstance(rule, Constant):
        return rule.value
    if isinstance(rule, Program):
        return _fenced(rule, row)
    if isinstance(rule, str):
        rule = Column(column=rule)
    text = _text(rule.column, row)
    if isinstance(text, Missing):
        return text
    if rule.after is not None:
        _, marker, found = text.rpartition(rule.after)
        if not marker:
            return Missing(f"marker_not_found:{rule.after}")
    elif rule.boxed:
        answer = final_answer(
            text
        )  # a box comes first in its rules; what the others find is no box
        if answer.text is None or answer.rule != "boxed":
            return Missing(f"no_box:{rule.column}")
        found = answer.text
    else:
        return text
    return found.strip() or Missing(f"empty:{rule.column}")


def _fenced(rule: Program, row: Mapping[str, object]) -> str | Missing:
    code = ""
    for column in rule.python:
        text = _text(column, row)
        if isinstance(text, Missing):
            return text
        code += text
    # Longer than any fence in the code, as CommonMark asks.
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    ends = "" if code.endswith("\n") else "\n"
    return f"{fence}python\n{code}{ends}{fence}"


ABSENT = object()
"""What `look_up` gives for a path that leads nowhere."""


def _text(name: str, row: Mapping[str, object]) -> str | Missing:
    value = look_up(name, row)
    if value is ABSENT:
        return Missing(f"missing_column:{name}")
    if value is None:
        return Missing(f"empty:{name}")
    match value:
        case str():
            return value if value.strip() else Missing(f"empty:{name}")
        case bool():
            return Missing(f"boolean:{name}")
        case int():
            return str(value)
        case float():
            return repr(value) if math.isfinite(value) else Missing(f"not_finite:{name}")
        case Decimal():
            return f"{value:f}" if value.is_finite() else Missing(f"not_finite:{name}")
        case list() | tuple():
            return Missing(f"list:{name}")
        case dict():
            return Missing(f"object:{name}")
        case _:
            return Missing(f"other:{name}")  # bytes and dates, from Parquet


def look_up(path: str, row: Mapping[str, object]) -> object:
    """The value at a dotted path. A key may hold dots itself, so each place to cut is tried."""
    if path in row:
        return row[path]
    at = path.find(".")
    while at >= 0:
        inner = row.get(path[:at])
        if isinstance(inner, Mapping):
            value = look_up(path[at + 1 :], cast("Mapping[str, object]", inner))
            if value is not ABSENT:
                return value
        at = path.find(".", at + 1)
    return ABSENT


# --- Columns that are not there ----------------------------------------------------------------


def mapped_columns(rules: Rule) -> dict[str, str]:
    """Each field that comes from a column, and the column; `field.0` where it takes several."""
    found: dict[str, str] = {}
    for field in type(rules).model_fields:
        if field in _PLAIN:
            continue
        columns = _columns(getattr(rules, field))
        several = len(columns) > 1
        found |= {f"{field}.{at}" if several else field: c for at, c in enumerate(columns)}
    return found


_PLAIN = ("teacher", "teacher_license", "revision", "layout")
"""Fields that say what is so, and name no column."""


def _columns(rule: object) -> list[str]:
    match rule:
        case str():
            return [rule]
        case Column():
            return [rule.column]
        case Program():
            return list(rule.python)
        case tuple():
            parts = cast("tuple[object, ...]", rule)
            return [column for part in parts for column in _columns(part)]
        case Rule() if not isinstance(rule, Constant):
            return [c for field in type(rule).model_fields for c in _columns(getattr(rule, field))]
        case _:
            return []


def columns_to_read(rules: Rule) -> frozenset[str]:
    """The names for `read(columns=...)`: every top-level key in which a mapped column can stand."""
    return frozenset(
        ".".join(parts[: i + 1])
        for column in mapped_columns(rules).values()
        for parts in [column.split(".")]
        for i in range(len(parts))
    )


def seen_columns(row: Mapping[str, object]) -> Iterator[str]:
    """The names a row offers to a rule, those inside objects with dots."""
    yield from _paths(row, "", _MAX_PATH_DEPTH)


def _paths(row: Mapping[str, object], prefix: str, depth: int) -> Iterator[str]:
    for key, value in row.items():
        yield prefix + key
        if isinstance(value, Mapping) and depth > 1:
            yield from _paths(cast("Mapping[str, object]", value), f"{prefix}{key}.", depth - 1)


def missing_columns(rules: Rule, seen: Collection[str]) -> str | None:
    """Say which mapped columns no row has, what there is, and the nearest name; None if none.

    `seen` are the names that `seen_columns` gives over all rows, read without `columns`: otherwise
    only the mapped ones can be named.
    """
    names = sorted(set(seen))
    absent = {f: column for f, column in mapped_columns(rules).items() if column not in set(names)}
    if not absent:
        return None
    asked = [f"{column!r} for {field}{_nearest(column, names)}" for field, column in absent.items()]
    shown = ", ".join(names[:_MAX_NAMES_SHOWN]) or "none"
    more = f" and {len(names) - _MAX_NAMES_SHOWN} more" if len(names) > _MAX_NAMES_SHOWN else ""
    return f"no row has {'; '.join(asked)}; the columns found are {shown}{more}; correct the map"


def _nearest(column: str, names: list[str]) -> str:
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(column.lower(), lowered, n=1)
    return f" (did you mean {lowered[near[0]]!r}?)" if near else ""
