"""What a release's own recipe says of its rows: who may stand in `sft`, who was asked, how often.

A forger who moves rows between views and makes every hash and figure right again has still to
change the recipe, which is in the manifest, under its own hash. Works on the digests of shard.py.

Not here: rules over columns that are not published, and whatever a recipe with branches leaves
open; what cannot be told is not compared (docs/audit.md lists it).
"""

import re
from collections.abc import Collection, Iterator

import polars as pl

from tracefactory.audit.faults import Fault, named, short
from tracefactory.audit.recipe_says import RecipeSays
from tracefactory.schemas.problem import CONTAMINATED, DUPLICATE


def by_recipe_faults(
    digest: pl.DataFrame, whole: Collection[str], says: RecipeSays
) -> Iterator[Fault]:
    """Rows that the recipe does not allow.

    Args:
        digest: lines of all shards that could be read, with columns `path` and `config`.
        whole: configs all of whose shards could be read.
        says: the recipe.
    """
    sft = digest.filter(pl.col("config") == "sft")
    rejected = digest.filter(pl.col("config") == "rejected")
    problems = digest.filter(pl.col("config") == "rl")
    traces = pl.concat([sft, rejected])
    yield from _let_in(sft, says)
    yield from _once(sft, says)
    yield from _dropped(rejected, says)
    yield from _held_out(sft, rejected, problems, says)
    if says.one_checker:
        yield from _checkers(traces, problems)
    if {"sft", "rejected"} <= set(whole):
        yield from _repeats(rejected, traces, says)
        if says.generated:
            yield from _numbered(traces)
        if says.attempts is not None:
            yield from _enough(traces, *says.attempts)


# --- Who stands in sft ---------------------------------------------------------------------------


def _let_in(sft: pl.DataFrame, says: RecipeSays) -> Iterator[Fault]:
    """Rows of `sft` have the statuses that are published, and have passed every filter."""
    if says.statuses is not None:
        wrong = sft.filter(~pl.col("status").is_in(list(says.statuses)))
        wanted = f"one of {', '.join(sorted(says.statuses))}, says the recipe's publish stage"
        yield from named("row_status", wrong, "status {status} in sft", _plain(wanted))
    for stage, rule in says.kept_by:
        passed = _passes(sft, rule)
        if passed is not None:
            wrong = sft.filter(~passed)
            said = f"passed by all rows of sft, says the recipe's stage {stage}"
            yield from named("row_filtered", wrong, f"fails {_plain(rule)}", _plain(said))


def _plain(text: str) -> str:
    """Not a form to be filled in, whatever it says."""
    return short(text).replace("{", "{{").replace("}", "}}")


_VALUE = r"(?:-?[0-9]{1,12}(?:\.[0-9]{1,12})?|'[^'\\]{0,60}')"
_COMPARISON = re.compile(
    rf"(?P<name>[a-z_]{{1,32}})\s*(?:(?:==?|!=|<>|<=|>=|<|>)\s*{_VALUE}"
    rf"|\s+between\s+{_VALUE}\s+and\s+{_VALUE}"
    rf"|\s+in\s*\(\s*{_VALUE}(?:\s*,\s*{_VALUE}){{0,9}}\s*\))",
    re.IGNORECASE,
)
_FIGURES = {
    "status": pl.col("status"),
    "attempt_index": pl.col("attempt_index"),
    "n_attempts": pl.col("n_attempts"),
    "n_false_steps": pl.col("n_false"),
    "n_reasoning_chars": pl.col("n_reasoning"),
    "n_answer_chars": pl.col("n_answer"),
    "pass_rate": pl.col("pass_rate"),
    "difficulty": (1 - pl.col("pass_rate")).cast(pl.Float32),
}
"""Columns that rules can name, as digests have them."""


def _passes(rows: pl.DataFrame, rule: str) -> pl.Series | None:
    """Which rows pass; None: the rule is more than one comparison, or of other columns.

    Somebody else wrote it, so nothing but the plainest form is given to Polars.
    """
    match = _COMPARISON.fullmatch(rule.strip())
    if match is None or match["name"].lower() not in _FIGURES:
        return None
    try:
        expression = pl.sql_expr(rule.strip()).cast(pl.Boolean).fill_null(False)
        figures = rows.select(**_FIGURES)
        return figures.select(expression.alias("passes")).get_column("passes")
    except pl.exceptions.PolarsError:
        return None


