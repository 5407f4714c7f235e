"""What the views of a release say of each other: the same problems, the same rows, the same counts.

A forger who changes a row and makes every hash right again has still to change it wherever else it
shows: the problem in `rl`, the text in `pretrain`, the pass rates of its neighbours. Works on the
digests of shard.py alone, about 150 bytes a row.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from tracefactory.audit.faults import Fault, named, short
from tracefactory.audit.shard import COPIES
from tracefactory.publish.stats import spread
from tracefactory.rates import COUNTED
from tracefactory.schemas.manifest import ShardStats

# 64 bits of a keyed hash: two of 10^7 rows meet once in 400,000 audits.


def across_faults(
    digest: pl.DataFrame, records: Mapping[str, ShardStats], rate_over: int | None
) -> Iterator[Fault]:
    """Faults between the views.

    Args:
        digest: lines of all shards that could be read, with columns `path` and `config`.
        records: of all shards, by path.
        rate_over: attempts that enter a pass rate; None: not known.
    """
    configs = {record.config for record in records.values()}
    read = set(digest.get_column("path").unique()) | {p for p, r in records.items() if not r.rows}
    whole = {c for c in configs if all(p in read for p, r in records.items() if r.config == c)}
    traces = digest.filter(pl.col("config").is_in(["sft", "rejected"]))
    problems = digest.filter(pl.col("config") == "rl")
    yield from _repeated(traces, "sft and rejected")
    yield from _repeated(problems, "rl")
    sft = digest.filter(pl.col("config") == "sft")
    for view in sorted(COPIES & configs):
        rows = digest.filter(pl.col("config") == view)
        yield from _repeated(rows, view)
        if {"sft", view} <= whole:
            yield from _copies(sft, rows, view, records)
    pairs = digest.filter(pl.col("config") == "preference")
    yield from _repeated(pairs, "preference")
    probes = digest.filter(pl.col("config") == "probes")
    yield from _repeated(probes, "probes")
    overlaps = digest.filter(pl.col("config") == "overlaps")
    yield from _repeated(overlaps, "overlaps")
    yield from _overlaps(sft, overlaps)
    if {"sft", "rejected"} <= whole:
        yield from _pairs(traces, pairs)
        yield from _probes(traces, probes)
        named_there = overlaps.filter(pl.col("chosen64").is_not_null())
        alone = named_there.join(traces, left_on="chosen64", right_on="id64", how="anti")
        yield from named("overlap_alone", alone, "its trace", "a row of sft or rejected")
    if "rl" in whole:
        yield from _against_problems(traces, problems)
    if {"sft", "rejected"} <= whole:
        yield from _rates(traces, rate_over)
        if "rl" in whole:
            yield from _solved(traces, problems, rate_over)


def _repeated(rows: pl.DataFrame, where: str) -> Iterator[Fault]:
    again = rows.filter(pl.col("id64").is_duplicated())
    yield from named("row_id_repeated", again, "stands more than once", f"once in {where}")


def _copies(
    sft: pl.DataFrame, copy: pl.DataFrame, view: str, records: Mapping[str, ShardStats]
) -> Iterator[Fault]:
    """A view that is `sft` in another shape."""
    alone = copy.join(sft, on="id64", how="anti")
    yield from named(f"{view}_alone", alone, "is not in sft", f"each row of {view} in sft")
    alone = sft.join(copy, on="id64", how="anti")
    yield from named(f"{view}_lacks", alone, f"is not in {view}", "each row of sft there")
    both = copy.join(sft.unique("id64"), on="id64", how="inner", suffix="_sft")
    text = "text64" if view == "pretrain" else "split64"
    for column, what in ((text, "text"), ("maker64", "teacher, licence, status or verifier"),
                         ("origin64", "problem, domain, source or licence")):  # fmt: skip
        wrong = both.filter(pl.col(column) != pl.col(f"{column}_sft"))
        yield from named(f"{view}_differs", wrong, f"another {what}", "that of the row in sft")
    column, what = ("tokens", "token_count") if view == "pretrain" else ("rest64", "figure")
    wrong = both.filter(pl.col(column).ne_missing(pl.col(f"{column}_sft")))
    yield from named(f"{view}_differs", wrong, f"another {what}", "that of the row in sft")
    for (path,), rows in both.group_by("path"):
        yield from _lengths(records[str(path)], rows)


def _pairs(traces: pl.DataFrame, pairs: pl.DataFrame) -> Iterator[Fault]:
    """Both sides of a pair are rows of `sft` and `rejected`."""
    sides = traces.unique("id64")
    for key, text, maker, status in (
        ("chosen64", "text64", "maker64", "correct"),
        ("loser64", "split64", "teacher64", "incorrect"),
    ):
        alone = pairs.join(sides, left_on=key, right_on="id64", how="anti")
        yield from named("pair_alone", alone, f"its {status} side", "a row of sft or rejected")
        both = pairs.join(sides, left_on=key, right_on="id64", suffix="_row")
        wrong = both.filter(
            (pl.col(text) != pl.col("text64_row"))
            | (pl.col(maker) != pl.col("maker64_row"))
            | (pl.col("asked64") != pl.col("asked64_row"))
            | (pl.col("status_row") != status)
        )
        yield from named("pair_differs", wrong, f"its {status} side", "as the row of its id is")


def _probes(traces: pl.DataFrame, probes: pl.DataFrame) -> Iterator[Fault]:
    """What was tampered with is a correct row of `sft` or `rejected`, of the same teacher."""
    alone = probes.join(traces, left_on="chosen64", right_on="id64", how="anti")
    yield from named("probe_alone", alone, "its trace", "a row of sft or rejected")
    rows = traces.unique("id64")
    both = probes.join(rows, left_on="chosen64", right_on="id64", suffix="_row")
    wrong = both.filter(
        (pl.col("origin64") != pl.col("origin64_row"))
        | (pl.col("teacher64") != pl.col("teacher64_row"))
        | (pl.col("status_row") != "correct")
    )
    said = "a correct trace of that problem, by that teacher"
    yield from named("probe_differs", wrong, "its trace is another", said)


def _overlaps(sft: pl.DataFrame, overlaps: pl.DataFrame) -> Iterator[Fault]:
    """What is contaminated is not for training."""
    bad = overlaps.filter(pl.col("status") == "contaminated")
    traces = bad.filter(pl.col("chosen64").is_not_null())
    statements = bad.filter(pl.col("chosen64").is_null())
    for key, those in (("id64", traces.select(id64="chosen64")),
                       ("problem64", statements.select("problem64"))):  # fmt: skip
        kept = sft.join(those.unique(), on=key, how="semi")
        said = "not in sft, as overlaps says"
        yield from named("contaminated_kept", kept, "holds an item of a benchmark", said)


def _lengths(record: ShardStats, rows: pl.DataFrame) -> Iterator[Fault]:
    """The figures of a copy's shard that its own columns cannot tell."""
    if rows.height != record.rows:
        return  # named already, row by row
    false = rows.get_column("n_false_sft").drop_nulls()
    bad = rows.filter(pl.col("n_false_sft") > 0)
    wrong_reason = bad.filter(pl.col("status") == "correct").height
    figures: dict[str, tuple[object, object]] = {
        "reasoning_chars": (record.stats.reasoning_chars, spread(rows["n_reasoning_sft"])),
        "answer_chars": (record.stats.answer_chars, spread(rows["n_answer_sft"])),
        "without_reasoning": (
            record.stats.without_reasoning, rows.filter(pl.col("n_reasoning_sft") == 0).height,
        ),
        "rows_with_false_steps": (
            record.stats.rows_with_false_steps, bad.height if len(false) else None,
        ),
        "correct_with_false_steps": (
            record.stats.correct_with_false_steps, wrong_reason if len(false) else None,
        ),
    }  # fmt: skip
    for name, (stated, real) in figures.items():
        if stated != real:
            said = f"{short(real)}, by its rows in sft"
            yield Fault("statistics", record.path, f"{name} is {short(stated)}", said)


