"""Problems of reasoning-gym: `gym:gcd` in a recipe's list of families.

An item's number makes another item in another release, so what is made is stored whole and never
made again: the id is a hash of the statement, and the checker reads the stored problem alone.

    draw   one order a family: first the negative control, then items until enough are distinct
    cut    one order a chunk: a range of what was drawn

A statement's own hash says whether it is `train` or `test` (one in ten), so the splits never meet,
for any seed or knobs.

Not here: which families may be used and how answers are scored (verifiers/gym.py).
"""

import hashlib
import importlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import Any, cast

import orjson
import pyarrow as pa

from tracefactory.hash_ranges import within
from tracefactory.recipe.errors import clipped, did_you_mean, listed
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.rows import records
from tracefactory.sources.families.base import TEST_ONE_IN, FamilyError
from tracefactory.sources.fingerprint import content_id
from tracefactory.sources.gym_excluded import EXCLUDED
from tracefactory.sources.tables import self_check
from tracefactory.stages.contract import MALFORMED_SCHEMA, Inputs, Result
from tracefactory.verifiers import gym as checker
from tracefactory.verifiers.gym import ALLOWED, LIBRARY, GymError, quiet

PREFIX = "gym:"
VERIFIER = "tracefactory.verifiers.gym:verify"
LICENSE = "Apache-2.0"
SPLITS = ("train", "test")
VERSION = "1"
"""Raised when the same settings would give other problems."""

DRAWS_A_PROBLEM = 20
"""Items looked at for each problem asked for, before it is said that there are too few."""
CONTROLS = 5
"""Items on which a family's scorer has to tell right from wrong before any item is used."""
_CONTROL_ITEMS = 200
_RESERVED = ("seed", "size")

DRAWN_SCHEMA = pa.schema([*PROBLEM_SCHEMA, pa.field("place", pa.uint64(), nullable=False)])


@dataclass(frozen=True, slots=True)
class Item:
    """What the library made, as far as it is kept."""

    statement: str
    reference: str
    metadata: dict[str, Any]


def is_gym(name: str) -> bool:
    """Is it a family of reasoning-gym?"""
    return name.startswith(PREFIX)


def stem(name: str) -> str:
    """The family's name where no colon may stand: in ids and names of chunks."""
    return f"gym_{name.removeprefix(PREFIX)}"


def check_draw(name: str, knobs: Mapping[str, Any], split: Mapping[str, int]) -> None:
    """Can such problems be drawn? Imports the library, draws nothing.

    Raises:
        FamilyError: the family is not allowed or does not exist, a knob or a split is wrong, or the
            library is not there.
    """
    family = name.removeprefix(PREFIX)
    if family in EXCLUDED:
        raise FamilyError(f"{name} is not used: {EXCLUDED[family]}. There are {_names()}")
    if family not in ALLOWED:
        near = did_you_mean(family, ALLOWED) or ";"
        raise FamilyError(f"reasoning-gym has no family {family!r}{near} there are {_names()}")
    unknown = sorted(set(split) - set(SPLITS[1:]))
    if unknown:
        raise FamilyError(f"{name} has no split {unknown[0]!r}; it has {', '.join(SPLITS)}")
    _config(family, knobs)


def _names() -> str:
    return ", ".join(sorted(ALLOWED))


def _library() -> Any:  # noqa: ANN401  (the library has no types)
    try:
        checker.require()
    except GymError as error:
        raise FamilyError(str(error)) from error
    return importlib.import_module("reasoning_gym")


def _config(family: str, knobs: Mapping[str, Any]) -> None:
    library = _library()
    config_class: Any = library.factory.DATASETS[family][1]
    known = [f.name for f in fields(config_class) if f.name not in _RESERVED]
    for knob in knobs:
        if knob in _RESERVED:
            raise FamilyError(
                f"gym:{family}: knob {knob!r} follows from the recipe's seed and count"
            )
        if knob not in known:
            near = did_you_mean(knob, known) or ";"
            raise FamilyError(f"gym:{family} has no knob {knob!r}{near} it has {listed(known)}")
    try:
        config_class(**knobs).validate()
    except Exception as error:  # asserts, mostly; whatever it is, these knobs cannot be used
        raise FamilyError(f"gym:{family}: the knobs cannot be used ({error})") from error


def items(family: str, knobs: Mapping[str, Any], seed: int, limit: int) -> Iterator[Item]:
    """Items in the order of their numbers, as they are stored: whatever is no JSON is an error.

    Raises:
        FamilyError: the library is not there, or cannot make an item.
    """
    library = _library()
    start = int.from_bytes(hashlib.sha256(f"{seed}:{PREFIX}{family}".encode()).digest()[:4], "big")
    index = -1
    try:
        with quiet():
            dataset: Any = library.create_dataset(family, **knobs, seed=start, size=limit)
        for index in range(limit):
            with quiet():
                entry: dict[str, Any] = dataset[index]
            read = {name: entry["metadata"][name] for name in ALLOWED[family].reads}
            metadata = cast("dict[str, Any]", orjson.loads(orjson.dumps(read)))
            yield Item(str(entry["question"]).strip(), str(entry["answer"]), metadata)
    except (GeneratorExit, FamilyError, MemoryError):
        raise
    except Exception as error:  # generators raise what they like on knobs they cannot serve
        raise FamilyError(
            f"gym:{family} cannot make item {index} with these knobs "
            f"({type(error).__name__}: {error})"
        ) from error


