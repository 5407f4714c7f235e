"""Keep the rows that pass every rule; note for each other row the first rule it failed.

A rule is a Polars SQL expression over the columns of the verdicts (schemas/verdict.py) and the
rates (rates.py): `status = 'correct'`, `n_reasoning_chars between 40 and 20000`,
`n_false_steps = 0`, `difficulty > 0.2`. A rule that is null for a row (not measured) fails it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import polars as pl
import pyarrow as pa
from pydantic import Field, field_validator

from tracefactory.rates import with_rates
from tracefactory.recipe.model import StageConfig
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs, Kind, Order, Plan, Result
from tracefactory.store.home import Journal
from tracefactory.task import Chunk


class FilterConfig(StageConfig):
    """Keep the rows that pass every rule."""

    keep: Annotated[tuple[str, ...], Field(min_length=1)]
    """Polars SQL expressions, all of which a row must pass, such as `status = 'correct'`."""

    @field_validator("keep")
    @classmethod
    def _are_rules(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            try:
                together = _samples().select(pl.sql_expr(rule).alias("kept"))
                alone = [
                    row.select(pl.sql_expr(rule).alias("kept")) for row in _samples().iter_slices(1)
                ]
            except pl.exceptions.PolarsError as error:
                raise ValueError(f"rule {rule!r}: {_first_line(error)}") from error
            if together.schema["kept"] != pl.Boolean:
                raise ValueError(
                    f"rule {rule!r} gives {together.schema['kept']}, not true or false"
                )
            if not together.equals(pl.concat(alone)):
                raise ValueError(
                    f"rule {rule!r} looks at other rows too, and so would depend on how rows are "
                    "chunked; a rule may only look at its own row"
                )
        return rules


def _samples() -> pl.DataFrame:
    """A few unlike rows, to see whether a rule looks at more than one."""
    empty = _frame(VERDICT_SCHEMA.empty_table())
    numbers = (0, 7, 7, 40)
    return pl.DataFrame(
        {
            name: [f"{n}" for n in numbers] if kind == pl.String else list(numbers)
            for name, kind in empty.schema.items()
        },
        schema_overrides={n: k for n, k in empty.schema.items() if k == pl.String},
        strict=False,
    ).cast(empty.schema)


def _first_line(error: Exception) -> str:
    """What Polars says first, and the columns if it does not name them."""
    said = str(error).strip().splitlines()[0]
    columns = ", ".join(_frame(VERDICT_SCHEMA.empty_table()).columns)
    return said if "valid columns" in said else f"{said}; columns: {columns}"


def _frame(verdicts: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(verdicts)
    assert isinstance(frame, pl.DataFrame)
    return with_rates(frame)


class Filter:
    """The stage."""

    kind: ClassVar[Kind] = "chunk"
    Config: ClassVar[type[StageConfig]] = FilterConfig
    version = "1"
    roles = ("decisions",)

    def order(self, config: FilterConfig, plan: Plan, chunk: Chunk) -> Order | None:
        """Every chunk that has verdicts."""
        if not chunk.rows("verdicts"):
            return None
        settings = {"keep": list(config.keep), "stage": plan.name}
        return Order(chunk.name, settings, (chunk.only("verdicts", "decisions"),))

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Decide on every row that no earlier stage dropped."""
        dropped = inputs.table("decisions", DECISION_SCHEMA, columns=["attempt_id"]).column(0)
        rules: list[str] = config["keep"]
        verdicts = _frame(inputs.table("verdicts", VERDICT_SCHEMA))
        # Rates count every attempt; only then are the rows that are gone already left out.
        rows = verdicts.filter(~pl.col("attempt_id").is_in(dropped.to_pylist()))
        failed = pl.coalesce(
            *[
                pl.when(~pl.sql_expr(rule).cast(pl.Boolean).fill_null(False)).then(
                    pl.lit(f"fails {rule}")
                )
                for rule in rules
            ],
            pl.lit(None, pl.String),
        )
        decided = rows.select(
            "attempt_id", pl.lit(config["stage"]).alias("dropped_by"), failed.alias("drop_reason")
        )
        gone = decided.filter(pl.col("drop_reason").is_not_null())
        counts = Counter(f"dropped:{rule}" for rule in gone.get_column("drop_reason"))
        counts["kept"] = rows.height - gone.height
        return Result({"decisions": gone.to_arrow().cast(DECISION_SCHEMA)}, counts)


STAGE = Filter()