def _once(sft: pl.DataFrame, says: RecipeSays) -> Iterator[Fault]:
    """Where a dedupe stage was passed, no two rows have one text."""
    if any(use == "dedupe" for _, use in says.chain):
        again = sft.filter(pl.col("text64").is_duplicated())
        said = "one row of each text, says the recipe's dedupe stage"
        yield from named("row_text_repeated", again, "another row of sft has its text", said)


def _dropped(rejected: pl.DataFrame, says: RecipeSays) -> Iterator[Fault]:
    """What is rejected was dropped, by a stage of the recipe."""
    wrong = rejected.filter(~pl.col("dropped_by").is_in(list(says.stages)).fill_null(False))
    yield from named("row_dropped_by", wrong, "dropped_by {dropped_by}", "a stage of the recipe")


def _repeats(rejected: pl.DataFrame, traces: pl.DataFrame, says: RecipeSays) -> Iterator[Fault]:
    """What was dropped as a duplicate is one of a row that there is."""
    stages = [name for name, use in says.chain if use == "dedupe"]
    rows = rejected.filter(pl.col("dropped_by").is_in(stages))
    alone = rows.join(traces, left_on="chosen64", right_on="id64", how="anti")
    yield from named("row_drop_reason", alone, "what it repeats", "a row of sft or rejected")


# --- Who was asked -------------------------------------------------------------------------------


def _held_out(
    sft: pl.DataFrame, rejected: pl.DataFrame, problems: pl.DataFrame, says: RecipeSays
) -> Iterator[Fault]:
    """No trace of a held-out problem is for training; where all were made, none was asked for."""
    away = problems.filter(~pl.col("split").is_in(["train", DUPLICATE]))
    held = away.select("problem64", split_rl="split")
    held = held.unique("problem64")
    said = "traces of train problems alone"
    # What was found to be a benchmark's item may have been asked before: it was for training then.
    never = held.filter(pl.col("split_rl") != CONTAMINATED)
    for rows, gone in ((sft, held), (rejected, never)) if says.asks_train_alone else ((sft, held),):
        wrong = rows.join(gone, on="problem64")
        yield from named("row_held_out", wrong, "a trace of a problem in rl/{split_rl}", said)
    if says.asks_train_alone:
        asked = away.filter((pl.col("n_attempts") > 0) & (pl.col("split") != CONTAMINATED))
        found = "n_attempts {n_attempts} in rl/{split}"
        yield from named("problem_asked", asked, found, "no attempts at what is held out")


def _checkers(traces: pl.DataFrame, problems: pl.DataFrame) -> Iterator[Fault]:
    """A trace is judged by the checker of its problem; how strong the walls were is its own."""
    said = problems.unique("problem64").select("problem64", verifier_rl="verifier")
    both = traces.filter(pl.col("verifier").is_not_null()).join(said, on="problem64")
    own, its = (pl.col(name).str.split("+").list.first() for name in ("verifier", "verifier_rl"))
    wrong = both.filter(own.ne_missing(its))
    yield from named(
        "row_verifier", wrong, "verifier {verifier}", "{verifier_rl}, as its problem in rl has it"
    )


# --- How often -----------------------------------------------------------------------------------


def _numbered(traces: pl.DataFrame) -> Iterator[Fault]:
    """A teacher's attempts at a problem are 0 to n-1: who takes some away leaves gaps."""
    n = pl.len().over("teacher64").alias("n_real")
    inside = pl.col("attempt_index").is_between(0, pl.col("n_real"), closed="left")
    wrong = traces.with_columns(n).filter(~inside.fill_null(False))
    found = "attempt_index {attempt_index}, of {n_real} attempts of its teacher at its problem"
    yield from named("row_attempt_index", wrong, found, "0 to {n_real} - 1, each once")


def _enough(traces: pl.DataFrame, least: int, most: int) -> Iterator[Fault]:
    """No problem that was asked has fewer attempts than the recipe makes, nor more."""
    n = pl.len().over("teacher64").alias("n_real")
    wrong = traces.with_columns(n).filter((pl.col("n_real") < least) | (pl.col("n_real") > most))
    found = "{n_real} attempts of its teacher at its problem"
    said = f"{least:,} to {most:,}, says the recipe's generate stage"
    yield from named("row_too_few_attempts", wrong, found, said)
