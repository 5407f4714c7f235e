"""Drop traces that repeat another, exactly or nearly; which one stays depends on no order.

Level `exact`: the same statement and response, up to white space (repeats/exact.py).

Level `near`, in two turns. Problems first: equal ones, and those that share most of their shingles
while all numbers, signs, operators and the answer agree; of each group one stays in `train`. Then
their traces: near each other inside a group, their problem's own words left out; the very same
trace also across groups. Only a verified neighbour of a row that stays is dropped.

Every step is a task on disk with a receipt, so no step holds all rows (repeats/__init__.py).

Not here: what a signature is (nearness/), overlap with benchmarks (decontaminate.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tracefactory.hash_ranges import hash_ranges
from tracefactory.recipe.model import StageConfig
from tracefactory.repeats import exact, index, steps
from tracefactory.repeats.turns import Turns
from tracefactory.stages.contract import Inputs, Kind, Order, Plan, Result, outputs_of
from tracefactory.store.home import Journal
from tracefactory.task import Chunk, grouped

GROUP_ROWS = 50_000
"""Attempts whose chunks are looked at in one task."""

RANGE_ROWS = 250_000
"""Hashes that are compared in one task."""


class DedupeConfig(StageConfig):
    """Drop traces that repeat another."""

    level: Literal["exact", "near"] = "exact"
    """`exact`: the same statement and response, up to white space. `near`: problems and traces that
    share most of their words, numbers and answers being equal."""
    jaccard: Annotated[float, Field(ge=0.5, le=1)] = 0.8
    """Share of shingles from which two are near (`near` only)."""
    across: bool = False
    """Are traces of different problems compared, too? Else only equal ones go (`near` only)."""
    numbers: bool = True
    """Must near traces agree in all numbers and signs? Else in the final answer alone. Problems
    always must (`near` only)."""
    against: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Releases whose rows are dropped here: folders, or hf://datasets/ORG/NAME (`near` only)."""

    @model_validator(mode="after")
    def _near_only(self) -> Self:
        if self.level == "exact" and {"jaccard", "across", "numbers", "against"} & self._said():
            raise ValueError("jaccard, across, numbers and against need `level: near`")
        return self

    def _said(self) -> set[str]:
        """What differs from the default: a resolved recipe says everything."""
        return {
            name
            for name, field in type(self).model_fields.items()
            if getattr(self, name) != field.get_default()
        }


class Dedupe:
    """The stage."""

    kind: ClassVar[Kind] = "barrier"
    Config: ClassVar[type[StageConfig]] = DedupeConfig
    version = "1"
    roles = ("decisions",)

    def phases(self, config: DedupeConfig) -> int:
        """Of `exact` hash, match, share; of `near` see repeats/turns.py."""
        return 3 if config.level == "exact" else len(Turns.phases(config))

    def orders(self, config: DedupeConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """One order a group of chunks, or a range of hashes."""
        if config.level == "near":
            yield from _turns(config, plan).orders(phase)
        elif phase == 0:
            for number, group in enumerate(_groups(plan.chunks)):
                read = tuple(c.only("problems", "attempts", "decisions") for c in group)
                yield Order(f"hash-{number:05d}", {"step": "hash", "group": number}, read)
        elif phase == 1:
            hashes = Chunk("hashes", {"hashes": outputs_of(plan.done[0], "hashes")})
            n = -(-hashes.rows("hashes") // RANGE_ROWS)  # none for no rows: nothing is compared
            for number, (low, high) in enumerate(hash_ranges(n)):
                settings = {"step": "match", "stage": plan.name, "low": str(low), "high": str(high)}
                yield Order(f"match-{number:05d}", settings, (hashes,))
        else:
            repeats = Chunk("repeats", {"repeats": outputs_of(plan.done[1], "repeats")})
            if not repeats.files["repeats"]:
                return
            for number in range(len(plan.done[0])):
                yield Order(f"share-{number:05d}", {"step": "share", "group": number}, (repeats,))

    def chunks(self, config: DedupeConfig, plan: Plan) -> Iterable[Chunk]:
        """All chunks go on, each with the decisions of its group."""
        shared = plan.done[-1]
        near = config.level == "near"
        for number, group in enumerate(_groups(plan.chunks, problems=near)):
            for chunk in group:
                facts = {index.FACT: "1"} if near else {}
                yield chunk.extended(shared[number].outputs if shared else (), facts)
        yield from (chunk for chunk in plan.chunks if not _size(chunk, problems=near))

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """One step."""
        if config["step"] == "hash":
            return exact.hashed(inputs, config["group"])
        if config["step"] == "match":
            return exact.matched(inputs, config["stage"], int(config["low"]), int(config["high"]))
        if config["step"] == "share":
            return exact.shared(inputs, config["group"])
        return steps.STEPS[config["step"]](config, inputs)

    def repeats(self, config: DedupeConfig, plan: Plan) -> dict[str, Any] | None:
        """For the manifest: pairs by how near they are, the largest groups; None of `exact`."""
        return None if config.level == "exact" else _turns(config, plan).report()


def _turns(config: DedupeConfig, plan: Plan) -> Turns:
    return Turns(config, plan, list(_groups(plan.chunks, problems=True)))


def _size(chunk: Chunk, *, problems: bool) -> int:
    n = chunk.rows("attempts")
    return max(n, chunk.rows("problems")) if problems else n


def _groups(chunks: Iterable[Chunk], *, problems: bool = False) -> Iterator[list[Chunk]]:
    """Chunks that are looked at in one task; with `problems` also those without attempts."""
    return grouped(chunks, lambda chunk: _size(chunk, problems=problems), GROUP_ROWS)


STAGE = Dedupe()
