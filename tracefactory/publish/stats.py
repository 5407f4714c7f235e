"""Figures of a shard's rows, in mergeable form only (schemas/manifest.py)."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson
import polars as pl
import pyarrow as pa

from tracefactory.schemas.manifest import LENGTH_EDGES, RATE_EDGES, Counts, Spread, Stats
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import Inputs


def counted(values: Iterable[str | None]) -> Counts:
    """Rows by value, sorted by value."""
    return dict(sorted(Counter(value for value in values if value is not None).items()))


def spread(values: Iterable[int | None]) -> Spread:
    """Minimum, maximum, sum and histogram of those that are not None."""
    numbers = [value for value in values if value is not None]
    bins = [0] * len(LENGTH_EDGES)
    for number in numbers:
        bins[bisect_right(LENGTH_EDGES, number) - 1] += 1
    return Spread(
        len(numbers),
        sum(numbers),
        min(numbers, default=None),
        max(numbers, default=None),
        tuple(bins),
    )


def rate_bins(rates: Iterable[float | None]) -> tuple[tuple[int, ...], int]:
    """Rows per bin of RATE_EDGES, and rows without a rate."""
    bins, unrated = [0] * len(RATE_EDGES), 0
    for rate in rates:
        if rate is None:
            unrated += 1
        else:
            bins[bisect_right(RATE_EDGES, rate) - 1] += 1
    return tuple(bins), unrated


class Measured:
    """The verdict columns that are not published row by row, by attempt id."""

    def __init__(self, inputs: Inputs) -> None:
        columns = [
            "attempt_id", "n_reasoning_chars", "n_answer_chars", "n_true_steps", "n_rounded_steps",
            "n_repaired_steps", "n_false_steps", "n_uncheckable_steps", "steps_evidence",
            "limited_by",
        ]  # fmt: skip
        tables = [
            inputs.table("verdicts", VERDICT_SCHEMA, chunk, columns)
            for chunk in inputs.chunks
            if chunk.rows("verdicts")
        ]
        schema = pa.schema([VERDICT_SCHEMA.field(column) for column in columns])
        frame = pl.from_arrow(pa.concat_tables(tables) if tables else schema.empty_table())
        self.frame = cast("pl.DataFrame", frame)


def stats_of(view: str, table: pa.Table, measured: Measured) -> Stats:
    """Figures of a view's rows."""
    of_columns = {"rl": problem_stats, "preference": pair_stats, "probes": probe_stats}
    of_columns["overlaps"] = overlap_stats
    make = of_columns.get(view)
    return trace_stats(table, measured) if make is None else make(table)


def trace_stats(table: pa.Table, measured: Measured) -> Stats:
    """Figures of `sft`, `sft_reasoning`, `pretrain` or `rejected` rows."""
    rows = cast("pl.DataFrame", pl.from_arrow(table)).join(
        measured.frame.rename({"n_true_steps": "n_exact_steps"}).select(
            pl.exclude("n_false_steps"), pl.col("n_false_steps").alias("n_bad_steps")
        ),
        left_on="id",
        right_on="attempt_id",
        how="left",
    )
    get = _Getter(rows)
    bins, unrated = rate_bins(get("pass_rate") if "pass_rate" in rows.columns else ())
    bad = [
        (n, status)
        for n, status in zip(get("n_bad_steps"), get("status"), strict=True)
        if n is not None
    ]
    finish = get("finish_reason") if "finish_reason" in rows.columns else []
    statuses, reasons = get("status"), get("reason") if "reason" in rows.columns else []
    return Stats(
        rows=rows.height,
        statuses=counted(statuses),
        reasons=counted(f"{a}:{b}" for a, b in zip(statuses, reasons, strict=False)),
        dropped=_dropped(rows),
        verifiers=counted(get("verifier")),
        teachers=counted(get("teacher")),
        teacher_revisions=counted(
            f"{a} @ {b}" for a, b in zip(get("teacher"), get("teacher_revision"), strict=True)
        ),
        teacher_licenses=counted(get("teacher_license")),
        programs=sum(revision.startswith("program:") for revision in get("teacher_revision")),
        domains=counted(get("domain")),
        task_types=counted(get("task_type")),
        sources=counted(get("source")),
        licenses=counted(get("license")),
        finish_reasons=counted(finish),
        truncated=sum(reason == "length" for reason in finish) if finish else None,
        without_reasoning=sum(n == 0 for n in get("n_reasoning_chars")),
        limited_by_clock=sum(by == "clock" for by in get("limited_by")),
        steps=_steps(rows),
        rows_with_false_steps=sum(n > 0 for n, _ in bad) if bad else None,
        correct_with_false_steps=sum(n > 0 and s == "correct" for n, s in bad) if bad else None,
        reasoning_chars=spread(get("n_reasoning_chars")),
        answer_chars=spread(get("n_answer_chars")),
        **_tokens(rows),
        pass_rates=bins,
        unrated=unrated,
    )


def _tokens(rows: pl.DataFrame) -> dict[str, Any]:
    """Of the rows whose tokens were counted; `pretrain` has their sum alone, which is another."""
    if "tokenizer" not in rows.columns:
        return {}
    get = _Getter(rows)
    return {
        "tokenizers": counted(get("tokenizer")),
        "prompt_tokens": spread(get("n_prompt_tokens")),
        "reasoning_tokens": spread(get("n_reasoning_tokens")),
        "answer_tokens": spread(get("n_answer_tokens")),
    }


