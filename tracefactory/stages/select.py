"""Keep some of the good rows: of a difficulty, a few a problem, in shares, up to a budget.

The rules work in this order, and each drop names the first that hit it:

    difficulty   rows whose problem is as hard for their teacher as asked
    traces       at most so many a problem, over all teachers
    weights      a share of the rows of a domain, source and teacher, by a hash of their ids
    budget       rows in the order of a hash of their ids, until tokens or characters are spent;
                 one that is larger than all of it is passed over

Which rows stay depends on the rows and the seed alone: on no order and no cut into chunks. Adding
rows moves no draw of those that were there.

Three phases on disk, the last two for a budget only, so that no step holds all rows:

    rank   per group of chunks: what the first three rules drop; rank and size of each other row
    cut    one task: the rank at which the budget is spent
    share  per group of chunks: the rows beyond it, as decisions

Not here: the rules themselves (selection/).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from tracefactory.errors import RecipeError
from tracefactory.recipe.model import Settings, StageConfig
from tracefactory.schemas.verdict import Status
from tracefactory.selection.budget import beyond, cut, ranked
from tracefactory.selection.rules import MET, decided, met
from tracefactory.stages.contract import (
    DECISION_SCHEMA,
    Inputs,
    Kind,
    Order,
    Plan,
    Result,
    outputs_of,
)
from tracefactory.store.home import Journal
from tracefactory.task import Chunk, grouped

GROUP_ROWS = 50_000
"""Attempts whose chunks are ranked in one task."""

Share = Annotated[float, Field(ge=0, le=1)]


class Traces(Settings):
    """How many traces of one problem stay."""

    per_problem: Annotated[int, Field(ge=1)]
    """At most so many, over all teachers."""
    prefer: Literal["first", "shortest", "most_different"] = "first"
    """`first` by the attempt's index; `most_different` by the words they do not share."""


class Difficulty(Settings):
    """A band of 1 - pass_rate, of the row's teacher at its problem; both ends belong to it."""

    min: Share = 0.0
    max: Share = 1.0

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"no difficulty is from {self.min} to {self.max}; min is above max")
        return self


class Weights(Settings):
    """Shares of rows to keep, by a hash of their ids; `*` stands for all that are not named."""

    domain: Mapping[str, Share] = {}
    source: Mapping[str, Share] = {}
    teacher: Mapping[str, Share] = {}


class Budget(Settings):
    """What all kept rows may cost together: one of the two."""

    tokens: Annotated[int, Field(ge=1)] | None = None
    """Of prompt, reasoning and answer, where the teacher counted them."""
    chars: Annotated[int, Field(ge=1)] | None = None
    """Of the responses."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.tokens is None) == (self.chars is None):
            raise ValueError("a budget is in tokens or in chars: give one of them")
        return self


class SelectConfig(StageConfig):
    """Keep some of the rows."""

    traces: Traces | None = None
    """How many of one problem, and which."""
    difficulty: Difficulty | None = None
    """How hard the problems shall be."""
    weights: Weights | None = None
    """Shares of domains, sources and teachers."""
    budget: Budget | None = None
    """Tokens or characters of all kept rows together."""
    statuses: Annotated[tuple[Status, ...], Field(min_length=1)] = ("correct",)
    """Verdicts among which it selects, as in the publish stage; other rows are left to that."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not any((self.traces, self.difficulty, self.weights, self.budget)):
            raise ValueError("nothing to select by: give traces, difficulty, weights or budget")
        return self