def _against_problems(traces: pl.DataFrame, problems: pl.DataFrame) -> Iterator[Fault]:
    """Every trace names a problem of `rl`, and says the same of it."""
    # A problem whose reference cannot be read is no task for RL, and is left out there.
    bad = traces.filter(pl.col("status") == "bad_reference").select("problem64").unique()
    asked = traces.join(bad, on="problem64", how="anti")
    alone = asked.join(problems, on="problem64", how="anti")
    yield from named("problem_missing", alone, "its problem is not in rl", "each problem in rl")
    both = asked.join(problems.unique("problem64"), on="problem64", suffix="_rl")
    for column, what in (
        ("asked64", "statement or reference"),
        ("origin64", "domain, task type, source or licence"),
    ):
        wrong = both.filter(pl.col(column) != pl.col(f"{column}_rl"))
        yield from named("problem_differs", wrong, f"another {what}", "that of the problem in rl")


def _counts(over: int | None) -> list[pl.Expr]:
    """Attempts, correct ones, and the pass rate, of verdicts in a group."""
    in_rate = pl.col("status").is_in(COUNTED)
    if over is not None:
        in_rate &= pl.col("attempt_index") < over
    correct = (pl.col("status") == "correct") & in_rate
    rate = pl.when(in_rate.sum() > 0).then(correct.sum() / in_rate.sum())
    return [
        pl.len().cast(pl.Int32).alias("n_attempts_real"),
        (pl.col("status") == "correct").sum().cast(pl.Int32).alias("n_correct_real"),
        in_rate.sum().cast(pl.Int32).alias("n_rated_real"),
        rate.cast(pl.Float32).alias("pass_rate_real"),
    ]


def _judged(traces: pl.DataFrame) -> pl.DataFrame:
    return traces.filter(pl.col("verifier").is_not_null())


def _rates(traces: pl.DataFrame, over: int | None) -> Iterator[Fault]:
    """What a row says of all attempts of its teacher at its problem."""
    judged = _judged(traces)
    both = judged.join(judged.group_by("teacher64").agg(*_counts(over)), on="teacher64")
    yield from _unequal(both, "n_attempts", "the rows of its teacher and problem")
    if over is not None:
        yield from _unequal(both, "pass_rate", "the rows of its teacher and problem")


def _solved(traces: pl.DataFrame, problems: pl.DataFrame, over: int | None) -> Iterator[Fault]:
    """What a problem says of all attempts at it."""
    counts = _judged(traces).group_by("problem64").agg(*_counts(over))
    both = problems.join(counts, on="problem64", how="left")
    names = ["n_attempts", "n_correct", *(["n_rated", "pass_rate"] if over is not None else [])]
    for name in names:
        yield from _unequal(both, name, "the rows of sft and rejected")


def _unequal(rows: pl.DataFrame, name: str, by: str) -> Iterator[Fault]:
    wrong = rows.filter(pl.col(name).ne_missing(pl.col(f"{name}_real")))
    said = f"{name} {{{name}_real}}, by {by}"
    yield from named(f"row_{name}", wrong, f"{name} {{{name}}}", said)