def control(family: str, made: list[Item]) -> None:
    """See that the scorer gives exactly 1.0 to true answers and less to wrong ones.

    The wrong ones are another item's answer, nothing, junk, and the true one with more after it.

    Raises:
        FamilyError: it does not, or the items are too much alike to tell.
    """
    tried = 0
    for item in made:
        # Other letters, if there are any: the same ones in another order may be right as well.
        others = [o.reference for o in made if o.reference != item.reference]
        apart = (other for other in others if _letters(other) != _letters(item.reference))
        other = next(apart, others[0] if others else None)
        if other is None:
            continue
        _expect(family, item, item.reference, right=True)
        more = (f"{item.reference} banana", f"{item.reference}, banana")
        for wrong in (other, "", "banana", "nan", *more):
            _expect(family, item, wrong, right=False)
        tried += 1
        if tried == CONTROLS:
            return
    raise FamilyError(
        f"gym:{family}: its negative control needs {CONTROLS} items with different answers; "
        f"{len(made)} items had {len({item.reference for item in made})}. Widen the knobs"
    )


def _letters(answer: str) -> list[str]:
    return sorted("".join(answer.casefold().split()))


def _expect(family: str, item: Item, answer: str, *, right: bool) -> None:
    try:
        found: float | str = checker.score(family, item.reference, item.metadata, answer)
    except GymError as error:
        raise FamilyError(str(error)) from error
    except Exception as error:  # to raise on a wrong answer is one way to refuse it
        found = f"{type(error).__name__}: {error}"
    if (found == 1.0) != right:
        raise FamilyError(
            f"gym:{family} ({LIBRARY}) failed its negative control: the "
            f"{'true' if right else 'wrong'} answer {clipped(answer)!r} to "
            f"{clipped(item.statement)!r} scores {found}; take the family out of the recipe"
        )


def split_of(family: str, statement: str) -> str:
    """The split that a statement belongs to, for every seed."""
    cut = hashlib.sha256(f"cut/{PREFIX}{family}/{statement}".encode()).digest()
    return "train" if int.from_bytes(cut[:8], "big") % TEST_ONE_IN else "test"


def problem_of(family: str, item: Item) -> Problem:
    """The problem that stores an item."""
    options = {"family": family, "library": LIBRARY, "metadata": item.metadata}
    return Problem(
        id=f"{stem(family)}-{content_id(item.statement)}",
        statement=item.statement,
        reference=item.reference,
        verifier=VERIFIER,
        verifier_options=orjson.dumps(options, option=orjson.OPT_SORT_KEYS).decode(),
        split=split_of(family, item.statement),
        domain=ALLOWED[family].domain,
        task_type=stem(family),
        source=f"{LIBRARY}/{family}",
        license=LICENSE,
        origin="{}",  # nothing makes it again: the text is all there is
    )


def draw(config: Mapping[str, Any]) -> Result:
    """The control, then as many distinct problems of each split as were asked for.

    Raises:
        FamilyError: the control failed, or the family has too few distinct problems.
    """
    family, asked = config["family"], dict(config["counts"])
    # Of ten statements one is `test`, so that ten times as many must be seen for each.
    needed = max(asked["train"], TEST_ONE_IN * asked["test"])
    limit = _CONTROL_ITEMS + DRAWS_A_PROBLEM * needed
    made = items(family, config["knobs"], config["seed"], limit)
    first = list(islice(made, _CONTROL_ITEMS))
    control(family, first)
    kept: dict[str, list[Problem]] = {split: [] for split in SPLITS}
    seen: set[str] = set()
    bad: list[dict[str, Any]] = []
    drawn = 0
    for item in chain(first, made):
        if all(len(kept[split]) >= asked[split] for split in SPLITS):
            break
        drawn += 1
        problem = problem_of(family, item)
        if problem.id in seen or len(kept[problem.split]) >= asked[problem.split]:
            continue
        seen.add(problem.id)
        reason = self_check(problem, checker.verify)
        if reason is not None:  # such as an answer that no box can hold
            excerpt = f"{problem.id}: {problem.reference}"[:200]
            bad.append({"file": problem.source, "line": 0, "reason": reason, "excerpt": excerpt})
            continue
        kept[problem.split].append(problem)
    for split in SPLITS:
        if len(kept[split]) < asked[split]:
            raise FamilyError(
                f"gym:{family}: {asked[split]:,} {split} problems were asked for, but {drawn:,} "
                f"items held only {len(kept[split]):,} distinct ones with these knobs; ask for "
                "fewer or widen the knobs"
            )
    return _drawn([problem for split in SPLITS for problem in kept[split]], bad)


def _drawn(problems: list[Problem], bad: list[dict[str, Any]]) -> Result:
    rows = [
        {**{name: getattr(problem, name) for name in PROBLEM_SCHEMA.names}, "place": place}
        for place, problem in enumerate(problems)
    ]
    tables = {"problems_drawn": pa.Table.from_pylist(rows, schema=DRAWN_SCHEMA)}
    if bad:
        tables["malformed"] = pa.Table.from_pylist(bad, schema=MALFORMED_SCHEMA)
    counts = Counter(f"rejected:{row['reason']}" for row in bad)
    chars = sum(len(problem.statement) for problem in problems)
    return Result(tables, {"read": len(problems), "chars": chars, "rejected": len(bad), **counts})


def cut(config: Mapping[str, Any], inputs: Inputs) -> list[Problem]:
    """The problems of one chunk, as they were drawn."""
    bounds = within("place", int(config["start"]), int(config["stop"]))
    found: list[Problem] = []
    for output in inputs.chunk.files.get("problems_drawn", ()):
        table = inputs.home.read(output, filters=bounds)
        found += records(Problem, table.sort_by("place").select(PROBLEM_SCHEMA.names))
    return found
