"""The rows of one shard: problems, attempts, verdicts and decisions joined, and shaped into views.

    sft         what was kept                 sft_reasoning  the same, reasoning in its own field
    pretrain    the same as plain text        rl             problems, with how hard they are
    preference  correct beside incorrect      rejected       every other attempt: by whom, and why
    probes      traces that were tampered with, by a probe stage
    overlaps    what rows have in common with benchmarks, by a decontaminate stage

sft + rejected = all attempts. Rows are ordered by a hash of their id: a shuffle that repeats.

Not here: the columns of a view (publish/views/, one file each).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import polars as pl
import pyarrow as pa

from tracefactory.errors import RecipeError
from tracefactory.publish.views.overlaps import overlaps
from tracefactory.publish.views.preference import pairs
from tracefactory.publish.views.pretrain import texts
from tracefactory.publish.views.probes import probes
from tracefactory.publish.views.rl import tasks
from tracefactory.publish.views.sft import traces
from tracefactory.publish.views.sft_reasoning import split_traces
from tracefactory.publish.views.shaping import Settings as Settings
from tracefactory.rates import with_rates
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.overlap import OVERLAP_SCHEMA
from tracefactory.schemas.probe import PROBE_SCHEMA
from tracefactory.schemas.problem import DUPLICATE, PROBLEM_SCHEMA
from tracefactory.schemas.traces import VIEW_SCHEMAS
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs
from tracefactory.stages.split import split_of
from tracefactory.task import Chunk


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
    held_out = ~pl.col("split").is_in(["train", DUPLICATE])
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
            pl.first("n_rated", "n_attempts", "n_correct", "pass_rate", "difficulty"),
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
    makers = _makers(rows, problems, inputs, settings)
    return {
        f"{view}.{split}": frame.select(VIEW_SCHEMAS[view].names)
        .to_arrow()
        .cast(VIEW_SCHEMAS[view])
        for view in wanted
        for split, frame in makers[view]().items()
        if frame.height or view == "sft"
    }


def _makers(
    rows: pl.DataFrame, problems: pl.DataFrame, inputs: Inputs, settings: Settings
) -> Mapping[str, Callable[[], dict[str, pl.DataFrame]]]:
    """What makes each view's rows, by split."""
    kept = pl.col("dropped_by").is_null()
    return {
        "sft": lambda: {"train": traces(rows.filter(kept), settings)},
        "sft_reasoning": lambda: {"train": split_traces(rows.filter(kept), settings)},
        "pretrain": lambda: {"train": texts(rows.filter(kept), settings)},
        "preference": lambda: {"train": pairs(rows, settings)},
        "rejected": lambda: {"train": traces(rows.filter(~kept), settings)},
        "probes": lambda: probes(_probed(inputs), settings),
        "overlaps": lambda: {"train": overlaps(_overlapping(inputs), settings)},
        "rl": lambda: {
            split: tasks(problems.filter(pl.col("split") == split), settings)
            for split in sorted(problems.get_column("split").unique())
        },
    }


def _probed(inputs: Inputs) -> pl.DataFrame:
    """All probes of a shard.

    Raises:
        RecipeError: a trace was probed twice in one way.
    """
    tables = [inputs.table("probes", PROBE_SCHEMA, chunk) for chunk in inputs.chunks]
    rows = _frame(pa.concat_tables(tables))
    twice = rows.filter(rows.get_column("id").is_duplicated())
    if twice.height:
        raise RecipeError(
            f"two probe stages of kind {twice.item(0, 'kind')!r} ask for the same trace "
            f"({twice.item(0, 'attempt_id')}); publish one of them, or give one another kind"
        )
    return rows


def _overlapping(inputs: Inputs) -> pl.DataFrame:
    """All overlaps of the problems of a shard, with where each problem comes from."""
    tables = [inputs.table("overlaps", OVERLAP_SCHEMA, chunk) for chunk in inputs.chunks]
    columns = ["id", "domain", "task_type", "source", "license"]
    problems = [inputs.table("problems", PROBLEM_SCHEMA, chunk, columns) for chunk in inputs.chunks]
    origin = _frame(pa.concat_tables(problems)).unique("id", keep="first", maintain_order=True)
    # Chunks of a group bring the rows of all of it: those of other shards find no problem here.
    rows = _frame(pa.concat_tables(tables))
    return rows.join(origin.rename({"id": "problem_id"}), on="problem_id")


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


def content_digest(table: pa.Table) -> str:
    """sha256 over the rows' content hashes in file order."""
    digest = hashlib.sha256()
    for value in table.column("content_sha256").to_pylist():
        digest.update(bytes.fromhex(value))
    return digest.hexdigest()