class Select:
    """The stage."""

    kind: ClassVar[Kind] = "barrier"
    Config: ClassVar[type[StageConfig]] = SelectConfig
    version = "2"
    roles = ("decisions",)

    def phases(self, config: SelectConfig) -> int:
        """rank; with a budget also cut and share."""
        return 3 if config.budget else 1

    def orders(self, config: SelectConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """One order a group of chunks, but one for the cut."""
        if phase == 0:
            rules = config.model_dump(mode="json", include=_RULES)
            rules |= {"seed": plan.seed, "budget": _unit(config)}  # how much is the cut's business
            roles = ["problems", "splits", "verdicts", "decisions"]
            if _reads_attempts(config):
                roles.append("attempts")
            for number, group in enumerate(_groups(plan.chunks)):
                read = tuple(chunk.only(*roles) for chunk in group)
                settings = {"step": "rank", "stage": plan.name, "rules": rules}
                yield Order(f"rank-{number:05d}", settings, read)
        elif phase == 1:
            files = {role: outputs_of(plan.done[0], role) for role in ("sums", "ranks")}
            yield Order("cut", {"step": "cut", "budget": _limit(config)}, (Chunk("rows", files),))
        else:
            found = outputs_of(plan.done[1], "cut")
            share = {
                "step": "share",
                "stage": plan.name,
                "reason": _over(config),
                "budget": _limit(config),
            }
            for number, receipt in enumerate(plan.done[0] if any(o.rows for o in found) else ()):
                files = {"cut": found, "ranks": outputs_of([receipt], "ranks")}
                yield Order(f"share-{number:05d}", share, (Chunk("rows", files),))

    def chunks(self, config: SelectConfig, plan: Plan) -> Iterable[Chunk]:
        """All chunks go on, each with the decisions of its group.

        Raises:
            RecipeError: a weight names what no row has.
        """
        _check_weights(plan)
        for number, group in enumerate(_groups(plan.chunks)):
            receipts = [done[number] for done in (plan.done[0], *plan.done[2:]) if done]
            for chunk in group:
                yield chunk.extended(outputs_of(receipts, "decisions"), {})
        yield from (chunk for chunk in plan.chunks if not chunk.rows("verdicts"))

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """One step."""
        if config["step"] == "rank":
            return _rank(inputs, config["stage"], config["rules"])
        if config["step"] == "cut":
            table, kept = cut(inputs, config["budget"])
            return Result({"cut": table}, {"kept": kept})
        decisions = beyond(inputs, config["stage"], config["reason"], config["budget"])
        return Result({"decisions": decisions}, {f"dropped:{config['reason']}": decisions.num_rows})


def _check_weights(plan: Plan) -> None:
    """Refuse a name that was most likely written wrong: its rows would all stay, without a word."""
    found: Counter[str] = Counter()
    for receipt in plan.done[0]:
        found.update({key: n for key, n in receipt.counts.items() if key.startswith(MET)})
    for key, n in found.items():
        if not n:
            column, _, value = key.removeprefix(MET).partition(":")
            raise RecipeError(
                f"stage {plan.name}: weights names the {column} {value!r}, and no row has it; "
                f"nothing is lost: put the name right (`*` stands for the rest) and run again"
            )


def _reads_attempts(config: SelectConfig) -> bool:
    """Are token counts or texts looked at?"""
    different = config.traces is not None and config.traces.prefer == "most_different"
    return different or _unit(config) == "tokens"


_RULES = {"traces", "difficulty", "weights", "statuses"}


def _limit(config: SelectConfig) -> int:
    assert config.budget is not None
    return config.budget.tokens or config.budget.chars or 0


def _unit(config: SelectConfig) -> str | None:
    """What the budget is in, if there is one."""
    if config.budget is None:
        return None
    return "chars" if config.budget.tokens is None else "tokens"


def _over(config: SelectConfig) -> str:
    return f"over the budget: {_limit(config)} {_unit(config)}"


def _groups(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks that are ranked together: branches of one root are, as they share problems."""
    ordered = sorted(chunks, key=lambda c: (c.root, c.name))
    return grouped(ordered, lambda chunk: chunk.rows("verdicts"), GROUP_ROWS, by_root=True)


def _rank(inputs: Inputs, stage: str, rules: Mapping[str, Any]) -> Result:
    kept, gone = decided(inputs, rules)
    dropped = gone.with_columns(pl.lit(stage).alias("dropped_by")).sort("attempt_id")
    counts = Counter(f"dropped:{reason}" for reason in dropped.get_column("drop_reason"))
    counts.update(met(inputs, rules))
    tables = {"decisions": dropped.select(DECISION_SCHEMA.names).to_arrow().cast(DECISION_SCHEMA)}
    if rules["budget"]:
        tables |= ranked(kept, rules["seed"])
    else:
        counts["kept"] = kept.height
    return Result(tables, counts)


STAGE = Select()
