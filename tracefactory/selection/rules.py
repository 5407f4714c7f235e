"""The rules that look at a row, or at the rows of a problem: no more than a group of chunks.

Rows that will not be published anyway (dropped before, held out, with other verdicts) are left as
they are and count for nothing but pass rates. Text is read for `most_different` alone, one source
chunk at a time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import polars as pl
import pyarrow as pa

from tracefactory.rates import with_rates
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.problem import DUPLICATE, PROBLEM_SCHEMA, is_held_out
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.selection.choosing import BY_FIGURES, Candidate, drawn, most_different
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs
from tracefactory.stages.split import split_of
from tracefactory.task import Chunk

MET = "met:"
"""How figures begin of rows that have a value which a weight names."""

Rules = Mapping[str, Any]
"""The stage's config as plain data, with the seed; of the budget only what it is in."""

_READ = [
    "attempt_id", "problem_id", "teacher", "attempt_index", "in_rate", "domain", "source", "status",
    "n_reasoning_chars", "n_answer_chars",
]  # fmt: skip


def decided(inputs: Inputs, rules: Rules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that stay, with their `size`, and those that go, with their `drop_reason`."""
    moved = {
        i for chunk in inputs.chunks for i, s in split_of(inputs, chunk).items() if is_held_out(s)
    }
    rows = pl.concat([_candidates(inputs, chunk, rules, moved) for chunk in inputs.chunks])
    dropped: list[pl.DataFrame] = []
    for rule in _ROW_RULES:
        rows = rows.with_columns(pl.Series("drop_reason", rule(rows, rules, inputs), pl.String))
        dropped.append(rows.filter(pl.col("drop_reason").is_not_null()))
        rows = rows.filter(pl.col("drop_reason").is_null())
    return rows, pl.concat(dropped)


def met(inputs: Inputs, rules: Rules) -> Counter[str]:
    """Rows of each value that a weight names, whatever became of them: 0 for those of none."""
    found: Counter[str] = Counter()
    for column, shares in (rules["weights"] or {}).items():
        named = [value for value in shares if value != "*"]
        found.update({f"{MET}{column}:{value}": 0 for value in named})  # a key, unlike with |=
        for chunk in inputs.chunks if named else ():
            values = inputs.table("verdicts", VERDICT_SCHEMA, chunk, [column]).column(0)
            found.update(f"{MET}{column}:{v}" for v in values.to_pylist() if v in named)
    return found


def _candidates(inputs: Inputs, chunk: Chunk, rules: Rules, moved: set[str]) -> pl.DataFrame:
    """The rows of a chunk that would be published, with what the rules look at."""
    verdicts = frame(inputs.table("verdicts", VERDICT_SCHEMA, chunk, _READ))
    gone = frame(inputs.table("decisions", DECISION_SCHEMA, chunk, ["attempt_id"]))
    problems = frame(inputs.table("problems", PROBLEM_SCHEMA, chunk, ["id", "split"]))
    away = ~pl.col("split").is_in(["train", DUPLICATE])
    held_out = problems.filter(away | pl.col("id").is_in(list(moved)))
    # Rates count every attempt; only then are the rows left out that go elsewhere.
    rows = (
        with_rates(verdicts)
        .filter(pl.col("status").is_in(rules["statuses"]))
        .join(gone, on="attempt_id", how="anti")
        .join(held_out, left_on="problem_id", right_on="id", how="anti")
        .with_columns(
            (pl.col("n_reasoning_chars") + pl.col("n_answer_chars")).alias("chars"),
            pl.lit(chunk.root).alias("root"),
        )
    )
    if rules["budget"] == "tokens":
        return rows.join(_tokens(inputs, chunk), on="attempt_id", how="left")
    return rows.with_columns(pl.col("chars").cast(pl.Int64).alias("size"))


def _tokens(inputs: Inputs, chunk: Chunk) -> pl.DataFrame:
    counts = ["n_prompt_tokens", "n_reasoning_tokens", "n_answer_tokens"]
    table = inputs.table("attempts", ATTEMPT_SCHEMA, chunk, ["id", "problem_id", *counts])
    size = pl.sum_horizontal(counts, ignore_nulls=False).cast(pl.Int64)
    return frame(table).select(pl.col("id").alias("attempt_id"), size.alias("size"))


def _by_difficulty(rows: pl.DataFrame, rules: Rules, inputs: Inputs) -> Iterable[Any]:
    band = rules["difficulty"]
    if not band:
        return [None] * rows.height
    hard = pl.col("difficulty")
    low, high = (pl.lit(band[end], pl.Float32) for end in ("min", "max"))  # as the column is
    return rows.select(
        pl.when(hard.is_null())
        .then(pl.lit("difficulty not measured"))
        .when(hard < low)
        .then(pl.lit(f"difficulty below {band['min']}"))
        .when(hard > high)
        .then(pl.lit(f"difficulty above {band['max']}"))
        .alias("reason")
    ).get_column("reason")


def _by_problem(rows: pl.DataFrame, rules: Rules, inputs: Inputs) -> Iterable[Any]:
    asked = rules["traces"]
    if not asked:
        return [None] * rows.height
    k, prefer = asked["per_problem"], asked["prefer"]
    kept: set[str] = set()
    for root, of_root in rows.group_by("root", maintain_order=True):
        problems = _by_id(of_root, rules["seed"])
        kept.update(c.attempt_id for mine in problems.values() for c in mine if len(mine) <= k)
        crowded = [mine for mine in problems.values() if len(mine) > k]
        if prefer == "most_different":
            texts = _texts(inputs, str(root[0]), {c.attempt_id for mine in crowded for c in mine})
            kept.update(i for mine in crowded for i in most_different(mine, k, texts))
        else:
            kept.update(i for mine in crowded for i in BY_FIGURES[prefer](mine, k))
    reason = f"more than {k} a problem"
    return [None if i in kept else reason for i in rows.get_column("attempt_id")]


def _by_id(rows: pl.DataFrame, seed: int) -> dict[str, list[Candidate]]:
    problems: dict[str, list[Candidate]] = {}
    columns = rows.select("problem_id", "attempt_id", "attempt_index", "chars")
    for problem, attempt, index, chars in columns.iter_rows():
        one = Candidate(attempt, index, chars, drawn(seed, "tie", attempt))
        problems.setdefault(problem, []).append(one)
    return problems


def _texts(inputs: Inputs, root: str, wanted: set[str]) -> dict[str, str]:
    """The responses of some attempts of one root: all that is ever held of text."""
    found: dict[str, str] = {}
    for chunk in inputs.chunks:
        if chunk.root == root and wanted:
            table = inputs.table("attempts", ATTEMPT_SCHEMA, chunk, ["id", "problem_id", "text"])
            for attempt, _, text in zip(*(c.to_pylist() for c in table.columns), strict=True):
                if attempt in wanted:
                    found[attempt] = text
    return found


def _by_weight(rows: pl.DataFrame, rules: Rules, inputs: Inputs) -> Iterable[Any]:
    weights: Mapping[str, Mapping[str, float]] = rules["weights"] or {}
    columns = {name: shares for name, shares in weights.items() if shares}
    for attempt, *values in rows.select("attempt_id", *columns).iter_rows():
        draw = drawn(rules["seed"], "weight", attempt) / 2**64
        left, reason = 1.0, None
        for (name, shares), value in zip(columns.items(), values, strict=True):
            share = shares.get(value, shares.get("*", 1.0))
            left *= share
            if draw >= left:
                reason = f"{name} {value}: a share {share:g}"
                break
        yield reason


_ROW_RULES: tuple[Callable[[pl.DataFrame, Rules, Inputs], Iterable[Any]], ...] = (
    _by_difficulty,
    _by_problem,
    _by_weight,
)


def frame(table: pa.Table) -> pl.DataFrame:
    """The same rows for Polars."""
    return cast("pl.DataFrame", pl.from_arrow(table))
