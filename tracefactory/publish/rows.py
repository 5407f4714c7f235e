"""The views of one shard: problems, attempts, verdicts and decisions joined into published rows.

    sft       what was kept            rl        problems, with how hard they are
    pretrain  the same as plain text   rejected  every other attempt, with who dropped it and why

sft + rejected = all attempts. Rows are ordered by a hash of their id: a shuffle that repeats.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson
import polars as pl
import pyarrow as pa

from tracefactory.errors import RecipeError
from tracefactory.rates import with_rates
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.problem import PROBLEM_SCHEMA
from tracefactory.schemas.traces import VIEW_SCHEMAS
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs
from tracefactory.stages.split import split_of
from tracefactory.task import Chunk
from tracefactory.verifiers.contract import versioned


@dataclass(frozen=True, slots=True)
class Settings:
    """What the publish stage says of a shard."""

    stage: str
    recipe_id: str
    statuses: tuple[str, ...]
    """Verdicts that may stand in `sft` and `pretrain`."""


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def joined(
    inputs: Inputs, chunk: Chunk, settings: Settings, moved: Mapping[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """All attempts of a chunk with all that is known of them, its problems, and its verdicts."""
    instruction = chunk.facts.get("instruction", "")
    problems = _frame(inputs.table("problems", PROBLEM_SCHEMA, chunk)).with_columns(
        pl.col("id")
        .replace_strict(moved, default=pl.col("split"), return_dtype=pl.String)
        .alias("split"),
        (pl.col("statement") + (f"\n\n{instruction}" if instruction else "")).alias("_user"),
    )
    verdicts = _frame(inputs.table("verdicts", VERDICT_SCHEMA, chunk))
    attempts = _frame(inputs.table("attempts", ATTEMPT_SCHEMA, chunk))
    decisions = _frame(inputs.table("decisions", DECISION_SCHEMA, chunk)).unique(
        "attempt_id", keep="first", maintain_order=True
    )
    rows = (
        attempts.rename({"id": "attempt_id", "index": "attempt_index"})
        # The verifier of a row is the one that judged it, and its version: it is the verdict's.
        .join(problems.rename({"id": "problem_id"}).drop("verifier"), on="problem_id", how="left")
        .join(
            with_rates(verdicts).drop(
                "problem_id",
                "teacher",
                "attempt_index",
                "domain",
                "task_type",
                "source",
                "finish_reason",
            ),
            on="attempt_id",
            how="left",
        )
        .join(decisions, on="attempt_id", how="left")
    )
    return _dropped(rows, settings), problems, verdicts


def _dropped(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Say of every attempt who dropped it and why; null for those that are published."""
    held_out = pl.col("split") != "train"
    unfit = ~pl.col("status").is_in(settings.statuses)
    reason = (
        pl.when(pl.col("drop_reason").is_not_null())
        .then("drop_reason")
        .when(held_out)
        .then(pl.lit("held_out"))
        .when(unfit)
        .then(pl.lit("status ") + pl.col("status"))
    )
    return rows.with_columns(
        pl.col("status").fill_null("undecided"), pl.col("reason").fill_null("not_verified")
    ).with_columns(
        reason.alias("drop_reason"),
        pl.when(reason.is_not_null())
        .then(pl.col("dropped_by").fill_null(settings.stage))
        .alias("dropped_by"),
    )


