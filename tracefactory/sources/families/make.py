"""Make Problem records out of the families.

Not here: what the problems are (the families), the mix of families of a recipe (sources/sample).
"""

from hashlib import blake2b

import orjson

from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.base import (
    Family,
    FamilyError,
    Knobs,
    item,
    split_capacity,
    split_names,
)

SOURCE = "tracefactory/families"
LICENSE = "Apache-2.0"


def make_problem(family_name: str, knobs: Knobs, seed: int, split: str, index: int) -> Problem:
    """Return problem number `index` of a split: the same arguments, the same bytes.

    Raises:
        FamilyError: an unknown family or split, an index past the capacity, wrong knobs.
    """
    family = find_family(family_name)
    level, params = item(family, knobs, seed, split, index)
    statement = family.statement(params)
    options = family.options(params) if family.options is not None else {}
    origin = {"family": family.name, "version": family.version, "level": level, "params": params}
    return Problem(
        id=f"{family.name}-{blake2b(statement.encode(), digest_size=8).hexdigest()}",
        statement=statement,
        reference=family.reference(params),
        verifier=family.verifier,
        verifier_options=orjson.dumps(options, option=orjson.OPT_SORT_KEYS).decode(),
        split=split,
        domain=family.domain,
        task_type=family.name,
        source=SOURCE,
        license=LICENSE,
        origin=orjson.dumps(origin).decode(),
    )


def specimen(problem: Problem) -> str | None:
    """A response to a family's problem that its checker must accept; None: the usual one."""
    family = FAMILIES.get(problem.task_type) if problem.source == SOURCE else None
    if family is None or family.specimen is None:
        return None
    return family.specimen(orjson.loads(problem.origin)["params"])


def capacity(family_name: str, knobs: Knobs, split: str) -> int:
    """Return how many distinct problems a split has."""
    return split_capacity(find_family(family_name), knobs, split)


def splits(family_name: str, knobs: Knobs) -> tuple[str, ...]:
    """Return the names of a family's splits, `train` and `test` first."""
    return split_names(find_family(family_name), knobs)


def find_family(name: str) -> Family:
    """Return the family of that name.

    Raises:
        FamilyError: there is none; the text lists those there are.
    """
    family = FAMILIES.get(name)
    if family is None:
        raise FamilyError(f"no family {name!r}; there are {', '.join(FAMILIES)}")
    return family