def problem_stats(table: pa.Table) -> Stats:
    """Figures of `rl` rows."""
    get = _Getter(cast("pl.DataFrame", pl.from_arrow(table)))
    bins, unrated = rate_bins(get("pass_rate"))
    verifiers = (orjson.loads(info)["verifier"] for info in get("verification_info"))
    return Stats(
        rows=table.num_rows,
        verifiers=counted(verifiers),
        domains=counted(get("domain")),
        task_types=counted(get("task_type")),
        sources=counted(get("source")),
        licenses=counted(get("license")),
        pass_rates=bins,
        unrated=unrated,
        solved=solved(get("pass_rate"), get("n_rated")),
    )


def solved(rates: Iterable[float | None], rated: Iterable[int | None]) -> Counts:
    """Problems by `correct/rated`: all that pass@k is made of."""
    pairs = ((rate, n) for rate, n in zip(rates, rated, strict=True) if n)
    return counted(None if rate is None else f"{round(rate * n)}/{n}" for rate, n in pairs)


def pair_stats(table: pa.Table) -> Stats:
    """Figures of `preference` rows; a teacher counts once for each side of a pair."""
    get = _Getter(cast("pl.DataFrame", pl.from_arrow(table)))
    bins, unrated = rate_bins(get("pass_rate"))

    def both(name: str) -> list[str]:
        return get(f"chosen_{name}") + get(f"rejected_{name}")

    statuses, reasons, teachers = both("status"), both("reason"), both("teacher")
    return Stats(
        rows=table.num_rows,
        statuses=counted(statuses),
        reasons=counted(f"{a}:{b}" for a, b in zip(statuses, reasons, strict=True)),
        verifiers=counted(both("verifier")),
        teachers=counted(teachers),
        teacher_revisions=counted(
            f"{a} @ {b}" for a, b in zip(teachers, both("teacher_revision"), strict=True)
        ),
        teacher_licenses=counted(both("teacher_license")),
        domains=counted(get("domain")),
        task_types=counted(get("task_type")),
        sources=counted(get("source")),
        licenses=counted(get("license")),
        pass_rates=bins,
        unrated=unrated,
    )


def probe_stats(table: pa.Table) -> Stats:
    """Figures of `probes` rows."""
    get = _Getter(cast("pl.DataFrame", pl.from_arrow(table)))
    teachers, revisions = get("teacher"), get("teacher_revision")
    return Stats(
        rows=table.num_rows,
        teachers=counted(teachers),
        teacher_revisions=counted(f"{a} @ {b}" for a, b in zip(teachers, revisions, strict=True)),
        teacher_licenses=counted(get("teacher_license")),
        programs=sum(revision.startswith("program:") for revision in revisions),
        domains=counted(get("domain")),
        task_types=counted(get("task_type")),
        sources=counted(get("source")),
        licenses=counted(get("license")),
        probes=counted(f"{a}.{b}" for a, b in zip(get("kind"), get("outcome"), strict=True)),
    )


def overlap_stats(table: pa.Table) -> Stats:
    """Figures of `overlaps` rows."""
    get = _Getter(cast("pl.DataFrame", pl.from_arrow(table)))
    parts = ("problem" if attempt is None else "trace" for attempt in get("attempt_id"))
    return Stats(
        rows=table.num_rows,
        domains=counted(get("domain")),
        task_types=counted(get("task_type")),
        sources=counted(get("source")),
        licenses=counted(get("license")),
        overlaps=counted(
            f"{benchmark}.{level}.{part}"
            for benchmark, level, part in zip(get("benchmark"), get("level"), parts, strict=True)
        ),
    )


class _Getter:
    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __call__(self, column: str) -> list[Any]:
        return self._frame.get_column(column).to_list()


def _dropped(rows: pl.DataFrame) -> Counts:
    if "dropped_by" not in rows.columns:
        return {}
    pairs = zip(_Getter(rows)("dropped_by"), _Getter(rows)("drop_reason"), strict=True)
    # A duplicate names the row it repeats; counted by that, every reason would be its own.
    return counted(f"{by}: {reason.partition(' of ')[0]}" for by, reason in pairs)


def _steps(rows: pl.DataFrame) -> Counts:
    totals: Counter[str] = Counter()
    for name, column in (
        ("true", "n_exact_steps"),
        ("rounded", "n_rounded_steps"),
        ("repaired", "n_repaired_steps"),
        ("false", "n_bad_steps"),
        ("uncheckable", "n_uncheckable_steps"),
    ):
        values = rows.get_column(column).drop_nulls()
        if len(values):
            totals[name] += int(values.sum())
    for evidence in rows.get_column("steps_evidence").drop_nulls():
        for kind, outcomes in cast("Mapping[str, Any]", orjson.loads(evidence)).items():
            if isinstance(outcomes, dict):
                for outcome, n in cast("Mapping[str, int]", outcomes).items():
                    totals[f"{kind}.{outcome}"] += n
    return dict(sorted(totals.items()))