def _rated(problems: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """Problems with the pass rate of all teachers together; bad references are left out."""
    rates = (
        with_rates(verdicts, by=("problem_id",))
        .group_by("problem_id")
        .agg(
            pl.first("n_attempts", "n_correct", "pass_rate", "difficulty"),
            pl.first("verifier").alias("judged_by"),
            (pl.col("status") == "bad_reference").any().alias("_bad"),
        )
        .rename({"problem_id": "id"})
    )
    return problems.join(rates, on="id", how="left").filter(~pl.col("_bad").fill_null(False))


def views(inputs: Inputs, settings: Settings, wanted: Sequence[str]) -> dict[str, pa.Table]:
    """The tables of one shard by `<view>.<split>`; `sft.train` is always there, if wanted."""
    # What one branch holds out is held out in all of them; branches of a root share a shard.
    moved = {i: split for chunk in inputs.chunks for i, split in split_of(inputs, chunk).items()}
    parts = [joined(inputs, chunk, settings, moved) for chunk in inputs.chunks]
    rows = pl.concat([part[0] for part in parts])
    _check_roots(inputs, parts)
    twice = rows.filter(rows.get_column("attempt_id").is_duplicated())
    if twice.height:
        raise RecipeError(
            f"two stages bring attempts of a teacher {twice.item(0, 'teacher')!r} at one problem "
            f"({twice.item(0, 'problem_id')}), and their ids are one; give the teachers other names"
        )
    # Branches of one source bring the same problem twice, each with the verdicts of its teacher.
    most_first = sorted(parts, key=lambda part: -part[0].height)
    problems = _rated(
        pl.concat([part[1] for part in most_first]).unique("id", keep="first", maintain_order=True),
        pl.concat([part[2] for part in parts]),
    )
    kept = pl.col("dropped_by").is_null()
    makers: Mapping[str, Callable[[], dict[str, pl.DataFrame]]] = {
        "sft": lambda: {"train": _traces(rows.filter(kept), settings)},
        "pretrain": lambda: {"train": _texts(rows.filter(kept), settings)},
        "rejected": lambda: {"train": _traces(rows.filter(~kept), settings)},
        "rl": lambda: {
            split: _tasks(problems.filter(pl.col("split") == split), settings)
            for split in sorted(problems.get_column("split").unique())
        },
    }
    return {
        f"{view}.{split}": frame.select(VIEW_SCHEMAS[view].names)
        .to_arrow()
        .cast(VIEW_SCHEMAS[view])
        for view in wanted
        for split, frame in makers[view]().items()
        if frame.height or view == "sft"
    }


def _check_roots(
    inputs: Inputs, parts: Sequence[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]
) -> None:
    """Refuse a problem that comes from two chunks of sources: only branches of one may share it."""
    roots: dict[str, str] = {}
    for chunk, (_, problems, _) in zip(inputs.chunks, parts, strict=True):
        for problem in problems.get_column("id"):
            if roots.setdefault(problem, chunk.root) != chunk.root:
                raise RecipeError(
                    f"two sources of the recipe bring the same row {problem!r}; take it out of one "
                    "of them, or give the sources other names with `source:`"
                )


def _shuffled(frame: pl.DataFrame) -> pl.DataFrame:
    order = [hashlib.sha256(i.encode()).digest() for i in frame.get_column("id").to_list()]
    return frame.with_columns(pl.Series("_order", order, pl.Binary)).sort("_order").drop("_order")


def _hashed(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Add the hash of a row's content: what a reader would call the same row."""
    values = zip(*(frame.get_column(column).to_list() for column in columns), strict=True)
    hashes = [hashlib.sha256(orjson.dumps(value)).hexdigest() for value in values]
    return frame.with_columns(pl.Series("content_sha256", hashes, pl.String))


def _turn(role: str, content: str) -> pl.Expr:
    return pl.struct(pl.lit(role).alias("role"), pl.col(content).alias("content"))


def _traces(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    frame = rows.with_columns(
        pl.col("attempt_id").alias("id"),
        pl.concat_list(_turn("user", "_user"), _turn("assistant", "text")).alias("messages"),
        pl.col("reference").alias("answer"),
        (pl.col("n_true_steps") + pl.col("n_rounded_steps")).alias("n_true_steps"),
        pl.lit(settings.recipe_id).alias("recipe_id"),
    )
    return _shuffled(_hashed(frame, "_user", "text", "answer"))


def _texts(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    counts = ("n_prompt_tokens", "n_reasoning_tokens", "n_answer_tokens")
    frame = rows.with_columns(
        pl.col("attempt_id").alias("id"),
        (pl.col("_user") + "\n\n" + pl.col("text")).alias("text"),
        pl.sum_horizontal(counts, ignore_nulls=False).alias("token_count"),
        pl.lit(settings.recipe_id).alias("recipe_id"),
    )
    return _shuffled(_hashed(frame, "text"))


def _tasks(problems: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    columns = ("judged_by", "verifier", "verifier_options", "reference")
    info = [
        orjson.dumps(
            {
                "verifier": judged_by or versioned(verifier),
                "options": orjson.loads(options),
                "reference": reference,
            },
            option=orjson.OPT_SORT_KEYS,
        ).decode()
        for judged_by, verifier, options, reference in problems.select(columns).iter_rows()
    ]
    frame = problems.with_columns(
        pl.concat_list(_turn("user", "_user")).alias("prompt"),
        pl.col("reference").alias("solution"),
        pl.Series("verification_info", info, pl.String),
        pl.col("id").alias("problem_id"),
        pl.lit(settings.recipe_id).alias("recipe_id"),
    )
    return _shuffled(_hashed(frame, "_user", "solution"))


def content_digest(table: pa.Table) -> str:
    """sha256 over the rows' content hashes in file order."""
    digest = hashlib.sha256()
    for value in table.column("content_sha256").to_pylist():
        digest.update(bytes.fromhex(value))
    return digest.hexdigest()
